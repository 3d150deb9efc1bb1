"""fleet.yml's `guard`: what is done by itself where hosts fail after a rollout, and how often at most."""

from __future__ import annotations

from dataclasses import dataclass

from jada import ConfigError, Model
from jada.inventory import models
from jada.inventory.yaml_readers import span
from jada.inventory.yaml_values import Value

PREVIOUS, FALLBACK = "previous", "fallback"


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """The way of the guard, times in seconds: a look every `interval`, and hosts are changed where they failed in
    `looks` of them in a row; then nothing for `cool_down`, and no more than `most_per_day` times in 24 hours.

    They go `to` PREVIOUS, what they had before, to FALLBACK, the first of their role's, or to the model of that id. If
    it is `half_open`, one of them is tried again after the cool-down.
    """

    interval: int = 60
    looks: int = 2
    to: str = PREVIOUS
    cool_down: int = 1800
    most_per_day: int = 2
    half_open: bool = False


def read(value: Value, catalogue: tuple[Model, ...] | None) -> GuardPolicy:
    """The policy; without a catalogue, nobody knows which models there are."""

    def to(value: Value) -> str:
        name = value.text()
        if name in (PREVIOUS, FALLBACK) or catalogue is None:
            return name
        try:
            return models.resolve(name, catalogue).id
        except ConfigError as error:
            raise value.error(f"should be {PREVIOUS}, {FALLBACK} or a model. {error.message}", error.hint) from None

    readers = {
        "interval": lambda interval: span(interval, least=5),
        "looks": lambda looks: looks.integer(1, 100),
        "to": to,
        "cool_down": span,
        "most_per_day": lambda most: most.integer(1, 100),
        "half_open": Value.flag,
    }
    return GuardPolicy(**value.fields(readers))
