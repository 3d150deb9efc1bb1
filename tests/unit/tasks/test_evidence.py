"""Evidence of the model that a service uses, and the findings that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jada.tasks import checks
from jada.tasks.asked import Asked
from jada.tasks.evidence import Kind, disagreements, evidence_of
from jada.tasks.release import Desired
from jada.tasks.served import Answers, Failures, Fallbacks, Served
from jada.tasks.settings import SUBAGENT_MODEL
from jada.tasks.state import ModelReport, Process, ProcessSpec, Settings, State

Host = Callable[..., State]
MODEL, OPUS, HAIKU = "claude-sonnet-4.6", "claude-opus-5", "claude-haiku-4.5"
NOW = 1_800_000_000.0
UNASKED = {"report": ModelReport()}
SINCE = "2027-01-15 07:58 UTC"


def asked(model: str = MODEL, **more: Any) -> Asked:
    return Asked(**{"model": model, "version": "2.1.332", "is_running": True, **more})


def answers(model: str = "claude-sonnet-4-6", count: int = 12, requested: str = MODEL, side: bool = False) -> Answers:
    return Answers(
        model=model,
        requested=requested,
        of_subagents=side,
        count=count,
        first=NOW,
        last=NOW,
        tokens_in=1,
        written_to_cache=1,
        read_from_cache=1,
        tokens_out=1,
    )


def served(*some: Answers, **more: Any) -> Served:
    return Served(since=NOW - 90, answers=some, **more)


def codes(state: State) -> list[str]:
    return [finding.code for finding in checks.drift(state)]


def seen(state: State, code: str) -> list[str]:
    return [finding.actual for finding in checks.drift(state) if finding.code == code]


def test_the_strongest_comes_first(host: Host) -> None:
    state = host(asked=asked(), served=served(answers(), answers(side=True, model=OPUS)))
    assert [str(each) for each in evidence_of(state)] == [
        f"claude-sonnet-4-6 (12 of 12 answers since {SINCE})",
        f"{MODEL} (reported by its model check)",
        f"{MODEL} (its CLI 2.1.332 asks for it)",
        f"{MODEL} (derived from model in /home/agent/.claude/settings.json, not observed)",
    ]
    assert [each.kind for each in evidence_of(state) if each.is_proof] == [Kind.SERVED, Kind.REPORTED, Kind.ASKED]
    assert codes(state) == []


def test_nothing_speaks_for_what_does_not_run(host: Host) -> None:
    assert evidence_of(host(process=None, asked=asked(), served=served(answers()))) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"asked": Asked(error="it took longer than 30 s")},
        {"asked": asked(is_running=False)},
        {"asked": asked(), "settings": {"changed": NOW}, "result": ()},
        {"asked": asked(), "settings": {"text": f'{{"model": "{MODEL}", "modelOverrides": {{"{MODEL}": "x"}}}}'}},
        {"asked": asked(), "unseen": "it was cut off"},
        {"asked": asked(), "settings": {"text": f'{{"model": "{MODEL}", "env": {{"CLAUDE_CODE_EXTRA_BODY": "*"}}}}'}},
    ],
)
def test_an_answer_that_is_not_the_process_s(host: Host, changes: dict[str, Any]) -> None:
    assert Kind.ASKED not in [each.kind for each in evidence_of(host(**changes))]


def test_two_that_disagree(host: Host) -> None:
    state = host(asked=asked(OPUS), served=served(answers()))
    (first, second) = disagreements(evidence_of(state))
    assert ([each.kind for each in first], [each.kind for each in second]) == (
        [Kind.SERVED, Kind.ASKED],
        [Kind.REPORTED, Kind.ASKED],
    )
    assert seen(state, "J116") == [f"{OPUS} (its CLI 2.1.332 asks for it)"] * 2
    # What is only derived is no match for any of them.
    layer = Settings("/etc/claude-code/managed-settings.json", text=f'{{"model": "{OPUS}"}}')
    assert disagreements(evidence_of(host(layers=(layer,)))) == ()


def test_the_cli_s_own_word_for_the_process_that_runs(host: Host) -> None:
    assert seen(host(**UNASKED, asked=asked(OPUS)), "J105") == [f"{OPUS}, says its CLI 2.1.332"]
    assert codes(host(**UNASKED, asked=asked("claude-sonnet-4-6"))) == []


def test_the_cli_s_own_word_for_its_next_start(host: Host) -> None:
    """The table knows of nothing that would keep it from the model."""
    assert seen(host(asked=asked(OPUS)), "J103") == [f"{OPUS}, says its CLI 2.1.332"]
    on_disk = host(asked=asked(OPUS), settings={"text": f'{{"model": "{OPUS}"}}'})
    assert "J103" not in codes(on_disk)
    assert "J102" in codes(on_disk)


def test_the_table_is_no_match_for_the_cli_s_own_word(host: Host) -> None:
    listed = {"text": f'{{"model": "{MODEL}", "availableModels": ["opus"]}}'}
    assert "J108" in codes(host(settings=listed))
    assert codes(host(settings=listed, asked=asked())) == []
    # Of a start that is not as this one was, it says nothing.
    other = ProcessSpec({"ANTHROPIC_MODEL": OPUS}, {"ANTHROPIC_MODEL": "x"}, cwd="/srv")
    assert "J103" in codes(host(settings=listed, asked=asked(), next_start=other))


def test_a_home_that_systemd_gives_is_no_other_start(host: Host) -> None:
    """The unit names none, and the process has it all the same."""
    state = host(process={"spec": ProcessSpec({"HOME": "/home/agent"}, {"HOME": "x"}, cwd="/srv")}, asked=asked())
    assert checks.asked_of_next_start(state) == MODEL
    elsewhere = host(process={"spec": ProcessSpec({"HOME": "/srv"}, {"HOME": "x"}, cwd="/srv")}, asked=asked())
    assert checks.asked_of_next_start(elsewhere) == ""


def test_a_managed_file_with_which_the_cli_starts_is_no_trouble(host: Host) -> None:
    """An empty one; jada's table has it that no such file lets the CLI start."""
    empty = {"layers": (Settings("/etc/claude-code/managed-settings.json", text=""),)}
    assert "J101" in codes(host(**empty))
    assert codes(host(**empty, asked=asked())) == []


