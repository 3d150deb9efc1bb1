"""A release: one wanted state for a host, and the files it puts there. Pure."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

NOTICE = "# Written by jada; `jada rollback` takes it back.\n"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a host is to run. `model` "" and `nofile` 0 mean that nobody asked for one (the time before jada).

    `release` is the id of the release whose files these are, "" for the files the host had before jada.
    """

    model: str
    nofile: int
    nofile_asked: int = 0
    release: str = ""

    def is_like(self, other: Wanted) -> bool:
        """Whether both ask for the same, whichever releases they are of."""
        return (self.model, self.nofile, self.nofile_asked) == (other.model, other.nofile, other.nofile_asked)


@dataclass(frozen=True, slots=True)
class Release:
    """One entry of a host's history: an upgrade or a rollback, as its manifest on the host tells it.

    `restores` is the id of the release whose snapshot a rollback put back; `before` is what was wanted until then.
    """

    id: str
    kind: str
    wanted: Wanted
    before: Wanted
    restores: str = ""
    fleet: str = ""
    role: str = ""
    who: str = ""
    at: str = ""
    reason: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Release:
        data = json.loads(text)
        return cls(**{**data, "wanted": Wanted(**data["wanted"]), "before": Wanted(**data["before"])})


# What new_id() makes, as a regular expression.
RELEASE_ID = r"\d{8}-\d{6}-[0-9a-f]{4}"


def new_id(now: datetime | None = None) -> str:
    """An id that sorts by time and reads as one, such as 20261124-143015-9f3a."""
    return f"{first_id(now or datetime.now(UTC))}{secrets.token_hex(2)}"


def first_id(moment: datetime) -> str:
    """What no id made at this moment (UTC) or later sorts before."""
    return f"{moment:%Y%m%d-%H%M%S}-"


def upgrade(release_id: str, current: Release | None, model_before: str, wanted: Wanted, **about: str) -> Release:
    """The release that brings a host to `wanted`; without a current one, before it stands what the host had."""
    before = current.wanted if current else Wanted(model_before, 0)
    return Release(release_id, "upgrade", replace(wanted, release=release_id), before, **about)


def rollback(release_id: str, current: Release, undone: Release, **about: str) -> Release:
    """The release that puts back what the host had before `undone`, which is most often the current one.

    Undoing a rollback goes forward again.
    """
    return Release(release_id, "rollback", undone.before, current.wanted, restores=undone.id, **about)


def dropin(wanted: Wanted) -> str:
    """The unit's drop-in 50-jada.conf (systemd.exec(5)): the limit, and both names on every line of the journal."""
    asked = f"# {wanted.nofile_asked} was asked for; this is the most the host can give.\n"
    return (
        NOTICE
        + "[Service]\n"
        + (asked if wanted.nofile != wanted.nofile_asked else "")
        + f"LimitNOFILE={wanted.nofile}\n"
        + f"LogExtraFields=JADA_MODEL={wanted.model} JADA_RELEASE={wanted.release}\n"
    )


def login_limits(user: str, nofile: int) -> str:
    """The limits.d file for login shells of the service's user (limits.conf(5), read by pam_limits)."""
    return NOTICE + f"{user} soft nofile {nofile}\n{user} hard nofile {nofile}\n"
