"""One host's trouble stays that host's: whatever it says of itself, the others are served, and the way back works."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import JADA, eventually, reset
from tests.security.conftest import MANIFEST, Victim

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def other(whole_lab: Lab, victim: Victim) -> None:
    """The fleet's other host in its first condition too."""
    reset(whole_lab["orchestrator-1"])


EDIT = f"""python3 - {MANIFEST} <<'EOF'
import json, sys
path = sys.argv[1]
manifest = json.load(open(path))
{{change}}
open(path, "w").write(text)
EOF"""
DUMP = "text = json.dumps(manifest)"
# Commands of root on a host on its current manifest, and True where the host can still be judged.
FORGED = {
    "a key of a newer jada": (
        f"manifest['guard'] = {{'until': 'noon'}}; manifest['desired']['tier'] = 2; {DUMP}",
        True,
    ),
    "words that move the cursor": (
        f"manifest['who'] = 'x\\x1b[2J\\n::error::x'; manifest['fleet'] = '[/x]'; {DUMP}",
        True,
    ),
    "a list": ("text = '[]'", False),
    "half of it": (f"{DUMP}; text = text[:40]", False),
    "nothing": ("text = ''", False),
    "text for a number": (f"manifest['desired']['nofile'] = 'many'; {DUMP}", False),
    "a number that is none": (f"manifest['desired']['nofile'] = float('nan'); {DUMP}", False),
    "a number of 5000 digits": (f"{DUMP}; text = text.replace('20000', '9' * 5000)", False),
    "at: yesterday": (f"manifest['at'] = 'yesterday'; {DUMP}", False),
    "year 1": (f"manifest['at'] = '0001-01-01T00:00:00+14:00'; {DUMP}", False),
    "an id that is markup": (f"manifest['id'] = '[/x]'; {DUMP}", False),
    "a model that is more lines": (f"manifest['desired']['model'] = 'claude-x\\nUser=root'; {DUMP}", False),
    "an id of no release": ("import os; text = ''; os.rename(path, path + '.away')", False),
    "nested": ("text = '[' * 100000", False),
}


def forge(victim: Victim, change: str) -> None:
    victim.root(f"cp -a {MANIFEST} /run/manifest; " + EDIT.replace("{change}", change))


def test_a_forged_manifest_is_its_hosts_own_trouble(victim: Victim) -> None:
    assert victim.jada("upgrade", "--to", "opus-5", "--yes")[0] == 0
    hosts = {}
    for name, (change, _) in FORGED.items():
        forge(victim, change)
        code, report, output = victim.jada("drift", "--json")
        status = {row["host"]: row["status"] for row in report["hosts"]}
        assert code == {"in_sync": 0, "drifted": 3}[status[victim.host.name]], output
        assert ("J412" in output) == (code == 3)
        hosts[name] = status.pop(victim.host.name) == "in_sync"
        assert set(status.values()) == {"in_sync"}
        victim.root(f"mv /run/manifest {MANIFEST}")
    assert hosts == {name: judged for name, (_, judged) in FORGED.items()}


@pytest.mark.parametrize("name", ["a key of a newer jada", "a list"])
def test_the_others_go_back_whatever_one_says_of_itself(victim: Victim, name: str) -> None:
    change, judged = FORGED[name]
    assert victim.model() == OLD_MODEL
    assert victim.jada("upgrade", "--to", "opus-5", "--yes")[0] == 0
    forge(victim, change)
    assert victim.jada("history", "--rebuild")[0] == 0
    assert victim.jada("history", "--json")[0] == 0
    code, report, output = victim.jada("rollback", "--yes", "--json")
    assert code == 0, output
    assert {row["outcome"] for row in report["hosts"]} == {"verified"}
    assert any("its snapshot" in note for row in report["hosts"] for note in row["notes"]) == (not judged)
    assert victim.model() == OLD_MODEL
    victim.root("rm -f /run/manifest")


def test_an_old_release_that_is_forged_spoils_no_history(victim: Victim) -> None:
    for model in ("opus-5", "haiku-4.5"):
        assert victim.jada("upgrade", "--to", model, "--yes")[0] == 0
    victim.root('cd /var/lib/jada/releases; set -- *; printf \'{"id": "[/x]", "at": "yesterday"\' >$1/manifest.json')
    assert victim.jada("history", "--rebuild")[0] == 0
    code, report, output = victim.jada("history", "--json")
    assert (code, len(report["releases"])) == (0, 2), output
    for release in report["releases"]:
        assert victim.jada("show", release["release"])[0] == 0
    assert victim.jada("rollback", "--yes")[0] == 0


MODELS = ['"\\ud800"', '"[/x]"', '"\\u001b[2J\\n::error::x"', '"' + "x" * 5000 + '"', "9" * 5000, "1e999"]


def test_a_model_that_is_no_model_is_told_as_text(victim: Victim) -> None:
    for model in MODELS:
        machine.inside(victim.host, "cat >/home/agent/.claude/settings.json", stdin=f'{{"model": {model}}}')
        code, _, output = victim.jada("explain", victim.host.name)
        assert (code, "\x1b" in output, "\n::" in output) == (0, False, False)
        code, report, output = victim.jada("drift", "--json")
        assert (code, len(report["hosts"])) == (3, 2), output
    code, report, output = victim.jada("upgrade", "--to", "opus-5", "--dry-run", "--json")
    outcomes = [row["outcome"] for row in report["hosts"]]
    assert len(outcomes) == 2 and set(outcomes) <= {"planned", "rejected"}, output
    machine.inside(victim.host, "cat >/home/agent/.claude/settings.json", stdin=f'{{"model": {MODELS[0]}}}')
    assert victim.upgrade()[1]["outcome"] == "verified"
    for command in ("status", "drift", "history"):
        _, report, _ = victim.jada(command, "--json")
        json.dumps(report, ensure_ascii=False).encode()


def test_a_link_that_dies_while_somebody_thinks_is_not_their_stop(victim: Victim) -> None:
    """The plan waits at [y/N]; all ssh connections are cut; then the answer is yes."""
    code, output = upgrade_at_terminal(victim, lambda: victim.root("pkill -KILL -f '[s]shd(-session)?: admin'"), "y\n")
    assert code == 0, output
    assert "Stopped" not in output
    assert f"{victim.host.name} verified" in output
    assert victim.model() == "claude-opus-5"
    code, report, _ = victim.jada("history", "--json")
    assert report["releases"][0]["outcomes"] == {"verified": 1}


def upgrade_at_terminal(victim: Victim, meanwhile: Any, answer: str) -> tuple[int, str]:
    """Runs an upgrade at a terminal where the question is answered after `meanwhile`: its exit code and output."""
    ours, theirs = pty.openpty()
    argv = [str(JADA), "upgrade", "--to", "opus-5", "--limit", victim.host.name]
    process = subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, env=victim.env | {"TERM": "dumb"}, start_new_session=True
    )
    os.close(theirs)
    output = ""

    def read() -> bool:
        nonlocal output
        try:
            output += os.read(ours, 65536).decode()
        except OSError:
            return False
        return True

    eventually(lambda: read() and "[y/N]" in output, "nothing was asked")
    meanwhile()
    os.write(ours, answer.encode())
    while read():
        pass
    return process.wait(), output
