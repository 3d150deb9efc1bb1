"""fleet.yml's `accept`: findings to live with for a while."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from jada.inventory.yaml_values import Readers, Value

_CODE = re.compile(r"J[0-9]{3}")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A finding that is to be lived with on the hosts of these names (shell patterns), through the day `until`, UTC."""

    code: str
    hosts: tuple[str, ...]
    reason: str
    until: date
    line: int


def read(value: Value) -> tuple[Acceptance, ...]:
    readers: Readers = {
        "code": lambda code: code.matching(_CODE, "one code of a finding, such as J102"),
        "hosts": Value.texts,
        "reason": Value.text,
        "until": Value.date,
    }

    def acceptance(item: Value) -> Acceptance:
        return Acceptance(**item.fields(readers, required=tuple(readers)), line=item.line)

    return tuple(value.listed(acceptance))
