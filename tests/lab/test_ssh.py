"""jada does as `ssh -o BatchMode=yes host` with an operator's own files: cases side by side, on real hosts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada import HostError, Service
from jada.inventory.access.login import ssh_data
from jada.inventory.discover import discover
from jada.inventory.fleet import config
from jada.inventory.lab import machine
from jada.inventory.lab.machine import Machine
from jada.tasks.engines.ssh import SshEngine
from jada.tasks.operator_lock import LockRequest, OperatorLock
from tests.conftest import ssh_agent

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
SERVICE = Service()
LOCK = LockRequest(OperatorLock("me", "2026-01-01T00:00:00+00:00", "", "x"))
SSHD = "/etc/ssh/sshd_config.d/00-test.conf"


def run(*argv: object, env: dict[str, str] | None = None) -> str:
    words = [str(word) for word in argv]
    return subprocess.run(
        words, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}
    ).stdout


@dataclass(frozen=True)
class Operator:
    """A home with keys, three hosts that let them in, and an agent: everything an ssh configuration can speak of."""

    home: Path
    target: Machine
    jump: Machine
    third: Machine
    agent: Path

    def put_in(self, text: str) -> str:
        """The text with {target}, {home}, {agent} and, as {key}, the target's own host key put in."""
        keys = {key.split()[0]: key for key in self.target.host_keys()}
        values = {
            "target": self.target.address, "jump": self.jump.address, "home": self.home, "agent": self.agent,
            "key": keys["ssh-ed25519"], "other_key": keys["ecdsa-sha2-nistp256"],
            "jump_key": self.jump.host_keys()[0], "third": self.third.address, "third_key": self.third.host_keys()[0],
            "ca": (self.home / "ca.pub").read_text().strip(), "network": self.target.network,
        }  # fmt: skip
        return text.format(**values)

    def agent_holds(self, *keys: str) -> None:
        agent = {"SSH_AUTH_SOCK": str(self.agent)}
        run("ssh-add", "-q", "-D", env=agent)
        for key in keys:
            run("ssh-add", "-q", self.home / key, env=agent)


