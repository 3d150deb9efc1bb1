"""Looks that were recorded on lab hosts, and the State that each is (looks/*.json, made by tests/recorded.py).

Where a State holds something else on purpose, `JADA_RECORD=1` has the states written anew, and `git diff` shows it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from jada.tasks.frames import OF_ROOT, OF_USER, Fields
from tests.recorded import LOOKS, Recorded, as_data

FILES = sorted(LOOKS.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_look_is_read_as_it_was(file: Path) -> None:
    recorded = Recorded.load(file)
    if os.environ.get("JADA_RECORD"):
        recorded.save(file)
    assert as_data(recorded.state()) == json.loads(file.read_text())["state"]


def test_every_field_of_a_look_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host has to find out a field that no one reads."""
    read_fields = set[str]()

    def counted(method: str, prefix: str = "") -> None:
        real = getattr(Fields, method)

        def ask(self: Fields, name: str, *rest: str) -> object:
            read_fields.add(_general(f"{name}{prefix}"))
            return real(self, name, *rest)

        monkeypatch.setattr(Fields, method, ask)

    for method in ("__contains__", "__getitem__", "get", "all"):
        counted(method)
    counted("with_prefix", "NAME")
    for file in FILES:
        Recorded.load(file).state()
    assert {*OF_ROOT, *OF_USER} - read_fields == {"end"}


def _general(name: str) -> str:
    """The name that OF_ROOT and OF_USER have for a field."""
    return re.sub(r"^unit\.[A-Z].*", "unit.PROPERTY", re.sub(r"(layer|history)\d+\.", r"\1N.", name))
