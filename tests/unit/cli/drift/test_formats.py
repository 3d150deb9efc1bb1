"""Every form of a report, read by a tool that is not ours: what it says there, and that no unchecked host is fine."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pysarif
import pytest
from lxml import etree
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from jada.cli.drift import formats
from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status
from jada.cli.ui import console
from jada.cli.ui.console import visible
from jada.inventory.fleet.accept import Acceptance
from jada.tasks import codes
from jada.tasks.checks import Finding
from jada.tasks.codes import OF_DRIFT
from jada.tasks.evidence import Evidence, Kind
from tests.forms import checked, schema

ROOT = Path(__file__).parents[4]
XSD = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit-10.xsd")))
AT = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
UNTIL = Acceptance("J301", ("*",), "new image soon", date(2026, 12, 31), 3)
# Texts that a form might trip over: its own delimiters, several lines, a control character, other alphabets.
NASTY = "a, b: \"c\" <d> & 'e' 100%\r\n\x1b[31m\\ ]]> Grüße 世界 ::error::"
DRIFTED = HostDrift(
    "web-1",
    "specialist",
    Status.DRIFTED,
    (
        EvaluatedFinding(Finding.of(codes.MODEL_ON_DISK, "claude-sonnet-4.6", NASTY)),
        EvaluatedFinding(Finding.of(codes.LIMIT_IN_FORCE, "1048576 open files", "1024"), UNTIL),
        EvaluatedFinding(
            Finding.of(codes.LIMIT_AT_LOGIN, "1048576", "1024"), replace(UNTIL, until=date(2026, 1, 1)), expired=True
        ),
        EvaluatedFinding(Finding.of(codes.SESSION_STALE, "no older session", "pid 7 of root")),
    ),
)
UNREACHABLE = HostDrift(
    "web-2", "", Status.NOT_CHECKED, (EvaluatedFinding(Finding.of(codes.NOT_CHECKED, "an answer", "web-2: timeout")),)
)
IN_SYNC = HostDrift("web-3", "specialist", Status.IN_SYNC)
CHANGING = HostDrift(
    "web-5",
    "specialist",
    Status.CHANGING,
    (EvaluatedFinding(Finding.of(codes.CHANGE_UNDER_WAY, "no change", f"being changed by {NASTY}")),),
)
GONE = HostDrift("web-4", "", Status.GONE, (EvaluatedFinding(Finding.of(codes.HOST_GONE, "a host", "not found")),))
DRIFT = DriftReport('the "fleet"', AT, (DRIFTED, UNREACHABLE, IN_SYNC, GONE))
EVERY_CODE = DriftReport(
    "all",
    AT,
    (replace(DRIFTED, findings=tuple(EvaluatedFinding(Finding.of(code, "a", "b")) for code in OF_DRIFT)),),
)
HEALTHY = DriftReport("fine", AT, (IN_SYNC,))

SECONDS = {"web-1": 1.2345, "web-2": 20.0}

# What is said of models alone, of which nothing may be known.
OF_MODELS = {"jada_host_model_info", "jada_model_retirement_timestamp_seconds"}


def retires(model: str) -> str:
    return "2026-11-30" if model == "claude-sonnet-4-5-20250929" else ""


all_reports = pytest.mark.parametrize("drift", [DRIFT, EVERY_CODE, HEALTHY], ids=["mixed", "every code", "healthy"])


def printed(drift: DriftReport) -> str:
    return console.json_text(
        {
            "schema": "jada.drift/1",
            "fleet": drift.fleet,
            "at": drift.at.isoformat(),
            "exit": drift.exit,
            **formats.as_json(drift),
        }
    )


@all_reports
def test_json_keeps_to_its_schema(drift: DriftReport) -> None:
    assert checked(printed(drift))["fleet"] == drift.fleet


@pytest.mark.parametrize(("key", "value"), [("in_sync", True), ("error", None), ("findings", []), ("status", "fine")])
def test_the_schema_refuses_an_unchecked_host_that_looks_fine(key: str, value: object) -> None:
    report = checked(printed(replace(DRIFT, hosts=(UNREACHABLE,))))
    report["hosts"][0][key] = value
    assert not schema("drift").is_valid(report)


def test_json_says_what_counts_and_what_is_accepted() -> None:
    report = checked(printed(DRIFT))
    assert [(row["host"], row["in_sync"], row["error"]) for row in report["hosts"]] == [
        ("web-1", False, None),
        ("web-2", None, "web-2: timeout"),
        ("web-3", True, None),
        ("web-4", None, None),
    ]
    found = report["hosts"][0]["findings"]
    assert [(finding["code"], finding["is_drift"]) for finding in found] == [
        ("J102", True), ("J301", False), ("J302", True), ("J111", False)
    ]  # fmt: skip
    assert found[0]["fix"] == "jada heal --limit web-1"
    assert found[1]["acceptance"] == {"reason": "new image soon", "until": "2026-12-31", "expired": False}
    assert report["exit"] == 1


@all_reports
def test_junit_keeps_to_jenkins_schema(drift: DriftReport) -> None:
    XSD.assertValid(etree.fromstring(formats.junit(drift, {}).encode()))


def test_junit_counts_failures_errors_and_what_is_accepted() -> None:
    root = etree.fromstring(formats.junit(DRIFT, SECONDS).encode())
    counts = {
        suite.get("name"): tuple(int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped"))
        for suite in root
    }
    assert counts == {"web-1": (4, 2, 0, 2), "web-2": (1, 0, 1, 0), "web-3": (1, 0, 0, 0), "web-4": (1, 0, 0, 1)}
    passed = [case.getparent().get("name") for case in root.iter("testcase") if not len(case)]
    assert passed == ["web-3"]
    assert "Grüße 世界" in root.find(".//failure").text
    assert "accepted until 2026-12-31: new image soon" in root.find(".//skipped").get("message")
    assert "expired on 2026-01-01" in root.findall(".//failure")[1].text


def lost(ours: Any, read: Any, key: str = "") -> list[str]:
    """The keys that a reader did not take over: SARIF does not have them, or their values are of another type."""
    if isinstance(ours, dict):
        return [path for name in ours for path in lost(ours[name], read.get(name), f"{key}/{name}")]
    if isinstance(ours, list):
        return [path for index, value in enumerate(ours) for path in lost(value, read[index], f"{key}[{index}]")]
    return [] if ours == read else [key]


@all_reports
def test_sarif_is_read_by_a_library_of_the_standard(drift: DriftReport) -> None:
    ours = json.loads(formats.sarif(drift, Path("inventory/fleet.yml")))
    assert lost(ours, pysarif.save_to_dict(pysarif.load_from_dict(ours))) == ["/$schema"]


def test_sarif_has_a_result_for_each_finding_and_suppresses_what_is_accepted() -> None:
    (run,) = pysarif.load_from_json(formats.sarif(DRIFT, Path("inventory/fleet.yml"))).runs
    rules = [rule.id for rule in run.tool.driver.rules]
    assert rules == [code.code for code in OF_DRIFT]
    assert [rules[result.rule_index] for result in run.results] == [result.rule_id for result in run.results]
    assert [(result.rule_id, result.level, bool(result.suppressions)) for result in run.results] == [
        ("J102", "error", False),
        ("J301", "error", True),
        ("J302", "warning", False),
        ("J111", "note", False),
        ("J408", "error", False),
        ("J405", "note", False),
    ]
    place = run.results[0].locations[0]
    assert place.physical_location.artifact_location.uri == "inventory/fleet.yml"
    assert place.logical_locations[0].name == "web-1"
    assert run.invocations[0].execution_successful is False
    assert "timeout" in run.invocations[0].tool_execution_notifications[0].message.text


def samples(drift: DriftReport) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(formats.prometheus(drift, retires))
    return {
        (sample.name, *(value for key, value in sample.labels.items() if key in ("status", "code"))): sample.value
        for family in families
        for sample in family.samples
    }


@all_reports
def test_prometheus_text_is_read_by_prometheus_own_parser(drift: DriftReport) -> None:
    families = list(text_string_to_metric_families(formats.prometheus(drift, retires)))
    assert all(family.type == "gauge" and family.documentation for family in families)
    assert {family.name for family in families if not family.samples} <= OF_MODELS
    assert {sample.labels["fleet"] for family in families for sample in family.samples} == {drift.fleet}
    assert {sample.labels["code"] for family in families for sample in family.samples if "code" in sample.labels} == {
        code.code for code in OF_DRIFT
    }


def test_prometheus_counts_hosts_not_checked_and_findings_by_code() -> None:
    found = samples(DRIFT)
    assert found["jada_drift_last_check_timestamp_seconds",] == AT.timestamp()
    assert {key[1]: value for key, value in found.items() if key[0] == "jada_drift_hosts"} == {
        "in_sync": 1, "drifted": 1, "unproven": 0, "not_checked": 1, "changing": 0, "gone": 1
    }  # fmt: skip
    by_code = {key[1]: value for key, value in found.items() if key[0] == "jada_drift_findings" and value}
    assert by_code == {"J102": 1, "J302": 1, "J111": 1, "J408": 1, "J405": 1}
    assert found["jada_drift_accepted_findings",] == 1


def test_prometheus_says_what_each_host_runs_and_when_that_retires() -> None:
    old, new = (Evidence(kind=Kind.SERVED, model=model) for model in ("claude-sonnet-4-5-20250929", NASTY))
    derived = Evidence(kind=Kind.DERIVED, model="claude-opus-5")
    hosts = (replace(IN_SYNC, evidence=(old, derived)), replace(DRIFTED, evidence=(new,)), UNREACHABLE)
    text = formats.prometheus(replace(DRIFT, hosts=hosts), retires)
    families = {family.name: family.samples for family in text_string_to_metric_families(text)}
    labels = [(sample.labels, sample.value) for sample in families["jada_host_model_info"]]
    assert labels == [
        ({"fleet": DRIFT.fleet, "host": "web-3", "role": "specialist", "model": old.model}, 1),
        ({"fleet": DRIFT.fleet, "host": "web-1", "role": "specialist", "model": visible(NASTY)}, 1),
    ]
    (sample,) = families["jada_model_retirement_timestamp_seconds"]
    assert sample.labels == {"fleet": DRIFT.fleet, "model": old.model}
    assert datetime.fromtimestamp(sample.value, UTC) == datetime(2026, 11, 30, tzinfo=UTC)


def test_junit_times_are_those_of_the_looks_and_add_up() -> None:
    root = etree.fromstring(formats.junit(DRIFT, SECONDS).encode())
    times = {suite.get("name"): (suite.get("time"), [case.get("time") for case in suite]) for suite in root}
    assert times["web-1"] == ("1.234", ["1.234", "0", "0", "0"])
    assert times["web-2"] == ("20.000", ["20.000"])
    # Nobody looked at one that is gone.
    assert times["web-4"] == ("0.000", ["0.000"])


def test_markdown_has_a_row_for_each_finding_and_no_markup_of_others() -> None:
    text = formats.markdown(replace(DRIFT, hosts=(DRIFTED, replace(DRIFTED, host="web-9"), UNREACHABLE)), "3 hosts.")
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    page = etree.fromstring(f"<page>{html}</page>")
    assert page.findtext("h3") == 'jada drift: the "fleet"'
    assert page.findtext("p") == "3 hosts."
    rows = [[cell.text for cell in row] for row in page.iter("tr")]
    assert rows[0] == ["hosts", "finding", "what", "fix"]
    assert rows[1][:3] == ["web-1, web-9", "J102 model-on-disk", f"expected claude-sonnet-4.6, saw {visible(NASTY)}"]
    assert [row[1][:4] for row in rows[2:]] == ["J302", "J408"]
    assert {element.tag for element in page.iter()} == {
        "page", "h3", "p", "table", "thead", "tbody", "tr", "th", "td"
    }  # fmt: skip
    assert page.findall("p")[-1].text == "Beside that, 4 findings are notes, or accepted."
    assert "table" not in formats.markdown(HEALTHY, "1 host: 1 in sync.")


def test_markdown_of_a_fleet_in_ruins_fits_into_a_summary() -> None:
    finding = Finding.of(codes.MODEL_ON_DISK, "a", "b" * 500)
    rows = [EvaluatedFinding(replace(finding, actual=f"{number}{finding.actual}")) for number in range(1000)]
    text = formats.markdown(replace(DRIFT, hosts=(replace(DRIFTED, findings=tuple(rows)),)), "1 host.")
    assert "800 more findings are left out." in text
    assert len(text) < 2**20


def test_github_annotations_are_escaped_as_github_documents() -> None:
    lines = formats.github(DRIFT).splitlines()
    # The rules of escapeData and escapeProperty in GitHub's @actions/core (packages/core/src/command.ts).
    assert lines[0] == (
        "::error title=web-1%3A J102 model-on-disk::expected claude-sonnet-4.6, saw "
        "a, b: \"c\" <d> & 'e' 100%25\\r\\n\\x1b[31m\\ ]]> Grüße 世界 ::error::. Fix: jada heal --limit web-1"
    )
    assert [line.split()[0] for line in lines] == [
        "::error", "::notice", "::warning", "::notice", "::error", "::notice"
    ]  # fmt: skip
    assert "expired on 2026-01-01" in lines[2]


def test_a_healthy_fleet_needs_no_annotation() -> None:
    assert formats.github(HEALTHY) == ""


@pytest.mark.parametrize(("key", "value"), [("in_sync", True), ("in_sync", False), ("findings", [])])
def test_the_schema_refuses_a_host_in_the_middle_of_a_change_that_looks_judged(key: str, value: object) -> None:
    report = checked(printed(replace(DRIFT, hosts=(CHANGING,))))
    report["hosts"][0][key] = value
    assert not schema("drift").is_valid(report)


def test_a_host_in_the_middle_of_a_change_passes_and_fails_nothing() -> None:
    drift = replace(DRIFT, hosts=(CHANGING,))
    suite = etree.fromstring(formats.junit(drift, {}).encode()).find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["1", "0", "0", "1"]
    assert json.loads(formats.sarif(drift, Path("fleet.yml")))["runs"][0]["results"][0]["level"] == "note"
    assert 'jada_drift_hosts{fleet="the \\"fleet\\"",status="changing"} 1\n' in formats.prometheus(drift, retires)
    assert formats.github(drift).startswith("::notice title=web-5%3A J409 change-under-way::")
