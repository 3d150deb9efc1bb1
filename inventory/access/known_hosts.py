"""Host keys of a known_hosts, read as sshd(8) describes it under SSH_KNOWN_HOSTS FILE FORMAT. Pure.

paramiko knows neither patterns nor markers: a line with one ends its reading of the whole file.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

REVOKED, AUTHORITY = "@revoked", "@cert-authority"
# The types of key that paramiko can hold against a host's; known_hosts may name more.
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


@dataclass(frozen=True, slots=True)
class HostKey:
    """One public key, as a line has it."""

    kind: str
    text: str

    @property
    def blob(self) -> bytes:
        return b64decode(self.text)

    @property
    def fingerprint(self) -> str:
        return "SHA256:" + b64encode(sha256(self.blob).digest()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class HostKeys:
    """One host's own keys and those of authorities that vouch for it, without those that are revoked; and these, as ssh
    sends them.
    """

    own: tuple[HostKey, ...] = ()
    revoked: frozenset[bytes] = frozenset()
    authorities: tuple[HostKey, ...] = ()

    @property
    def vouching(self) -> tuple[HostKey, ...]:
        return (*self.own, *self.authorities)

    @property
    def first(self) -> HostKey:
        """One key for all of them."""
        return self.vouching[0]

    def also(self, keys: Iterable[HostKey]) -> HostKeys:
        """The same with more keys of the host's own, before the others."""
        own = dict.fromkeys((*keys, *self.own))
        return replace(self, own=tuple(key for key in own if key.kind in KINDS and key.blob not in self.revoked))

    def without(self, revoked: Collection[bytes]) -> HostKeys:
        """The same with more keys that are revoked."""
        refused = self.revoked.union(revoked)
        good = [tuple(key for key in group if key.blob not in refused) for group in (self.own, self.authorities)]
        return HostKeys(good[0], refused, good[1])

    def lines(self, name: str) -> str:
        """A known_hosts that says the same of a host by this name, and nothing of others."""
        marked = (
            *(("", key) for key in self.own),
            *((f"{AUTHORITY} ", key) for key in self.authorities),
            *((f"{REVOKED} ", key) for key in map(of_blob, sorted(self.revoked))),
        )
        return "".join(f"{marker}{name} {key.kind} {key.text}\n" for marker, key in marked)


def known_name(address: str, port: int) -> str:
    """The name a host has in known_hosts."""
    return address if port == 22 else f"[{address}]:{port}"


def host_key(kind: str, text: str) -> HostKey | None:
    """The key of this type and base64, None when that is no key: a key itself begins with its type."""
    try:
        blob = b64decode(text, validate=True)
    except ValueError:
        return None
    length = int.from_bytes(blob[:4], "big")
    return HostKey(kind, text) if blob[4 : 4 + length] == kind.encode() and kind.isascii() and kind else None


def revoked_keys(text: str) -> frozenset[bytes]:
    """The keys of a file of RevokedHostKeys, one on a line. Raises ValueError for a line that is none."""
    revoked = set()
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.split()
        if fields and not fields[0].startswith("#"):
            key = host_key(fields[0], fields[1]) if len(fields) > 1 else None
            if key is None or "-cert-" in key.kind:
                raise ValueError(f"line {number} is no public key")
            revoked.add(key.blob)
    return frozenset(revoked)


def of_blob(blob: bytes) -> HostKey:
    """The key that ssh sends so, as a line has it."""
    return HostKey(blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode(), b64encode(blob).decode())


def host_keys(text: str, names: Collection[str]) -> dict[str, HostKeys]:
    """The keys of each of these names; a key that is revoked for a host is so at each of its ports.

    A host that is not known at its port is known, as to ssh, by what stands there without one.
    """
    own: dict[str, dict[HostKey, None]] = defaultdict(dict)
    authorities: dict[str, dict[HostKey, None]] = defaultdict(dict)
    revoked: dict[str, set[bytes]] = defaultdict(set)
    every = {form for name in names for form in (name.lower(), _bare(name))}
    for marker, hosts, key in _lines(text):
        if marker == REVOKED:
            for name in _about(hosts, every):
                revoked[name].add(key.blob)
        elif marker in ("", AUTHORITY) and key.kind in KINDS:
            for name in _about(hosts, every):
                (authorities if marker else own)[name][key] = None

    def keys(name: str) -> HostKeys:
        refused = frozenset(revoked[name.lower()] | revoked[_bare(name)])
        known = next(
            (candidate for candidate in (name.lower(), _bare(name)) if own[candidate] or authorities[candidate]), ""
        )
        return HostKeys(tuple(own[known]), authorities=tuple(authorities[known])).without(refused)

    return {name: keys(name) for name in names}


def _lines(text: str) -> Iterator[tuple[str, str, HostKey]]:
    """The marker or "", the hosts and the key of each line that has a key."""
    for line in text.split("\n"):
        fields = re.split(r"[ \t]+", line.strip(" \t\r"), maxsplit=4)
        marker = fields.pop(0) if fields[0].startswith("@") else ""
        if len(fields) >= 3 and not fields[0].startswith("#") and (key := host_key(fields[1], fields[2])):
            yield marker, fields[0], key


def _about(hosts: str, names: Collection[str]) -> set[str]:
    """The names, of these in small letters, that the first field of a line means; a ! before one takes it away."""
    included: set[str] = set()
    excluded: set[str] = set()
    for part in hosts.split(","):
        pattern = part.removeprefix("!")
        (excluded if part != pattern else included).update(_meant(pattern, names))
    return included - excluded


def _meant(pattern: str, names: Collection[str]) -> set[str]:
    if pattern.startswith("|1|"):
        return _hashed(pattern, names)
    pattern = pattern.lower()
    if "*" not in pattern and "?" not in pattern:
        return {pattern} if pattern in names else set()
    fits = re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern))
    return {name for name in names if fits.fullmatch(name)}


def _hashed(pattern: str, names: Collection[str]) -> set[str]:
    """The one name of which |1|SALT|HASH is the hash."""
    try:
        salt, digest = (b64decode(part) for part in pattern[3:].split("|"))
    except ValueError:
        return set()
    return next(({name} for name in names if hmac.digest(salt, name.encode(), "sha1") == digest), set())


def _bare(name: str) -> str:
    """A name without its port."""
    return name.lower().removeprefix("[").partition("]:")[0]
