"""The keys that a host is offered, in their order, their signatures, and the host keys and certificates trusted."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity
from paramiko import AuthenticationException, BadAuthenticationType, Ed25519Key, PKey, ProxyCommandFailure, Transport

from jada import Host, HostKeyError
from jada.inventory.access.host_key import Trust, TrustingTransport, _AuthHandler, why_not
from jada.inventory.access.identity import Login, LoginError, _shown, private_key, public_blob
from jada.inventory.access.known_hosts import HostKeys, host_keys, revoked_keys
from jada.inventory.access.proxy import Proxy
from jada.inventory.access.ssh_config import Options, plain
from tests.conftest import ssh_agent

HOST = Host("web-1", "192.0.2.1", "static", user="agent")


def run(*argv: object, **more: str) -> None:
    environ = {**os.environ, **more}
    subprocess.run([str(word) for word in argv], check=True, capture_output=True, stdin=subprocess.DEVNULL, env=environ)


class Refusing:
    """A host that takes no key: the keys it was shown, in order."""

    def __init__(self, answer: Exception | list[str] | None = None, tries: int = 99) -> None:
        self.shown: list[bytes] = []
        self._answer, self._tries = answer, tries

    def auth_publickey(self, _: str, key: PKey) -> list[str]:
        self.shown.append(_shown(key))
        if isinstance(self._answer, list):
            return self._answer
        raise self._answer or AuthenticationException("Authentication failed.")

    def is_active(self) -> bool:
        return len(self.shown) < self._tries


class Announcing:
    """A host's side of a connection, as far as it is announced."""

    def __init__(self, version: str, accepted: str) -> None:
        self.remote_version = f"SSH-2.0-{version}"
        self.server_extensions = {"server-sig-algs": accepted.encode()} if accepted else {}
        self.preferred_pubkeys = ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")

    def _log(self, *_: object) -> None:
        """Nobody reads it."""


