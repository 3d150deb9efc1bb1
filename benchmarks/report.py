"""The results as RESULTS.md and a chart: tables, the targets of the project with their figures, and the fit."""

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
UPGRADE, ROLLBACK, WAVES = "jada upgrade", "jada rollback", "jada upgrade, waves of 1 and all"
ANSIBLE, ANSIBLE_WHOLE = "Ansible", "Ansible, the whole job"
MITOGEN, MITOGEN_WHOLE = "Mitogen for Ansible", "Mitogen for Ansible, the whole job"
STOCK, ASYNCSSH = "pyinfra, stock operations", "asyncssh, one exec"
CLICK = "python -c 'import click'"
PAGINATORS, INVENTORY = "boto3's paginators, 10,000 instances", "jada hosts, 10,000 instances"
LEAST = {FLOOR, ASYNCSSH, STOCK, MITOGEN, ANSIBLE}
WHOLE = {SCRIPTS, SCRIPTS_BACK, UPGRADE, ROLLBACK, WAVES, ANSIBLE_WHOLE, MITOGEN_WHOLE}
READ_FLOOR = "asyncssh, the same script"
CHART = "results.svg"
MARKS = {True: "met", False: "**not met**", None: ""}
COLOURS = {"jada": "#2f6f4f", "whole": "#6d7882", "least": "#b9c1c8"}
# Promises that are no times: tests hold them, with exact numbers.
TESTS = (
    ("drift, upgrade and rollback with --yes: one connection and one exec a host",
     "tests/lab/test_round_trips.py"),
    ("no boto3, pyinfra, rich or yaml is imported for help and completion", "tests/unit/cli/test_startup.py"),
    ("16 regions are asked at once", "tests/protocol/test_regions_side_by_side.py"),
    ("a wave starts its next host as soon as a slot is free", "tests/unit/tasks/engines/test_side_by_side.py"),
    ("each query of the history uses an index (EXPLAIN QUERY PLAN)", "tests/unit/cli/records/test_records.py"),
)  # fmt: skip


@dataclass(slots=True)
class Series:
    """All runs of one command in one setting: seconds, and the most memory its process had, in MB."""

    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def times(self, floor: Series) -> float:
        """Returns the ratio to another series: the median of each round's ratio, for load comes and goes."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.seconds, floor.seconds, strict=True))


@dataclass(slots=True)
class Part:
    """One setting: its series by name, and the machine's load before and after."""

    series: dict[str, Series]
    load: tuple[float, float] = (0.0, 0.0)


@dataclass(slots=True)
class Results:
    """A whole run: its numbers of rounds and of endpoints to read, and its parts by name."""

    rounds: int
    endpoints: int
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    took: float = 0.0
    parts: dict[str, Part] = field(default_factory=dict)

    def __getitem__(self, part: str) -> dict[str, Series]:
        return self.parts[part].series


