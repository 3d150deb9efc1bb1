"""The way back needs nothing of the service's user: whatever that does to its half of a look, or to its home."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import eventually
from tests.security.conftest import Victim

pytestmark = pytest.mark.lab
# Attacks of the user on its half of every look, as long as it goes on. look_as_user is in that half's command line.
ATTACKS = {
    "stopped": "pkill -STOP -u agent -f look_as_use[r]",
    "killed": "pkill -KILL -u agent -f look_as_use[r]",
}
# In place of the user's half, which that user may trace: it says what it likes.
SPEAKER = """#!/bin/sh
case "$*" in *look_as_user*) exec {says} ;; esac
exec /usr/bin/setpriv "$@"
"""
SAYS = {
    "forged to lie elsewhere": r"printf 'settings.real 11\n/etc/shadow\nend 2\nok\n'",
    "forged to be another's": r"printf 'settings.owner 3\n9:9\nlink+ 1\n/\nfolder+ 15\n9\ndrwxrwxrwx\n/x\nend 2\nok\n'",
    "forged to make no sense": r"printf 'settings.size 4\nmany\nend 2\nok\n'",
    "a flood": "cat /dev/zero",
    "a flood that does not pack": "cat /dev/urandom",
    "a flood of folders": "yes 'folder+ 1\nx'",
}


@pytest.fixture
def speak(victim: Victim) -> Iterator[Callable[[str], None]]:
    def say(says: str) -> None:
        script = SPEAKER.replace("{says}", says)
        machine.inside(victim.host, "cat >/usr/local/sbin/setpriv; chmod 755 /usr/local/sbin/setpriv", stdin=script)

    yield say
    victim.root("rm -f /usr/local/sbin/setpriv")


def silent(victim: Victim, folder: Path) -> Path:
    """A fleet.yml by which no service says which model it runs, and that lives with it."""
    file = victim.fleet_with(folder)
    lines = [line for line in file.read_text().splitlines(True) if not line.startswith("model_check:")]
    file.write_text("".join([*lines, "proof: derived\n"]))
    return file


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_user_that_ends_its_half_stops_no_rollback(victim: Victim, tmp_path: Path, attack: str) -> None:
    before = victim.root(f"sha256sum <{victim.host.settings}")
    assert victim.upgrade()[1]["outcome"] == "verified"
    end = victim.in_background(attack)
    try:
        # Now and then the attacker comes too late.
        eventually(lambda: victim.look().unseen != "", "the half was never ended")
        code, host, output = victim.on_this_host("rollback")
        assert (code, host["outcome"]) == (0, "verified"), output
        assert victim.root(f"sha256sum <{victim.host.settings}") == before
        assert victim.model() == OLD_MODEL
    finally:
        end()


@pytest.mark.parametrize("says", SAYS.values(), ids=SAYS)
def test_nothing_that_the_users_half_says_stops_a_rollback(
    victim: Victim, tmp_path: Path, speak: Callable[[str], None], says: str
) -> None:
    before = victim.root(f"sha256sum <{victim.host.settings}; stat -c '%u:%g %a' {victim.host.settings}")
    assert victim.upgrade()[1]["outcome"] == "verified"
    speak(says)
    _, host, output = victim.on_this_host("rollback")
    # Its lies about itself may be found wrong; it is back all the same.
    assert host["outcome"] in ("verified", "unproven"), output
    assert victim.root(f"sha256sum <{victim.host.settings}; stat -c '%u:%g %a' {victim.host.settings}") == before
    assert victim.model() == OLD_MODEL
    refused = victim.upgrade()
    assert (refused[0], refused[1]["outcome"]) == (1, "rejected"), refused[2]


def test_what_root_placed_changes_only_where_root_finds_the_model_itself(
    victim: Victim, speak: Callable[[str], None]
) -> None:
    """The user's half shows another text of the same length, in which the model stands where root's other word does."""
    text = f'{{"model": "{OLD_MODEL}", "other": "{OLD_MODEL}"}}'
    victim.root(f"cat >{victim.host.settings}", stdin=text)
    victim.root(f"chown root:root {victim.host.settings}; chmod 644 {victim.host.settings}")
    swap = r's/"model": "([^"]*)", "other": "[^"]*"/"other": "\1", "model": "\1"/'
    speak(f"""sh -c '/usr/bin/setpriv "$@" | sed -E "$0"' '{swap}' "$@\"""")
    code, host, output = victim.upgrade()
    assert (code, host.get("outcome")) == (1, "rejected"), output
    assert "root finds another text in it" in host["detail"]
    assert victim.root(f"cat {victim.host.settings}") == text
    victim.root("rm -f /usr/local/sbin/setpriv")
    assert victim.upgrade()[1]["outcome"] == "verified"


