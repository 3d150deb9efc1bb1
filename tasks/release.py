"""A release: one desired state of a host, and its manifest there. Pure.

A manifest comes from a host, whose root may be hostile. Its values that act (ids, models of releases, numbers) are
refused where they can't be right, when read and once more when written; those that are only shown are made printable.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from jada import EXACT_ID, EXPORTERS, MOST_FALLBACKS, OTLP_ENDPOINT, OTLP_PROTOCOLS, UNPRINTABLE, Telemetry, Tiers

KINDS = ("upgrade", "heal", "rollback")

# The ids of new_id(), as a regular expression; times that can't be never were an id.
RELEASE_ID = (
    r"(?:19[7-9][0-9]|20[0-9]{2})(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"-(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]-[0-9a-f]{4}"
)

# The most characters of a manifest (jada's own have some hundred), of a text in it, and of the reason.
MANIFEST, TEXT, REASON = 65536, 500, 2000
# More than any kernel gives.
MOST = 2**31

_ID = re.compile(RELEASE_ID)
_MOMENT = re.compile(r"[0-9]{4}(?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})")


class ReleaseError(ValueError):
    """A release holds what can't be right; str() is one sentence."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of a host. `model` "" and `nofile` 0 mean that nobody asked for one (the time before jada); so
    do `fallback` () and `subagent_model` "", and then the host keeps what it has. `telemetry` is in the drop-in.

    `release` is the id of the release whose files these are, "" for files of none: those the host had before jada, or
    those of the release `edited` as somebody changed them since; then it is as those say.
    """

    model: str
    nofile: int
    nofile_requested: int = 0
    release: str = ""
    edited: str = ""
    fallback: tuple[str, ...] = ()
    subagent_model: str = ""
    telemetry: Telemetry = field(default_factory=Telemetry)

    @property
    def tiers(self) -> Tiers:
        return Tiers(self.model, self.fallback, self.subagent_model)

    @property
    def base(self) -> str:
        """The release that its files are of, edited since or not."""
        return self.release or self.edited

    def is_like(self, other: Desired) -> bool:
        """True if both ask for the same, whichever releases they are of."""
        return replace(self, release="", edited="") == replace(other, release="", edited="")


@dataclass(frozen=True, slots=True)
class Release:
    """One entry of a host's history: an upgrade, a heal or a rollback, as its manifest on the host tells it.

    `restores` is the id of the release whose snapshot a rollback put back; `before` is the desired state until then.
    One that undoes a rollback `redoes` the release of that id.
    """

    id: str
    kind: str
    desired: Desired
    before: Desired
    restores: str = ""
    fleet: str = ""
    role: str = ""
    who: str = ""
    at: str = ""
    reason: str = ""
    redoes: str = ""

    @property
    def is_undo(self) -> bool:
        """True if it went back, and not forward again."""
        return self.kind == "rollback" and not self.redoes

    @property
    def change(self) -> str:
        """The id of the release that it put in place, or took back."""
        return self.before.base if self.is_undo else self.desired.base

    def to_json(self) -> str:
        """The manifest, which from_json() reads. Raises ReleaseError."""
        return json.dumps(asdict(_release(asdict(self))), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Release:
        """The release of a manifest; keys of a newer jada are left aside. Raises ReleaseError."""
        if len(text) > MANIFEST:
            raise ReleaseError(f"the manifest is longer than {MANIFEST} characters")
        try:
            return _release(json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number))
        except RecursionError:
            raise ReleaseError("the manifest is nested too deeply") from None
        except ReleaseError:
            raise
        except ValueError as error:
            raise ReleaseError(f"the manifest is not JSON ({type(error).__name__})") from None


def new_id(now: datetime | None = None) -> str:
    """An id that sorts by time and reads as one, such as 20261124-143015-9f3a."""
    return f"{first_id(now or datetime.now(UTC))}{secrets.token_hex(2)}"


def first_id(moment: datetime) -> str:
    """Returns a text that sorts no later than any id made at this moment (UTC) or later."""
    return f"{moment:%Y%m%d-%H%M%S}-"


def upgrade(release_id: str, before: Desired, desired: Desired, kind: str = "upgrade", **about: str) -> Release:
    """The release that brings a host to `desired`; of `kind` heal, where it drifted from that."""
    return Release(release_id, kind, replace(desired, release=release_id), before, **about)


def rollback(release_id: str, before: Desired, undone: Release, **about: str) -> Release:
    """The release that puts back what the host had before `undone`, which is most often the current one."""
    return Release(release_id, "rollback", undone.before, before, restores=undone.id, **about)


def present(current: Release | None, found: Tiers, is_edited: Mapping[str, bool]) -> Desired:
    """Returns the state that a host has now: that of its current release, or of the files that were edited since, in
    which these models were found.

    A model that can't be told as it is (its user may have written anything there) stands as none: else a host that was
    put back would be asked for another one.
    """
    if current is None:
        return _with_tiers(Desired("", 0), found)
    if not any(is_edited.values()):
        return current.desired
    desired = replace(current.desired, release="", edited=current.id)
    if is_edited["settings"]:
        desired = _with_tiers(desired, found)
    if is_edited["dropin"]:
        desired = replace(desired, telemetry=Telemetry())
    return replace(desired, nofile=0, nofile_requested=0) if is_edited["dropin"] or is_edited["limits"] else desired


def began(release_id: object) -> str:
    """The time in an id, as ISO 8601 in UTC. Raises ReleaseError where it is no id."""
    date, time, _ = checked_id(release_id, "id").split("-")
    return f"{datetime.fromisoformat(f'{date}T{time}').isoformat()}+00:00"


def moment(value: object, name: str = "at") -> str:
    """An ISO 8601 time with its zone, of a century in which every zone's clock can tell it, or ""."""
    if value == "":
        return ""
    text = _matching(_MOMENT, "a time with a zone", value, name)
    try:
        year = datetime.fromisoformat(text).year
    except ValueError:
        year = 0
    if not 1970 <= year <= 2100:
        raise ReleaseError(f"{name} is {text}, which can't be a time of a release")
    return text