class Unconnected(TrustingTransport):
    """One that asks nobody for anything yet."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self.disabled_algorithms = {}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files: a to e, keys; a with a certificate; c with a passphrase, and without it as c-open."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("a", "b", "c", "d", "ca"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name)
    run("ssh-keygen", "-q", "-s", folder / "ca", "-I", "i", "-n", "agent", folder / "a.pub")
    run("cp", folder / "c", folder / "c-open")
    run("ssh-keygen", "-q", "-p", "-N", "secret", "-f", folder / "c")
    return folder


@pytest.fixture(scope="module")
def agent(keys: Path) -> Iterator[Path]:
    path = keys / "agent"
    with ssh_agent(path):
        for name in ("d", "c-open"):
            run("ssh-add", "-q", keys / name, SSH_AUTH_SOCK=str(path))
        yield path


def offered(options: Options, host: Refusing | None = None) -> tuple[list[bytes], LoginError]:
    """The keys that a host is shown, and the error in the end."""
    host = host or Refusing()
    with pytest.raises(LoginError) as caught:
        Login("web-1", options).authenticate(cast(Transport, host))
    return host.shown, caught.value


def blob(file: Path) -> bytes:
    return base64.b64decode(file.read_text().split()[1])


def test_keys_are_offered_as_ssh_offers_them(keys: Path, agent: Path) -> None:
    a, b, c, d = (blob(keys / f"{name}.pub") for name in "abcd")
    certificate = blob(keys / "a-cert.pub")
    options = replace(plain(HOST), identities=(keys / "a", keys / "c", keys / "b", keys / "none"), agent=str(agent))
    keys_shown, error = offered(options)
    assert keys_shown == [c, d, certificate, a, b]
    assert f"{keys / 'c'} (in the agent), d (in the agent), {keys / 'a'} with its certificate" in error.message
    assert offered(replace(options, identities_only=True))[0] == [c, certificate, a, b]
    assert offered(replace(options, agent=""))[0] == [certificate, a, b]
    assert offered(replace(options, identities=(keys / "c.pub", keys / "a")))[0] == [c, d, certificate, a]
    aside = (keys / "a-cert.pub",)
    assert offered(replace(options, identities=(keys / "b",), certificates=aside))[0] == [d, c, b]


def test_what_stands_in_the_way_of_a_key_is_told(keys: Path, tmp_path: Path) -> None:
    options = replace(plain(HOST), identities=(), agent="")
    assert "there is no key to offer it" in offered(options)[1].message
    error = offered(replace(options, identities=(keys / "c", keys / "d.pub"), agent=str(tmp_path / "none")))[1].message
    assert f"{keys / 'c'} has a passphrase and is not in the agent (ssh-add {keys / 'c'})" in error
    assert f"{keys / 'd.pub'} is not in the agent" in error
    assert f"the agent at {tmp_path / 'none'} does not answer" in error
    (tmp_path / "x").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n")
    assert (
        "x can't be used without an agent (ValueError)"
        in offered(replace(options, identities=(tmp_path / "x",)))[1].message
    )
    assert "pkcs11provider" in offered(replace(options, unused=("pkcs11provider",)))[1].hint


def test_how_a_host_refuses_is_told(keys: Path) -> None:
    options = replace(plain(HOST), identities=(keys / "b", keys / "d"), agent="")
    keys_shown, error = offered(options, Refusing(tries=1))
    assert (len(keys_shown), "it hung up after" in error.message) == (1, True)
    error = offered(options, Refusing(BadAuthenticationType("", ["password", "gssapi-with-mic"])))[1]
    assert "it lets in with no key, only with password, gssapi-with-mic" in error.message
    error = offered(options, Refusing(["keyboard-interactive"]))[1]
    assert "it took" in error.message
    assert "wants more: keyboard-interactive" in error.message


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_every_format_of_a_private_key_is_read(tmp_path: Path, kind: str, form: str) -> None:
    file = tmp_path / "k"
    argv = ["ssh-keygen", "-q", "-t", kind, "-m", form, "-N", "", "-f", file]
    # OpenSSH 10.1 and later make no such key, which there never was: before, it had its own format all the same.
    if subprocess.run([str(word) for word in argv], check=False).returncode and (kind, form) == ("ed25519", "PEM"):
        pytest.skip("this ssh-keygen makes no ed25519 key in PEM")
    expected = blob(tmp_path / "k.pub")
    assert public_blob(file) == expected
    (tmp_path / "k.pub").unlink()
    assert public_blob(file) == private_key(file.read_text()).asbytes() == expected


@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_a_passphrase_is_no_other_fault(tmp_path: Path, form: str) -> None:
    run("ssh-keygen", "-q", "-t", "ecdsa", "-m", form, "-N", "secret", "-f", tmp_path / "k")
    assert "ssh-add" in offered(replace(plain(HOST), identities=(tmp_path / "k",), agent=""))[1].message
    assert public_blob(tmp_path / "k") == blob(tmp_path / "k.pub")


@pytest.mark.parametrize(
    ("version", "accepted", "algorithm"),
    [
        ("OpenSSH_10.0p2 Debian-7", "ssh-ed25519,rsa-sha2-512,rsa-sha2-256", "rsa-sha2-512"),
        ("OpenSSH_10.0p2 Debian-7", "", "rsa-sha2-512"),
        ("OpenSSH_10.2", "rsa-sha2-256", "rsa-sha2-256"),
        ("OpenSSH_9.2p1", "rsa-sha2-512,rsa-sha2-256", "rsa-sha2-512"),
        ("OpenSSH_8.4p1", "rsa-sha2-512", "rsa-sha2-512"),
        ("OpenSSH_7.4", "rsa-sha2-512", "ssh-rsa"),
        ("OpenSSH_6.6.1", "", "ssh-rsa"),
        ("dropbear_2024.86", "", "rsa-sha2-512"),
    ],
)
def test_an_rsa_certificate_is_signed_for_as_ssh_does(version: str, accepted: str, algorithm: str) -> None:
    transport = Announcing(version, accepted)
    chosen = _AuthHandler(cast(Transport, transport))._finalize_pubkey_algorithm("ssh-rsa-cert-v01@openssh.com")
    assert chosen == f"{algorithm}-cert-v01@openssh.com"


def certified(folder: Path, kind: str, *options: str) -> tuple[Trust, PKey]:
    """Trust in an authority for web-1, and a host's key of this kind with a certificate of it."""
    for name, of_kind in (("ca", kind), ("host", "ed25519")):
        run("ssh-keygen", "-q", "-t", of_kind, "-N", "", "-f", folder / name)
    run("ssh-keygen", "-q", "-s", folder / "ca", "-I", "i", *options, folder / "host.pub")
    known = host_keys(f"@cert-authority web-* {(folder / 'ca.pub').read_text()}", ["web-1"])["web-1"]
    fields = (folder / "host-cert.pub").read_text().split()
    return Trust("h", "web-1", known, "kh"), Ed25519Key(data=base64.b64decode(fields[1]))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("names", [("-n", "web-1"), ("-n", "x,web-1"), ()], ids=repr)
