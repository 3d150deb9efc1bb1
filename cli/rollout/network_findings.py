"""The network of a host before and after a rollout, compared: the findings of what is other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jada.cli.ui.console import visible
from jada.inventory.sources.network import Aspect, Health, HostNetwork
from jada.tasks import codes
from jada.tasks.checks import Finding

KINDS = {
    Aspect.ADDRESSES: codes.ADDRESS_CHANGED,
    Aspect.PORTS: codes.PORTS_CHANGED,
    Aspect.BALANCING: codes.BALANCING_CHANGED,
}
# How far from serving a target is in each state. Of one whose health is not checked, nothing can be said.
WORSE = {"healthy": 0, "initial": 1, "unused": 2, "unhealthy": 3}
# Findings on what a load balancer does in its own time: it is asked once more before they are told.
SETTLING = (codes.BALANCING_CHANGED, codes.TARGET_LESS_HEALTHY)
# Facts that a finding names; more of them nobody reads.
MOST_FACTS = 6


def network_findings(before: HostNetwork, after: HostNetwork) -> tuple[Finding, ...]:
    """Everything in which the network of a host is other than before, and what can't be known of that."""
    return (*_changed(before, after), *_less_healthy(before, after), *_not_known(before, after))


def may_settle(findings: Iterable[Finding]) -> bool:
    """True if a load balancer may tell otherwise in some seconds."""
    return any(finding.kind in SETTLING for finding in findings)


def _changed(before: HostNetwork, after: HostNetwork) -> Iterator[Finding]:
    for aspect, kind in KINDS.items():
        if aspect in before.facts and aspect in after.facts:
            gone, new = before.facts[aspect] - after.facts[aspect], after.facts[aspect] - before.facts[aspect]
            if gone or new:
                yield Finding.of(kind, _listed(gone) or "nothing new", _listed(new) or "it no more")


def _less_healthy(before: HostNetwork, after: HostNetwork) -> Iterator[Finding]:
    for place, health in sorted(after.health.items()):
        earlier = before.health.get(place)
        if earlier and _is_worse(health, earlier):
            expected, actual = (visible(f"{each} at {place}") for each in (earlier, health))
            yield Finding.of(codes.TARGET_LESS_HEALTHY, expected, actual)


def _is_worse(health: Health, earlier: Health) -> bool:
    known = health.state in WORSE and earlier.state in WORSE
    return known and WORSE[health.state] > WORSE[earlier.state]


def _not_known(before: HostNetwork, after: HostNetwork) -> Iterator[Finding]:
    """One finding for each reason: that of all aspects is told once."""
    why = {**after.unknown, **before.unknown}
    for reason in dict.fromkeys(why.values()):
        aspects = ", ".join(aspect for aspect in Aspect if why.get(aspect) == reason)
        yield Finding.of(codes.NETWORK_NOT_KNOWN, f"{aspects} as before", visible(f"not known: {reason}"))


def _listed(facts: Iterable[str]) -> str:
    ordered = sorted(map(visible, facts))
    more = f" and {len(ordered) - MOST_FACTS} more" if len(ordered) > MOST_FACTS else ""
    return f"{', '.join(ordered[:MOST_FACTS])}{more}"
