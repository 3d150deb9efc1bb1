"""Labs by name: which names there can be, which network each takes, and which lab a command is about."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from click.testing import CliRunner

from jada import ConfigError, JadaError
from jada.cli.commands import lab as command
from jada.inventory.lab import cgroup, fleet, named
from jada.inventory.lab.named import NETWORKS, Lab, choose_network, free_network, labs, read_state, routes

# The kernel's limit for the name of a network link.
IFNAMSIZ = 16


@pytest.mark.parametrize("name", ["a", "demo", "test-gw11", "a-b-c", "x9"])
def test_all_that_a_lab_has_is_called_after_it(name: str) -> None:
    lab = Lab(name)
    host = fleet.machines(lab, "10.80", fleet.MOST_HOSTS)[-1]
    assert lab.folder == Path(f"/var/lib/jada-{name}")
    assert host.group == f"jada-{name}/specialist-58"
    assert host.namespace == f"jada-{name}-specialist-58"
    assert host.address == "10.80.0.70"
    assert max(len(lab.prefix), len(host.link)) < IFNAMSIZ


def test_the_default_lab_is_where_the_documents_say() -> None:
    assert str(Lab().fleet_file) == "/var/lib/jada-lab/fleet.yml"
    assert Lab().fleet == "rehearsal"
    assert (str(Lab()), Lab().title, Lab().command("up")) == ("the lab", "The lab", "jada lab up")
    demo = Lab("demo")
    assert demo.fleet == "rehearsal-demo"
    assert (str(demo), demo.title) == ("the lab demo", "The lab demo")
    assert demo.command("up") == "jada lab up --name demo"


@pytest.mark.parametrize(
    "name", ["", "A", "9", "-a", "a-", "a--b", "a_b", "a.b", "../x", "/var/lib/x", "a b", "a\n", "é", "tenletters"]
)
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="can't be a lab's name"):
        Lab(name)


def networks(*words: str) -> list[IPv4Network]:
    return [IPv4Network(word) for word in words]


@pytest.mark.parametrize(
    ("name", "used", "network"),
    [
        ("lab", (), "10.77"),
        ("demo", (), "10.78"),
        ("lab", ("10.77.3.0/24",), "10.78"),
        ("demo", ("10.78.0.0/16", "10.79.0.1/32", "10.80.128.0/17"), "10.81"),
        ("demo", ("10.64.0.0/12",), "10.80"),
        ("demo", ("10.0.0.0/8",), "172.16"),
        ("demo", ("10.0.0.0/8", "172.16.0.0/15"), "172.18"),
    ],
)
def test_a_network_is_taken_that_nobody_has(name: str, used: tuple[str, ...], network: str) -> None:
    assert choose_network(Lab(name), networks(*used)) == network


def test_no_network_is_told_with_the_ranges() -> None:
    with pytest.raises(JadaError, match=r"10\.77\.0\.0 to 10\.126\.255\.255 and from 172\.16\.0\.0 to 172\.31\.255\."):
        choose_network(Lab("demo"), networks("10.0.0.0/8", "172.16.0.0/12"))
    assert (NETWORKS[0], NETWORKS[49:51], NETWORKS[-1]) == ("10.77", ("10.126", "172.16"), "172.31")


def test_routes_are_those_that_ip_tells_but_for_the_default() -> None:
    """Some VPNs write the default route as two halves."""
    destinations = ["default", "0.0.0.0/1", "128.0.0.0/1", "10.78.0.0/16", "192.0.2.7"]
    answer = json.dumps([{"dst": word, "dev": "eth0", "flags": []} for word in destinations])
    assert routes(answer) == networks("10.78.0.0/16", "192.0.2.7/32")
    assert routes("") == []


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose labs are in a folder of the test's, and which routes nothing."""
    monkeypatch.setattr(named, "FOLDERS", tmp_path)
    monkeypatch.setattr(named, "run", lambda *_: "[]")
    monkeypatch.setattr(command, "require_lab_machine", lambda: None)
    return tmp_path


def remember(lab: Lab, text: str) -> None:
    lab.folder.mkdir(parents=True, exist_ok=True)
    lab.state.write_text(text)


def state(network: str) -> str:
    return json.dumps({"hosts": 1, "base": "/nowhere", "network": network})


def test_a_network_that_another_lab_remembers_is_not_free(folders: Path) -> None:
    """Its bridge may be gone, as after the machine's own restart."""
    remember(Lab("a"), state("10.78"))
    remember(Lab("b"), state("10.79"))
    assert free_network(Lab("c")) == "10.80"
    assert free_network(Lab("b")) == "10.79"
    assert [lab.name for lab, _ in labs()] == ["a", "b"]


@pytest.mark.parametrize("text", ["", '{"hos', "[]", "null", '{"hosts": 3}', '{"hosts": 3, "base": "/x"}'])
def test_what_a_lab_remembers_may_be_torn_or_of_another_jada(folders: Path, text: str) -> None:
    remember(Lab("torn"), text)
    (folders / "jada-No Lab").mkdir()
    assert read_state(Lab("torn")) is None
    assert list(labs()) == []
    assert fleet.current(Lab("torn")) == ()


def status(*argv: str, env: dict[str, str | None] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(command.lab, argv, env={"JADA_LAB": None, **(env or {})}, standalone_mode=False)
    return int(result.return_value or 0), result.output + str(result.exception or "")


@pytest.mark.parametrize(
    ("argv", "env", "title"),
    [
        (["status"], None, "The lab is not up. Start it with: jada lab up"),
        (["--name", "a", "status"], None, "The lab a is not up. Start it with: jada lab up --name a"),
        (["status", "--name", "a"], None, "The lab a is not up"),
        (["--name", "b", "status", "--name", "a"], None, "The lab a is not up"),
        (["status"], "a", "The lab a is not up"),
        (["--name", "a", "status"], "b", "The lab a is not up"),
        (["status", "--name", "a"], "b", "The lab a is not up"),
        (["ssh", "--name", "a", "specialist-1", "uptime"], None, "The lab a is not up"),
        (["status"], "/var/lib/jada-lab", "'/var/lib/jada-lab' can't be a lab's name"),
        (["--name", "", "status"], None, "it is empty; is a variable not set?"),
    ],
)
def test_the_lab_is_the_one_that_is_named(folders: Path, argv: list[str], env: str | None, title: str) -> None:
    assert title in status(*argv, env={"JADA_LAB": env})[1]


def test_status_names_the_other_labs(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(Lab("a"), state("10.78"))
    remember(Lab("b"), state("10.79"))
    monkeypatch.setattr(cgroup, "hierarchies", lambda: [folders / "cgroup"])
    assert "Other labs on this machine: b" in status("status", "--name", "a")[1]
    code, output = status("status", "--name", "b", "--json")
    report = json.loads(output)
    assert (code, report["lab"], report["network"], report["other_labs"]) == (0, "b", "10.79.0.0/16", ["a"])
    assert report["agent"] == "stand-in"
    assert [host["address"] for host in report["hosts"]] == ["10.79.0.11"]
