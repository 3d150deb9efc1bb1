"""All that the page of `jada report` tells, as one value. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import Enum

from jada.cli.compare.comparison import Comparison
from jada.cli.drift.evaluate import DriftReport
from jada.cli.records.drift import Check, Episode
from jada.cli.records.model import Entry, HostEntry, HostOutcome, NetworkEntry, RolloutEntry
from jada.cli.ui.console import grouped
from jada.inventory.fleet.config import Fleet
from jada.inventory.lease import Holder
from jada.tasks.state import State


class NoModel(Enum):
    """What is in the place of the model of a host, or of several; the value is the words for it. No host's own words
    are one of these.
    """

    NO_PROCESS = "no process runs"
    NOT_KNOWN = "not known"
    OTHERS = "other models"


@dataclass(frozen=True, slots=True)
class Done:
    """One release with its part on each host, in what their network was other after it, and its rollout in waves."""

    entry: Entry
    hosts: tuple[HostEntry, ...] = ()
    networks: tuple[NetworkEntry, ...] = ()
    rollout: RolloutEntry | None = None

    @property
    def at(self) -> datetime | None:
        """When it began; None where its record tells no moment."""
        return moment(self.entry.at)

    @property
    def outcomes(self) -> Mapping[HostOutcome, int]:
        """The number of hosts by outcome."""
        return Counter(host.outcome for host in self.hosts)

    @property
    def network(self) -> Mapping[str, list[str]]:
        """The names of hosts by each thing in which their network was other, or is not known not to be."""
        return grouped((str(entry), entry.host) for entry in self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the page tells. `states` has the hosts that could be looked at; the past begins at `since`.

    `released` are the models that hosts were released to before that, and `done` the releases since, the oldest first.
    `checks` and `episodes` are those the history knows, without the one that is shown. `only` are the options that
    chose the hosts, "" for all. `comparisons` are the newest first. `lease` is who holds the rollout lease, and
    `lease_trouble` why that is not known, or "". Times are shown in `zone`, None for that of this machine.
    """

    fleet: Fleet
    drift: DriftReport
    states: Mapping[str, State]
    since: datetime
    who: str
    checks: tuple[Check, ...] = ()
    episodes: tuple[Episode, ...] = ()
    released: Mapping[str, str] = field(default_factory=dict)
    done: tuple[Done, ...] = ()
    only: str = ""
    comparisons: tuple[Comparison, ...] = ()
    lease: Holder | None = None
    lease_trouble: str = ""
    zone: tzinfo | None = None


def moment(at: str) -> datetime | None:
    """The moment a record tells, UTC unless it says otherwise; None where that is no moment."""
    try:
        parsed = datetime.fromisoformat(at)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
