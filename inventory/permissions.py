"""The calls to AWS that a fleet needs, and the policy of IAM that allows them and no more. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from jada import ENGINES
from jada.inventory.cloud.calls import CALLS, Call, Purpose, needed
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources.regions import ALL


def clouds(fleet: Fleet) -> set[str]:
    """The providers of its sources that are services of AWS, by which IAM calls them too."""
    return {source.provider for source in fleet.sources} & {call.service for call in CALLS}


def calls_of(fleet: Fleet, purposes: Iterable[Purpose]) -> tuple[Call, ...]:
    """The calls that are made for these purposes, for the hosts of this fleet."""
    watched = {Purpose.ALARMS: any(probe.alarm for probe in fleet.probes)}
    watched |= {Purpose.METRICS: any(probe.metric for probe in fleet.probes)}
    purposes = {purpose for purpose in purposes if watched.get(purpose, True)}
    topic = fleet.notify.sns
    engines = {fleet.engine or getattr(source, "engine", ENGINES[0]) for source in fleet.sources}
    services = clouds(fleet) | ({"sns"} if topic else set()) | {"cloudwatch"} | (engines - {ENGINES[0]})
    # A source may have no regions at all.
    searched = {source.provider for source in fleet.sources if getattr(source, "regions", ()) == ALL}
    return tuple(
        replace(call, resource=topic) if call.purpose is Purpose.NOTICES else call
        for call in needed(services, purposes)
        if call.purpose is not Purpose.REGIONS or call.service in searched
    )


def policy(calls: Iterable[Call]) -> dict[str, Any]:
    """The policy that allows these calls, as IAM reads it: a statement for each resource."""
    by_resource: dict[str, list[str]] = {}
    for call in calls:
        actions = by_resource.setdefault(call.resource, [])
        actions += [call.action] if call.action not in actions else []
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": resource} for resource, actions in by_resource.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}
