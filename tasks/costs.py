"""The price of a change: of its models against those before, and of a host's day by its own transcripts. Pure.

All by list prices, which no gateway, cloud or contract has to have. What can't be known is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jada import Model, Tiers
from jada.tasks.served import Answers, is_same
from jada.tasks.state import State

# Prices of cached tokens by that of others, https://docs.claude.com/en/docs/about-claude/pricing: written to the cache
# for five minutes, and read from it.
WRITTEN_TO_CACHE, READ_FROM_CACHE = 1.25, 0.1
A_DAY = 86400
# Seconds of answers that a day is told by.
LEAST_SEEN = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """A model that takes the place of another as a host's `what`: model, fallback or subagent_model.

    `input` and `output` are how many times the price per token it has; None where a price is not known.
    """

    what: str
    before: str
    after: str
    input: float | None = None
    output: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCost:
    """The USD that a host's answers since then (Unix seconds) come to in a day, and would after the change."""

    before: float
    after: float
    since: float


@dataclass(frozen=True, slots=True)
class Costs:
    """The price of a change of one host; `day` is None where a price or the tokens are not known."""

    changes: tuple[PriceChange, ...] = ()
    day: DayCost | None = None


def costs_of(state: State, before: Tiers, desired: Tiers, catalogue: Sequence[Model], goes_back: bool = False) -> Costs:
    """The price of a change of this host from the models that it was to have `before` to the desired ones.

    What nobody asked for stays as it is on disk; where the host goes back to files of before, it is not known.
    """
    now = _filled(before, state.settings.tiers)
    new = desired if goes_back else _filled(desired, state.settings.tiers)
    changes = tuple(_changes(now, new, catalogue))
    return Costs(changes, _day(state, now, new, catalogue) if changes else None)


def _filled(asked: Tiers, on_disk: Tiers) -> Tiers:
    return Tiers(
        asked.model or on_disk.model,
        asked.fallback or on_disk.fallback,
        asked.subagent_model or on_disk.subagent_model,
    )


def _changes(now: Tiers, new: Tiers, catalogue: Sequence[Model]) -> Iterator[PriceChange]:
    """The changes from one model to another; of a fallback, that of the first one, which is asked before the others."""
    for what, before, after in (
        ("model", now.model, new.model),
        ("fallback", "".join(now.fallback[:1]), "".join(new.fallback[:1])),
        ("subagent_model", now.subagent_model, new.subagent_model),
    ):
        if before and after and before != after:
            old, listed = _priced(before, catalogue), _priced(after, catalogue)
            yield PriceChange(
                what=what,
                before=before,
                after=after,
                input=listed.input_price / old.input_price if old and listed else None,
                output=listed.output_price / old.output_price if old and listed else None,
            )


def _day(state: State, now: Tiers, new: Tiers, catalogue: Sequence[Model]) -> DayCost | None:
    answers = state.served.answers
    since = min((each.first for each in answers), default=state.now)
    if state.now - since < LEAST_SEEN:
        return None
    before = _cost(((each, each.model) for each in answers), catalogue)
    after = _cost(((each, _model_then(each, now, new)) for each in answers), catalogue)
    if before is None or after is None:
        return None
    days = (state.now - since) / A_DAY
    return DayCost(before=before / days, after=after / days, since=since)


def _model_then(answers: Answers, now: Tiers, new: Tiers) -> str:
    """The model that would have answered after the change; subagents without one of their own use the main one. It is
    "" where that is not known.
    """
    if not answers.of_subagents:
        return new.model
    if now.subagent_model and not new.subagent_model:
        return ""
    return new.subagent_model or (new.model if is_same(now.model, answers.model) else answers.model)


def cost_of(answers: Answers, catalogue: Sequence[Model]) -> float | None:
    """The USD that these answers cost, None where a price is not known."""
    return _cost([(answers, answers.model)], catalogue)


def _cost(answered: Iterable[tuple[Answers, str]], catalogue: Sequence[Model]) -> float | None:
    """USD, None where a price is not known."""
    total = 0.0
    for answers, name in answered:
        # Requests of a million tokens have other prices, and which of these were so large nobody knows.
        model = _priced(name, catalogue) if not answers.requested.endswith("]") else None
        if model is None:
            return None
        cached = WRITTEN_TO_CACHE * answers.written_to_cache + READ_FROM_CACHE * answers.read_from_cache
        total += (answers.tokens_in + cached) * model.input_price + answers.tokens_out * model.output_price
    return total / 1e6


def _priced(name: str, catalogue: Sequence[Model]) -> Model | None:
    """The model of the catalogue, as it or the vendor spells it, if its prices are known."""
    found = next((model for model in catalogue if model.id == name), None)
    # Behind the ARN of an inference profile any model may hide.
    near = (model for model in catalogue if not model.id.startswith("arn:") and not name.endswith("]"))
    found = found or next((model for model in near if is_same(model.id, name)), None)
    return found if found and found.input_price and found.output_price else None
