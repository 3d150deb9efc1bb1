"""Ansible's inventories, both ways: the fleet as one, and one as a source of hosts. Read by Ansible's own commands."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jada import Aws, Host, HostError, JadaError
from jada.cli.doctor import cloud
from jada.cli.doctor.result import Verdict
from jada.inventory.ansible_inventory import NOWHERE, inventory, trouble
from jada.inventory.discover import search
from jada.inventory.fleet.config import Fleet, parse
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.sources import ansible as source_of_ansible
from jada.inventory.sources.ansible import AnsibleSource, hosts
from jada.inventory.sources.static import StaticHost, StaticSource
from tests import warm
from tests.forms import checked

BIN = Path(sys.executable).parent
HOSTILE = "{{ lookup('pipe', 'touch here') }}"
FLEET = Fleet("f", Path("fleet.yml"), (), ())
TAGS = {"a b": HOSTILE, "Name": "web-1", HOSTILE: "x", "__ansible_vault": "x", "__ansible_unsafe": "x"}
WEB = Host("web-1", "10.0.0.1", "ec2", id="i-1", region="us-east-1", user="admin", role="web", tags=TAGS)
INVENTORY = """
all:
  vars: {ansible_user: ops}
  children:
    agents:
      children:
        orch: {hosts: {o-1: {ansible_host: 10.0.0.1, ansible_port: 2222}}}
        work: {hosts: {"w-[1:2].example.com": {}}}
    other: {hosts: {db-1: {ansible_connection: local}}}
