"""Root follows no path that somebody else owns: the agent's user lays links, and nothing outside its home changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jada.inventory.lab import machine
from tests.security.conftest import MANIFEST, Victim, cases

pytestmark = pytest.mark.lab
S = ".claude/settings.json"


LINKS = {
    "a dangling link out of the home": (
        f"rm {S}; ln -s /etc/profile.d/zz.sh {S}",
        "settings.json is a link to nothing",
    ),
    "a dangling link in the home": (f"rm {S}; ln -s ../none.json {S}", "settings.json is a link to nothing"),
    "a link to a file of root's": (f"ln -sf /etc/motd.json {S}", "settings.json is a link that leads out"),
    "a folder that is a link to root's": (
        "mv .claude aside; ln -s /etc/claude .claude",
        ".claude is a link that leads",
    ),
    "a folder that is a link to nowhere": ("mv .claude aside; ln -s /etc/none .claude", ".claude is a link that leads"),
    "a chain of links": (f"ln -s /etc/motd.json a; ln -s ../a .claude/b; ln -sf b {S}", "that leads out of the home"),
    "a link into another's home": (f"ln -sf /home/admin/x.json {S}", "settings.json is a link"),
    "a pipe": (f"rm {S}; mkfifo {S}", "it is not a regular file"),
    "a folder": (f"rm {S}; mkdir {S}", "it is not a regular file"),
    "a device": (f"ln -sf /dev/null {S}", "settings.json is a link that leads out"),
}


@pytest.mark.parametrize(("lay", "link"), LINKS.values(), ids=LINKS)
def test_what_leads_elsewhere_is_refused_and_named(victim: Victim, lay: str, link: str) -> None:
    victim.root("echo '{}' >/etc/motd.json; mkdir /etc/claude; echo '{}' >/etc/claude/settings.json")
    try:
        before = victim.everything()
        victim.user(lay)
        code, host, output = victim.upgrade()
        assert (code, host["outcome"]) == (1, "rejected"), output
        assert link in host["detail"], host["detail"]
        assert victim.everything() == before
        _, dry, _ = victim.jada("upgrade", "--to", "opus-5", "--dry-run", "--json", "--limit", victim.host.name)
        assert dry["hosts"][0]["outcome"] == "rejected"
    finally:
        victim.root("rm -rf /etc/motd.json /etc/claude")


NEW, OLD = "settings.json.jada-new", "settings.json.jada-old"
TEMPORARY = [
    *((name, at, "ln -s /etc/hosts") for name in (NEW, OLD) for at in ("upgrade", "rollback")),
    (NEW, "upgrade", "mkdir"),
    (OLD, "rollback", "mkdir"),
]


@pytest.mark.parametrize(("name", "at", "what"), TEMPORARY)
def test_what_lies_under_a_temporary_name_is_not_followed(victim: Victim, name: str, at: str, what: str) -> None:
    if at == "rollback":
        assert victim.upgrade()[0] == 0
    victim.user(f"cp .bashrc kept; {what} .claude/{name}")
    code, host, output = victim.upgrade() if at == "upgrade" else victim.on_this_host("rollback")
    # Where the name can't be had, nothing is done; never is it followed.
    allowed = {(1, "rejected"), (4, "rolled_back")} if what == "mkdir" else {(0, "verified")}
    assert (code, host["outcome"]) in allowed, output
    victim.user("cmp .bashrc kept")


@pytest.mark.parametrize("at", ["upgrade", "rollback"])
def test_where_root_placed_the_file_a_link_left_under_the_temporary_name_is_in_nobodys_way(
    victim: Victim, at: str
) -> None:
    victim.root(f"chown root:root {victim.host.settings}; chmod 644 {victim.host.settings}")
    if at == "rollback":
        assert victim.upgrade()[0] == 0
    victim.user(f"cp .bashrc kept; ln -s ../.bashrc .claude/{NEW}")
    _, host, output = victim.upgrade() if at == "upgrade" else victim.on_this_host("rollback")
    assert host["outcome"] == "verified", output
    victim.user(f"cmp .bashrc kept; [ ! -L .claude/{NEW} ]")


@pytest.mark.parametrize("links", ["own file", "own folder", "two in a row"])
def test_links_within_the_home_go_on_working(victim: Victim, links: str) -> None:
    lay = {
        "own file": f"mkdir dots; mv {S} dots/claude.json; ln -s ../dots/claude.json {S}",
        "own folder": "mkdir dots; mv .claude dots/claude; ln -s dots/claude .claude",
        "two in a row": f"mkdir dots; mv {S} dots/a.json; ln -s a.json dots/b.json; ln -s ../dots/b.json {S}",
    }[links]
    victim.user(lay)
    picture = "find . -name '*.json' -printf '%p %l %u %m\\n' | sort; sha256sum .claude/settings.json"
    before = victim.user(picture)
    assert victim.upgrade()[1]["outcome"] == "verified"
    assert victim.model() == "claude-opus-5"
    assert victim.user(picture) != before
    assert victim.on_this_host("rollback")[1]["outcome"] == "verified"
    assert victim.user(picture) == before


RACES = {
    "a folder that becomes a link": "mv .claude aside; ln -s /etc/jada-trap .claude; rm .claude; mv aside .claude",
    "a file that becomes a link": f"mv {S} aside.json; ln -s /etc/jada-trap/settings.json {S}; mv aside.json {S}",
    "a temporary name that becomes a link": f"ln -sf /etc/jada-trap/settings.json {S}.jada-new; rm -f {S}.jada-new",
    "a second name that becomes a link": f"ln -sf /etc/jada-trap/settings.json {S}.jada-old; rm -f {S}.jada-old",
}


FILES = {f"{race}, {whose}": (RACES[race], whose) for race in RACES for whose in ("the user's", "placed by root")}
TRIED = cases(
    FILES, *(f"a {what} that becomes a link, placed by root" for what in ("file", "second name")),
    "a second name that becomes a link, the user's",
)  # fmt: skip


@pytest.mark.parametrize(("race", "whose"), TRIED.values(), ids=TRIED)
def test_names_that_change_all_the_time_lead_nowhere(victim: Victim, race: str, whose: str) -> None:
    victim.root('mkdir /etc/jada-trap; echo \'{"model": "x"}\' >/etc/jada-trap/settings.json')
    try:
        if whose == "placed by root":
            victim.root(f"chown root:root {victim.host.settings}; chmod 644 {victim.host.settings}")
        before = victim.everything()
        end = victim.in_background(race)
        try:
            for model in ("opus-5", "haiku-4.5") if os.environ.get("JADA_ALL_FAULTS") else ("opus-5",):
                code, _host, output = victim.upgrade(to=model)
                assert code in (0, 1, 4), output
                code, _host, output = victim.on_this_host("rollback")
                assert code in (0, 1, 4), output
        finally:
            end()
        assert victim.everything() == before
        victim.user(
            "[ ! -e aside ] || { rm -rf .claude; mv aside .claude; }; [ ! -e aside.json ] || mv -f aside.json "
            + S
            # The user may have lost its own file in its race.
            + f"; [ ! -L {S} ] || rm {S}"
        )
        # Where the race was won even against the way back, that is made good first.
        _, host, output = victim.upgrade(to="sonnet-4.6")
        assert host["outcome"] in ("verified", "unchanged"), output
        assert victim.model() == "claude-sonnet-4.6"
        assert victim.user(f"[ -f {S} ] && [ ! -L {S} ] && echo whole") == "whole\n"
    finally:
        victim.root("rm -rf /etc/jada-trap")


# Exchanges a folder with a link, both of which are there at any moment (renameat2(2), RENAME_EXCHANGE).
EXCHANGE = """
import ctypes, os
if not os.path.lexists("trap"):
    os.symlink("/etc/jada-trap", "trap")
