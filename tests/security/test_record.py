"""The way back needs nothing to be good on this machine; what is temporary here goes, however jada ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.faults.conftest import finish
from tests.security.conftest import Victim

pytestmark = pytest.mark.lab
BROKEN = {
    "corrupt": lambda state: (state / "jada/history.db").write_bytes(b"no database" * 999),
    "a folder": lambda state: [(state / "jada/history.db").unlink(), (state / "jada/history.db").mkdir()],
    "nowhere": lambda state: [state.rename(state.with_name("gone")), state.write_text("no folder")],
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_a_record_that_is_no_good_stops_no_rollback(victim: Victim, tmp_path: Path, spoil: object) -> None:
    assert victim.upgrade()[0] == 0
    state = tmp_path / "state"
    for file in (state / "jada").glob("history.db-*"):
        file.unlink()
    spoil(state)  # type: ignore[operator]
    code, host, output = victim.on_this_host("rollback")
    assert (code, host["outcome"]) == (0, "verified"), output
    assert "ot recorded here" in output
    assert victim.upgrade()[0] == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_jada_that_is_ended_leaves_nothing_behind(victim: Victim, tmp_path: Path, how: signal.Signals) -> None:
    """Half-way through a change: the host finishes it by itself; what lay here for ssh goes with the next jada."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    env = {"XDG_RUNTIME_DIR": str(runtime)}
    # The change takes long enough to be seen before it is over.
    file = victim.fleet_with(tmp_path, settle="5")
    argv = ("upgrade", "--to", "opus-5", "--yes", "--limit", victim.host.name)
    process = victim.start(*argv, fleet_file=file, env=env)
    eventually(lambda: victim.root("ls /var/lib/jada/transaction 2>/dev/null", check=False) != "", "no change began")
    process.send_signal(how)
    code, _, _ = finish(process)
    assert code in (-how, 128 + how)
    free = "! [ -e /var/lib/jada/lock ] || flock -n /var/lib/jada/lock echo free"
    eventually(lambda: victim.root(free, check=False) == "free\n", "the change goes on")
    if how is signal.SIGKILL:
        finish(victim.start("status", env=env))
    assert [path for path in runtime.rglob("*") if path.is_file()] == []
    assert victim.upgrade(to="haiku-4.5")[1]["outcome"] == "verified"
