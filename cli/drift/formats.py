"""A check in the forms that CI and monitoring read. Each is a pure function of one DriftReport.

A host that could not be checked is an error in every form. What is accepted is named as such and is none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from jada import __version__
from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status
from jada.cli.ui.console import json_text, named, plural, visible
from jada.cli.ui.evidence import evidence_as_json
from jada.cli.ui.findings import finding_as_json
from jada.tasks.codes import NOTE, OF_DRIFT

# Rows of a table in Markdown: GitHub takes a summary of at most 1 MiB.
MOST_ROWS = 200
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_json(drift: DriftReport) -> dict[str, Any]:
    """The hosts of `jada drift --json`, described by docs/schemas/drift.json."""
    return {
        "hosts": [
            {
                "host": row.host,
                "role": row.role or None,
                "status": str(row.status),
                "in_sync": {Status.IN_SYNC: True, Status.DRIFTED: False}.get(row.status),
                "error": row.findings[0].finding.actual if row.status is Status.NOT_CHECKED else None,
                "evidence": evidence_as_json(row.evidence),
                "findings": [_finding(row, evaluated) for evaluated in row.findings],
            }
            for row in drift.hosts
        ],
    }


def junit(drift: DriftReport, seconds: Mapping[str, float]) -> str:
    """JUnit's XML: a suite for each host, with a case for each finding, and one that passes if it is in sync.

    The `seconds` of a host are those of its one look: the first case has them all, so that they add up.
    """
    root = ElementTree.Element("testsuites", name=visible(f"jada drift: {drift.fleet}"))
    for row in drift.hosts:
        cases = [_case(row, evaluated) for evaluated in row.findings]
        cases += [_empty_case(row, "in sync")] if row.status is Status.IN_SYNC else []
        took = f"{seconds.get(row.host, 0):.3f}"
        for case in cases[:1]:
            case.set("time", took)
        kinds = Counter(child.tag for case in cases for child in case)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=visible(row.host),
            timestamp=f"{drift.at:%Y-%m-%dT%H:%M:%S}",
            tests=str(len(cases)),
            failures=str(kinds["failure"]),
            errors=str(kinds["error"]),
            skipped=str(kinds["skipped"]),
            time=took,
        )
        suite.extend(cases)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def sarif(drift: DriftReport, place: Path) -> str:
    """SARIF 2.1.0: a rule for each code, a result for each finding.

    `place` is the fleet.yml, as a path in the repository: GitHub takes only results that are in a file. The host is
    the logical location.
    """
    unchecked = [row for row in drift.hosts if row.status is Status.NOT_CHECKED]
    invocation: dict[str, Any] = {
        "executionSuccessful": not unchecked,
        "exitCode": int(drift.exit),
        "endTimeUtc": f"{drift.at:%Y-%m-%dT%H:%M:%SZ}",
    }
    if unchecked:
        invocation["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": visible(row.findings[0].finding.actual)}} for row in unchecked
        ]
    driver = {
        "name": "jada",
        "version": __version__,
        "rules": [
            {
                "id": code.code,
                "name": code.name,
                "shortDescription": {"text": code.name},
                "fullDescription": {"text": code.meaning},
                "help": {"text": code.fix},
                "defaultConfiguration": {"level": code.severity},
            }
            for code in OF_DRIFT
        ],
    }
    results = [_result(row, evaluated, place) for row in drift.hosts for evaluated in row.findings]
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return json_text({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def prometheus(drift: DriftReport, retires: Callable[[str], str]) -> str:
    """Metrics for node_exporter's textfile collector, in Prometheus' text format; `retires` gives the ISO date of a
    model, or "".

    Every code is there, with 0 where nothing was found: an alert on a series that vanishes never resolves.
    """
    fleet = {"fleet": drift.fleet}
    found = Counter(
        evaluated.finding.code for row in drift.hosts for evaluated in row.findings if not evaluated.is_accepted
    )
    accepted = Counter(
        evaluated.finding.code for row in drift.hosts for evaluated in row.findings if evaluated.is_accepted
    )
    running = [(row, row.evidence[0].model) for row in drift.hosts if row.evidence]
    models = sorted({model for _, model in running})
    families = (
        (
            "jada_drift_last_check_timestamp_seconds",
            "When the fleet was last checked; alert on its age as well, or a check that never runs looks healthy.",
            [(fleet, int(drift.at.timestamp()))],
        ),
        (
            "jada_drift_hosts",
            "Hosts by what is known of them; not_checked ones are not fine.",
            [({**fleet, "status": str(status)}, drift.count(status)) for status in Status],
        ),
        (
            "jada_drift_findings",
            "Findings that nobody has accepted, by code; a note is not drift.",
            [
                ({**fleet, "code": code.code, "name": code.name, "severity": code.severity}, found[code.code])
                for code in OF_DRIFT
            ],
        ),
        (
            "jada_drift_accepted_findings",
            "Findings that fleet.yml accepts until a date.",
            [(fleet, accepted.total())],
        ),
        (
            "jada_host_model_info",
            "The model that a host runs, by its strongest evidence; a host has none while nothing tells.",
            [({**fleet, "host": row.host, "role": row.role, "model": model}, 1) for row, model in running],
        ),
        (
            "jada_model_retirement_timestamp_seconds",
            "When a model that runs here retires, where that is known.",
            [({**fleet, "model": model}, _midnight(day)) for model in models if (day := retires(model))],
        ),
    )
    return "".join(
        f"# HELP {name} {text}\n# TYPE {name} gauge\n" + "".join(_sample(name, *sample) for sample in samples)
        for name, text, samples in families
    )


def github(drift: DriftReport) -> str:
    """Annotations for GitHub Actions, one line for each finding (its workflow commands)."""
    return "".join(_annotation(row, evaluated) for row in drift.hosts for evaluated in row.findings)


def markdown(drift: DriftReport, summary: str) -> str:
    """Markdown for $GITHUB_STEP_SUMMARY and its like: the counts in words, and a table of what makes hosts drift, each
    finding once for all hosts that it is told of in the same words.
    """
    rows: dict[str, list[str]] = defaultdict(list)
    beside = 0
    for row in drift.hosts:
        for evaluated in row.findings:
            finding = evaluated.finding
            if not evaluated.is_drift:
                beside += 1
                continue
            cells = (
                f"{finding.code} {finding.name}",
                f"{finding.difference}{acceptance(evaluated)}",
                finding.fix_on("HOST"),
            )
            rows[" | ".join(map(_plain, cells))].append(row.host)
    shown = [f"| {_plain(named(hosts))} | {cells} |" for cells, hosts in list(rows.items())[:MOST_ROWS]]
    table = ["| hosts | finding | what | fix |", "| --- | --- | --- | --- |", *shown, ""] if shown else []
    left = [f"{len(rows) - MOST_ROWS} more findings are left out.", ""] if len(rows) > MOST_ROWS else []
    noted = [f"Beside that, {plural(beside, 'finding')} are notes, or accepted.", ""] if beside else []
    return "\n".join([f"### jada drift: {_plain(drift.fleet)}", "", _plain(summary), "", *table, *left, *noted])


def text_of(evaluated: EvaluatedFinding) -> str:
    """A finding in one line, with who accepts it."""
    return f"{evaluated.finding}{acceptance(evaluated)}"


def acceptance(evaluated: EvaluatedFinding) -> str:
    """The end of a sentence about a finding: until when and why it is, or was, accepted."""
    if evaluated.acceptance is None:
        return ""
    until, reason = evaluated.acceptance.until, evaluated.acceptance.reason
    return (
        f" (accepted until {until}: {reason})"
        if evaluated.is_accepted
        else f" (its acceptance expired on {until}: {reason})"
    )


def _finding(row: HostDrift, evaluated: EvaluatedFinding) -> dict[str, Any]:
    accepted = evaluated.acceptance
    return {
        **finding_as_json(evaluated.finding, row.host),
        "is_drift": evaluated.is_drift,
        "acceptance": accepted
        and {"reason": accepted.reason, "until": accepted.until.isoformat(), "expired": evaluated.expired},
    }


def _case(row: HostDrift, evaluated: EvaluatedFinding) -> ElementTree.Element:
    finding = evaluated.finding
    case = _empty_case(row, f"{finding.code} {finding.name}")
    if evaluated.is_drift:
        kind = "error" if row.status is Status.NOT_CHECKED else "failure"
        child = ElementTree.SubElement(case, kind, type=finding.code, message=visible(finding.actual))
        child.text = f"{visible(text_of(evaluated))}\nFix: {visible(finding.fix_on(row.host))}"
    else:
        ElementTree.SubElement(case, "skipped", message=visible(text_of(evaluated)))
    return case


def _empty_case(row: HostDrift, name: str) -> ElementTree.Element:
    classname = visible(f"jada.drift.{row.host}")
    return ElementTree.Element("testcase", name=visible(name), classname=classname, time="0")


def _result(row: HostDrift, evaluated: EvaluatedFinding, place: Path) -> dict[str, Any]:
    finding = evaluated.finding
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": [code.code for code in OF_DRIFT].index(finding.code),
        "level": finding.severity,
        "message": {"text": visible(f"{row.host}: {text_of(evaluated)}. Fix: {finding.fix_on(row.host)}")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place.as_uri() if place.is_absolute() else place.as_posix()},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"name": visible(row.host), "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"jadaHostAndCode/v1": visible(f"{row.host}:{finding.code}")},
    }
    if evaluated.acceptance and evaluated.is_accepted:
        justification = visible(f"{evaluated.acceptance.reason}, until {evaluated.acceptance.until}")
        result["suppressions"] = [{"kind": "external", "justification": justification}]
    return result


def _sample(name: str, labels: dict[str, str], value: int) -> str:
    pairs = ",".join(f'{label}="{_label(text)}"' for label, text in labels.items())
    return f"{name}{{{pairs}}} {value}\n"


def _plain(text: str) -> str:
    """A text that is no markup, HTML or link, on one line."""
    return "".join(char if char.isalnum() or char in " ,-" else f"&#{ord(char)};" for char in visible(text))


def _midnight(day: str) -> int:
    """The beginning of an ISO date in UTC, in seconds since 1970."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def _label(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"')


def _annotation(row: HostDrift, evaluated: EvaluatedFinding) -> str:
    finding = evaluated.finding
    level = "notice" if evaluated.is_accepted or finding.severity == NOTE else finding.severity
    title = _command(f"{row.host}: {finding.code} {finding.name}").replace(":", "%3A").replace(",", "%2C")
    text = f"{finding.difference}{acceptance(evaluated)}. Fix: {finding.fix_on(row.host)}"
    return f"::{level} title={title}::{_command(text)}\n"


def _command(text: str) -> str:
    return visible(text).replace("%", "%25")
