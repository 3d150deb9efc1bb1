"""The rehearsal fleet for the tests: brought up once, every host put back to its first condition before each test.

Each process that runs tests has a lab of its own, so those of several (`pytest -n 4`) are as one's alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from jada.cli import startup
from jada.inventory.cloud import client
from jada.inventory.lab import fleet, image, machine
from jada.inventory.lab.machine import OLD_MODEL, Machine
from jada.inventory.lab.named import Lab as NamedLab
from tests import warm
from tests.forms import checked

# A shell's background ignores Ctrl-C, nohup a terminal that is closed, and all that is started from there does.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# People read times in their own zone; that of whoever runs the tests is another.
os.environ["TZ"] = "UTC"
time.tzset()

JADA = warm.JADA
# Never JADA_LAB, which may name the one that somebody rehearses on. pytest-xdist's processes are gw0, gw1, …
LAB = NamedLab("-".join(filter(None, (os.environ.get("JADA_TEST_LAB", "test"), os.environ.get("PYTEST_XDIST_WORKER")))))
os.environ["JADA_LAB"] = LAB.name
SUITE = os.environ.get("JADA_LAB_SUITE", image.SUITE)
# The work that these do for all of their tests at once takes longest: each is one process's.
TOGETHER = (
    "tests/claude/test_configurations.py",
    "tests/lab/test_lies.py",
    "tests/lab/test_ssh.py",
    "tests/unit/cli/report/test_browser.py",
)
# Over which the EC2 hosts of the lab are reached; the one of Lightsail is over ssh.
ENGINE = os.environ.get("JADA_TEST_ENGINE", "ssh")
HOSTS = int(os.environ.get("JADA_LAB_HOSTS", "3"))
# All that jada, an incident or a test may leave on a host; settings.json comes on stdin.
RESET = """
set -e
seen() {{
    systemctl show --property=MainPID,ActiveState,NRestarts,NeedDaemonReload jada-agent
    find /etc /srv /usr/local /var/lib/jada /run/systemd/system {home} -printf '%p %C@\\n' 2>/dev/null || true
}}
# Nothing was changed since, nor started anew: most tests only look at some hosts.
[ "$(seen | sha256sum)" != "$(cat /run/first-condition 2>/dev/null)" ] || exit 0
systemctl stop jada-agent
rm -rf /var/lib/jada /etc/systemd/system/jada-agent.service.d /run/systemd/system/jada-agent.service.d
rm -rf /etc/jada-agent.json /etc/default/jada-agent /etc/claude-code {home}/.claude
find /etc/systemd/system /etc/security/limits.d -name '*jada*' ! -name jada-agent.service -delete
install -d -o {owner} -g {owner} -m 755 {home}/.claude
install -o {owner} -g {owner} -m 600 /dev/stdin {home}/.claude/settings.json
systemctl daemon-reload
systemctl reset-failed
systemctl start jada-agent
for i in $(seq 1000); do curl -fs http://127.0.0.1:8787/healthz >/dev/null && break; sleep 0.05; done
curl -fs http://127.0.0.1:8787/healthz >/dev/null && seen | sha256sum >/run/first-condition && exit 0
echo "the agent does not answer" >&2
exit 1
"""


def about_ssh(what: str) -> pytest.MarkDecorator:
    """Leaves a test out, by name and with the reason, where hosts are reached through Systems Manager."""
    return pytest.mark.skipif(ENGINE != "ssh", reason=f"it is about ssh: {what}")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist tells mypy nothing of it
    """Hands each test to the process that is free, but those of TOGETHER to one; these first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


class Lab:
    """The hosts, and the `jada` command pointed at them."""

    @property
    def hosts(self) -> tuple[Machine, ...]:
        """As they are now: one that a test took down may come up with other addresses."""
        return fleet.current(LAB)

    def __getitem__(self, name: str) -> Machine:
        return next(host for host in self.hosts if host.name == name)

    def jada(self, *argv: str, exit_code: int | None = 0, env: dict[str, str] | None = None) -> str:
        """Runs jada and returns all it printed; a secret of the lab's settings in it fails the test."""
        environ = {**os.environ, "JADA_FLEET": str(LAB.fleet_file), **(env or {})}
        process = warm.run(argv, environ)
        output = process.stdout + process.stderr
        assert "lab-secret" not in output
        assert "Traceback" not in output, output
        if exit_code is not None:
            assert process.returncode == exit_code, output
        return output

    def json(self, *argv: str, exit_code: int | None = 0, env: dict[str, str] | None = None) -> dict[str, Any]:
        output = self.jada(*argv, "--json", exit_code=exit_code, env=env)
        # Behind it may stand what stderr told meanwhile.
        return checked(output[output.index("{") : output.rindex("}") + 1])

    def reset(self) -> None:
        """Puts every host back to its first condition."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            list(pool.map(reset, self.hosts))

    def run(self, name: str, command: str) -> str:
        """Runs a shell command as root inside a host."""
        return machine.inside(self[name], command).stdout

    def model(self, name: str) -> object:
        """The model the agent says it runs."""
        return machine.healthz(self[name]).get("model")

    def models(self) -> set[object]:
        return {self.model(host.name) for host in self.hosts}

    def settings_sha(self, name: str) -> str:
        """Content, owner and mode of the host's settings.json."""
        path = self[name].settings
        return self.run(name, f"sha256sum <{path}; stat -c '%u:%g %a' {path}")

    def settings(self, name: str) -> bytes:
        return self.run(name, f"base64 -w0 {self[name].settings}").encode()

    def misbehave(self, name: str, **orders: object) -> None:
        machine.inside(self[name], "cat >/etc/jada-agent.json", stdin=json.dumps(orders))


