"""Host keys in the console of an instance, as cloud-init writes them there at the first boot. Pure.

Whoever is root on the host writes its console, and so decides its own keys, and no other's.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

# As much as EC2 keeps of a console.
MOST = 64 * 1024
# Keys of one host; it has one of each type.
MOST_KEYS = 8
_KEY = re.compile(r"([a-z0-9@.-]{1,60}) ([A-Za-z0-9+/]{1,4000}={0,2})(?: .*)?")
_BEGIN, _END = (f"-----{word} SSH HOST KEY KEYS-----" for word in ("BEGIN", "END"))
# Each line of that block comes from logger, with a priority, a time and a name before it.
_BEGIN_TOLD, _END_TOLD = (f"-----{word} SSH HOST KEY FINGERPRINTS-----" for word in ("BEGIN", "END"))
_FINGERPRINT = re.compile(r"\bSHA256:[A-Za-z0-9+/]{43}(?![A-Za-z0-9+/])")


def host_keys(text: str) -> list[tuple[str, str]]:
    """The keys, type and base64, of the last whole block of keys; other lines that got in between are left out.

    The kernel writes to the same console: where the fingerprints are told too, a key of none of them is a spoiled one.
    """
    lines = [line.rstrip("\r") for line in text[-MOST:].split("\n")]
    *_, block = ((), *_blocks(lines, _BEGIN.__eq__, _END.__eq__))
    keys = [(match[1], match[2]) for line in block if (match := _KEY.fullmatch(line))]
    marks = _blocks(lines, lambda line: line.endswith(_BEGIN_TOLD), lambda line: line.endswith(_END_TOLD))
    told = {mark for lines_of_marks in marks for line in lines_of_marks for mark in _FINGERPRINT.findall(line)}
    return [key for key in dict.fromkeys(keys) if not told or _fingerprint(key[1]) in told][:MOST_KEYS]


def _blocks(
    lines: Iterable[str], is_begin: Callable[[str], bool], is_end: Callable[[str], bool]
) -> Iterator[Sequence[str]]:
    """The lines of each whole block: once through, whatever a host has written to hold others up."""
    block: list[str] | None = None
    for line in lines:
        if block is not None and is_end(line):
            yield block
            block = None
        elif block is not None:
            block.append(line)
        elif is_begin(line):
            block = []


def _fingerprint(key: str) -> str:
    try:
        digest = sha256(b64decode(key, validate=True)).digest()
    except ValueError:
        return ""
    return "SHA256:" + b64encode(digest).decode().rstrip("=")