def test_where_the_cli_contradicts_the_table_that_is_no_word_for_another_start(host: Host) -> None:
    other = ProcessSpec({"ANTHROPIC_MODEL": OPUS}, {"ANTHROPIC_MODEL": "x"}, cwd="/srv")
    agrees = checks.evidence_of_next_start(host(asked=asked(), next_start=other))
    assert str(agrees) == f"{OPUS} (derived from ANTHROPIC_MODEL in x, not observed)"
    assert checks.evidence_of_next_start(host(asked=asked("claude-haiku-4.5"), next_start=other)) is None
    assert checks.evidence_of_next_start(host(asked=Asked(error="x", is_untold=True))) is None
    # Of the process itself neither, once its files have changed.
    changed = {"settings": {"changed": NOW, "text": "{}"}, "result": (), **UNASKED}
    pinned = {"process": {"spec": other, "started": NOW - 90}}
    assert checks.running_model(host(**changed, **pinned)) == OPUS
    assert checks.running_model(host(**changed, **pinned, asked=asked())) == ""


def test_the_strongest_evidence_names_the_model_that_runs(host: Host) -> None:
    swapped = host(asked=asked(), served=served(answers("claude-haiku-4-5")))
    assert checks.running_in_words(swapped) == f"claude-haiku-4-5 (12 of 12 answers since {SINCE})"
    # As the release spells it, where it is the same.
    assert checks.running_model(host(served=served(answers("claude-sonnet-4-6-20260101")))) == MODEL
    assert checks.running_in_words(host(process=None)) == checks.NOT_TOLD


def test_what_was_served_outweighs_the_age_of_the_process(host: Host) -> None:
    stale = {"settings": {"changed": NOW}, "result": (), **UNASKED}
    assert codes(host(**stale)) == ["J106"]
    assert codes(host(**stale, served=served(answers()))) == []


def test_another_model_answered(host: Host) -> None:
    swapped = host(served=served(answers(count=9), answers(OPUS, 3)))
    assert seen(swapped, "J113") == [f"{OPUS} in 3 of 12 answers since {SINCE}, though it asked for {MODEL}"]
    chosen = host(served=served(answers(OPUS, 3, requested=OPUS)))
    assert seen(chosen, "J113") == [f"{OPUS} in 3 of 3 answers since {SINCE}"]
    assert codes(host(served=served(answers(OPUS, side=True)))) == []