def printable(value: object, name: str = "text", most: int = TEXT) -> str:
    """A text that nothing but people reads: on one line, and of bounded length."""
    text = UNPRINTABLE.sub(_escaped, _text(value, name)[: most + 1])
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _with_tiers(desired: Desired, found: Tiers) -> Desired:
    # The model of no release is only shown; the others have to be ids.
    are_ids = len(found.fallback) <= MOST_FALLBACKS and all(map(EXACT_ID.fullmatch, found.fallback))
    return replace(
        desired,
        model=found.model if printable(found.model) == found.model else "",
        fallback=found.fallback if are_ids else (),
        subagent_model=found.subagent_model if EXACT_ID.fullmatch(found.subagent_model) else "",
    )


def _release(data: object) -> Release:
    return Release(**_read(data, "the manifest", _READERS, ("id", "kind", "desired", "before")))


def _desired(data: object, name: str) -> Desired:
    values = _read(data, name, _DESIRED_READERS, ("model", "nofile"))
    return Desired(**{**values, "model": (model_id if values.get("release") else printable)(values["model"], "model")})


def _read(data: object, name: str, readers: Readers, required: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise ReleaseError(f"{name} is not an object")
    if missing := [key for key in required if key not in data]:
        raise ReleaseError(f"{name} lacks {missing[0]}")
    return {key: reader(data[key], key) for key, reader in readers.items() if key in data}


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _matching(pattern: re.Pattern[str], expected: str, value: object, name: str) -> str:
    text = _text(value, name)
    if not pattern.fullmatch(text):
        raise ReleaseError(f"{name} is {quoted(text)}, which can't be {expected}")
    return text


def checked_id(value: object, name: str) -> str:
    """The value, if it is the id of a release. Raises ReleaseError."""
    text = _matching(_ID, expected := "the id of a release", value, name)
    try:
        datetime.fromisoformat(text[:8])
    except ValueError:
        raise ReleaseError(f"{name} is {text}, which can't be {expected}: there is no such day") from None
    return text


model_id = partial(_matching, EXACT_ID, "the id of a model")


def _model_or_none(value: object, name: str) -> str:
    return "" if value == "" else model_id(value, name)


def _fallback(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_FALLBACKS:
        raise ReleaseError(f"{name} is not a list of at most {MOST_FALLBACKS} models")
    return tuple(model_id(model, name) for model in value)


def checked_telemetry(value: object, name: str) -> Telemetry:
    """The value, if it says no more than telemetry does. Raises ReleaseError."""
    telemetry = Telemetry(
        **_read(value, name, dict.fromkeys(("exporter", "endpoint", "protocol"), _text), ("exporter",))
    )
    is_sent = telemetry.exporter == "otlp"
    is_right = (
        OTLP_ENDPOINT.fullmatch(telemetry.endpoint) and telemetry.protocol in OTLP_PROTOCOLS
        if is_sent
        else telemetry in (Telemetry(exporter=exporter) for exporter in ("", *EXPORTERS))
    )
    if not is_right:
        raise ReleaseError(f"{name} is not what the Claude CLI can be told")
    return telemetry


def _id_or_none(value: object, name: str) -> str:
    return "" if value == "" else checked_id(value, name)


def _kind(value: object, name: str) -> str:
    if value not in KINDS:
        raise ReleaseError(f"{name} is none of {', '.join(KINDS)}")
    return str(value)


def whole_number(value: object, name: str) -> int:
    """The value, if it is a number that a release may hold. Raises ReleaseError."""
    # A bool is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
        raise ReleaseError(f"{name} is not a whole number from 0 to {MOST}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ReleaseError(f"{name} is not a text")
    return value


def quoted(text: str) -> str:
    """A text as errors show it."""
    return ascii(text[:80])


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ReleaseError("the manifest gives a key twice")
    return entries


def _no_number(word: str) -> None:
    raise ReleaseError(f"the manifest holds {word} for a number")


Readers = Mapping[str, Callable[[Any, str], Any]]
_DESIRED_READERS: Readers = {"model": _text, "nofile": whole_number, "nofile_requested": whole_number,
                          "release": _id_or_none, "edited": _id_or_none,
                          "fallback": _fallback, "subagent_model": _model_or_none,
                          "telemetry": checked_telemetry}  # fmt: skip
_READERS: Readers = {
    "id": checked_id,
    "kind": _kind,
    "desired": _desired,
    "before": _desired,
    "restores": _id_or_none,
    "fleet": printable,
    "role": printable,
    "who": printable,
    "at": moment,
    "reason": partial(printable, most=REASON),
    "redoes": _id_or_none,
}
