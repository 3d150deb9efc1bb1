"""What probes measured on a host (files/look/measure.sh), typed, bounded and checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from jada import Probe
from jada.tasks.frames import OF_MEASURE, Fields, LookError, read_frames, whole
from jada.tasks.measure import LONGEST_OF_REQUEST, Sample

# Lines of the service's user: of a request its status, seconds and curl's exit code; of a command that and its number.
_HTTP = re.compile(r"http (\d{1,2}) (\d{3}) (\d{1,5}\.\d{1,9}) (\d{1,3})", re.ASCII)
_COMMAND = re.compile(r"command (\d{1,2}) (\d{1,3}|long) (\S{0,40})", re.ASCII)
# No NaN, no infinity, and no number that a float can't hold.
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?([eE][+-]?\d{1,2})?", re.ASCII)
# curl's exit codes that are no answer of the service.
_NO_CURL = ("126", "127")
# From this status on, an answer is a failure.
HTTP_ERROR = 400
_OF_JOURNAL = dict.fromkeys(("124", "137"), "its journal could not be read in time")
_OF_COMMAND = {
    "124": "its command took longer than 5 s",
    "137": "its command took longer than 5 s",
    "long": "its command printed more than a number",
}
_NO_CGROUP = "the host does not count this for the service: it needs control groups of version 2"


def read_samples(output: Iterable[str], probes: Sequence[Probe], requests: int) -> dict[str, Sample]:
    """What a host printed of these probes, by their names. Raises LookError."""
    fields, _ = read_frames(output, OF_MEASURE)
    start = fields.get("start")
    if not re.fullmatch(r"[0-9a-f]{0,64}", start):
        raise LookError("start is none that systemd has")
    base = Sample(at=fields.seconds("at"), start=start)
    journals = {number: (count, code) for number, count, code in fields.rows("journal+", 3)}
    said = _said(fields, requests)

    def sample(number: str, probe: Probe) -> Sample:
        match probe.kind:
            case "cpu" | "memory":
                return _of_cgroup(probe.kind, fields, base)
            case "journal":
                return _of_journal(*journals.get(number, ("", "")), base)
        rows = said.get((probe.kind, number), [])
        if not rows:
            return replace(base, error=why_not(fields.get("of_user.code") or "none"))
        return _of_requests(rows, base) if probe.kind == "http" else _of_command(rows[-1], base)

    return {probe.name: sample(str(number), probe) for number, probe in enumerate(probes)}


def why_not(code: str) -> str:
    """Says in words why nothing was measured as the service's user."""
    if code in ("124", "137"):
        return "it took too long there"
    return "the service's user could not be asked there"


def _said(fields: Fields, requests: int) -> dict[tuple[str, str], list[tuple[str, ...]]]:
    """The user's lines by their kind and probe, of each no more than were asked for."""
    said: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for line in fields.get("of_user").split("\n"):
        if found := _HTTP.fullmatch(line) or _COMMAND.fullmatch(line):
            number, *row = found.groups()
            rows = said.setdefault((line.partition(" ")[0], number), [])
            if len(rows) < requests:
                rows.append(tuple(row))
    return said


def _of_cgroup(kind: str, fields: Fields, base: Sample) -> Sample:
    if kind not in fields:
        return replace(base, error=_NO_CGROUP)
    value = whole(fields[kind], kind)
    if kind == "memory":
        return replace(base, values=(float(value),))
    return replace(base, values=(value / 1e6, max(0.0, base.at - fields.number("active") / 1e6)))


def _of_journal(count: str, code: str, base: Sample) -> Sample:
    if code != "0":
        return replace(base, error=_OF_JOURNAL.get(code, "its journal could not be read"))
    return replace(base, values=(float(whole(count, "journal+")),))


def _of_requests(rows: Sequence[tuple[str, ...]], base: Sample) -> Sample:
    if any(code in _NO_CURL for _, _, code in rows):
        return replace(base, error="there is no curl on the host")
    failed = sum(code != "0" or int(status) >= HTTP_ERROR for status, _, code in rows)
    values = (float(time) if code == "0" else LONGEST_OF_REQUEST for _, time, code in rows)
    return replace(base, values=tuple(values), count=len(rows), failed=failed)


def _of_command(row: tuple[str, ...], base: Sample) -> Sample:
    code, number = row
    if code != "0":
        return replace(base, error=_OF_COMMAND.get(code, f"its command ended with {code}"))
    if not _NUMBER.fullmatch(number):
        return replace(base, error="its command printed what is no number")
    return replace(base, values=(float(number),))