@dataclass(frozen=True, slots=True)
class Target:
    """One figure and what was promised of it: "" and None where nothing was."""

    name: str
    figure: str
    promised: str = ""
    met: bool | None = None


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
    yield (
        "*Least*: what must be done to change the model, and no more. *Whole*: what `jada upgrade` does, with a look "
        "before, a snapshot, a way back by itself, and proof of what runs. README.md tells them apart in full."
    )
    yield ""
    yield "## What was promised"
    yield ""
    yield from table(
        ("", "measured", "promised", ""),
        ((target.name, target.figure, target.promised, MARKS[target.met]) for target in targets(results)),
    )
    yield ""
    yield "Not measured here, for tests hold them with exact numbers:"
    yield ""
    yield from (f"- {promise}: `{test}`" for promise, test in TESTS)
    yield ""
    yield "## Beside the promises"
    yield ""
    yield from table(("", "measured"), ((target.name, target.figure) for target in others(results)))
    for name, part in results.parts.items():
        yield ""
        yield f"## {name[0].upper()}{name[1:]}"
        yield ""
        yield f"Load of the machine: {part.load[0]:.1f} before, {part.load[1]:.1f} after."
        yield ""
        yield from part_table(part.series)
    yield ""
    yield "## The line through the growth"
    yield ""
    slope, intercept, r2 = fit(growth_points(results))
    yield f"Least squares: {slope * 1000:.1f} ms a host + {intercept:.2f} s, R² = {r2:.4f}."
    yield ""
    yield from table(
        ("endpoints", "median s", "the line"),
        ((str(count), number(seconds), number(slope * count + intercept)) for count, seconds in growth_points(results)),
    )


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
    """The targets that were promised, in their order."""
    far, alone = results["changes at 80 ms"], results["changes of one host at 80 ms"]
    upgrade = far[UPGRADE]
    for name, whole, most_whole, most in ((UPGRADE, SCRIPTS, 1.15, 1.25), (ROLLBACK, SCRIPTS_BACK, 1.1, 1.15)):
        word = name.removeprefix("jada ")
        yield at_most(f"{word} at 80 ms, times the floor that does the whole", far[name].times(far[whole]), most_whole)
        label = f"{word} of one host at 80 ms, times the floor that does the least"
        yield at_most(label, alone[name].times(alone[FLOOR]), most)
    yield at_most(
        "upgrade in waves of 1 and 9 without a bake at 80 ms, times all at once", far[WAVES].times(upgrade), 1.6
    )
    yield at_least("Ansible that does the least at 80 ms, times jada upgrade", far[ANSIBLE].times(upgrade), 10)
    yield at_least("Ansible that does the whole at 80 ms, times jada upgrade", far[ANSIBLE_WHOLE].times(upgrade), 10)
    for part in ("reads at 0 ms", "reads at 80 ms"):
        drift = results[part]["jada drift"]
        count = results.endpoints if part == "reads at 0 ms" else results.endpoints // 5
        label = f"drift of {count} endpoints {part[6:]}"
        yield at_most(f"{label}, times asyncssh with the same script", drift.times(results[part][READ_FLOOR]), 1.05)
        yield at_most(f"{label}, peak memory", max(drift.memory), 150, "MB")
    points = growth_points(results)
    slope, intercept, r2 = fit(points)
    yield Target(
        f"drift of {points[0][0]} to {points[-1][0]} endpoints: R² of a straight line",
        f"{r2:.4f} ({slope * 1000:.1f} ms a host + {intercept:.2f} s)", "linear: ≥ 0.99", r2 >= 0.99,
    )  # fmt: skip
    start = results["startup"]
    for name in ("jada --help", "complete `jada up`", "complete `jada upgrade --`"):
        yield at_most(f"{name}, times `{CLICK}`", start[name].times(start[CLICK]), 2)
    hosts = results["discovery"]
    wait = hosts["0.2 s each, one 1 s"].median - hosts["no delay"].median
    yield at_most("16 regions, the slowest 1 s, the sum 4 s: seconds added to `jada hosts`", wait, 1.5, "s")
    listed = results["inventory"]
    yield at_most(
        "10,000 instances in 16 regions, times boto3's paginators", listed[INVENTORY].times(listed[PAGINATORS]), 1.15
    )
    yield at_most("10,000 instances, peak memory", max(listed[INVENTORY].memory), 250, "MB")
    for name in ("drift of 10,000 hosts", "plan of 10,000 hosts"):
        series = results["arithmetic"][name]
        yield at_most(f"{name}, processor time", series.median, 1, "s")
        yield at_most(f"{name}, peak memory", max(series.memory), 200, "MB")
    for name, series in results["arithmetic"].items():
        if "entries" in name:
            yield at_most(name, series.median * 1000, 50, "ms")


def others(results: Results) -> Iterator[Target]:
    """Ratios that nobody promised, without which those that were can't be judged."""
    far, near, alone = (results[f"changes {at}"] for at in ("at 80 ms", "at 0 ms", "of one host at 80 ms"))
    for peer, floor in ((ANSIBLE, FLOOR), (ANSIBLE_WHOLE, SCRIPTS)):
        yield Target(f"{peer} at 80 ms, times {floor}", f"{far[peer].times(far[floor]):.2f} x")
    for peer in (MITOGEN, MITOGEN_WHOLE, STOCK):
        yield Target(f"{peer} at 80 ms, times jada upgrade", f"{far[peer].times(far[UPGRADE]):.2f} x")
    for name, whole in ((UPGRADE, SCRIPTS), (ROLLBACK, SCRIPTS_BACK)):
        for at, part, floors in (("at 80 ms", far, (FLOOR,)), ("at 0 ms", near, (FLOOR, whole)),
                                 ("of one host at 80 ms", alone, (whole,))):  # fmt: skip
            for floor in floors:
                yield Target(f"{name} {at}, times {floor}", f"{part[name].times(part[floor]):.2f} x")


def at_most(name: str, figure: float, most: float, unit: str = "x") -> Target:
    text = f"{figure:.0f}" if unit == "MB" else f"{figure:.2f}"
    return Target(name, f"{text} {unit}", f"≤ {most:g} {unit}", figure <= most)


def at_least(name: str, figure: float, least: float) -> Target:
    return Target(name, f"{figure:.2f} x", f"≥ {least:g} x", figure >= least)


