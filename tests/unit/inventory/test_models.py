"""The model catalogue: names, ids, and what can't be a fleet's model."""

from __future__ import annotations

from datetime import date

import pytest

from jada import ConfigError, Model
from jada.inventory import models
from jada.inventory.models import Override

SHIPPED = models.catalogue({})


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("sonnet-4.6", "claude-sonnet-4.6"),
        ("haiku-4.5", "claude-haiku-4.5"),
        ("sonnet-4.5", "claude-sonnet-4-5-20250929"),
        ("opus-4.5", "claude-opus-4-5-20251101"),
        ("opus-5.5", "claude-opus-5-5"),
    ],
)
def test_a_short_name_and_its_exact_id_mean_the_same(name: str, exact: str) -> None:
    assert models.resolve(name, SHIPPED).id == exact
    assert models.resolve(exact, SHIPPED).name == name


def test_the_catalogue_is_well_formed() -> None:
    assert len({model.name for model in SHIPPED}) == len({model.id for model in SHIPPED}) == len(SHIPPED)
    for model in SHIPPED:
        assert models.why_rejected(model.id) == ""
        assert 0 < model.input_price < model.output_price
        assert not model.retires or date.fromisoformat(model.retires)
    assert models.resolve("sonnet-4.5", SHIPPED).retires == "2026-11-30"


def test_fleet_yml_overrides_an_id_and_adds_models() -> None:
    catalogue = models.catalogue({"sonnet-4.6": Override("claude-sonnet-4-6"), "mine": Override("my/claude")})
    price = models.resolve("sonnet-4.6", SHIPPED)
    assert models.resolve("sonnet-4.6", catalogue) == Model(
        "sonnet-4.6", "claude-sonnet-4-6", price.input_price, price.output_price
    )
    assert models.resolve("mine", catalogue) == catalogue[-1] == Model("mine", "my/claude")
    with pytest.raises(ConfigError):
        models.resolve("claude-sonnet-4.6", catalogue)


def test_fleet_yml_overrides_the_least_version_of_the_cli() -> None:
    catalogue = models.catalogue({"opus-5.5": Override(cli="2.1.300"), "mine": Override("my/claude", "2.1")})
    model = models.resolve("opus-5.5", catalogue)
    assert (model.id, model.cli) == ("claude-opus-5-5", "2.1.300")
    assert models.resolve("mine", catalogue).cli == "2.1"
    assert models.resolve("opus-5.5[1m]", models.catalogue({})).cli == "2.1.280"


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("sonet-4.6", "sonnet-4.6"),
        ("claude-sonnet-4-7", "sonnet-4.6"),
        ("opus-4.7", "opus-4."),
        ("gpt", "sonnet-4.6, haiku-4.5"),
    ],
)
def test_an_unknown_model_is_told_with_the_nearest_names(wrong: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"no model {wrong}") as caught:
        models.resolve(wrong, SHIPPED)
    assert caught.value.hint.startswith("one of: ")
    assert nearest in caught.value.hint.partition(";")[0]


def test_an_unlisted_id_passes_only_when_asked_for() -> None:
    assert models.resolve("claude-next-1", SHIPPED, allow_unlisted=True) == Model("claude-next-1", "claude-next-1")


def test_a_context_of_a_million_tokens_is_asked_for_behind_the_id() -> None:
    catalogue = models.catalogue({"sonnet-4.6": Override("claude-sonnet-4-6"), "long": Override("claude-opus-5[1m]")})
    price = models.resolve("sonnet-4.6", SHIPPED).input_price
    for name in ("sonnet-4.6[1m]", "claude-sonnet-4-6[1m]"):
        for unlisted in (False, True):
            model = models.resolve(name, catalogue, unlisted)
            assert (model.id, model.input_price) == ("claude-sonnet-4-6[1m]", price)
            assert models.resolve(model.name, catalogue) == model
    assert models.resolve("long", catalogue) == Model("long", "claude-opus-5[1m]")
    assert models.resolve("long[1m]", catalogue).id == "claude-opus-5[1m]"
    assert models.resolve("mine[1m]", catalogue, allow_unlisted=True).id == "mine[1m]"
    with pytest.raises(ConfigError, match=r"no model claude-next-1\[1m\]"):
        models.resolve("claude-next-1[1m]", catalogue)


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("claude-sonnet-4-6[1m]", "claude-sonnet-4-6[1m]"),
        ("claude-sonnet-4.6[1m]", "claude-sonnet-4.6[1m]"),
        ("sonnet-4.6[1m]", "claude-sonnet-4.6[1m]"),
    ],
)
def test_the_vendors_own_spelling_is_written_as_it_is_typed(name: str, exact: str) -> None:
    """Even if the catalogue has the dots of a gateway."""
    model = models.resolve(name, SHIPPED)
    assert (model.id, model.input_price) == (exact, models.resolve("sonnet-4.6", SHIPPED).input_price)


@pytest.mark.parametrize("name", ["my-claude-x", "claude-sonnet-46", "claude-sonnet-4-7[1m]"])
def test_no_other_spelling_is_guessed_at(name: str) -> None:
    with pytest.raises(ConfigError):
        models.resolve(name, models.catalogue({"mine": Override("my.claude.x")}))


@pytest.mark.parametrize(
    "name",
    ["sonnet", "opus", "haiku", "", "a b", 'a"b', "a\nb", "-x", "sonnet[1m]", "[1m]", "x[2m]", "x[1m][1m]", "x[1m]y"],
)
def test_an_alias_or_a_malformed_id_never_passes(name: str) -> None:
    with pytest.raises(ConfigError):
        models.resolve(name, SHIPPED, allow_unlisted=True)


def test_a_moving_alias_is_refused_with_the_reason_and_names_to_take() -> None:
    with pytest.raises(ConfigError, match="another model after an update") as caught:
        models.resolve("sonnet", SHIPPED)
    assert "sonnet-4.6" in caught.value.hint


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-10-30", ""),
        ("2026-10-31", "retires on 2026-11-30, in 30 days"),
        ("2026-11-29", "retires on 2026-11-30, in 1 day"),
        ("2026-11-30", "retires today, 2026-11-30"),
        ("2027-01-01", "retired on 2026-11-30"),
    ],
)
def test_a_model_that_retires_is_told_from_thirty_days_before(day: str, expected: str) -> None:
    listed, today = models.catalogue({}), date.fromisoformat(day)
    for name in ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929[1m]"):
        assert models.retirement(name, listed, today) == expected
    assert models.retirement("claude-opus-5", listed, today) == ""