def test_a_certificate_of_an_authority_is_trusted(tmp_path: Path, kind: str, names: tuple[str, ...]) -> None:
    trust, key = certified(tmp_path, kind, "-h", *names)
    assert replace(trust, name="[web-1]:2222").verify(key) == trust.verify(key) == trust.keys.authorities[0]


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("ed25519", (), "is a user's"),
        ("ed25519", ("-h", "-V", "20200101:20200102"), "is not valid now"),
        ("ed25519", ("-h", "-V", "20990101:20990102"), "is not valid now"),
        ("rsa", ("-h", "-t", "ssh-rsa"), "with SHA-1"),
        ("ed25519", ("-h", "-n", "*,web-*"), "is for other names than web-1"),
        ("ed25519", ("-h", "-O", "critical:x=y"), "has options that are not known"),
    ],
)
def test_a_certificate_that_is_not_good_is_refused(
    tmp_path: Path, kind: str, options: tuple[str, ...], expected: str
) -> None:
    trust, key = certified(tmp_path, kind, *options)
    with pytest.raises(HostKeyError, match=expected):
        trust.verify(key)
    # As a plain key it is as good as any.
    plain_line = host_keys(f"web-1 {(tmp_path / 'host.pub').read_text()}", ["web-1"])["web-1"]
    keys = replace(trust.keys, own=plain_line.own)
    assert replace(trust, keys=keys).verify(key) == plain_line.own[0]


def test_a_certificate_that_was_changed_is_refused(tmp_path: Path) -> None:
    certified(tmp_path, "ed25519", "-h", "-n", "web-2")
    kind, text = (tmp_path / "host-cert.pub").read_text().split()[:2]
    forged = base64.b64decode(text).replace(b"web-2", b"web-1")
    certificate = load_ssh_public_identity(f"{kind} {base64.b64encode(forged).decode()}".encode())
    assert isinstance(certificate, SSHCertificate)
    assert why_not(certificate, forged, "web-1", time.time()) == "its authority did not sign, or with SHA-1"


def test_an_authority_that_is_revoked_vouches_for_nothing(tmp_path: Path) -> None:
    trust, key = certified(tmp_path, "ed25519", "-h")
    authority = (tmp_path / "ca.pub").read_text()
    lines = f"web-1 {(tmp_path / 'host.pub').read_text()}@cert-authority * {authority}@revoked * {authority}"
    keys = host_keys(lines, ["web-1"])["web-1"]
    assert (len(keys.own), keys.authorities) == (1, ())
    with pytest.raises(HostKeyError, match="revokes"):
        replace(trust, keys=keys).verify(key)


def test_an_authority_of_an_unknown_type_leaves_a_plain_key(tmp_path: Path) -> None:
    trust, key = certified(tmp_path, "ed25519", "-h")
    authority = blob(tmp_path / "ca.pub")
    # The type of the authority's key and, behind that, of its signature.
    before, signed = key.public_blob.key_blob.split(string(authority))  # type: ignore[union-attr]
    unknown = authority.replace(b"ssh-ed25519", b"ssh-unknown")
    altered = before + string(unknown) + signed.replace(b"ssh-ed25519", b"ssh-unknown")
    key = Ed25519Key(data=altered)
    with pytest.raises(HostKeyError, match="no authority of kh vouches for"):
        trust.verify(key)
    plain_line = host_keys(f"web-1 {(tmp_path / 'host.pub').read_text()}", ["web-1"])["web-1"]
    assert replace(trust, keys=plain_line).verify(key) == plain_line.own[0]
    with pytest.raises(HostKeyError, match="revokes"):
        replace(trust, keys=plain_line.without([unknown])).verify(key)


