"""What jada says of a service of the real Claude CLI is what that CLI asks for, whatever its configuration.

A configuration that jada is wrong about today is in wrong_today.py, with the reason; the day it is right, its test says
so by failing.
"""

from __future__ import annotations

from typing import Any

import pytest

from jada.tasks import effective
from jada.tasks.served import is_same
from tests.claude import wrong_today
from tests.claude.configurations import CONFIGURATIONS, DEFAULT
from tests.claude.conftest import Seen
from tests.claude.hosts import DESIRED, Configuration

pytestmark = pytest.mark.claude
# Findings that say: it asks, or would ask, for another model than was released.
OTHER_MODEL = {"J101", "J103", "J104", "J105", "J106", "J108", "J109", "J112", "J113", "J116"}


def each(wrong: dict[str, str], configurations: tuple[Configuration, ...] = CONFIGURATIONS) -> pytest.MarkDecorator:
    """A test of each configuration; those that are wrong today are to fail."""
    cases = []
    for configuration in configurations:
        # `make test` has no time for more than to look at them.
        marks = [pytest.mark.telling] if configuration.telling and configurations is CONFIGURATIONS else []
        if reason := wrong.get(configuration.name):
            marks.append(pytest.mark.xfail(strict=True, reason=reason, raises=AssertionError))
        cases.append(pytest.param(configuration, id=configuration.name, marks=marks))
    return pytest.mark.parametrize("configuration", cases)


def of(seen: dict[str, Seen | BaseException], configuration: Configuration) -> Seen:
    found = seen[configuration.name]
    if isinstance(found, BaseException):
        raise found
    return found


def drifted(told: Any) -> set[str]:
    """The codes of what jada calls drift on the host."""
    return {finding["code"] for finding in told["findings"] if finding["severity"] != "note"}


def test_each_has_a_name_of_its_own() -> None:
    names = {configuration.name for configuration in CONFIGURATIONS}
    assert len(names) == len(CONFIGURATIONS)
    assert {*wrong_today.OTHER_WORD, *wrong_today.FALSE_FINDING, *wrong_today.NOT_TOLD} <= names


@each({})
def test_the_cli_asks_for_what_was_measured(
    seen: dict[str, Seen | BaseException], configuration: Configuration
) -> None:
    assert of(seen, configuration).truth == configuration.asks


@each({})
def test_nothing_is_in_sync_that_asks_for_another_model(
    seen: dict[str, Seen | BaseException], configuration: Configuration
) -> None:
    found = of(seen, configuration)
    assert found.truth == DESIRED or drifted(found.told)


@each(wrong_today.FALSE_FINDING)
def test_no_other_model_is_found_where_there_is_none(
    seen: dict[str, Seen | BaseException], configuration: Configuration
) -> None:
    found = of(seen, configuration)
    # Where settings.json names something else (J102), it is the same model by accident.
    codes = drifted(found.told)
    assert found.truth != DESIRED or "J102" in codes or not codes & OTHER_MODEL


@each(wrong_today.OTHER_WORD)
def test_jada_names_the_model_that_is_asked_for(
    seen: dict[str, Seen | BaseException], configuration: Configuration
) -> None:
    found = of(seen, configuration)
    if found.truth is not None:
        told = {found.told["running"]["model"], found.told["next_start"]["model"]}
        expected = set() if configuration.name in wrong_today.NOT_TOLD else {found.truth}
        assert {named(model, found.truth) for model in told if model is not None} == expected


def named(model: str, truth: str) -> str:
    """The id that is sent, for another spelling of it too; and the default as it is in this version."""
    model = DEFAULT if model == effective.DEFAULT else model
    return truth if is_same(model, truth) else model