@pytest.fixture(scope="module")
def operator(whole_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir(mode=0o700)
    for name, *options in (
        ("plain", "-t", "ed25519"), ("locked", "-t", "ed25519"), ("rsa", "-t", "rsa", "-m", "PEM"),
        ("rsa8", "-t", "rsa", "-m", "PKCS8"), ("ec8", "-t", "ecdsa", "-m", "PKCS8"), ("certified", "-t", "rsa"),
        ("ca", "-t", "ed25519"), *((f"other{number}", "-t", "ed25519") for number in range(8)),
    ):  # fmt: skip
        run("ssh-keygen", "-q", *options, "-N", "", "-C", name, "-f", home / name)
    run("cp", home / "locked", home / "unlocked")
    run("ssh-keygen", "-q", "-p", "-N", "secret", "-f", home / "locked")
    run("ssh-keygen", "-q", "-s", home / "ca", "-I", "me", "-n", "admin", home / "certified.pub")
    hosts = whole_lab["specialist-1"], whole_lab["orchestrator-1"], whole_lab["jada-agent"]
    trusted = [(home / f"{name}.pub").read_text() for name in ("plain", "locked", "rsa", "rsa8", "ec8")]
    for host in hosts:
        machine.inside(host, "mkdir -p /etc/ssh/test && cat >/etc/ssh/test/admin", stdin="".join(trusted))
        more = "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/test/%u"
        machine.inside(host, f"echo '{more}' >/etc/ssh/sshd_config.d/01-test.conf && systemctl restart ssh")
    with ssh_agent(home / "agent"):
        yield Operator(home, *hosts, home / "agent")
    for host in hosts:
        machine.inside(host, "rm -r /etc/ssh/test /etc/ssh/sshd_config.d/01-test.conf && systemctl restart ssh")


@contextmanager
def jada(address: str, scratch: Path, more: str = "") -> Iterator[SshEngine]:
    """A session of jada's to the host of this name or address, which it calls `web-1`."""
    file = scratch / "fleet.yml"
    source = f"{{static: {{hosts: {{web-1: {{address: '{address}'}}}}}}}}"
    file.write_text(f"fleet: x\nsources: [{source}]\nroles: {{agents: {{model: sonnet-4.5}}}}\n{more}")
    fleet = config.load(str(file))
    engine = SshEngine(ssh_data(fleet, discover(fleet), scratch / "scratch"), SERVICE, {})
    try:
        yield engine
    finally:
        engine.close()


def outcome(engine: SshEngine) -> str:
    """ "" when the host was looked at, what is told otherwise."""

    ((_, result),) = engine.imap(["web-1"], lambda _, connection: connection.look())
    return str(result) if isinstance(result, HostError) else ""


# The end of every configuration; ssh itself would look into the home that the user database names.
ALWAYS = """
Host *
  User admin
  UserKnownHostsFile {home}/.ssh/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
"""
KEY = "IdentityFile {home}/plain\n"
KNOWN = "{target} {key}\n"
ALL = f"{KNOWN}{{jump}} {{jump_key}}\n{{third}} {{third_key}}\n"
OTHERS = tuple(f"other{number}" for number in range(8))


@dataclass(frozen=True)
class Case:
    """A configuration before ALWAYS, a known_hosts, what the agent holds, and what jada tells when ssh gets nowhere."""

    config: str = KEY
    known: str = KNOWN
    told: str = ""
    holds: tuple[str, ...] = ()
    address: str = "{target}"


CASES = {
    "a key": Case(),
    "ProxyCommand none": Case(f"Host {{target}}\n ProxyCommand none\nHost *\n ProxyCommand false\n {KEY}"),
    "ProxyJump none": Case(f"Host {{target}}\n ProxyJump none\nHost *\n ProxyJump nowhere\n {KEY}"),
    "ProxyCommand of a shell": Case(
        f"{KEY}ProxyCommand ssh -F {{home}}/.ssh/config -W [%h]:%p -o ProxyCommand=none {{jump}} 2>/dev/null\n", ALL
    ),
    "a ProxyCommand that fails": Case(f"{KEY}ProxyCommand echo gone astray >&2; exit 3\n", told="gone astray"),
    "a jump host": Case(f"Host {{target}}\n ProxyJump {{jump}}\nHost *\n {KEY}", ALL),
    "two jump hosts": Case(
        f"Host {{target}}\n ProxyJump {{jump}},admin@{{third}}:22\nHost *\n {KEY}", ALL
    ),
    "a chain of jump hosts": Case(
        f"Host {{target}}\n ProxyJump b\nHost b\n HostName {{jump}}\n ProxyJump {{third}}\nHost *\n {KEY}", ALL
    ),
    "a jump host that is not known": Case(
        f"Host {{target}}\n ProxyJump {{jump}}\nHost *\n {KEY}", told="Host key verification failed"
    ),
    "another name": Case(f"Host t\n HostName {{target}}\n HostKeyAlias x\n{KEY}", "x {key}\n", address="t"),
    "Match": Case(f"Match originalhost t exec true\n HostName {{target}}\n {KEY}", address="t"),
    "a wildcard": Case(known="{network}.0.* {key}\n"),
    "a wildcard with an exception": Case(known="{network}.*,!{target} {key}\n", told="No host key"),
    "an unknown host": Case(known="192.0.2.1 {key}\n", told="No host key"),
    "another key": Case(known="{target} {ca}\n", told="shows another ssh host key"),
    "two keys of a kind": Case(known="{target} {ca}\n" + KNOWN),
    "a key of another kind": Case(known="{target} {other_key}\n"),
    "a line that is none": Case(known="@what {target} {ca}\nx\n" + KNOWN),
    "a revoked key": Case(known=KNOWN + "@revoked * {key}\n", told="revokes"),
    "an encrypted key without agent": Case("IdentityFile {home}/locked\n", told="ssh-add"),
    "an encrypted key in the agent": Case("IdentityFile {home}/locked\n", holds=("unlocked",)),
    "a public key with the agent": Case("IdentityFile {home}/locked.pub\n", holds=("unlocked",)),
    "a public key without the agent": Case("IdentityFile {home}/locked.pub\n", told="is not in the agent"),
    "an agent that is named": Case("IdentityFile none\nIdentityAgent {agent}\n", holds=("plain",)),
    "no agent": Case("IdentityFile {home}/locked.pub\nIdentityAgent none\n", KNOWN, "not in the agent", ("unlocked",)),
    "more keys than sshd looks at": Case("IdentityFile none\n", KNOWN, "it hung up after", (*OTHERS, "plain")),
    "the named one of many": Case(holds=(*OTHERS, "plain")),
    "IdentitiesOnly": Case(f"{KEY}IdentitiesOnly yes\n", holds=OTHERS),
    "RSA in PEM": Case("IdentityFile {home}/rsa\n"),
    "RSA in PKCS#8": Case("IdentityFile {home}/rsa8\n"),
    "ECDSA in PKCS#8": Case("IdentityFile {home}/ec8\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_jada_gets_where_ssh_gets(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    compare(operator, tmp_path, monkeypatch, CASES[case])


def compare(operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    (operator.home / ".ssh/config").write_text(operator.put_in(case.config + ALWAYS))
    (operator.home / ".ssh/known_hosts").write_text(operator.put_in(case.known))
    address = operator.put_in(case.address)
    operator.agent_holds(*case.holds)
    monkeypatch.setenv("HOME", str(operator.home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(operator.agent))
    argv = ["ssh", "-F", str(operator.home / ".ssh/config"), "-o", "BatchMode=yes", address, "true"]
    ssh = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    with jada(address, tmp_path) as engine:
        ended = outcome(engine)
    assert (ssh.returncode == 0) == (not case.told), ssh.stderr
    assert case.told in ended if case.told else not ended, f"ssh: {ssh.returncode} {ssh.stderr}\njada: {ended}"


@pytest.mark.parametrize(
    ("section", "known"),
    [
        ("key: {home}/locked, known_hosts: {home}/known", ALL),
        ("key: {home}/locked, known_hosts: {home}/known, jump: 'admin@{jump}:22'", ALL),
        ("key: {home}/locked, known_hosts: {home}/known, host_keys: accept-new", ""),
    ],
    ids=["key", "jump", "accept-new"],
)
def test_what_fleet_yml_says_goes_before_an_ssh_configuration(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, known: str
) -> None:
    (operator.home / ".ssh/config").write_text("IdentityFile none\nUserKnownHostsFile none\n")
    (operator.home / "known").write_text(operator.put_in(known))
    operator.agent_holds("unlocked")
    monkeypatch.setenv("HOME", str(operator.home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(operator.agent))
    more = f"ssh: {{{operator.put_in(section)}, user: admin}}\n"
    for _ in range(2):
        with jada(operator.target.address, tmp_path, more) as engine:
            assert outcome(engine) == ""
    # Learnt once.
    assert (operator.home / "known").read_text() == operator.put_in(known or KNOWN)


@pytest.fixture(scope="module")
def sshd(operator: Operator) -> Iterator[None]:
    """The target's sshd shows a certificate of the authority, trusts its users, and says what OpenSSH 10 says."""
    target, home = operator.target, operator.home
    (home / "host.pub").write_text(target.host_keys()[-1] + "\n")
    run("ssh-keygen", "-q", "-s", home / "ca", "-h", "-I", "h", "-n", f"{target.address},web-7", home / "host.pub")
    machine.inside(target, "cat >/etc/ssh/test-cert.pub", stdin=(home / "host-cert.pub").read_text())
    machine.inside(target, "cat >/etc/ssh/test-ca.pub", stdin=(home / "ca.pub").read_text())
    machine.inside(
        target,
        f"cat >{SSHD} && systemctl restart ssh",
        stdin="HostCertificate /etc/ssh/test-cert.pub\nTrustedUserCAKeys /etc/ssh/test-ca.pub\n"
        "VersionAddendum as-OpenSSH_10.0\nPubkeyAcceptedAlgorithms -ssh-rsa*\n",
    )
    yield
    machine.inside(target, f"rm {SSHD} /etc/ssh/test-*.pub && systemctl restart ssh")


ALIAS = f"Host web-7 other\n HostKeyAlias NAME\n HostName {{target}}\nHost *\n {KEY}"
CERTIFIED = {
    "an authority": Case(known="@cert-authority {network}.* {ca}\n"),
    "an alias": Case(ALIAS.replace("NAME", "web-7"), "@cert-authority web-* {ca}\n", address="web-7"),
    "another name": Case(
        ALIAS.replace("NAME", "other"), "@cert-authority * {ca}\n", "is for other names than other", address="other"
    ),
    "an authority of others": Case(known="@cert-authority 192.0.2.* {ca}\n", told="No host key"),
    "a revoked authority": Case(known="@cert-authority * {ca}\n@revoked * {ca}\n", told="revokes"),
    "the key itself": Case(),
    "the key itself, of a certificate for others": Case(
        ALIAS.replace("NAME", "other"), "other {key}\n@cert-authority * {ca}\n", address="other"
    ),
    "the key itself, of a revoked authority": Case(known=KNOWN + "@revoked * {ca}\n", told="revokes"),
    "the key itself, and another authority": Case(known=KNOWN + "@cert-authority * {key}\n"),
    "the authority's key as the host's": Case(known="{target} {ca}\n", told="shows another ssh host key"),
}


@pytest.mark.usefixtures("sshd")
@pytest.mark.parametrize("case", CERTIFIED)
def test_certificates_of_hosts_are_trusted_as_by_ssh(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    compare(operator, tmp_path, monkeypatch, CERTIFIED[case])


@pytest.mark.usefixtures("sshd")
@pytest.mark.parametrize("held", [(), ("certified",)], ids=["file", "agent"])
def test_an_rsa_key_with_a_certificate_logs_in_to_openssh_10(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: tuple[str, ...]
) -> None:
    """Lightsail's API gives such keys."""
    key = "certified.pub" if held else "certified"
    config = f"IdentityFile {{home}}/{key}\nCertificateFile {{home}}/certified-cert.pub\nIdentitiesOnly yes\n"
    compare(operator, tmp_path, monkeypatch, Case(config, holds=held))


# A login shell that takes no more than csh does, a newline in quotes not, and no less than people's do to its output.
SHELL = """#!/bin/sh
printf 'Welcome. jada-end\\nYou have new mail'
case $2 in *'
'* | *!*) echo "Unmatched '." >&2; exit 1 ;; esac
sh -c "$2"
C=$?
echo bye
exit "$C"
"""


@pytest.fixture
def login_shell(lab: Lab) -> Iterator[None]:
    host = lab["specialist-1"]
    machine.inside(host, "cat >/usr/local/bin/shell && chmod 755 /usr/local/bin/shell", stdin=SHELL)
    machine.inside(host, "usermod -s /usr/local/bin/shell admin")
    yield
    machine.inside(host, "usermod -s /bin/bash admin; rm /usr/local/bin/shell")


@pytest.mark.usefixtures("login_shell")
def test_what_a_login_shell_prints_is_ignored(lab: Lab) -> None:
    """By the look, by the lock, and by a change with the look behind it."""
    limit = ("--limit", "specialist-1")
    assert "active" in lab.jada("status", *limit)
    assert "Welcome" not in lab.jada("lock", *limit, "--reason", "x")
    assert ": x" in lab.jada("unlock", *limit)
    assert "1 verified" in lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", *limit)
    assert lab.model("specialist-1") == "claude-sonnet-4.6"


REFUSALS = {
    "nologin": ("usermod -s /usr/sbin/nologin admin", "This account is currently not available"),
    "a tty": ("echo 'Defaults requiretty' >/etc/sudoers.d/test", "sudo: sorry, you must have a tty to run sudo"),
    "a password": ("echo 'admin ALL=(ALL) PASSWD: ALL' >/etc/sudoers.d/test", "sudo: a password is required"),
    "no sudo": ("chmod 700 /usr/bin/sudo", "sudo"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_host_that_runs_nothing_is_told_with_its_own_words(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    command, words = REFUSALS[refusal]
    (operator.home / ".ssh/config").write_text(operator.put_in(KEY + ALWAYS))
    (operator.home / ".ssh/known_hosts").write_text(operator.put_in(KNOWN))
    monkeypatch.setenv("HOME", str(operator.home))
    machine.inside(operator.target, command)
    try:
        with jada(operator.target.address, tmp_path) as engine:
            assert words in outcome(engine)
            ((_, result),) = engine.imap(["web-1"], lambda _, connection: connection.set_lock(LOCK))
            assert words in str(result)
    finally:
        undo = "usermod -s /bin/bash admin; rm -f /etc/sudoers.d/test; chmod 4755 /usr/bin/sudo"
        machine.inside(operator.target, undo)