def string(data: bytes) -> bytes:
    """As ssh writes one."""
    return len(data).to_bytes(4, "big") + data


def test_a_connection_ends_whatever_is_wrong_with_the_key(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(Transport, "start_client", lambda *_: None)
    monkeypatch.setattr(Transport, "get_remote_server_key", lambda _: None)
    monkeypatch.setattr(Transport, "close", lambda _: closed.append("closed"))
    with pytest.raises(AttributeError):
        Unconnected(Trust("h", "web-1", HostKeys(), "kh")).start_client()
    assert closed == ["closed"]


def test_a_file_of_revoked_keys_is_read_as_ssh_does(keys: Path) -> None:
    a, b = ((keys / f"{name}.pub").read_text() for name in "ab")
    assert revoked_keys(f"# old\n\n\t{a}  {b}") == {blob(keys / "a.pub"), blob(keys / "b.pub")}
    for line in (f"* {a}", "ssh-ed25519", (keys / "a-cert.pub").read_text(), "ssh-rsa AAAA"):
        with pytest.raises(ValueError, match="line 2 is no public key"):
            revoked_keys(f"\n{line}")


def test_a_known_hosts_of_one_host_says_the_same_of_it(keys: Path) -> None:
    a, b, ca = ((keys / f"{name}.pub").read_text() for name in ("a", "b", "ca"))
    all_of_it = host_keys(f"web-1 {a}@cert-authority web-* {ca}@revoked * {b}", ["web-1"])["web-1"]
    assert (len(all_of_it.own), len(all_of_it.authorities), len(all_of_it.revoked)) == (1, 1, 1)
    assert host_keys(all_of_it.lines("[web-1]:2222"), ["[web-1]:2222"])["[web-1]:2222"] == all_of_it


def test_a_host_is_asked_for_the_keys_it_is_known_by(keys: Path) -> None:
    def asked(lines: str) -> tuple[str, ...]:
        known = host_keys(lines, ["web-1"])["web-1"]
        return Unconnected(Trust("h", "web-1", known, "kh")).preferred_keys

    rsa = "web-1 ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQ=="
    assert asked("")[0] == "ssh-ed25519"
    assert asked(rsa)[:2] == ("rsa-sha2-512", "rsa-sha2-256")
    assert asked(f"{rsa}\n@cert-authority * {(keys / 'ca.pub').read_text()}")[0] == "ssh-ed25519-cert-v01@openssh.com"


def test_a_host_at_another_port_is_known_by_what_is_known_without_one(keys: Path) -> None:
    a, b = ((keys / f"{name}.pub").read_text() for name in "ab")
    name = "[web-1]:2222"
    assert len(host_keys(f"web-1 {a}", [name])[name].own) == 1
    by_name = host_keys(f"web-1 {a}{name} {b}", [name, "web-1"])
    assert [[key.text for key in by_name[known_name].own] for known_name in (name, "web-1")] == [
        [b.split()[1]],
        [a.split()[1]],
    ]
    assert host_keys(f"[web-1]:22 {a}", ["web-2"])["web-2"] == HostKeys()


def test_a_command_that_ends_before_anything_is_sent_is_told_too() -> None:
    """As when it is quicker than paramiko, which makes of what can't be sent an EOF without a reason."""
    way = Proxy("sh -c 'echo no route to web-1 >&2; exit 7'").begin()
    way._process.wait()
    assert way.send(b"SSH-2.0") == 7
    with pytest.raises(ProxyCommandFailure, match="no route to web-1"):
        way.recv(10)
    way.close()


def test_what_a_command_on_the_way_says_at_its_end_is_told() -> None:
    way = Proxy("sh -c 'echo no route to web-1 >&2; exit 7'").begin()
    with pytest.raises(ProxyCommandFailure, match="no route to web-1"):
        way.recv(10)
    way.close()
    way = Proxy("cat").begin()
    way.sendall(b"SSH-2.0")
    assert way.recv(10) == b"SSH-2.0"
    way.close()
