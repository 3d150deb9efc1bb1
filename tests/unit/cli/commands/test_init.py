"""`jada init` as people type it: hosts are found and tried, and a file comes of it that loads, or none."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jada import ConfigError, Exit, Host, HostError, JadaError, ModelCheck
from jada.cli import startup
from jada.cli.commands.init import init as command
from jada.cli.init import run
from jada.inventory import discover
from jada.inventory.access import first_keys, login
from jada.inventory.access.first_keys import FirstKey
from jada.inventory.access.known_hosts import host_key
from jada.inventory.access.ssh_config import plain
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource
from jada.inventory.tags import has_tags
from jada.tasks.state import ModelReport, State
from tests.fakes import FLEET
from tests.unit.cli.conftest import Done, Jada

HOSTS = ("--host", "web-1=192.0.2.1", "--host", "web-2=192.0.2.2")
KEY = host_key("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIMYltHI/cPfuAumiyNjzjdL9zsfU0wo3+vj++XtO+Vmw")
UNPROVEN = ModelReport()
Init = Callable[..., Done]


@pytest.fixture
def file(tmp_path: Path, jada: Jada) -> Path:
    """The fleet.yml that is to be written; nothing is there yet."""
    del jada.states["db-1"]
    return tmp_path / "new" / "fleet.yml"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """All hosts are in known_hosts."""
    monkeypatch.setattr(login, "unknown", lambda *_: {})


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """answering(text): what comes on stdin, a line each."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_key_that_is_not_there_is_told() -> None:
    assert run.with_key(FLEET, "-").ssh.key is None
    with pytest.raises(ConfigError, match="there is no file /nosuch"):
        run.with_key(FLEET, "/nosuch")


def fleet_of(file: Path) -> Fleet:
    return config.load(str(file))


@pytest.mark.usefixtures("known")
def test_what_it_writes_loads_and_nothing_is_changed(jada: Jada, file: Path) -> None:
    done = jada("init", "-o", str(file), *HOSTS, "--yes", "--name", "mine", "--user", "ann")
    assert done.exit == Exit.OK, done
    fleet = fleet_of(file)
    assert (fleet.name, fleet.ssh.user, fleet.model_of("agent")) == ("mine", "ann", "claude-sonnet-4.6")
    assert [host.name for host in discover.discover(fleet)] == ["web-1", "web-2"]
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask()
    assert jada.changed == []
    # $JADA_FLEET names another.
    assert f"export JADA_FLEET={file}" in done.out
    assert "Next: jada doctor" in done.out


def umask() -> int:
    now = os.umask(0o22)
    os.umask(now)
    return now


@pytest.mark.usefixtures("known")
def test_a_file_that_is_there_is_replaced_by_force_alone_which_shows_the_difference(jada: Jada, file: Path) -> None:
    file.parent.mkdir()
    old = 'fleet: old\nmodel_check: {url: "http://ann:pa55@127.0.0.1/?key=pa55"}\n'
    file.write_text(old)
    done = jada("init", "-o", str(file), *HOSTS, "--yes")
    assert (done.exit, file.read_text()) == (Exit.USAGE, old)
    assert "--force" in done.err
    done = jada("init", "-o", str(file), *HOSTS, "--yes", "--force")
    assert done.exit == Exit.OK
    assert "-fleet: old" in done.out
    assert "pa55" not in done.out
    assert "+fleet: agents" in done.out
    assert fleet_of(file).name == "agents"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    "line",
    [
        "notify: {sns: x, webhook: https://hooks.slack.com/services/T0/B0/pa55}",
        'notify: {"webhook": "https://hooks.slack.com/services/T0/B0/pa55"}',
        "  external_id: pa55",
        "model_check: {command: curl -u joe:pa55 http://x/}",
        'model_check: {command: "a \\" pa55"}',
    ],
)
def test_a_difference_shows_no_secret(jada: Jada, file: Path, line: str) -> None:
    file.parent.mkdir()
    file.write_text(f"fleet: old\n{line}\n")
    done = jada("init", "-o", str(file), *HOSTS, "--yes", "--force")
    assert "-fleet: old" in done.out
    assert "pa55" not in done.out
    assert "${JADA_WEBHOOK}" in done.out


