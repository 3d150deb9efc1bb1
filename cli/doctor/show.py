"""The doctor's results, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from jada.cli.doctor.result import CheckResult, Verdict
from jada.cli.ui.console import escape, grouped, named, nulled, out, plural
from jada.cli.ui.tables import Column, show_table

COLUMNS = (Column("verdict"), Column("check"), Column("result", wraps=True))
COLOURS = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red", Verdict.SKIP: "dim"}
WORDS = {Verdict.PASS: "passed", Verdict.WARN: "warned", Verdict.FAIL: "failed", Verdict.SKIP: "skipped"}


def show(results: Sequence[CheckResult]) -> None:
    """Prints a line for each result, with the fix under it, and one that counts them. What was skipped for one reason
    on the same hosts is one line.
    """
    rows = [row for result in results if result.verdict is not Verdict.SKIP for row in _rows(result)]
    skips = grouped(((result.hosts, result.text), result.check) for result in results if result.verdict is Verdict.SKIP)
    rows += [_row(Verdict.SKIP, plural(len(checks), "check"), names, f"{text}: {', '.join(checks)}")
             for (names, text), checks in skips.items()]  # fmt: skip
    show_table(COLUMNS, rows, hint="--json")
    counts = Counter(result.verdict for result in results)
    told = ", ".join(f"{counts[verdict]} {word}" for verdict, word in WORDS.items() if counts[verdict])
    out.print(f"\n{plural(len(results), 'result')}: {told}.")


def as_json(result: CheckResult) -> dict[str, Any]:
    return {
        **nulled({"check": result.check, "verdict": result.verdict, "text": result.text, "fix": result.fix}),
        "hosts": list(result.hosts),
    }


def _rows(result: CheckResult) -> Iterator[tuple[str, str, str]]:
    yield _row(result.verdict, result.check, result.hosts, result.text)
    if result.fix:
        yield "", "", f"[bold]Fix:[/] {escape(result.fix)}"


def _row(verdict: Verdict, check: str, hosts: Sequence[str], text: str) -> tuple[str, str, str]:
    about = f"[bold]{escape(named(hosts))}[/]: " if hosts else ""
    colour = COLOURS[verdict]
    return f"[{colour}]{verdict.upper()}[/]", escape(check), f"{about}{escape(text)}"
