"""The network of a host as its cloud describes it: plain values that can be compared, and kept as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Aspect(StrEnum):
    """A part of a host's network that is asked for by itself, and may be denied by itself."""

    ADDRESSES = "addresses"
    PORTS = "ports"
    BALANCING = "load balancing"


# States of a target on its way out of a load balancer: it is no longer registered there, however long that takes.
LEAVING = ("draining", "unhealthy.draining")


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a host behind a load balancer, in the words of the cloud."""

    state: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.state} ({self.reason})" if self.reason else self.state


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """The network of one host: the `facts` of each aspect that is known, `unknown` has why another is not.

    A fact is configuration: a text that says one thing whole, such as "in tcp 22 from 10.0.0.0/8 (sg-0a1)". `health` is
    that of the host at each place behind a load balancer.
    """

    facts: Mapping[Aspect, frozenset[str]] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)
    unknown: Mapping[Aspect, str] = field(default_factory=dict)

    @classmethod
    def not_known(cls, why: str) -> HostNetwork:
        """The network of a host of which nothing can be known."""
        return cls(unknown=dict.fromkeys(Aspect, why))


def facts_of(aspect: Aspect, facts: Iterable[str]) -> HostNetwork:
    """The network of a host of which only this aspect was asked for."""
    return HostNetwork(facts={aspect: frozenset(facts)})


def unknown_of(aspect: Aspect, why: str) -> HostNetwork:
    """The network of a host of which this aspect can't be known."""
    return HostNetwork(unknown={aspect: why})


def behind(healths: Mapping[str, Health]) -> HostNetwork:
    """The load balancing of a host with this health at each place; it belongs to none that it is leaving."""
    staying = {place: health for place, health in healths.items() if health.state not in LEAVING}
    return HostNetwork(facts={Aspect.BALANCING: frozenset(staying)}, health=staying)


def merged(*parts: HostNetwork) -> HostNetwork:
    """The network of a host whose aspects were asked for one by one."""
    return HostNetwork(
        facts={aspect: facts for part in parts for aspect, facts in part.facts.items()},
        health={place: health for part in parts for place, health in part.health.items()},
        unknown={aspect: why for part in parts for aspect, why in part.unknown.items()},
    )


def to_json(networks: Mapping[str, HostNetwork]) -> str:
    """The networks of hosts by their names, each fact once: hosts share most of them."""
    numbers: dict[str, int] = {}

    def number(fact: str) -> int:
        return numbers.setdefault(fact, len(numbers))

    hosts = {
        name: {
            "facts": {aspect: sorted(map(number, facts)) for aspect, facts in network.facts.items()},
            "health": {place: [health.state, health.reason] for place, health in network.health.items()},
            "unknown": dict(network.unknown),
        }
        for name, network in networks.items()
    }
    return json.dumps({"facts": list(numbers), "hosts": hosts})


def from_json(text: str) -> dict[str, HostNetwork]:
    """The networks that to_json() wrote. Raises ValueError."""
    try:
        values: dict[str, Any] = json.loads(text)
        facts = [_text(fact) for fact in values["facts"]]
        return {
            name: HostNetwork(
                facts={
                    Aspect(aspect): frozenset(facts[number] for number in numbers)
                    for aspect, numbers in host["facts"].items()
                },
                health={place: Health(*map(_text, health)) for place, health in host["health"].items()},
                unknown={Aspect(aspect): _text(why) for aspect, why in host["unknown"].items()},
            )
            for name, host in values["hosts"].items()
        }
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"not a network as it was kept ({type(error).__name__})") from None


def _text(value: object) -> str:
    """The value, which whoever may write a team's record could have made anything. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value
