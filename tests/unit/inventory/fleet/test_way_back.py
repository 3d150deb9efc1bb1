"""The way back needs nothing of fleet.yml but where the hosts are, how to reach them, and what stands there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jada import ConfigError
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.limits import Limits
from jada.inventory.fleet.notify import Notify
from jada.inventory.roles import Role

JADA = Path(sys.executable).with_name("jada")
GOOD = """\
fleet: f
sources: [{static: {hosts: {web-1: {address: 127.0.0.1, port: 1}}}}]
roles: {web: {names: [web-*]}, rest: {}}
"""
# Each with the key that is told.
UNNEEDED = {
    "a model that nobody knows": (GOOD.replace("[web-*]", "[web-*], model: nope"), "roles.web.model"),
    "a model that moves": (GOOD.replace("rest: {}", "rest: {model: opus}"), "roles.rest.model"),
    "a model that is a list": (GOOD.replace("rest: {}", "rest: {model: [opus-5]}"), "roles.rest.model"),
    "a topic that is none": (GOOD + "notify: {sns: x}\n", "notify.sns"),
    "a key of notify": (GOOD + "notify: {slack: x}\n", "notify.slack"),
    "no notify": (GOOD + "notify:\n", "notify"),
    "an acceptance without an end": (GOOD + "accept: [{code: J301, hosts: a, reason: x}]\n", "accept[0]"),
    "an acceptance until no day": (
        GOOD + "accept: [{code: J301, hosts: a, reason: x, until: soon}]\n",
        "accept[0].until",
    ),
    "an id that can't be": (GOOD + "models: {mine: 'a b'}\n", "models.mine"),
    "models as a list": (GOOD + "models: [a]\n", "models"),
    "too few open files": (GOOD + "limits: {nofile: 10}\n", "limits.nofile"),
    "a telemetry that leads nowhere": (GOOD + "telemetry: {exporter: otlp}\n", "telemetry"),
    "a fallback that is none": (GOOD.replace("rest: {}", "rest: {fallback: opus-5}"), "roles.rest.fallback"),
    "a rollout that is none": (GOOD.replace("rest: {}", "rest: {rollout: {waves: []}}"), "roles.rest.rollout.waves"),
    "limits as a text": (GOOD + "limits: many\n", "limits"),
    "a key of an earlier file": (GOOD + "health: http://127.0.0.1/\n", "health"),
}
NEEDED = {
    "where": GOOD.replace("static", "statik"),
    "a user": GOOD + "ssh: {user: '-x'}\n",
    "a unit": GOOD + "service: --now\n",
    "whose settings": GOOD + "settings: /etc/x.json\n",
    "model check": GOOD + "model_check: {url: x}\n",
    "settle": GOOD + "settle: -1\n",
    "keep": GOOD + "keep: 1\n",
    "deadline": GOOD + "deadline: never\n",
    "which hosts": GOOD.replace("names: [web-*]", "names: []"),
    "a section that nobody knows": GOOD + "servise: x.service\n",
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], tuple[Fleet, list[str]]]:
    """The fleet of a text as the way back reads it, and what was told."""

    def make(text: str) -> tuple[Fleet, list[str]]:
        (tmp_path / "fleet.yml").write_text(text)
        messages: list[str] = []
        fleet = config.load(str(tmp_path / "fleet.yml"), tell=lambda error: messages.append(error.message))
        return fleet, messages

    return make


@pytest.mark.parametrize(("text", "key"), UNNEEDED.values(), ids=UNNEEDED)
def test_what_the_way_back_does_not_need_is_told_and_left_out(
    read: Callable[[str], tuple[Fleet, list[str]]], text: str, key: str, tmp_path: Path
) -> None:
    fleet, messages = read(text)
    assert (fleet.accept, fleet.notify, fleet.models, fleet.limits) == ((), Notify(), {}, Limits())
    assert fleet.roles == (Role("web", names=("web-*",)), Role("rest"))
    (message,) = messages
    assert f": {key} " in message
    with pytest.raises(ConfigError, match=r"fleet\.yml:"):
        config.load(str(tmp_path / "fleet.yml"))


def test_a_role_keeps_its_hosts_where_the_models_are_gone(read: Callable[[str], tuple[Fleet, list[str]]]) -> None:
    text = GOOD.replace("[web-*]", "[web-*], model: mine").replace("rest: {}", "rest: {model: opus-5}")
    fleet, messages = read(text + "models: {mine: 'a b'}\n")
    assert fleet.roles == (Role("web", names=("web-*",)), Role("rest", "opus-5"))
    assert len(messages) == 2


@pytest.mark.parametrize("text", NEEDED.values(), ids=NEEDED)
def test_what_it_needs_has_to_be_right(read: Callable[[str], tuple[Fleet, list[str]]], text: str) -> None:
    with pytest.raises(ConfigError):
        read(text)


def test_a_good_file_is_read_alike(read: Callable[[str], tuple[Fleet, list[str]]], tmp_path: Path) -> None:
    fleet, messages = read(GOOD + "limits: {nofile: 4096}\nmodels: {mine: x-1}\n")
    assert fleet == config.load(str(tmp_path / "fleet.yml"))
    assert messages == []


@pytest.mark.parametrize(("command", "code"), [("rollback", 1), ("upgrade --to opus-5", 2)])
def test_only_a_rollback_goes_on_with_a_fleet_yml_that_is_half_good(tmp_path: Path, command: str, code: int) -> None:
    """It gets as far as the host, which can't be reached here."""
    (tmp_path / "fleet.yml").write_text(GOOD.replace("[web-*]", "[web-*], model: nope") + "notify: {sns: x}\n")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").touch()
    argv = [str(JADA), *command.split(), "--yes", "--fleet", str(tmp_path / "fleet.yml")]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    process = subprocess.run(argv, capture_output=True, text=True, env=env, check=False)
    assert process.returncode == code, process.stderr
    if code == 1:
        assert "web-1" in process.stdout
        assert process.stderr.count("Not needed for a rollback, so left out: ") == 2
        assert "There is no model nope in the catalogue" in process.stderr
