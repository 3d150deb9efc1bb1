"""Scripts as they go to hosts through Systems Manager's Run Command, many in one command, and their answers. Pure.

See files/run-command.sh for the host's side, and docs/decisions/0002-ssm.md for why.
"""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from jada.tasks import FILES
from jada.tasks.frames import LookError
from jada.tasks.transaction import MOST_LINES, assignments

# Instances that one SendCommand may name, and characters of its text: AWS takes a document of 64 KB, all counted.
MOST_INSTANCES = 50
MOST_TEXT = 60_000
# Characters of an answer that GetCommandInvocation gives (24,000, all counted), and of a part that is asked for later:
# packed once more, it fits into an answer too.
MOST_SAID = 23_000
PART = 22_000
# Characters of a part of a script that fits into no command, which is packed once more on its way; and the most that it
# may have in all.
SCRIPT_PART = 54_000
MOST_SCRIPT = 64 * SCRIPT_PART
# Characters of an answer: a usual host's has 2,000, and one of a thousand lines of a journal some 50,000. And its bytes
# unpacked.
LONGEST_ANSWER = 1_000_000
MOST_UNPACKED = 26 * 2**20
_HEAD = re.compile(r"jada-answer ([0-9a-f]{32}) (\d{1,3}) (\d{1,9}) ([0-9a-f]{64})\n", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """A script for one instance, and the seconds that it may take. One that `changes` the host runs no second time."""

    instance: str
    script: str
    longest: int
    changes: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """The calls for these instances as one command, whose text has this token. Before it, the scripts that lay down
    the `parts` of one that fits into no command have to have run on its instance.
    """

    instances: tuple[str, ...]
    token: str
    text: str
    longest: int
    changes: bool
    parts: tuple[str, ...] = ()

    @property
    def is_too_long(self) -> bool:
        return len(self.text) > MOST_TEXT


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of an answer: the exit code, and the length and SHA-256 of all that is packed; `begun` is as much
    of that as came with it.
    """

    code: int
    length: int
    checksum: str
    begun: str


def batches(calls: Iterable[Call], new_token: Callable[[], str]) -> Iterator[Batch]:
    """Puts calls together that can go as one command; one that is too long for any comes alone.

    They are taken one by one, and none is kept that has gone: their scripts together would fill the memory.
    """
    alike: dict[tuple[int, bool, int], list[Call]] = {}
    for call in calls:
        key = (0 if call.changes else call.longest, call.changes, call.script.count("\n"))
        group = alike.setdefault(key, [])
        group.append(call)
        if len(group) == MOST_INSTANCES:
            yield from _fitting(alike.pop(key), new_token)
    for group in alike.values():
        yield from _fitting(group, new_token)


def _fitting(calls: Sequence[Call], new_token: Callable[[], str]) -> Iterator[Batch]:
    token, longest = new_token(), max(call.longest for call in calls)
    instances = tuple(call.instance for call in calls)
    packed = _packed(calls)
    batch = Batch(instances, token, _text(calls, token, packed), longest, calls[0].changes)
    if not batch.is_too_long:
        yield batch
        return
    if len(calls) == 1:
        yield _in_parts(batch, calls, packed) if len(packed) <= MOST_SCRIPT else batch
        return
    half = len(calls) // 2
    yield from _fitting(calls[:half], new_token)
    yield from _fitting(calls[half:], new_token)


def command_text(calls: Sequence[Call], token: str) -> str:
    """The text of a command: the same for all its instances, each of which picks its own script."""
    return _text(calls, token, _packed(calls))


def _packed(calls: Sequence[Call]) -> str:
    common = calls[0].script.split("\n")
    lines = [f"{call.instance} {at} {text}" for call in calls for at, text in _differing(common, call.script)]
    return base64.b64encode(gzip.compress("\n".join([*lines, "-", *common]).encode() + b"\n", mtime=0)).decode()


def _text(calls: Sequence[Call], token: str, packed: str, checksum: str = "") -> str:
    values = {
        "TOKEN": token,
        "CHANGES": "yes" if calls[0].changes else "",
        # 0 is no limit: what changes a host is not ended in the middle.
        "LONGEST": "0" if calls[0].changes else str(calls[0].longest),
        "MOST_SAID": str(MOST_SAID),
        "PAYLOAD": packed,
        # Of the parts that are there already; then there is no payload.
        "CHECKSUM": checksum,
    }
    code = re.sub(r"^[ \t]*#.*\n", "", (FILES / "run-command.sh").read_text(), flags=re.M)
    return assignments(values) + code


def _in_parts(batch: Batch, calls: Sequence[Call], packed: str) -> Batch:
    """The same as a short command, whose payload the parts lay down before it."""
    folder = f"/run/jada-ssm/{batch.token}.parts"
    pieces = [packed[start : start + SCRIPT_PART] for start in range(0, len(packed), SCRIPT_PART)]
    # One that comes twice writes the same once more.
    parts = tuple(
        f"umask 077; mkdir -p {folder} && printf %s {piece} >{folder}/.{at:03} && mv {folder}/.{at:03} {folder}/{at:03}"
        for at, piece in enumerate(pieces)
    )
    return replace(batch, text=_text(calls, batch.token, "", sha256(packed.encode()).hexdigest()), parts=parts)


def _differing(common: Sequence[str], script: str) -> Iterator[tuple[int, str]]:
    yield 0, ""
    for at, (text, own) in enumerate(zip(common, script.split("\n"), strict=True), start=1):
        if own != text:
            yield at, own


def part_script(token: str, at: int, is_last: bool) -> str:
    """The script that prints a part of an answer, from this character on; after the last one, the answer is empty."""
    answer = f"/run/jada-ssm/{token}/answer"
    # Behind its first line, which has no character of it.
    part = f"tail -n +2 {answer} | tail -c +{at + 1} | head -c {PART}"
    # It stays there, for the same command may come once more, late, and must not run again.
    return f"{part}; : >{answer}" if is_last else part


def read_head(output: str, token: str) -> Head:
    """The head of an answer to the command of this token. Raises LookError for what is none."""
    match = _HEAD.match(output)
    if match is None or match[1] != token:
        raise LookError("what came through Systems Manager is no answer to what was asked")
    if int(match[3]) > LONGEST_ANSWER:
        raise LookError(
            f"its answer has {match[3]} characters, more than {LONGEST_ANSWER}: too much for Systems Manager"
        )
    return Head(int(match[2]), int(match[3]), match[4], output[match.end() :])


def lines_of(text: str) -> list[str]:
    """The lines of what a script printed; behind the most that one has, the rest is one more."""
    return text.split("\n", MOST_LINES) if text else []


def unpacked(head: Head, packed: str) -> str:
    """All that a script printed, without the end of its last line. Raises LookError where it is not whole."""
    if len(packed) != head.length or sha256(packed.encode()).hexdigest() != head.checksum:
        raise LookError("its answer did not come whole through Systems Manager")
    try:
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(base64.b64decode(packed, validate=True), MOST_UNPACKED)
    except (zlib.error, ValueError) as error:
        raise LookError(f"its answer is not packed as one is ({type(error).__name__})") from None
    if not unpacker.eof:
        raise LookError(f"its answer is cut off, or unpacked longer than {MOST_UNPACKED} bytes")
    return data.decode(errors="replace").removesuffix("\n")