"""
ROLES = "roles: {o: {tags: {role: o}}, w: {}}\n"


@pytest.fixture(autouse=True)
def ansible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def listing(variables: Mapping[str, Any], **groups: Any) -> dict[str, Any]:
    return {"_meta": {"hostvars": variables}, "all": {"children": [*groups]}, **groups}


def test_ansible_takes_the_fleet_and_runs_nothing_of_its_tags(tmp_path: Path) -> None:
    spoiler = replace(WEB, name="__ansible_vault")
    (tmp_path / "inventory.json").write_text(json.dumps(inventory(FLEET, [spoiler, WEB])))
    script = tmp_path / "inventory.sh"
    script.write_text("#!/bin/sh\ncat inventory.json\n")
    script.chmod(0o755)
    argv = ("ansible", "-i", script, "role_web:&provider_ec2:&region_us_east_1", "-c", "local", "-m", "debug", "-a")
    text = (
        "msg={{ ansible_host }}|{{ ansible_port }}|{{ ansible_user }}|{{ jada_tags['a b'] }}|{{ jada_tags | length }}"
    )
    shown = subprocess.run([*argv, text], capture_output=True, text=True, check=True).stdout
    assert f"10.0.0.1|22|admin|{HOSTILE}|3" in shown
    assert not (tmp_path / "here").exists()


def test_a_host_is_in_the_groups_of_its_role_place_and_tags() -> None:
    groups = inventory(FLEET, [WEB])
    assert [name for name in groups if name not in ("_meta", "all")] == [
        "role_web", "provider_ec2", "region_us_east_1", "tag_a_b____lookup__pipe____touch_here_____",
        "tag____lookup__pipe____touch_here______x", "tag___ansible_vault_x", "tag___ansible_unsafe_x",
    ]  # fmt: skip
    assert groups["all"]["hosts"] == ["web-1"]


@pytest.mark.parametrize(
    ("ssh", "options"),
    [
        (Ssh(), ["-o", "StrictHostKeyChecking=yes"]),
        (Ssh(known_hosts=Path("/k h"), host_keys="accept-new"),
         ["-o", 'UserKnownHostsFile="/k h"', "-o", "StrictHostKeyChecking=accept-new"]),
        (Ssh(jump="ops@jump:2222", key=Path("/key"), known_hosts=Path("/known")),
         ["-o", 'UserKnownHostsFile="/known"', "-o", "StrictHostKeyChecking=yes", "-o",
          "ProxyCommand=ssh -F none -o 'UserKnownHostsFile=\"/known\"' -i /key -o IdentitiesOnly=yes -o BatchMode=yes "
          "-o ControlMaster=no -o StrictHostKeyChecking=yes -W '[%h]:%p' ssh://ops@jump:2222"]),
    ],
)  # fmt: skip
def test_ssh_goes_the_way_of_fleet_yml(ssh: Ssh, options: list[str]) -> None:
    variables = inventory(Fleet("f", Path("fleet.yml"), (), (), ssh=ssh), [WEB])["_meta"]["hostvars"]["web-1"]
    assert shlex.split(variables["ansible_ssh_common_args"]) == options
    assert variables.get("ansible_ssh_private_key_file") == (str(ssh.key) if ssh.key else None)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (Host("a", "", "ec2", trouble=HostError("a has no address")), "a has no address"),
        (Host("a", HOSTILE, "ec2"), "The address of host 'a'"),
        (Host("a", "10.0.0.1", "ec2", user=HOSTILE), "The user of host 'a'"),
        (Host("a", "10.0.0.1", "ec2", engine="ssm"), "a is reached through Systems Manager"),
        (Host("a", "10.0.0.1", "ec2", via="eice"), "a is reached through an EC2 Instance Connect Endpoint"),
        (Host("a", "10.0.0.1", "ec2", login="instance-connect"), "a is reached with a key"),
    ],
)
def test_what_ansible_can_not_reach_is_there_and_leads_nowhere(host: Host, why: str) -> None:
    variables = inventory(FLEET, [host])["_meta"]["hostvars"]["a"]
    assert variables["ansible_host"] == NOWHERE
    assert variables["jada_error"]["__ansible_unsafe"].startswith(why)
    assert not {"ansible_user", "ansible_port", "ansible_ssh_common_args"} & variables.keys()


def test_a_name_that_would_spoil_it_for_all_is_left_out_and_told() -> None:
    host = replace(WEB, name="__ansible_type")
    assert inventory(FLEET, [host])["all"]["hosts"] == []
    assert str(trouble(host)) == "__ansible_type has a name that is none to Ansible, so it is left out"


def test_the_command_prints_it_and_says_who_can_not_be_reached(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    same = "{address: 192.0.2.1}"
    file.write_text(f"fleet: f\nsources: [{{static: {{hosts: {{a: {same}, b: {same}, c: {{address: c}}}}}}}}]\n{ROLES}")
    told = warm.run(["hosts", "--ansible", "--fleet", str(file)], dict(os.environ))
    assert told.returncode == 0
    variables = json.loads(told.stdout)["_meta"]["hostvars"]
    assert {name: values["ansible_host"] for name, values in variables.items()} == {
        "a": NOWHERE,
        "b": NOWHERE,
        "c": "c",
    }
    assert "✗ a (static) would be reached at 192.0.2.1" in told.stderr
    assert warm.run(["hosts", "--ansible", "--json"], dict(os.environ)).returncode == 2


def test_an_inventory_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    file = tmp_path / "fleet.yml"
    file.write_text(
        "fleet: f\nsources:\n  - ansible: {inventory: hosts.yml, group: orch, tags: {role: o}}\n"
        f"  - ansible: {{inventory: hosts.yml, group: agents}}\n{ROLES}"
    )
    fleet = parse(file)
    assert fleet.sources[0] == AnsibleSource(tmp_path / "hosts.yml", "orch", {"role": "o"})
    assert fleet.accounts == ()
    rows = checked(warm.run(["hosts", "--json", "--fleet", str(file)], dict(os.environ)).stdout)["hosts"]
    assert [(row["host"], row["address"], row["port"], row["user"], row["role"]) for row in rows] == [
        ("o-1", "10.0.0.1", 2222, "ops", "o"),
        ("w-1.example.com", "w-1.example.com", 22, "ops", "w"),
        ("w-2.example.com", "w-2.example.com", 22, "ops", "w"),
    ]
    # The way back does without Ansible, and goes by what it said last.
    (tmp_path / "hosts.yml").unlink()
    cached = warm.run(["hosts", "--cached", "--json", "--fleet", str(file)], dict(os.environ))
    assert checked(cached.stdout)["hosts"] == rows
    assert "Ansible was not asked: these are the hosts that it listed" in cached.stderr
    back = warm.run(["rollback", "--dry-run", "--limit", "o-*", "--fleet", str(file)], dict(os.environ))
    assert "The way back needs no Ansible: the hosts there are those that it listed" in back.stderr


def test_an_inventory_that_ansible_can_not_read_is_no_empty_one(tmp_path: Path) -> None:
    source = AnsibleSource(tmp_path / "none.yml")
    with pytest.raises(JadaError, match=r"can't read .*none.yml: \[ERROR\]: Completely failed to parse") as raised:
        source.find(Aws(), "")
    assert raised.value.hint == f"see: ansible-inventory --list -i {tmp_path}/none.yml"


def test_a_hint_to_paste_is_one_command_whatever_the_file_is_called(tmp_path: Path) -> None:
    with pytest.raises(JadaError) as raised:
        AnsibleSource(tmp_path / "no; touch here").find(Aws(), "")
    _, command = (raised.value.hint or "").split(": ", 1)
    assert shlex.split(command)[-1] == f"{tmp_path}/no; touch here"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("", "it says nothing"),
        ("echo '{}'", "it says nothing"),
        ("echo '{\"_meta\": 1}'; printf 'a\\033[2Jb\\n' >&2", r"a\x1b[2Jb"),
        ("echo '[ERROR]: no vault secrets' >&2; echo more >&2; exit 4", "[ERROR]: no vault secrets"),
    ],
)
def test_an_answer_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, why: str) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/ansible-inventory"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(JadaError) as raised:
        AnsibleSource(Path("hosts")).find(Aws(), "")
    assert raised.value.message == f"ansible-inventory can't read hosts: {why}"


def test_without_ansible_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JadaError, match="There is no ansible-inventory here") as raised:
        AnsibleSource(Path("hosts")).find(Aws(), "")
    assert "uv tool install ansible-core" in raised.value.hint


def test_groups_lead_to_their_hosts_once_even_in_a_circle() -> None:
    groups = {"a": {"children": ["b", "c"], "hosts": ["x"]}, "b": {"children": ["a"], "hosts": ["y", "x"]}}
    found = hosts(AnsibleSource(Path("i"), "a"), listing({}, **groups))
    assert [host.name for host in found] == ["x", "y"]


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"ansible_host": "{{ ip }}"}, "the ansible_host of x can't be used: {{ ip }}"),
        ({"ansible_host": "-oProxyCommand=id"}, "the ansible_host of x can't be used: -oProxyCommand=id"),
        ({"ansible_host": {"__ansible_unsafe": "10.0.0.1"}}, "the ansible_host of x can't be used"),
        ({"ansible_user": "a b"}, "the ansible_user of x can't be used: a b"),
        ({"ansible_port": "{{ port }}"}, "the ansible_port of x can't be used"),
        ({"ansible_port": 65536}, "the ansible_port of x can't be used"),
        ({"ansible_connection": "local"}, "Ansible reaches x by local, and jada by ssh alone"),
    ],
)
def test_a_host_that_jada_can_not_take_as_it_stands_is_an_error(variables: dict[str, Any], why: str) -> None:
    with pytest.raises(JadaError) as raised:
        hosts(AnsibleSource(Path("i"), "a"), listing({"x": variables}, a={"hosts": ["x"]}))
    assert why in raised.value.message


def test_a_name_that_would_be_more_is_an_error_and_so_is_a_group_that_is_not_there() -> None:
    with pytest.raises(JadaError, match="the name of @local can't be used"):
        hosts(AnsibleSource(Path("i"), "a"), listing({}, a={"hosts": ["@local"]}))
    with pytest.raises(JadaError, match=r"i has no group agent; did you mean agents\?") as raised:
        hosts(AnsibleSource(Path("i"), "agent"), listing({}, agents={"hosts": ["x"]}))
    assert raised.value.hint == "groups: all, agents"


def test_an_inventory_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(source_of_ansible, "PATIENCE", 0.1)
    program = tmp_path / "ansible-inventory"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(JadaError, match=r"ansible-inventory gave no answer about hosts within 0.1 s"):
        AnsibleSource(Path("hosts")).find(Aws(), "")


def test_what_a_hanging_inventory_has_started_is_not_waited_for(tmp_path: Path) -> None:
    """In a process of gevent's, as jada is one: its subprocess.run waits for all who hold the pipe."""
    program = tmp_path / "ansible-inventory"
    program.write_text(f"#!/bin/sh\nsleep 600 &\necho $! >{tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)
    script = (
        "from jada.cli.startup import patch_gevent; patch_gevent()\n"
        "from pathlib import Path; from jada import Aws; from jada.inventory.sources import ansible\n"
        f"ansible.PATIENCE = 3; ansible.AnsibleSource(Path({str(tmp_path)!r})).find(Aws(), '')\n"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert "gave no answer" in done.stderr


def test_doctor_tells_why_an_inventory_has_no_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    other = AnsibleSource(Path("hosts"))
    fleet = Fleet("f", Path("fleet.yml"), (other,), ())
    why = "There is no ansible-inventory here, which reads the source `ansible`"
    alone, _ = cloud.hosts(fleet, search(fleet), ())
    assert (alone.verdict, alone.text) == (Verdict.FAIL, why)
    both = Fleet("f", Path("fleet.yml"), (other, StaticSource((StaticHost("a", "192.0.2.1"),))), ())
    some, known = cloud.hosts(both, search(both), ())
    assert (some.verdict, some.text) == (Verdict.FAIL, f"1 host: 1 static; those of ansible are not known: {why}")
    assert [host.name for host in known] == ["a"]
