"""Host keys in the console of an instance, as cloud-init writes them there at the first boot. Pure.

Whoever is root on the host writes its console, and so decides its own keys, and no other's.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from hashlib import sha256

# As much as EC2 keeps of a console.
MOST = 64 * 1024
# Keys of one host; it has one of each type.
MOST_KEYS = 8
_KEY = re.compile(r"([a-z0-9@.-]{1,60}) ([A-Za-z0-9+/]{1,4000}={0,2})(?: .*)?")
_BLOCK = re.compile(r"^-----BEGIN SSH HOST KEY KEYS-----$\n(.*?)^-----END SSH HOST KEY KEYS-----$", re.M | re.S)
# Each of its lines comes from logger, with a priority, a time and a name before it.
_FINGERPRINTS = re.compile(
    r"-----BEGIN SSH HOST KEY FINGERPRINTS-----$(.*?)-----END SSH HOST KEY FINGERPRINTS-----$", re.M | re.S
)
_FINGERPRINT = re.compile(r"\bSHA256:[A-Za-z0-9+/]{43}(?![A-Za-z0-9+/])")


def host_keys(text: str) -> list[tuple[str, str]]:
    """The keys, type and base64, of the last whole block of keys; other lines that got in between are left out.

    The kernel writes to the same console: where the fingerprints are told too, a key of none of them is a spoiled one.
    """
    text = re.sub(r"\r+\n", "\n", text[-MOST:])
    blocks = _BLOCK.findall(text)
    lines = map(_KEY.fullmatch, blocks[-1].split("\n") if blocks else ())
    keys = [(line[1], line[2]) for line in lines if line]
    told = {mark for block in _FINGERPRINTS.findall(text) for mark in _FINGERPRINT.findall(block)}
    return [key for key in dict.fromkeys(keys) if not told or _fingerprint(key[1]) in told][:MOST_KEYS]


def _fingerprint(key: str) -> str:
    try:
        digest = sha256(b64decode(key, validate=True)).digest()
    except ValueError:
        return ""
    return "SHA256:" + b64encode(digest).decode().rstrip("=")
