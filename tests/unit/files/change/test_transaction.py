"""What a transaction takes of the text that the service's user showed (files/change/transaction.sh)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jada import Service, Tiers
from jada.tasks import plan
from jada.tasks.plan import Request
from jada.tasks.state import State
from tests.unit.files.look.conftest import SHELLS

Host = Callable[..., State]
REQUEST = Request("20261124-130000-bbbb", "fleet", "ann@box", "2026-11-24T13:00:00+00:00", 1024)
PLACED = {"PLACED": "yes", "kind": "file"}
TEXT = '{"env": {"TOKEN": "it\'s \\"\xe9\\""}, "max": 204,\r\n"model": "m-1", "deny": ["m-1"]}\n'
SHOWN = '{"env": {"TOKEN": "**********"}, "max": 111,\r\n"model": "m-1", "deny": ["***"]}\n'
# The edit would fall on what is denied, and cut out what it should.
FORGED = SHOWN.replace('"model": "m-1", "deny": ["***"]', '"deny": ["***"], "model": "m-1"')


def is_as_shown(host: Host, original: Path, shown: str | None, values: dict[str, str]) -> bool:
    """The word of a transaction that was planned on the text shown, with this copy of the file in its snapshot."""
    transaction = plan.upgrade(REQUEST, "r", Tiers("m-2"), host(settings={"text": shown}), Service()).transaction
    assert transaction
    functions = transaction.script().partition("\ntrap : INT TERM\n")[0]
    assigned = "".join(f"{name}={text}\n" for name, text in {**values, "original": f"'{original}'"}.items())
    environ = {"PATH": os.environ["PATH"]}
    results = []
    for shell in SHELLS:
        words = [*shell, "-c", f"{functions}\n{assigned}if is_as_shown; then echo yes; else echo no; fi"]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=environ)
        assert not done.stderr
        results.append(done.stdout)
    assert len({*results}) == 1
    return results[0] == "yes\n"


@pytest.mark.parametrize(
    ("shown", "expected"), [(SHOWN, True), (FORGED, False), (SHOWN[:-1], False), (SHOWN.replace("m-1", "m-0"), False)]
)
def test_what_root_placed_is_edited_where_its_own_mask_is_the_text_shown(
    host: Host, tmp_path: Path, shown: str, expected: bool
) -> None:
    assert len(FORGED) == len(SHOWN) == len(TEXT)
    original = tmp_path / "settings"
    original.write_bytes(TEXT.encode("latin-1"))
    assert is_as_shown(host, original, shown, PLACED) is expected


def test_what_is_its_users_own_is_that_users_word(host: Host, tmp_path: Path) -> None:
    original = tmp_path / "settings"
    original.write_bytes(TEXT.encode("latin-1"))
    assert is_as_shown(host, original, FORGED, {**PLACED, "PLACED": ""})
    # So is what goes back: nothing of it was planned on a text.
    assert is_as_shown(host, original, FORGED, {**PLACED, "RESTORES": REQUEST.id})


def test_a_file_of_which_there_is_no_copy_is_not_one_that_is_not_there(host: Host) -> None:
    nothing = Path("/dev/null")
    assert is_as_shown(host, nothing, None, {**PLACED, "kind": "absent"})
    assert not is_as_shown(host, nothing, None, PLACED)
    assert not is_as_shown(host, nothing, SHOWN, {**PLACED, "kind": "absent"})