def test_subagents_that_another_model_answers(host: Host) -> None:
    """That is no error: an agent may name a model itself, and asks for it then."""
    release = host().release
    assert release
    asks = replace(release, desired=replace(release.desired, subagent_model=HAIKU))
    text = f'{{"model": "{MODEL}", "env": {{"{SUBAGENT_MODEL}": "{HAIKU}"}}}}'
    answered = served(answers(OPUS, 3, side=True), answers("claude-haiku-4-5", 9, side=True), answers())
    told = checks.drift(host(served=answered, release=asks, settings={"text": text}))
    assert [(finding.code, finding.expected, finding.actual, finding.is_error) for finding in told] == [
        ("J126", HAIKU, f"{OPUS} in 3 of 12 answers to subagents since {SINCE}", False)
    ]


def test_a_fallback(host: Host) -> None:
    fallen = served(
        answers(OPUS, 2, requested=OPUS), fallbacks=(Fallbacks(original=MODEL, model=OPUS, count=2, last=NOW),)
    )
    state = host(served=fallen)
    assert seen(state, "J114") == [f"{OPUS} in its place 2 times, last at 2027-01-15 08:00 UTC"]
    assert "J113" not in codes(state)


def test_the_fallback_of_a_fallback(host: Host) -> None:
    chain = (
        Fallbacks(original=OPUS, model=HAIKU, count=1, last=NOW),
        Fallbacks(original=MODEL, model=OPUS, count=2, last=NOW),
        Fallbacks(original="x", model="y", count=1, last=NOW),
    )
    state = host(served=served(answers(HAIKU, requested=HAIKU), fallbacks=chain))
    assert [text.split(" times")[0] for text in seen(state, "J114")] == [
        f"{OPUS} in its place 2",
        f"{HAIKU} in the place of {OPUS} 1",
    ]
    assert "J113" not in codes(state)


@pytest.mark.parametrize(
    ("answered", "failures", "told"),
    [
        (0, ((404, 1), (0, 2)), ["3 of 3 failed since %s: 1 by HTTP 404, 2 without an answer"]),
        (9, ((429, 1),), ["1 of 10 failed since %s: 1 by HTTP 429"]),
        (10, ((429, 1),), []),
        (0, (), []),
    ],
)
def test_requests_that_fail(host: Host, answered: int, failures: tuple[tuple[int, int], ...], told: list[str]) -> None:
    failed = tuple(Failures(status=status, retried=False, count=count, last=NOW) for status, count in failures)
    retried = Failures(status=529, retried=True, count=50, last=NOW)
    some = (answers(count=answered),) if answered else ()
    assert seen(host(served=served(*some, failures=(*failed, retried))), "J115") == [text % SINCE for text in told]


def test_an_older_process_than_what_it_reads(host: Host) -> None:
    process = Process(300, NOW - 90, 5000, 1_048_576, 1_048_576, ProcessSpec(cwd="/srv"), speaker=301, spoke=NOW - 200)
    state = host(**UNASKED, process=process, asked=asked(), result=())
    assert [each.kind for each in evidence_of(state)] == [Kind.DERIVED]


def test_the_process_that_a_release_started_may_have_its_files_rewritten(host: Host) -> None:
    state = host(**UNASKED, settings={"changed": NOW}, asked=asked())
    assert evidence_of(state)[0].kind is Kind.ASKED
    assert checks.unproven(state) is None


def test_what_only_the_table_says_is_unproven(host: Host) -> None:
    assert "its CLI was not asked" in checks.unproven(host(**UNASKED)).actual  # type: ignore[union-attr]
    found = checks.unproven(host(**UNASKED, asked=Asked(error="no Claude CLI was found")))
    assert found
    assert (found.code, "could not be asked: no Claude CLI was found" in found.actual) == ("J117", True)
    # One that was only found may be started with other options.
    only_found = checks.unproven(host(**UNASKED, asked=asked(is_running=False)))
    assert only_found
    assert f"would ask for {MODEL}, but does not run: its options are not known" in only_found.actual
    # Nobody asked for a model.
    assert checks.unproven(host(**UNASKED, release={"desired": Desired("", 0)})) is None
