"""The checks before a change, of what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jada import Model
from jada.tasks import preflight
from jada.tasks.asked import Asked
from jada.tasks.preflight import Verdict
from jada.tasks.probe import Answer, Disk, Endpoint
from jada.tasks.served import Failures, Served
from jada.tasks.state import ModelReport, State

OPUS = Model("opus-5.5", "claude-opus-5-5", cli="2.1.280")
PASSED, FAILED, UNKNOWN = Verdict


def asked(version: str, is_running: bool = True) -> Asked:
    return Asked(model="m", version=version, is_running=is_running)


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("2.1.280", PASSED), ("2.1.332", PASSED), ("2.2", PASSED), ("3.0.0-beta.1", PASSED), ("2.1.280+x", PASSED),
        ("2.1.279", FAILED), ("2.1.28", FAILED), ("1.9.999", FAILED), ("2.1", FAILED), ("2.1.99", FAILED),
    ],
)  # fmt: skip
def test_versions_are_compared_as_numbers(version: str, verdict: Verdict) -> None:
    check = preflight.cli(OPUS, asked(version))
    assert check.verdict is verdict
    assert check.is_refusal is (verdict is FAILED)


def test_a_cli_that_is_too_old_is_told_with_what_to_do() -> None:
    text = preflight.cli(OPUS, asked("2.1.217")).text
    for words in ("2.1.217", "claude-opus-5-5 needs 2.1.280", "claude update", "models: {opus-5.5: {cli: …}}"):
        assert words in text


@pytest.mark.parametrize("floor", ["2.1", "2.1.0", "0"])
def test_a_version_is_as_new_as_itself_without_its_zeros(floor: str) -> None:
    assert preflight.cli(Model("m", "m", cli=floor), asked("2.1")).verdict is PASSED


@pytest.mark.parametrize(
    ("model", "answer", "why"),
    [
        (OPUS, Asked(), "the CLI was not asked"),
        (OPUS, Asked(error="no Claude CLI was found"), "no Claude CLI was found"),
        (OPUS, asked("2.1.1", is_running=False), "2.1.1, but is not seen to be what runs"),
        (Model("m", "m"), asked("2.1.1"), "its Claude CLI is 2.1.1; from which version on m is taken"),
        (Model("m", "m"), Asked(), "from which version on m is taken is not in the catalogue"),
    ],
)
def test_what_is_not_known_of_a_cli_is_no_failure(model: Model, answer: Asked, why: str) -> None:
    check = preflight.cli(model, answer)
    assert check.verdict is UNKNOWN
    assert why in check.text


ILL: dict[str, dict[str, Any]] = {
    "failed": {"unit": {"active": "failed", "sub": "failed", "result": "exit-code"}},
    "being started again": {"unit": {"active": "activating", "sub": "auto-restart"}},
    "restarted a moment ago": {"unit": {"restarts": 3}, "process": {"started": 1_800_000_000.0 - 9}},
    "without a process": {"process": None},
    "silent": {"report": ModelReport(by="url", error="HTTP 500")},
    "failing": {"served": Served(failures=(Failures(status=404, retried=False, count=3, last=9),))},
}


@pytest.mark.parametrize("changes", ILL.values(), ids=ILL)
def test_a_service_that_is_ill_is_not_changed(host: Callable[..., State], changes: dict[str, Any]) -> None:
    check = preflight.service(host(**changes))
    assert check.is_refusal
    assert "--force" in check.text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "jada-agent.service runs"),
        ({"unit": {"active": "inactive"}, "process": None}, "does not run now (inactive): the change starts it"),
        ({"unit": {"restarts": 3}}, "runs"),
        ({"report": ModelReport()}, "runs"),
    ],
)
def test_a_service_that_is_well_or_was_stopped(host: Callable[..., State], changes: dict[str, Any], text: str) -> None:
    check = preflight.service(host(**changes))
    assert check.verdict is PASSED
    assert text in check.text


def test_what_was_cut_off_is_undone_first_whatever_the_service_is_in(host: Callable[..., State]) -> None:
    check = preflight.service(host(unfinished_transaction="r1", unit={"active": "failed"}))
    assert check.verdict is UNKNOWN


def test_what_is_under_way_is_not_told_as_cut_off(host: Callable[..., State]) -> None:
    check = preflight.service(host(unfinished_transaction="r1", running_transaction="release r1 by ann"))
    assert (check.verdict, check.text) == (UNKNOWN, "a change is under way there")


@pytest.mark.parametrize(
    ("now", "verdict", "text"),
    [
        (1000, PASSED, "agree"), (1299, PASSED, "agree"), (1361, FAILED, "5 min ahead of"), (5000, FAILED, "ahead of"),
        (801, PASSED, "agree"), (600, FAILED, "7 min behind"),
    ],
)  # fmt: skip
def test_a_clock_that_is_off_is_told_and_stops_nothing(now: float, verdict: Verdict, text: str) -> None:
    check = preflight.clock(now, 1000, 1060)
    assert (check.verdict, check.is_refusal) == (verdict, False)
    assert text in check.text


@pytest.mark.parametrize(
    ("answer", "verdict", "text"),
    [
        (Endpoint(status=200, names=True), PASSED, "its endpoint knows m"),
        (Endpoint(status=404, names=True), FAILED, "knows no model m (HTTP 404)"),
        (Endpoint(status=401), FAILED, "does not take the service's credentials (HTTP 401)"),
        (Endpoint(status=403), FAILED, "does not let the service's credentials have m (HTTP 403)"),
        (Endpoint(curl=6), FAILED, "its name can't be resolved"),
        (Endpoint(curl=7), FAILED, "nothing answers"),
        (Endpoint(curl=28), FAILED, "no answer in time"),
        (Endpoint(curl=60), UNKNOWN, "ended with 60"),
        (Endpoint(status=200), UNKNOWN, "HTTP 200 and tells of no models"),
        (Endpoint(status=404), UNKNOWN, "HTTP 404 and tells of no models"),
        (Endpoint(status=429), UNKNOWN, "it answers with HTTP 429"),
        (Endpoint(status=529), UNKNOWN, "it answers with HTTP 529"),
        (Endpoint(why_not="there is no curl"), UNKNOWN, "whether its endpoint knows m: there is no curl"),
    ],
)
def test_the_answer_of_an_endpoint(answer: Endpoint, verdict: Verdict, text: str) -> None:
    check = preflight.endpoint("m", answer)
    assert check.verdict is verdict
    assert text in check.text
    assert ("--force" in check.text) is check.is_refusal


@pytest.mark.parametrize(
    ("disks", "verdict", "text"),
    [
        ((Disk(path="/a", free=2**30, inodes=1000), Disk(path="/b", free=2**31, inodes=-1)), PASSED, "1024 MB"),
        ((Disk(path="/a", free=2**30, inodes=1000), Disk(path="/b", free=4096, inodes=-1)), FAILED, "4 KB are free"),
        ((Disk(path="/a", free=2**30, inodes=0),), FAILED, "0 inodes are free below /a"),
        ((), UNKNOWN, "did not tell"),
    ],
)
def test_room_on_disks(disks: tuple[Disk, ...], verdict: Verdict, text: str) -> None:
    check = preflight.disk(disks)
    assert check.verdict is verdict
    assert text in check.text


@pytest.mark.parametrize(("is_well", "verdict"), [(True, PASSED), (False, FAILED), (None, UNKNOWN)])
def test_what_a_cloud_says(is_well: bool | None, verdict: Verdict) -> None:
    check = preflight.cloud("EC2 says so", is_well)
    assert check.verdict is verdict
    assert ("--force" in check.text) is check.is_refusal


@pytest.mark.parametrize(
    ("answer", "verdict", "text"),
    [
        (Answer(served="claude-opus-5-5"), PASSED, "was answered by claude-opus-5-5"),
        (Answer(served="claude-opus-5-5-20260922"), PASSED, "was answered by claude-opus-5-5-20260922"),
        (Answer(served="claude-haiku-4-5"), FAILED, "for claude-opus-5-5 was answered by claude-haiku-4-5"),
        (Answer(status=400), FAILED, "was refused with HTTP 400"),
        (Answer(status=404), FAILED, "was refused with HTTP 404"),
        (Answer(status=529), UNKNOWN, "put off with HTTP 529"),
        (Answer(why_not="it took longer than 30 s"), UNKNOWN, "is answered: it took longer than 30 s"),
    ],
)
def test_one_real_request(answer: Answer, verdict: Verdict, text: str) -> None:
    check = preflight.request("claude-opus-5-5", answer)
    assert check.verdict is verdict
    assert text in check.text
    assert ("--force" in check.text) is check.is_refusal
