"""Keys that are offered to a host, in their order: as ssh does it, with the agent and ssh_config's key files."""

from __future__ import annotations

import copy
import socket
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko import (
    AuthenticationException,
    BadAuthenticationType,
    ECDSAKey,
    Ed25519Key,
    Message,
    PKey,
    RSAKey,
    SSHException,
    Transport,
)
from paramiko.agent import AgentKey, AgentSSH

from jada import HostError
from jada.inventory.access.ssh_config import Options

OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
CERTIFICATE = "-cert-v01@openssh.com"
KINDS = {name: kind for kind in (RSAKey, ECDSAKey, Ed25519Key) for name in kind.identifiers()}
# Errors of a file that is no key, or none that can be used here.
UNUSABLE = (OSError, ValueError, SSHException, UnsupportedAlgorithm)


class LoginError(HostError, AuthenticationException):
    """A host took none of the keys. pyinfra, by hand, tells it as any refused login."""


class EncryptedKeyError(ValueError):
    """A private key has a passphrase."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A private key, also as the text that ssh-add reads, and the text of its certificate, or ""."""

    key: PKey
    private: str = field(repr=False)
    certificate: str = ""


class Grant(Protocol):
    """A login that lasts some minutes; `label` is what to call its key, `hint` the advice where that is not taken."""

    label: str
    hint: str

    def credential(self, user: str) -> Credential:
        """The credential to log in with as this user, at once. Raises HostError."""


class Login:
    """paramiko's `auth_strategy` for one host: all keys that ssh would offer it, until it takes one.

    The order is ssh's: keys of the agent that the configuration names, in its order; the agent's others, unless
    IdentitiesOnly; then the key files. Each with its certificates first.
    """

    def __init__(self, host: str, options: Options, grant: Grant | None = None) -> None:
        self._host = host
        self._options = options
        self.grant = grant

    def to_json(self) -> str:
        """For pyinfra's `debug-inventory`, which makes JSON of all host data."""
        return f"as {self._options.user}"

    def authenticate(self, transport: Transport) -> None:
        """Raises LoginError, and SSHException when the link dies."""
        agent, unfit, refused = AgentSSH(), list[str](), list[str]()
        offered: set[bytes] = set()
        try:
            for label, key in self._keys(agent, unfit):
                blob = _shown(key)
                if blob in offered:
                    continue
                offered.add(blob)
                try:
                    missing = transport.auth_publickey(self._options.user, key)
                except BadAuthenticationType as error:
                    kinds = ", ".join(error.allowed_types)
                    raise self._refused(f"it lets in with no key, only with {kinds}", unfit) from None
                except AuthenticationException:
                    refused.append(label)
                    if not transport.is_active():
                        raise self._refused(f"it hung up after {', '.join(refused)}", unfit) from None
                    continue
                if missing:
                    raise self._refused(f"it took {label} and wants more: {', '.join(missing)}", unfit)
                return
        finally:
            agent._close()  # type: ignore[attr-defined]
        raise self._refused(
            f"it takes none of these keys: {', '.join(refused)}" if refused else "there is no key to offer it", unfit
        )

    def _refused(self, why: str, unfit: list[str]) -> LoginError:
        more = "".join(f"; {text}" for text in unfit)
        unused = ", ".join(self._options.unused)
        hint = f"jada takes no notice of {unused} in the ssh configuration" if unused else ""
        if self.grant:
            hint = self.grant.hint
        return LoginError(f"{self._host} does not let {self._options.user} in: {why}{more}", hint)

    def _keys(self, agent: AgentSSH, unfit: list[str]) -> Iterator[tuple[str, PKey]]:
        """The keys with what to call them; a file that can't be used goes to `unfit`."""
        if self.grant:
            try:
                credential = self.grant.credential(self._options.user)
            except HostError as error:
                raise LoginError(error.message, error.hint) from error.__cause__
            yield self.grant.label, credential.key
            return
        agent_keys = _held(agent, self._options.agent, unfit)
        files = {file: public_blob(file) for file in dict.fromkeys(self._options.identities) if file.is_file()}
        certificates = _certificates((*self._options.certificates, *(_beside(file, "-cert.pub") for file in files)))
        for file, blob in files.items():
            for key in agent_keys.get(blob, ()):
                yield from _each(f"{file} (in the agent)", key, certificates.get(blob, ()))
        if not self._options.identities_only:
            for blob, keys in agent_keys.items():
                for key in keys if blob not in files.values() else ():
                    yield from _each(f"{key.comment} (in the agent)", key, certificates.get(blob, ()))
        for file, blob in files.items():
            if blob not in agent_keys and (private := _private(file, unfit)):
                yield from _each(str(file), private, certificates.get(private.asbytes(), ()))


