"""What was measured, as RESULTS.md and a chart: tables, the targets of the project with their figures, and the fit."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from xml.sax.saxutils import escape

FLOOR = "OpenSSH, one exec"
SCRIPTS, SCRIPTS_BACK = "OpenSSH, jada's own scripts", "OpenSSH, jada's own scripts back"
UPGRADE, ROLLBACK = "jada upgrade", "jada rollback"
ANSIBLE, ANSIBLE_WHOLE = "Ansible", "Ansible, the whole job"
MITOGEN, MITOGEN_WHOLE = "Mitogen for Ansible", "Mitogen for Ansible, the whole job"
# What jada does: a look before, a snapshot, a way back, checks of what runs. Every other way to change does the least.
WHOLE = {SCRIPTS, SCRIPTS_BACK, UPGRADE, ROLLBACK, ANSIBLE_WHOLE, MITOGEN_WHOLE}
READ_FLOOR = "asyncssh, the same script"
CHART = "results.svg"
MARKS = {True: "met", False: "**not met**", None: ""}


@dataclass(slots=True)
class Series:
    """All runs of one command in one setting: seconds, and the most memory its process had, in MB."""

    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def times(self, floor: Series) -> float:
        """How many times as long as another series: the median of each round's ratio, for load comes and goes."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.seconds, floor.seconds, strict=True))


@dataclass(slots=True)
class Part:
    """One setting: its series by name, and the machine's load before and after."""

    series: dict[str, Series]
    load: tuple[float, float] = (0.0, 0.0)


@dataclass(slots=True)
class Results:
    """A whole run: how many rounds, how many endpoints to read, its parts by name, and what it is told of peers."""

    rounds: int
    endpoints: int
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    took: float = 0.0
    parts: dict[str, Part] = field(default_factory=dict)

    def __getitem__(self, part: str) -> dict[str, Series]:
        return self.parts[part].series


@dataclass(frozen=True, slots=True)
class Target:
    """One line of what was promised, with its figure; `met` is None where nothing was promised."""

    what: str
    figure: str
    met: bool | None


def write(results: Results, folder: Path) -> None:
    """RESULTS.md and its chart."""
    (folder / "RESULTS.md").write_text("\n".join(markdown(results)) + "\n", encoding="utf-8")
    (folder / CHART).write_text(chart(results), encoding="utf-8")


def markdown(results: Results) -> Iterator[str]:
    yield "# How fast jada is"
    yield ""
    yield "Written by `make bench`; what the figures mean and what was tried: [README.md](README.md)."
    yield ""
    yield from machine_lines(results)
    yield ""
    yield f"![medians]({CHART})"
    yield ""
    yield "## What was promised"
    yield ""
    yield from table(
        ("", "promise", "measured"),
        ((MARKS[one.met], one.what, one.figure) for one in targets(results)),
    )
    for name, part in results.parts.items():
        yield ""
        yield f"## {name[0].upper()}{name[1:]}"
        yield ""
        yield f"Load of the machine: {part.load[0]:.1f} before, {part.load[1]:.1f} after."
        yield ""
        yield from part_table(part.series)
    yield ""
    yield "## Growth"
    yield ""
    yield fit_line(*fit(growth_points(results)))


