"""Nothing of one host decides for another: a peer's words on its releases run nowhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import LAB, reset, short_fleet
from tests.forms import checked
from tests.security.conftest import MANIFEST, Victim

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
PEER = "jada-agent"
EVIL = {
    "lines for a unit": {"desired": {"model": "claude-x\nUser=root\nExecStartPre=/bin/touch /etc/owned"}},
    "an unknown model": {"desired": {"model": "claude-evil-9"}},
    "an id from the future": {"id": "29991231-235959-ffff", "desired": {"release": "29991231-235959-ffff"}},
    "a limit that locks out": {"desired": {"nofile": 10, "nofile_requested": 10}},
}


@pytest.mark.parametrize("forged", EVIL.values(), ids=EVIL)
def test_heal_takes_no_peers_word(victim: Victim, whole_lab: Lab, forged: dict[str, object]) -> None:
    """A fresh host, a peer of the same role whose root lies, and a record that knows neither."""
    peer = whole_lab[PEER]
    reset(peer)
    with_peer = LAB.folder / "with-peer.yml"
    with_peer.write_text(short_fleet(is_static=False))
    assert victim.jada("upgrade", "--to", "opus-5", "--yes", "--limit", PEER, fleet_file=with_peer)[0] == 0
    manifest = json.loads(machine.inside(peer, f"cat {MANIFEST}").stdout)
    for key, value in forged.items():
        manifest[key] = {**manifest[key], **value} if isinstance(value, dict) else value
    machine.inside(peer, f"cat >{MANIFEST}", stdin=json.dumps(manifest))
    asking = LAB.folder / "peers.yml"
    asking.write_text(LAB.fleet_file.read_text().replace("sonnet-4.6", "opus-4.8"))
    fresh = victim.env | {"XDG_STATE_HOME": victim.env["XDG_STATE_HOME"] + "-fresh", "JADA_FLEET": str(asking)}
    process = victim.start("heal", "--yes", "--json", "--limit", victim.host.name, env=fresh)
    out, err = process.communicate(timeout=120)
    reset(peer)
    # fleet.yml's own word for that role.
    assert checked(out)["hosts"][0]["outcome"] == "verified", out + err
    assert victim.model() == OLD_MODEL
    unit = victim.root("cat /etc/systemd/system/jada-agent.service.d/50-jada.conf")
    assert "User=" not in unit
    assert "LimitNOFILE=20000" in unit
    assert victim.root("ls /etc/owned 2>/dev/null", check=False) == ""