@pytest.mark.usefixtures("known")
def test_a_command_that_becomes_another_is_a_difference(jada: Jada, file: Path) -> None:
    jada("init", "-o", str(file), *HOSTS, "--yes", "--model-check", "/bin/pa55")
    done = jada("init", "-o", str(file), *HOSTS, "--yes", "--force", "--model-check", "/bin/other")
    assert ("-model_check: {command: …" in done.out, "+model_check: {command: …" in done.out) == (True, True)


@pytest.mark.usefixtures("known")
def test_a_file_that_comes_about_meanwhile_stays(jada: Jada, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.parent.mkdir()
    prepare = run.prepare

    def prepared(*arguments: Any) -> tuple[Fleet, Exit]:
        file.write_text("of somebody else")
        return prepare(*arguments)

    monkeypatch.setattr(run, "prepare", prepared)
    done = jada("init", "-o", str(file), *HOSTS, "--yes")
    assert (done.exit, file.read_text()) == (Exit.USAGE, "of somebody else")


@pytest.mark.parametrize("folder", ["fleet.yml", "/proc/nosuch"])
def test_nobody_is_asked_for_a_file_that_cant_be_written(jada: Jada, tmp_path: Path, folder: str) -> None:
    done = jada("init", "-o", str(tmp_path / folder / "new.yml"), *HOSTS, "--yes")
    assert done.exit != Exit.OK
    assert "new.yml can't be written" in done.err or "/proc/nosuch can't be made" in done.err
    assert jada.engines == [] or folder == "/proc/nosuch"


@pytest.mark.parametrize(
    ("argv", "typed", "option"),
    [
        ((), "", "--static, --ec2 or --lightsail"),
        (("--static",), "", "--host"),
        (("--static", "--yes"), "", "--host"),
        (("--ec2",), "", "--profile"),
        (("--lightsail", "--profile", "p"), "", "--region"),
    ],
)
def test_a_pipe_without_an_answer_is_a_wrong_use_that_names_the_option(
    jada: Jada, file: Path, answering: Callable[[str], None], argv: tuple[str, ...], typed: str, option: str
) -> None:
    answering(typed)
    done = jada("init", "-o", str(file), *argv)
    assert done.exit == Exit.USAGE
    assert option in done.err
    assert {*re.findall("--[a-z0-9-]+", option)} <= {name for part in command.params for name in part.opts}
    assert not file.exists()


@pytest.mark.parametrize(
    "argv",
    [
        ("--host", "a b"),
        ("--host", "web-1=192.0.2.1", "--service", "agent"),
        ("--host", "web-1=192.0.2.1", "--settings", "settings.json"),
        ("--host", "web-1=192.0.2.1", "--key", "/nosuch"),
        ("--host", "web-1=192.0.2.1", "--model-check", "http://a b"),
        ("--host", "web-1=-oProxyCommand=x"),
    ],
)
def test_an_option_that_fleet_yml_would_not_take_is_a_wrong_use(jada: Jada, file: Path, argv: tuple[str, ...]) -> None:
    assert jada("init", "-o", str(file), *argv, "--yes").exit == Exit.USAGE
    assert not file.exists()


@pytest.mark.usefixtures("known")
def test_all_is_asked_where_no_option_answers(jada: Jada, file: Path, answering: Callable[[str], None]) -> None:
    for name, state in jada.states.items():
        assert isinstance(state, State)
        jada.states[name] = replace(state, report=UNPROVEN)
    answering("nowhere\nstatic\nweb-1=192.0.2.1 @\nweb-1=192.0.2.1, web-2=192.0.2.2\nhttp://127.0.0.1:1/x\n-\n")
    done = jada("init", "-o", str(file))
    assert done.exit == Exit.OK, done
    assert "'nowhere' is none of these" in done.out
    # It did not help, and was taken back.
    assert fleet_of(file).service.model_check == ModelCheck()
    assert jada.engines[1].service.model_check == ModelCheck(url="http://127.0.0.1:1/x")


@pytest.mark.usefixtures("known")
def test_a_host_that_can_not_be_tried_is_told_and_the_file_is_written_with_what_is_known(
    jada: Jada, file: Path, answering: Callable[[str], None]
) -> None:
    jada.states["web-2"] = HostError("web-2 is off", "see whether it runs")
    done = jada("init", "-o", str(file), *HOSTS, "--yes")
    assert done.exit == Exit.FAILED
    assert "is off" in done.out
    # There is nothing yet for jada ssh to go by.
    assert "jada ssh" not in done.out
    assert [host.name for host in discover.discover(fleet_of(file))] == ["web-1", "web-2"]
    file.unlink()
    answering("again\nann\n-\nstop\n")
    assert jada("init", "-o", str(file), *HOSTS).exit == Exit.FAILED
    assert not file.exists()


@pytest.mark.usefixtures("known")
def test_hosts_without_the_usual_service_are_asked_what_may_be_an_agent(
    jada: Jada, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, state in jada.states.items():
        assert isinstance(state, State)
        jada.states[name] = replace(state, unit=replace(state.unit, loaded=False, load="not-found"))
    monkeypatch.setattr("tests.fakes.FakeConnection.services", lambda _: ("mine.service", "other.service"))
    done = jada("init", "-o", str(file), *HOSTS, "--yes")
    # The likeliest was tried, and is none either.
    assert done.exit == Exit.FAILED
    assert fleet_of(file).service.unit == "mine.service"
    assert "mine.service, other.service" in done.out
    file.unlink()
    jada.states["web-2"] = HostError("web-2 is off")
    done = jada("init", "-o", str(file), *HOSTS, "--yes", "--service", "own.service")
    assert done.exit == Exit.FAILED
    assert fleet_of(file).service.unit == "own.service"


def test_host_keys_that_nobody_knows_are_kept_when_a_person_says_so(
    jada: Jada, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answering: Callable[[str], None]
) -> None:
    startup.patch_gevent()
    known_hosts = tmp_path / "known"
    assert KEY
    first = FirstKey(KEY, "192.0.2.1", known_hosts)
    monkeypatch.setattr(login, "unknown", lambda _, hosts, __: {host.name: plain(host) for host in hosts})
    monkeypatch.setattr(first_keys, "shown", lambda _: {"web-1": first, "web-2": HostError("web-2 is off")})
    for typed, is_kept in (("", False), ("no\n", False), ("yes\n", True)):
        answering(typed)
        jada("init", "-o", str(file), *HOSTS, *(() if typed else ("--yes",)), "--force")
        assert known_hosts.exists() == is_kept
    known_hosts.unlink()
    done = jada("init", "-o", str(file), *HOSTS, "--yes", "--force", "--accept-host-keys")
    assert KEY.fingerprint in done.out
    assert "web-2 is off" in done.out
    assert known_hosts.read_text() == f"192.0.2.1 ssh-ed25519 {KEY.text}\n"


@pytest.mark.usefixtures("known")
def test_a_settings_json_that_is_not_there_is_asked_for(
    jada: Jada, file: Path, answering: Callable[[str], None]
) -> None:
    for name, state in jada.states.items():
        assert isinstance(state, State)
        jada.states[name] = replace(state, settings=replace(state.settings, text=None))
    answering("settings.txt\n~/other/settings.json\n\n")
    done = jada("init", "-o", str(file), *HOSTS)
    assert "begins with ~/ or /" in done.out
    assert str(file) not in done.out.partition("Wrote")[0]
    assert fleet_of(file).service.settings == "~/other/settings.json"
    assert jada.engines[1].service.settings == "~/other/settings.json"


@dataclass
class Cloud:
    """Instances as AWS would list them, or why it does not; and what it was asked."""

    hosts: tuple[Host, ...]
    errors: list[JadaError] = field(default_factory=list)
    asked: list[Fleet] = field(default_factory=list)

    def discover(self, fleet: Fleet) -> tuple[Host, ...]:
        self.asked.append(fleet)
        if self.errors:
            raise self.errors.pop(0)
        tags = fleet.sources[0].tags  # type: ignore[attr-defined]
        return tuple(host for host in self.hosts if has_tags(host.tags, tags))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud(
        tuple(
            Host(name, "192.0.2.1", "ec2", f"i-{name}", "us-east-1", tags={"jada": jada, "\x1b[2J": "[red]"})
            for name, jada in (("web-1", "agent"), ("web-2", "other"))
        )
    )
    monkeypatch.setattr(discover, "discover", made.discover)
    return made


def test_hosts_of_a_cloud_are_found_first_and_then_chosen(
    jada: Jada, file: Path, cloud: Cloud, answering: Callable[[str], None]
) -> None:
    cloud.errors = [JadaError("There are no AWS credentials", "aws sso login")]
    answering("-\nus-east-1\nagain\nprod\nnowhere\nall\nadmin\n\n")
    done = jada("init", "--ec2", "-o", str(file))
    assert done.exit == Exit.OK, done
    assert "There are no AWS credentials" in done.out
    assert "nowhere" in done.out
    # A tag's key is somebody else's text.
    assert "\\x1b[2J=[red] (2)" in done.out
    fleet = fleet_of(file)
    assert fleet.sources == (Ec2Source(("all",), tags={"jada": ("agent",)}),)
    assert (fleet.aws.profile, fleet.ssh.user) == ("prod", "admin")
    assert [asked.aws.profile for asked in cloud.asked] == ["", "prod", "prod"]


def test_tags_that_no_instance_has_are_told_and_asked_again(
    jada: Jada, file: Path, cloud: Cloud, answering: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(fleet: Fleet) -> tuple[Host, ...]:
        if found := cloud.discover(fleet):
            return found
        raise JadaError("No host was found")

    monkeypatch.setattr(discover, "discover", listed)
    answering("again\njada=other\n")
    options = ("--profile", "p", "--region", "us-east-1", "--user", "u", "--address", "public")
    done = jada("init", "--ec2", "-o", str(file), *options, "--match", "jada=nosuch")
    assert done.exit == Exit.OK, done
    assert "No host was found" in done.out
    assert fleet_of(file).sources == (Ec2Source(("us-east-1",), tags={"jada": ("other",)}, address="public"),)


def test_instances_that_can_not_be_reached_are_tried_by_another_address(
    jada: Jada, file: Path, cloud: Cloud, answering: Callable[[str], None]
) -> None:
    jada.states["web-1"] = HostError("web-1 can't be reached")
    answering("again\nadmin\n-\npublic\nwrite\n")
    done = jada("init", "--ec2", "-o", str(file), "--profile", "p", "--region", "all", "--match", "-", "--user", "u")
    assert done.exit == Exit.FAILED, done
    assert fleet_of(file).sources == (Ec2Source(("all",), address="public"),)
    assert fleet_of(file).ssh.user == "admin"


def test_where_aws_can_not_be_asked_the_file_is_written_with_what_is_known(
    jada: Jada, file: Path, cloud: Cloud
) -> None:
    cloud.errors = [JadaError("There are no AWS credentials")]
    done = jada("init", "--lightsail", "-o", str(file), "--yes", "--region", "us-east-1")
    assert done.exit == Exit.FAILED
    assert fleet_of(file).sources == (LightsailSource(("us-east-1",)),)
    assert "Next: jada doctor" in done.out