def test_what_could_not_be_seen_is_never_verified(victim: Victim, tmp_path: Path, speak: Callable[[str], None]) -> None:
    file = silent(victim, tmp_path)
    assert victim.upgrade(fleet_file=file)[1]["outcome"] == "verified"
    speak("true")
    _, dry, _ = victim.jada("rollback", "--dry-run", "--json", "--limit", victim.host.name, fleet_file=file)
    assert "what agent owns could not be seen" in dry["hosts"][0]["notes"][0]
    code, host, output = victim.on_this_host("rollback", fleet_file=file)
    assert (code, host["outcome"], host["detail"]) == (1, "unproven", "what runs is not known"), output
    assert {"J411", "J112"} <= {finding["code"] for finding in host["findings"]}
    assert host["model_after"] is None
    assert victim.model() == OLD_MODEL


def test_a_home_that_its_user_closed_is_that_hosts_outcome(victim: Victim) -> None:
    """Nobody puts back for a user what it can't reach: jada says so, at once, and nothing is half done."""
    assert victim.upgrade()[1]["outcome"] == "verified"
    picture = f"sha256sum {victim.host.settings} /etc/systemd/system/jada-agent.service.d/50-jada.conf"
    before = victim.root(picture)
    mode = victim.root("stat -c %a /home/agent").strip()
    victim.root("chmod 000 /home/agent")
    try:
        code, host, output = victim.on_this_host("rollback")
        assert (code, host["outcome"]) == (1, "rejected"), output
        assert "its own user can't get to it" in host["detail"]
        code, host, output = victim.upgrade(to="haiku-4.5")
        assert (code, host["outcome"]) == (1, "rejected"), output
        assert "its user may not enter /home/agent" in host["detail"]
        assert victim.root(picture) == before
    finally:
        victim.root(f"chmod {mode} /home/agent")
    assert victim.on_this_host("rollback")[1]["outcome"] == "verified"


def test_a_user_that_stops_what_works_in_its_folder_is_that_hosts_outcome(victim: Victim) -> None:
    """It can keep its own file from being changed, but for no longer than a while."""
    assert victim.upgrade()[1]["outcome"] == "verified"
    end = victim.in_background("pkill -STOP -u agent -f [E]XPECTED.OWNER.MODE")
    try:
        code, host, output = victim.on_this_host("rollback")
        assert code in (1, 4), output
        assert host["outcome"] in ("rejected", "rolled_back", "rollback_failed"), output
    finally:
        end()
    # The last of its signals may still be on their way, and a way back that meets one takes a minute to give up.
    eventually(lambda: victim.on_this_host("rollback")[0] == 0, "the way back stays barred", seconds=300)
    assert victim.model() == OLD_MODEL


CURRENT = "/var/lib/jada/releases/$(cat /var/lib/jada/current)"


@pytest.mark.parametrize("snapshot", ["whole", "torn", "lost"])
def test_a_torn_manifest_leaves_the_snapshot_or_the_next_older_whole_one(victim: Victim, snapshot: str) -> None:
    for model in ("haiku-4.5", "opus-5"):
        assert victim.upgrade(to=model)[1]["outcome"] == "verified"
    spoil = {
        "whole": ":",
        "torn": f"truncate -s 9 {CURRENT}/before/settings",
        "lost": f"rm {CURRENT}/before/files",
    }[snapshot]
    victim.root(f": >{CURRENT}/manifest.json; {spoil}")
    path = victim.root(f"echo {CURRENT}").strip()
    _, report, output = victim.jada("status", "--json")
    row = next(row for row in report["hosts"] if row["host"] == victim.host.name)
    assert "J412" in row["drift"], output
    _, _, output = victim.jada("drift", "--limit", victim.host.name)
    assert f"{path}/manifest.json" in re.sub(r"\s+", "", output)
    code, host, output = victim.on_this_host("rollback")
    assert (code, host["outcome"]) == (0, "verified"), output
    note = "is whole and goes back" if snapshot == "whole" else "the next older one goes back"
    assert note in host["notes"][0]
    assert victim.model() == ("claude-haiku-4.5" if snapshot == "whole" else OLD_MODEL)
