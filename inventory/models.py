"""The model catalogue: files/models.yml with what fleet.yml overrides or adds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import jada
from jada import EXACT_ID, LONG_CONTEXT, ConfigError, Model
from jada.inventory.yaml_values import Value

# So long before it retires a model is told of: time enough to try another.
NOTICE = timedelta(days=30)
OF_IDS = f"which has letters, digits and . _ : / @ - only, at most 500, and may end with {LONG_CONTEXT}"
_CLI = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Override:
    """What fleet.yml says of a model: its exact id, and the least version of the Claude CLI; "" is the catalogue's."""

    id: str = ""
    cli: str = ""


def read(value: Value) -> dict[str, Override]:
    """fleet.yml's `models`, by short name: an exact id, or a mapping with it."""
    return value.named(_override)


def catalogue(overrides: Mapping[str, Override]) -> tuple[Model, ...]:
    """The models a fleet may name, in the catalogue's order, with its own `overrides` by short name; those that the
    catalogue lacks come last, as models without a price.
    """
    listed = {model.name: model for model in _listed()}
    for name, override in overrides.items():
        model = listed.get(name, Model(name, override.id))
        listed[name] = replace(model, id=override.id or model.id, cli=override.cli or model.cli)
    return tuple(listed.values())


def resolve(name: str, catalogue: Sequence[Model], allow_unlisted: bool = False) -> Model:
    """The model of a short name or an exact id, as the catalogue or the vendor spells it; with `allow_unlisted`, of any
    well-formed id. Each may end with [1m].

    Raises ConfigError for an unknown name, an alias that moves with the CLI's version, or what can't be an id.
    """
    if model := _find(name, catalogue):
        return model
    if problem := why_rejected(name):
        raise ConfigError(problem, _alternatives(name, catalogue))
    short = name.removesuffix(LONG_CONTEXT)
    if short != name and (model := _find(short, catalogue)):
        return replace(model, name=name, id=f"{model.id.removesuffix(LONG_CONTEXT)}{LONG_CONTEXT}")
    if allow_unlisted:
        return Model(name, name)
    raise ConfigError(
        f"There is no model {name} in the catalogue",
        f"{_alternatives(name, catalogue)}; `jada models` lists them all. An exact id goes under `models:` in "
        "fleet.yml, or with --allow-unlisted",
    )


def retirement(exact: str, catalogue: Sequence[Model], today: date) -> str:
    """The day on which a model retires, in words, from NOTICE before that day on; or ""."""
    day = retires(exact, catalogue)
    if not day or (remaining := date.fromisoformat(day) - today) > NOTICE:
        return ""
    if remaining <= timedelta():
        return f"retired on {day}" if remaining else f"retires today, {day}"
    return f"retires on {day}, in {remaining.days} day{'s' if remaining.days > 1 else ''}"


def retires(exact: str, catalogue: Sequence[Model]) -> str:
    """The day on which a model retires, as an ISO date, or "" where none is known."""
    ids = (exact, exact.removesuffix(LONG_CONTEXT))
    return next((model.retires for model in catalogue if model.retires and model.id in ids), "")


def why_rejected(exact: str) -> str:
    """Says why this can't be the id of a fleet's model, or ""."""
    if exact.removesuffix(LONG_CONTEXT) in _floating():
        return f"{exact} is an alias that means another model after an update of the CLI; a fleet is pinned to one"
    if not EXACT_ID.fullmatch(exact):
        return f"{exact[:80]!a} can't be the id of a model, {OF_IDS}"
    return ""


def _override(name: str, value: Value) -> Override:
    override = value.by_form(
        text=lambda text: Override(_exact(text)),
        mapping=lambda mapping: Override(**mapping.fields({"id": _exact, "cli": _version})),
    )
    if not override.id and name not in _file()["models"]:
        raise value.error("lacks the key id, for the catalogue has no model of that name")
    return override


def _exact(value: Value) -> str:
    exact = value.matching(EXACT_ID, f"the exact id of a model, {OF_IDS}")
    if problem := why_rejected(exact):
        raise value.error(f"can't be used. {problem}")
    return exact


def _version(value: Value) -> str:
    return value.matching(_CLI, "a version of the Claude CLI such as 2.1.280")


def _find(name: str, catalogue: Sequence[Model]) -> Model | None:
    if model := next((model for model in catalogue if name in (model.name, model.id)), None):
        return model
    # The vendor's own ids have hyphens where a gateway's may have dots: whoever spells one out gets that.
    vendors = (model for model in catalogue if model.id.startswith("claude-") and name == model.id.replace(".", "-"))
    return next((replace(model, id=name) for model in vendors), None)


def _listed() -> tuple[Model, ...]:
    return tuple(
        Model(name, entry["id"], entry["input"], entry["output"], entry.get("retires", ""), entry.get("cli", ""))
        for name, entry in _file()["models"].items()
    )


def _floating() -> frozenset[str]:
    return frozenset(_file()["floating"])


@cache
def _file() -> dict[str, Any]:
    # By path, not importlib.resources: an editable install maps packages one by one, and files/ holds no module.
    text = (Path(jada.__file__).parent / "files" / "models.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _alternatives(name: str, catalogue: Sequence[Model]) -> str:
    """The catalogue's names that look most like this one, by short name or id."""
    short = {model.name: model.name for model in catalogue} | {model.id: model.name for model in catalogue}
    near = difflib.get_close_matches(name, short, n=6, cutoff=0.6)
    near += [model.name for model in catalogue if model.name.startswith(f"{name}-")]
    names = list(dict.fromkeys(short[match] for match in near))[:4] or [model.name for model in catalogue]
    return "one of: " + ", ".join(names)
