"""paramiko's Transport with what it lacks of ssh: trust by all that known_hosts says, and RSA signed for with SHA-2.

paramiko knows no @revoked and no @cert-authority, takes one key of each type for a host, and asks for a type that the
host is not known by.
"""

from __future__ import annotations

import re
import shlex
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)
from paramiko import PKey, SSHException, Transport
from paramiko.auth_handler import AuthHandler
from paramiko.pkey import PublicBlob

from jada import HostKeyError, JadaError, UnknownKeyError
from jada.inventory.access.known_hosts import HostKey, HostKeys, of_blob
from jada.inventory.access.pins import PinnedHost, taking

CERTIFICATE = "-cert-v01@openssh.com"
# paramiko looks for 1 to 6 with no dot behind it, and so takes OpenSSH 10 for one of the last century's.
OLD_OPENSSH = re.compile(r"-OpenSSH_([1-6]\.|7\.[0-7])")
RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")


class WrongKeyError(HostKeyError, SSHException):
    """A host showed a key that it is not to be trusted by. pyinfra, by hand, tells it as any trouble of ssh."""


class NoKnownKeyError(UnknownKeyError, SSHException):
    """A host showed a key, and nothing is known of its keys. pyinfra, by hand, tells it as any trouble of ssh."""


@dataclass(frozen=True, slots=True)
class Trust:
    """paramiko's `transport_factory` for one host: `keys` are what known_hosts, in `where`, has for it as `name`, or
    its `pinned` ones. Where there are none, `why_none` may say why its cloud names none either.
    """

    host: str
    name: str
    keys: HostKeys
    where: str
    pinned: PinnedHost | None = None
    why_none: JadaError | None = None

    def __call__(self, sock: Any, **arguments: Any) -> Transport:
        return TrustingTransport(self, sock.begin() if hasattr(sock, "begin") else sock, **arguments)

    def to_json(self) -> str:
        """For pyinfra's `debug-inventory`, which makes JSON of all host data."""
        return f"as {self.name}"

    def verify(self, key: PKey) -> HostKey | None:
        """The line of known_hosts that vouches for the key, None when none says anything. Raises WrongKeyError."""
        keys, blob = self.keys, key.asbytes()
        if blob in keys.revoked:
            raise self._revoked(key)
        authority, wrong = self._authority(key, key.public_blob) if key.public_blob else (None, "")
        if authority and not wrong:
            return authority
        match = next((known for known in keys.own if known.blob == blob), None)
        if match is None and wrong:
            raise WrongKeyError(
                f"{self.host} shows an ssh host certificate that {wrong}",
                "sign the host's key anew: ssh-keygen -s AUTHORITY -h -I HOST -n NAMES ssh_host_…_key.pub",
            )
        if match is None and self.pinned:
            raise WrongKeyError(*self.pinned.changed(of_blob(blob)))
        if match is None and keys.own:
            old = keys.own[0]
            raise WrongKeyError(
                f"{self.host} shows another ssh host key than the known one: {key.fingerprint} instead of "
                f"{old.fingerprint}, at {self.name}",
                "if it was reinstalled, compare the key with its console and forget the old one: "
                f"ssh-keygen -R {shlex.quote(self.name)}; if it was not, somebody may sit in between",
            )
        if match is None and keys.authorities:
            raise WrongKeyError(
                f"{self.host} shows an ssh host key, {key.fingerprint}, that no authority of {self.where} vouches for",
                f"see whether its certificate is set up (HostCertificate in its sshd_config), for {self.name}",
            )
        if match is None and self.why_none:
            raise NoKnownKeyError(
                f"{self.host} shows an ssh host key that nobody vouches for, {key.fingerprint}: {self.where} has none "
                f"for {self.name}, and {self.why_none.message}",
                f"compare it with the console of the host; if it is right: {taking(self.host, of_blob(blob))}",
            ) from self.why_none.__cause__
        return match

    def _authority(self, key: PKey, public: PublicBlob) -> tuple[HostKey | None, str]:
        """The authority that signed a key's certificate, if it is known here, and what is wrong with the certificate.

        One that is not good makes the key a plain one, as with ssh. Raises WrongKeyError.
        """
        blob = public.key_blob
        # An authority's key stands in it whole, whatever its type.
        if any(len(revoked).to_bytes(4, "big") + revoked in blob for revoked in self.keys.revoked):
            raise self._revoked(key)
        try:
            certificate = load_ssh_public_identity(f"{public.key_type} {b64encode(blob).decode()}".encode())
            if not isinstance(certificate, SSHCertificate):
                return None, ""
            line = certificate.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        except UnsupportedAlgorithm:
            # One of a type that nobody is trusted by here.
            return None, ""
        except ValueError:
            return None, "can't be read"
        signer = HostKey(*line.split(" "))
        if signer not in self.keys.authorities:
            return None, ""
        return signer, why_not(certificate, blob, self.name, time.time())

    def _revoked(self, key: PKey) -> WrongKeyError:
        return WrongKeyError(
            f"{self.host} shows an ssh host key that {self.where} revokes: {key.fingerprint}",
            "whoever has that key can pose as the host: give the host new keys and take them into known_hosts",
        )