def bring_up(hosts: int = HOSTS) -> tuple[Machine, ...]:
    """The lab of so many hosts, of the suite that is tested; its fleet.yml changes all of them at once."""
    machines = fleet.up(LAB, hosts, print, SUITE)
    text = re.sub(
        "user: admin\n(      engine: .*\n)?", f"user: admin\n      engine: {ENGINE}\n", LAB.fleet_file.read_text()
    )
    LAB.fleet_file.write_text(re.sub("^rollout: .*$", "rollout: {waves: [100%]}", text, flags=re.M))
    return machines


def eventually(condition: Callable[[], bool], message: str = "it did not happen", seconds: float = 90) -> None:
    """Waits for what is sure to come, and only so long because a machine may be busy."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.1)


@contextmanager
def ssh_agent(socket: Path) -> Iterator[None]:
    """An ssh-agent behind the socket; it answers, and holds no key."""
    env = {**os.environ, "SSH_AUTH_SOCK": str(socket)}

    def answers() -> bool:
        # 1 when it has nothing to list, 2 when nobody answers.
        return subprocess.run(["ssh-add", "-l"], env=env, capture_output=True, check=False).returncode == 1

    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as process:
        try:
            eventually(answers, "the ssh-agent does not answer")
            yield
        finally:
            process.terminate()


def short_fleet(is_static: bool = True) -> str:
    """A fleet.yml for tests that look at one host many times: its services settle soon, and no role asks for a model.

    Its EC2 hosts are static ones, and there are no others: without AWS, jada takes two thirds of the processor's time.
    Of static ones Systems Manager knows nothing: over it, they stay EC2's.
    """
    text = re.sub(r"model: [\w.-]+(, )?", "", LAB.fleet_file.read_text()).replace("settle: 5", "settle: 1")
    if is_static and ENGINE != "ssh":
        return re.sub(r"^  - lightsail:\n(      .*\n)+", "", text, flags=re.M)
    hosts = "".join(
        f"        {host.name}: {{address: {host.address}, user: {host.login}, tags: {{role: {host.tags['role']}}}}}\n"
        for host in fleet.current(LAB)
        if host.cloud == "ec2"
    )
    static = f"sources:\n  - static:\n      hosts:\n{hosts}"
    return re.sub(r"^sources:\n(  .*\n)+", static, text, flags=re.M) if is_static else text


def reset(host: Machine) -> None:
    """Puts the host into its first condition without a reboot: about ten times faster than fleet.reset."""
    if host.leader is None:
        fleet.power_on(host)
    command = RESET.format(home=host.home, owner=host.user or "root")
    machine.inside(host, command, stdin=host.first_settings)


@pytest.fixture(autouse=True)
def forget_aws() -> None:
    """Asks AWS anew in each test, as each command does, whatever could not be had before."""
    client._failed.clear()
    client._silent.clear()


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests is not jada's to patch: under gevent, what xdist runs in it would never end."""
    monkeypatch.setattr(startup, "patch_gevent", lambda: None)
    monkeypatch.setattr(startup, "frozen_imports", nullcontext)


@pytest.fixture(scope="session", autouse=True)
def tests_record(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The record of whoever runs the tests is not for tests to write to."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def whole_lab() -> Iterator[Lab]:
    """A fresh lab of JADA_LAB_HOSTS hosts (default 3) of JADA_LAB_SUITE; JADA_LAB_KEEP leaves it up afterwards."""
    if not os.environ.get("CI") and (platform.system() != "Linux" or os.geteuid() != 0):
        pytest.skip("the lab needs Linux and root")
    with Path(f"/run/{LAB.prefix}.tests").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail(f"Other tests run on the lab {LAB.name}: JADA_TEST_LAB=NAME gives these one of their own")
        fleet.down(LAB, print)
        bring_up()
        yield Lab()
        if not os.environ.get("JADA_LAB_KEEP"):
            fleet.down(LAB, print)


@pytest.fixture
def lab(whole_lab: Lab) -> Lab:
    """The lab, every host in its first condition."""
    whole_lab.reset()
    # An answer may take longer than healthz() waits for it.
    eventually(lambda: whole_lab.models() == {OLD_MODEL}, "a host is not in its first condition")
    return whole_lab
