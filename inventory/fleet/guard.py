"""fleet.yml's `guard`: what is done by itself where hosts fail after a rollout, and how often at most."""

from __future__ import annotations

from dataclasses import dataclass

from jada.inventory.yaml_readers import span
from jada.inventory.yaml_values import Value


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """The way of the guard, times in seconds: a look every `interval`, and hosts go back where they failed in
    `looks` of them in a row; then nothing for `cool_down`, and no more than `most_per_day` times in 24 hours.
    """

    interval: int = 60
    looks: int = 2
    cool_down: int = 1800
    most_per_day: int = 2


def read(value: Value) -> GuardPolicy:
    readers = {
        "interval": lambda interval: span(interval, least=5),
        "looks": lambda looks: looks.integer(1, 100),
        "cool_down": span,
        "most_per_day": lambda most: most.integer(1, 100),
    }
    return GuardPolicy(**value.fields(readers))