def why_not(certificate: SSHCertificate, blob: bytes, name: str, now: float) -> str:
    """The fault of a host's certificate whose authority is trusted, "" when it is good for this name."""
    if not _is_signed(certificate, blob):
        return "its authority did not sign, or with SHA-1"
    bare = name.removeprefix("[").partition("]:")[0].lower()
    principals = [principal.decode(errors="replace") for principal in certificate.valid_principals]
    faults = {
        "is a user's": certificate.type is not SSHCertificateType.HOST,
        "has options that are not known": bool(certificate.critical_options),
        "is not valid now": not certificate.valid_after <= now < certificate.valid_before,
        f"is for other names than {bare}: {', '.join(principals)}": bool(principals) and bare not in principals,
    }
    return next((fault for fault, is_so in faults.items() if is_so), "")


def _is_signed(certificate: SSHCertificate, blob: bytes) -> bool:
    key = certificate.signature_key()
    if isinstance(key, rsa.RSAPublicKey):
        # The signature, its length before it, ends the certificate; before that stands its algorithm.
        algorithm = blob[: -(key.key_size // 8) - 4]
        if not algorithm.endswith(tuple(name.encode() for name in RSA_SIGNATURES)):
            return False
    try:
        certificate.verify_cert_signature()
    except InvalidSignature:
        return False
    return True


class _AuthHandler(AuthHandler):
    """Signs for an RSA key's certificate as ssh does."""

    def _finalize_pubkey_algorithm(self, key_type: str) -> str:
        is_rsa = key_type == f"ssh-rsa{CERTIFICATE}"
        if not is_rsa or OLD_OPENSSH.search(self.transport.remote_version):
            algorithm: str = super()._finalize_pubkey_algorithm(key_type)  # type: ignore[misc]
            return algorithm
        accepted = self.transport.server_extensions.get("server-sig-algs", b"").decode("ascii", "replace").split(",")
        return next((name for name in RSA_SIGNATURES if name in accepted), RSA_SIGNATURES[0]) + CERTIFICATE


class TrustingTransport(Transport):
    """A connection that ends before the login unless its host may be trusted."""

    def __init__(self, trust: Trust, sock: Any, **arguments: Any) -> None:
        super().__init__(sock, **arguments)
        self._trust = trust
        self._vouching: HostKey | None = None

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Algorithms in the order in which they are asked for: first those by which the host is known."""
        keys = self._trust.keys
        kinds = {known.kind for known in keys.own}
        kinds |= {*RSA_SIGNATURES} if "ssh-rsa" in kinds else set()

        every = super().preferred_keys
        # A key that is revoked may be an authority's.
        asks = keys.authorities or keys.revoked
        certified = [name for name in every if asks and name.endswith(CERTIFICATE)]
        return tuple(dict.fromkeys((*certified, *(name for name in every if name in kinds), *every)))

    def start_client(self, event: threading.Event | None = None, timeout: float | None = None) -> None:
        super().start_client(event, timeout)
        try:
            self._vouching = self._trust.verify(super().get_remote_server_key())
        except Exception:
            self.close()
            raise

    def get_remote_server_key(self) -> PKey:
        """The key that paramiko compares with known_hosts: there it has but the first line of those that vouch."""
        if self._vouching is None:
            return super().get_remote_server_key()
        first = self._trust.keys.first
        return PKey.from_type_string(first.kind, first.blob)

    def auth_publickey(self, username: str, key: PKey, event: threading.Event | None = None) -> list[str]:
        """As paramiko's own, which names its AuthHandler itself."""
        if not (self.active and self.initial_kex_done):
            raise SSHException("No existing session")
        ended = event or threading.Event()
        self.auth_handler = handler = _AuthHandler(self)
        handler.auth_publickey(username, key, ended)
        return [] if event else handler.wait_for_response(ended)