number = {"x86_64": 316, "aarch64": 276}[os.uname().machine]
for _ in range(200000):
    ctypes.CDLL(None).syscall(number, -100, b".claude", -100, b"trap", 2)
"""


@pytest.mark.parametrize("shell", cases({"/bin/dash": "", "/bin/bash": ""}, "/bin/dash"))
def test_no_shell_takes_a_folder_for_another(victim: Victim, shell: str) -> None:
    """bash works out where it is before it goes there."""
    settings = victim.host.settings
    victim.root('mkdir /etc/jada-trap; echo \'{"model": "x"}\' >/etc/jada-trap/settings.json')
    victim.root(f"ln -s {shell} /usr/local/sbin/sh; chown root:root {settings}; chmod 644 {settings}")
    try:
        before = victim.everything()
        machine.inside(victim.host, "cat >/home/agent/exchange.py", stdin=EXCHANGE)
        end = victim.in_background("python3 exchange.py")
        try:
            for _ in range(3):
                assert victim.upgrade()[0] in (0, 1, 4)
        finally:
            end()
        assert victim.everything() == before
    finally:
        victim.root("rm -rf /etc/jada-trap /usr/local/sbin/sh")


def test_settings_that_nobody_may_read_go_back(victim: Victim) -> None:
    """The way back needs nothing to be good."""
    first = victim.root(f"sha256sum {victim.host.settings}; stat -c '%U %a' {victim.host.settings}")
    assert victim.upgrade()[0] == 0
    victim.user(f"chmod 000 {S}")
    _, host, output = victim.on_this_host("rollback")
    assert host["outcome"] == "verified", output
    assert victim.root(f"sha256sum {victim.host.settings}; stat -c '%U %a' {victim.host.settings}") == first


def test_a_file_of_roots_with_another_name_is_refused(victim: Victim) -> None:
    settings = victim.host.settings
    victim.root(f"cp {settings} /home/roots.json; chmod 644 /home/roots.json; ln -f /home/roots.json {settings}")
    try:
        _, host, output = victim.upgrade()
        assert host["outcome"] == "rejected", output
        assert "other names" in host["detail"]
    finally:
        victim.root(f"rm /home/roots.json {settings}")


@pytest.mark.parametrize("path", ["/srv/none/settings.json", "~/.claude/none/settings.json"])
def test_folders_are_made_in_the_home_alone_and_as_its_user(victim: Victim, tmp_path: Path, path: str) -> None:
    file = victim.fleet_with(tmp_path, settings=path)
    _, host, output = victim.upgrade(fleet_file=file)
    if path.startswith("/"):
        assert host["outcome"] == "rejected", output
        assert "/srv/none does not exist" in host["detail"]
    else:
        # The lab's agent reads another file, so the release does not take; the folder goes again with it.
        assert host["outcome"] == "rolled_back", output
    assert victim.user("ls .claude") == "settings.json\n"


def test_a_folder_of_another_user_is_refused(victim: Victim) -> None:
    victim.root(f"chown admin {victim.host.home}/.claude")
    try:
        _, host, output = victim.upgrade()
        assert host["outcome"] == "rejected", output
        assert ".claude belongs to another user" in host["detail"]
    finally:
        victim.root(f"chown agent {victim.host.home}/.claude")


def test_roots_own_files_never_take_their_place_from_the_user(victim: Victim) -> None:
    """The look's values are the user's word: even one that lies about its settings' place is written to as itself."""
    victim.user(f"mkdir dots; cp {S} dots/claude.json")
    assert victim.upgrade()[0] == 0
    listed = victim.root(
        "cat /etc/security/limits.d/50-jada.conf /etc/systemd/system/jada-agent.service.d/50-jada.conf"
    )
    assert listed.count("agent soft nofile") == listed.count("agent hard nofile") == 1
    state = json.loads(victim.root(f"cat {MANIFEST}"))
    assert state["desired"]["model"] == "claude-opus-5"
