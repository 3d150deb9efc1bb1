"""Results of the doctor: what is folded, in which order, and which exit code they make."""

from __future__ import annotations

import json

import pytest

from jada import Exit
from jada.cli.doctor import show
from jada.cli.doctor.result import (
    CHECKS,
    FLEET_YML,
    CheckResult,
    Verdict,
    exit_code,
    failed,
    folded,
    passed,
    skipped,
    warned,
)
from tests.forms import SCHEMAS


def test_hosts_with_the_same_result_are_one_and_others_are_not() -> None:
    results = [
        failed("ssh", "web-1 can't be reached", "log in: jada ssh HOST").of("web-1"),
        passed("ssh", "reached").of("web-2"),
        failed("ssh", "web-3 can't be reached", "log in: jada ssh HOST").of("web-3"),
        failed("sudo", "web-4: no root", "jada ssh HOST").of("web-4"),
        passed("versions", "1"),
    ]
    assert folded(results) == (
        CheckResult("versions", Verdict.PASS, "1"),
        CheckResult("ssh", Verdict.FAIL, "can't be reached", "log in: jada ssh HOST", ("web-1", "web-3")),
        CheckResult("ssh", Verdict.PASS, "reached", "", ("web-2",)),
        CheckResult("sudo", Verdict.FAIL, "no root", "jada ssh web-4", ("web-4",)),
    )


def test_a_name_is_a_word_of_its_own_in_a_fix() -> None:
    (result,) = folded([warned("lock", "locked", "jada ssh HOST").of("a b")])
    assert result.fix == "jada ssh 'a b'"


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], Exit.OK),
        ([passed("ssh", ""), warned("clock", "", ""), skipped("cloud", "")], Exit.OK),
        ([passed("ssh", ""), failed("sudo", "", "")], Exit.FAILED),
        ([failed("sudo", "", ""), failed(FLEET_YML, "", "")], Exit.USAGE),
    ],
)
def test_the_exit_code_is_that_of_failures_alone(results: list[CheckResult], code: Exit) -> None:
    assert exit_code(results) == code


def test_scripts_know_every_check() -> None:
    form = json.loads((SCHEMAS / "doctor.json").read_text())
    assert form["properties"]["checks"]["items"]["properties"]["check"]["enum"] == list(CHECKS)
    assert len(CHECKS) == len(set(CHECKS)) >= 20


def test_what_was_skipped_for_one_reason_is_one_line_with_the_names_of_the_checks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = [
        failed("sudo", "no root", "let it be root").of("web-1"),
        *(skipped(check, "it could not be looked at").of("web-1") for check in ("service", "clock")),
        skipped("notify", "nobody is told"),
    ]
    show.show(folded(results))
    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line] == [
        ["FAIL", "sudo         web-1: no root"],
        ["Fix:", "let it be root"],
        ["SKIP", "notify       nobody is told"],
        ["SKIP", "2 checks     web-1: it could not be looked at (service, clock)"],
        ["4", "results: 1 failed, 3 skipped."],
    ]