def public_blob(file: Path) -> bytes:
    """The public key that an IdentityFile leads to, whether it is that itself or a private key; else b""."""
    for path in (file, _beside(file, ".pub")):
        try:
            text = path.read_text(encoding="ascii")
            fields = text.split(None, 2)
            if text.startswith(OPENSSH):
                return _public_part(text)
            if len(fields) > 1 and not text.startswith("-----"):
                return _plain(fields[0], b64decode(fields[1]))
        except UNUSABLE:
            continue
    try:
        return _loaded(file).asbytes()
    except UNUSABLE:
        return b""


def private_key(text: str) -> PKey:
    """A private key of any format that OpenSSH reads, PKCS#8 too, which paramiko does not. Raises ValueError."""
    data = text.strip().encode() + b"\n"
    try:
        key = load_ssh_private_key(data, None) if text.startswith(OPENSSH) else load_pem_private_key(data, None)
    except TypeError:
        raise EncryptedKeyError from None
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAKey(key=key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECDSAKey(vals=(key, key.public_key()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        openssh = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return Ed25519Key.from_private_key(StringIO(openssh.decode()))
    raise ValueError("it is of a kind that OpenSSH has given up")


def with_certificate(key: PKey, blob: bytes) -> PKey:
    """The same key, which shows the certificate. Raises ValueError."""
    # A copy of an agent's key would ask itself for what it does not have yet, without an end.
    certified = AgentKey(key.agent, key.blob, key.comment) if isinstance(key, AgentKey) else copy.copy(key)
    certified.load_certificate(Message(blob))
    return certified


def _shown(key: PKey) -> bytes:
    """The part of a key that a host is shown: its certificate, or the public half."""
    # A key on a device has no public_blob at all.
    blob = getattr(key, "public_blob", None)
    return bytes(blob.key_blob) if blob else key.asbytes()


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _each(label: str, key: PKey, certificates: Iterable[bytes]) -> Iterator[tuple[str, PKey]]:
    """The key with each certificate that it has, and as it is."""
    for blob in certificates:
        yield f"{label} with its certificate", with_certificate(key, blob)
    yield label, key


def _held(agent: AgentSSH, path: str, unfit: list[str]) -> dict[bytes, list[AgentKey]]:
    """The agent's keys by public key, certificates first; none where there is no agent.

    Each login has a connection of its own: an agent answers the questions of one in turn.
    """
    if not path:
        return {}
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(path)
        agent._connect(sock)  # type: ignore[attr-defined]
    except (OSError, SSHException) as error:
        sock.close()
        unfit.append(f"the agent at {path} does not answer ({error})")
        return {}
    keys: dict[bytes, list[AgentKey]] = {}
    for key in sorted(agent.get_keys(), key=lambda key: not key.get_name().endswith(CERTIFICATE)):
        keys.setdefault(_plain(key.get_name(), key.blob), []).append(key)
    return keys


def _certificates(files: tuple[Path, ...]) -> dict[bytes, tuple[bytes, ...]]:
    """The certificates in these files by the public key that each is for."""
    certificates: dict[bytes, tuple[bytes, ...]] = {}
    for file in dict.fromkeys(files):
        try:
            kind, text = file.read_text(encoding="ascii").split()[:2]
            blob = b64decode(text)
            key = _plain(kind, blob)
        except UNUSABLE:
            continue
        if kind.endswith(CERTIFICATE):
            certificates[key] = (*certificates.get(key, ()), blob)
    return certificates


def _plain(kind: str, blob: bytes) -> bytes:
    """The public key of a certificate, and what is none as it is. Raises SSHException."""
    certified = kind.removesuffix(CERTIFICATE)
    return KINDS[certified](data=blob).asbytes() if certified != kind and certified in KINDS else blob


def _public_part(text: str) -> bytes:
    """The public key in a private one of OpenSSH's format, which is not encrypted with the rest. Raises ValueError."""
    body = Message(b64decode("".join(text.split("-----")[2].split())))
    body.get_bytes(len(b"openssh-key-v1\0"))
    for _ in range(3):
        body.get_string()
    body.get_int()
    return body.get_string()


def _private(file: Path, unfit: list[str]) -> PKey | None:
    try:
        return _loaded(file)
    except EncryptedKeyError:
        unfit.append(f"{file} has a passphrase and is not in the agent (ssh-add {file})")
    except UNUSABLE as error:
        # A public key alone is of use with an agent that holds the other half.
        is_public = file.suffix == ".pub"
        unfit.append(
            f"{file} is not in the agent"
            if is_public
            else f"{file} can't be used without an agent ({type(error).__name__})"
        )
    return None


@cache
def _loaded(file: Path) -> PKey:
    """To check an RSA key takes a moment, and it is the same for all hosts."""
    return private_key(file.read_text(encoding="ascii"))