def part_table(all_series: dict[str, Series]) -> Iterator[str]:
    floor = next(iter(all_series.values()))
    same_rounds = all(len(series.seconds) == len(floor.seconds) for series in all_series.values())
    lines: list[tuple[str, ...]] = [("", "does", "median s", "fastest", "slowest", "x the first", "peak MB")]
    lines += [
        (name, does(name), number(series.median), number(min(series.seconds)), number(max(series.seconds)),
         f"{series.times(floor):.2f}" if same_rounds else "–", f"{max(series.memory):.0f}")
        for name, series in all_series.items()
    ]  # fmt: skip
    if not any(map(does, all_series)):
        lines = [(series[0], *series[2:]) for series in lines]
    yield from table(lines[0], lines[1:])


def does(name: str) -> str:
    """Returns the share of an upgrade's job that a tool does; "" where it changes nothing."""
    return "whole" if name in WHOLE else "least" if name in LEAST else ""


def number(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds >= 1 else f"{seconds:.4f}"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(columns)
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def growth_points(results: Results) -> list[tuple[int, float]]:
    points = [(int(count), series.median) for count, series in results["growth"].items()]
    return [*points, (results.endpoints, results["reads at 0 ms"]["jada drift"].median)]


def fit(points: list[tuple[int, float]]) -> tuple[float, float, float]:
    """Least squares: slope, intercept, and R²."""
    counts, seconds = zip(*points, strict=True)
    slope, intercept = statistics.linear_regression(counts, seconds)
    return slope, intercept, statistics.correlation(counts, seconds) ** 2


def chart(results: Results) -> str:
    """Bars of the medians, one block for each setting that compares tools, and the growth; plain SVG."""
    width, label, row = 820, 260, 20
    shapes, y = [], 10
    for name in (name for name in results.parts if name.startswith(("changes", "reads"))):
        series = results[name]
        longest = max(runs.median for runs in series.values())
        shapes.append(f'<text x="0" y="{y + 14}" font-weight="bold">{escape(name)}, seconds (medians)</text>')
        y += row + 4
        for tool, runs in series.items():
            bar = max(1.0, (width - label - 60) * runs.median / longest)
            colour = COLOURS["jada" if tool.startswith("jada") else does(tool) or "whole"]
            shapes += [
                f'<text x="{label - 8}" y="{y + 14}" text-anchor="end">{escape(tool)}</text>',
                f'<rect x="{label}" y="{y + 2}" width="{bar:.1f}" height="{row - 5}" fill="{colour}"/>',
                f'<text x="{label + bar + 6:.1f}" y="{y + 14}">{runs.median:.2f}</text>',
            ]
            y += row
        y += 14
    shapes.append(f'<text x="0" y="{y + 14}">green: jada; dark: does the same job; light: does the least</text>')
    y += row + 14
    shapes += growth_shapes(results, y, width, 200)
    y += 260
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" font-family="sans-serif" font-size="13">'
        f'<rect width="{width}" height="{y}" fill="white"/>{"".join(shapes)}</svg>\n'
    )


def growth_shapes(results: Results, top: int, width: int, height: int) -> list[str]:
    """The medians of the growth as points, and the line through them."""
    points = growth_points(results)
    slope, intercept, r2 = fit(points)
    most, longest = points[-1][0], max(seconds for _, seconds in points)

    def at(count: float, seconds: float) -> tuple[float, float]:
        return 30 + (width - 120) * count / most, top + 30 + height * (1 - seconds / longest)

    (x1, y1), (x2, y2) = at(0, intercept), at(most, slope * most + intercept)
    title = f"jada drift on 10 to {most} endpoints, seconds (medians), and the straight line through them (R² {r2:.4f})"
    shapes = [
        f'<text x="0" y="{top + 14}" font-weight="bold">{escape(title)}</text>',
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{COLOURS["whole"]}"/>',
    ]
    for count, seconds in points:
        x, y = at(count, seconds)
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS["jada"]}"/>')
        shapes.append(f'<text x="{x + 8:.1f}" y="{y + 14:.1f}">{count}: {seconds:.2f}</text>')
    return shapes


def show(results: Results) -> None:
    """The medians of whatever was measured, on the terminal."""
    for name, part in results.parts.items():
        sys.stdout.write(f"\n{name} (load {part.load[0]:.1f} to {part.load[1]:.1f})\n")
        for tool, series in part.series.items():
            sys.stdout.write(f"  {tool:40} {series.median:9.4f} s {max(series.memory):6.0f} MB\n")