def machine_lines(results: Results) -> Iterator[str]:
    cpu = next((line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    peers = subprocess.run(
        [Path(__file__).parent / ".venv/bin/python", "-c",
         "from importlib.metadata import version as v; print(*(f'{p} {v(p)}' for p in "
         "('ansible-core', 'mitogen', 'asyncssh')), sep=', ')"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    openssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.partition(",")[0]
    yield (
        f"{results.began:%F %R}Z, {results.rounds} rounds, {results.took / 60:.0f} minutes; "
        f"{os.cpu_count()} x {cpu.strip()}, Linux {platform.release()}, Python {platform.python_version()}. "
        f"jada {version('jada')} on pyinfra {version('pyinfra')} and paramiko {version('paramiko')}; {openssh}; "
        f"{peers}."
    )
    yield "Clients, hosts and proxies share these processors, so whatever costs a host time costs everybody time here."


def targets(results: Results) -> Iterator[Target]:
    far, near = results["changes at 80 ms"], results["changes at 0 ms"]
    upgrade, rollback, ansible = far["jada upgrade"], far["jada rollback"], far["Ansible"]
    yield at_most("upgrade at 80 ms, times the floor", upgrade.times(far[FLOOR]), 1.3)
    faster = ansible.times(upgrade)
    yield Target("Ansible at 80 ms takes ≥ 10 x as long as jada upgrade", f"{faster:.1f} x", faster >= 10)
    yield at_most("Ansible at 80 ms, times the floor", ansible.times(far[FLOOR]), None)
    yield at_most("rollback at 80 ms, times the floor", rollback.times(far[FLOOR]), 1.15)
    yield at_most("upgrade at 0 ms, times the floor", near["jada upgrade"].times(near[FLOOR]), None)
    alone = results["changes of one host at 80 ms"]
    yield at_most("upgrade of one host at 80 ms, times the floor", alone["jada upgrade"].times(alone[FLOOR]), None)
    for part in ("reads at 0 ms", "reads at 80 ms"):
        drift = results[part]["jada drift"]
        count = results.endpoints if part == "reads at 0 ms" else results.endpoints // 5
        what = f"drift, {count} endpoints, {part[9:]}"
        yield at_most(f"{what}: times asyncssh with the same script", drift.times(results[part][READ_FLOOR]), 1.05)
        yield at_most(f"{what}: peak memory in MB", max(drift.memory), 150, "MB")
    slope, intercept, r2 = fit(growth_points(results))
    yield Target("drift grows linearly (R² of the fit ≥ 0.99)", f"R² = {r2:.4f}, {slope * 1000:.1f} ms a host "
                 f"+ {intercept:.2f} s", r2 >= 0.99)  # fmt: skip
    start = results["startup"]
    for name in ("jada --help", "complete `jada up`", "complete `jada upgrade --`"):
        yield at_most(
            f"{name}: times `python -c 'import click'`", start[name].times(start["python -c 'import click'"]), 2
        )
    hosts = results["discovery"]
    wait = hosts["0.2 s each, one 1 s"].median - hosts["no delay"].median
    yield at_most("16 regions, 15 of 0.2 s and one of 1 s (sum: 4 s): seconds added", wait, 1.5, "s")
    for name in ("drift of 10,000 hosts", "plan of 10,000 hosts"):
        one = results["arithmetic"][name]
        yield at_most(f"{name}, seconds", one.median, 1, "s")
        yield at_most(f"{name}, peak memory in MB", max(one.memory), 200, "MB")
    for name, one in results["arithmetic"].items():
        if "entries" in name:
            yield at_most(f"{name}, ms", one.median * 1000, 50, "ms")


def at_most(what: str, figure: float, most: float | None, unit: str = "x") -> Target:
    told = f"{figure:.2f} {unit}"
    return Target(what, told, None) if most is None else Target(f"{what} ≤ {most:g}", told, figure <= most)


def part_table(all_series: dict[str, Series]) -> Iterator[str]:
    floor = next(iter(all_series.values()))
    same_rounds = all(len(one.seconds) == len(floor.seconds) for one in all_series.values())
    columns = ("", "median s", "fastest", "slowest", "x the first", "peak MB")
    rows = (
        (name, number(one.median), number(min(one.seconds)), number(max(one.seconds)),
         f"{one.times(floor):.2f}" if same_rounds else "–", f"{max(one.memory):.0f}")
        for name, one in all_series.items()
    )  # fmt: skip
    yield from table(columns, rows)


def number(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds >= 1 else f"{seconds:.4f}"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(columns)
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def growth_points(results: Results) -> list[tuple[int, float]]:
    points = [(int(count), one.median) for count, one in results["growth"].items()]
    return [*points, (results.endpoints, results["reads at 0 ms"]["jada drift"].median)]


def fit(points: list[tuple[int, float]]) -> tuple[float, float, float]:
    """Least squares: slope, intercept, and R²."""
    counts, seconds = zip(*points, strict=True)
    slope, intercept = statistics.linear_regression(counts, seconds)
    return slope, intercept, statistics.correlation(counts, seconds) ** 2


def fit_line(slope: float, intercept: float, r2: float) -> str:
    line = f"{slope * 1000:.1f} ms a host + {intercept:.2f} s, R² = {r2:.4f}"
    return f"Least squares over the growth above and the reads at 0 ms: {line}."


def chart(results: Results) -> str:
    """Bars of the medians, one block for each setting that compares tools; plain SVG."""
    names = [name for name in results.parts if name.startswith(("changes", "reads"))]
    width, label, row, gap = 820, 220, 20, 34
    y = 10
    shapes = []
    for name in names:
        series = results[name]
        longest = max(one.median for one in series.values())
        shapes.append(f'<text x="0" y="{y + 14}" font-weight="bold">{escape(name)}, seconds (medians)</text>')
        y += row + 4
        for tool, one in series.items():
            bar = max(1.0, (width - label - 60) * one.median / longest)
            colour = "#2f6f4f" if tool.startswith("jada") else "#9aa4ad"
            shapes += [
                f'<text x="{label - 8}" y="{y + 14}" text-anchor="end">{escape(tool)}</text>',
                f'<rect x="{label}" y="{y + 2}" width="{bar:.1f}" height="{row - 5}" fill="{colour}"/>',
                f'<text x="{label + bar + 6:.1f}" y="{y + 14}">{one.median:.2f}</text>',
            ]
            y += row
        y += gap - row
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" font-family="sans-serif" font-size="13">'
        f'<rect width="{width}" height="{y}" fill="white"/>{"".join(shapes)}</svg>\n'
    )


def show(results: Results) -> None:
    """The medians of whatever was measured, on the terminal."""
    for name, part in results.parts.items():
        sys.stdout.write(f"\n{name} (load {part.load[0]:.1f} to {part.load[1]:.1f})\n")
        for tool, one in part.series.items():
            sys.stdout.write(f"  {tool:40} {one.median:9.4f} s {max(one.memory):6.0f} MB\n")
