"""fleet.yml's `hooks`: commands of this machine that are run when something happens to a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jada.inventory.yaml_readers import span
from jada.inventory.yaml_values import Value

NAMES = ("on_wave", "on_pause", "on_rollback", "on_done", "on_fail")


@dataclass(frozen=True, slots=True)
class Hooks:
    """The command of each of NAMES that has one, as its words; each may take `timeout` seconds."""

    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timeout: int = 30


def read(value: Value) -> Hooks:
    values = value.fields({**dict.fromkeys(NAMES, _command), "timeout": lambda timeout: span(timeout, least=1)})
    return Hooks({name: words for name, words in values.items() if name in NAMES}, values.get("timeout", 30))


def _command(value: Value) -> tuple[str, ...]:
    """The words of a command: those of a list as they are, a text by way of a shell."""
    return value.by_form(text=lambda text: ("sh", "-c", text.text()), items=Value.texts)
