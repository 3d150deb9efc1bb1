"""The doctor's results, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from jada.cli.doctor.result import CHECKS, CheckResult, Verdict
from jada.cli.ui.console import escape, folded, grouped, named, nulled, out, plural, styled

COLOURS = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red", Verdict.SKIP: "dim"}
WORDS = {Verdict.PASS: "passed", Verdict.WARN: "warned", Verdict.FAIL: "failed", Verdict.SKIP: "skipped"}
# Columns before the text of a result; and of the text where a terminal has less room.
INDENT = len("PASS  ") + max(map(len, CHECKS)) + 2
LEAST_TEXT = 24


def show(results: Sequence[CheckResult]) -> None:
    """Prints a line for each result, with the fix under it, and one that counts them. What was skipped for one reason
    on the same hosts is one line.
    """
    show_each(result for result in results if result.verdict is not Verdict.SKIP)
    skips = grouped(((result.hosts, result.text), result.check) for result in results if result.verdict is Verdict.SKIP)
    for (hosts, text), checks in skips.items():
        if len(checks) == 1:
            _print(Verdict.SKIP, checks[0], hosts, text)
        else:
            _print(Verdict.SKIP, plural(len(checks), "check"), hosts, f"{text} ({', '.join(checks)})")
    counts = Counter(result.verdict for result in results)
    tally = ", ".join(f"{counts[verdict]} {word}" for verdict, word in WORDS.items() if counts[verdict])
    out.print(f"\n{plural(len(results), 'result')}: {tally}.")


def show_each(results: Iterable[CheckResult]) -> None:
    """Prints a line for each result, with the fix under it."""
    for result in results:
        _print(result.verdict, result.check, result.hosts, result.text, result.fix)


def as_json(result: CheckResult) -> dict[str, Any]:
    return {
        **nulled({"check": result.check, "verdict": result.verdict, "text": result.text, "fix": result.fix}),
        "hosts": list(result.hosts),
    }


def _print(verdict: Verdict, check: str, hosts: Sequence[str], text: str, fix: str = "") -> None:
    # Their import takes longer than help and completion do.
    from rich.text import Text

    about = f"[bold]{escape(named(hosts))}[/]: " if hosts else ""
    paragraphs = [f"{about}{escape(text)}", *([f"[bold]Fix:[/] {escape(fix)}"] if fix else [])]
    width = max(out.console.width - INDENT, LEAST_TEXT)
    lines = [line for paragraph in paragraphs for line in folded(styled(paragraph), width)]
    begin = Text.assemble((verdict.upper(), COLOURS[verdict]), f"  {check}".ljust(INDENT - len(verdict)))
    out.print(Text("\n").join(Text.assemble(begin if at == 0 else " " * INDENT, line) for at, line in enumerate(lines)))
