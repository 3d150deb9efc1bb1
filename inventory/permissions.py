"""The calls to AWS that a fleet needs."""

from __future__ import annotations

from collections.abc import Iterable

from jada.inventory.cloud.calls import CALLS, Call, Purpose, needed
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources.regions import ALL


def clouds(fleet: Fleet) -> set[str]:
    """The providers of its sources that are services of AWS, by which IAM calls them too."""
    return {source.provider for source in fleet.sources} & {call.service for call in CALLS}


def calls_of(fleet: Fleet, purposes: Iterable[Purpose]) -> tuple[Call, ...]:
    """The calls that are made for these purposes, for the hosts of this fleet."""
    purposes = set(purposes)
    services = clouds(fleet) | ({"sns"} if fleet.notify.sns else set())
    # A source may have no regions at all.
    searched = {source.provider for source in fleet.sources if getattr(source, "regions", ()) == ALL}
    return tuple(
        call for call in needed(services, purposes) if call.purpose is not Purpose.REGIONS or call.service in searched
    )
