"""The state of a rollout while it goes on, put together from its events, and how it looks on a terminal. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jada.cli.records.model import HostOutcome
from jada.cli.rollout.events import Event, Kind
from jada.cli.rollout.waves import Waves
from jada.cli.ui.console import named, plural, visible
from jada.tasks.measure import Judgement, Verdict

if TYPE_CHECKING:
    from rich.text import Text

# The words for a step: of several that take no time, one.
STEPS = {
    "check": "checking",
    "snapshot": "taking a snapshot",
    "settings": "writing",
    "dropin": "writing",
    "limits": "writing",
    "files": "putting files back",
    "reload": "reloading units",
    "restart": "restarting",
    "settle": "settling",
    "verify": "verifying",
    "commit": "recording",
    "tidy": "looking for evidence",
    "restore": "failed, going back",
    "recover": "undoing an earlier change",
}
TO_COME, PASSED, FAILED, UNDER_WAY = "to come", "passed", "failed", ""
# Cells of the bar of a bake, and those that are left free below what is shown.
BAR, MARGIN = 20, 2
# Values of a probe that are shown, and probes.
MOST_VALUES, MOST_PROBES = 20, 4
LEAST_ROWS = 3
STYLES = {"✓": "green", "✗": "red", "▶": "cyan", "•": "dim", "!": "yellow"}
VERDICTS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.INCONCLUSIVE: "•", Verdict.ERROR: "!"}


@dataclass(slots=True)
class Row:
    """A host: the step that it is at since a moment (monotonic), and how it ended."""

    is_begun: bool = False
    step: str = ""
    since: float = 0
    outcome: HostOutcome | None = None

    @property
    def is_under_way(self) -> bool:
        return self.is_begun and self.outcome is None


@dataclass(slots=True)
class Board:
    """A rollout of these waves: `bakes` are the seconds that each bakes, () where all hosts change at once, and
    services settle for `settle` seconds.
    """

    release: str
    waves: Waves
    bakes: tuple[int, ...]
    settle: int
    rows: dict[str, Row] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    wave: int = 0
    began: float = 0
    wave_began: float = 0
    bake_began: float = 0
    change_seconds: list[float] = field(default_factory=list)
    is_going_back: bool = False
    readings: dict[tuple[str, str], deque[Judgement]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._set_waves(self.waves)

    def _set_waves(self, waves: Waves) -> None:
        self.waves, self.rows = waves, {name: Row() for wave in waves for name in wave}

    def apply(self, event: Event, now: float) -> None:
        """Takes an event in that happened now (monotonic)."""
        match event.kind:
            case Kind.BEGIN:
                self.began = now
                # Of one that is gone on with, some hosts may be gone.
                self._set_waves(event.waves)
            case Kind.WAVE_BEGIN:
                self.wave, self.wave_began, self.bake_began = event.wave, now, 0
                self.states = dict.fromkeys(range(1, event.wave), PASSED) | self.states | {event.wave: UNDER_WAY}
            case Kind.HOST_BEGIN:
                self.rows[event.host] = Row(is_begun=True, since=now)
            case Kind.STEP:
                row = self.rows[event.host]
                row.step, row.since = event.step, now
            case Kind.HOST_END:
                self.rows[event.host].outcome = event.outcome
            case Kind.BAKE:
                self.change_seconds.append(now - self.wave_began)
                self.bake_began = now
            case Kind.READING if event.reading:
                series = self.readings.setdefault((event.host, event.reading.probe), deque(maxlen=MOST_VALUES))
                series.append(event.reading)
            case Kind.WAVE_PASSED | Kind.PROMOTED:
                self.states[event.wave] = PASSED
            case Kind.WAVE_FAILED:
                self.states[event.wave] = FAILED
            case Kind.ROLLBACK:
                self.is_going_back = True

    @property
    def is_baking(self) -> bool:
        return bool(self.bake_began) and self.states.get(self.wave) == UNDER_WAY

    @property
    def under_way(self) -> list[str]:
        return [name for name, row in self.rows.items() if row.is_under_way]

    @property
    def to_come(self) -> list[str]:
        return [name for name, row in self.rows.items() if not row.is_begun and row.outcome is None]

    def seconds_left(self, now: float) -> float | None:
        """The seconds until the end if all goes well; None where nothing tells."""
        if not self.bakes or self.is_going_back:
            return None
        waves_to_come = len(self.waves) - self.wave
        if waves_to_come and not self.change_seconds:
            return None
        mean = sum(self.change_seconds) / len(self.change_seconds) if self.change_seconds else 0
        bake = self.bakes[self.wave - 1] if self.wave else 0
        change = 0 if self.bake_began else max(0, mean - (now - self.wave_began))
        left = max(0, bake - (now - self.bake_began)) if self.bake_began else bake
        return change + left + waves_to_come * mean + sum(self.bakes[self.wave :])

    def on_ctrl_c(self) -> str:
        """The words for somebody who pressed Ctrl-C: what happens now, and to whom."""
        ends = f"{named(self.under_way)} first come to the end of their change" if self.under_way else ""
        rest = f"{named(self.to_come)} {'is' if len(self.to_come) == 1 else 'are'} not begun" if self.to_come else ""
        what = "; ".join(filter(None, (ends, rest))) or "no host is being changed"
        is_paused = self.bakes and not self.is_going_back
        paused = ". Then it is paused: jada resume goes on, jada abort sends all back" if is_paused else ""
        again = "Ctrl-C again leaves at once; hosts then finish or undo the change by themselves"
        return f"{what}{paused}. {again}."


def render(board: Board, now: float, width: int, height: int, is_utf8: bool = True) -> list[Text]:
    """The lines of a board, no wider and no more than the terminal has room for."""
    from rich.text import Text

    lines = [Text(_heading(board, now))]
    if board.bakes:
        lines += [_wave(board, number, now, is_utf8) for number in range(1, len(board.waves) + 1)]
    if board.is_baking:
        lines += _readings(board, is_utf8)
    room = max(LEAST_ROWS, height - len(lines) - MARGIN)
    lines += _hosts(board, now, room)
    for line in lines:
        line.truncate(width - 1, overflow="ellipsis")
    return lines


def clock(seconds: float) -> str:
    """A span of time as a clock shows it: 0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _heading(board: Board, now: float) -> str:
    ended = [row.outcome for row in board.rows.values() if row.outcome]
    failed = sum(not outcome.ok for outcome in ended)
    left = board.seconds_left(now)
    parts = (
        f"Release {board.release}",
        "going back" if board.is_going_back else f"{len(ended)} of {plural(len(board.rows), 'host')}",
        f"{failed} failed" if failed else "",
        clock(now - board.began),
        "" if left is None else f"about {clock(left)} left",
    )
    return " | ".join(filter(None, parts))


def _wave(board: Board, number: int, now: float, is_utf8: bool) -> Text:
    state = board.states.get(number, TO_COME)
    names = board.waves[number - 1]
    mark = {PASSED: "✓", FAILED: "✗", TO_COME: "•"}.get(state, "▶")
    if state == UNDER_WAY and board.is_baking:
        passed, whole = now - board.bake_began, board.bakes[number - 1]
        state = f"bakes {clock(passed)} of {clock(whole)}  {_bar(passed / whole, is_utf8)}"
    elif state == UNDER_WAY:
        ended = sum(board.rows[name].outcome is not None for name in names)
        state = f"{ended} of {len(names)} changed"
    width = max(len(plural(len(wave), "host")) for wave in board.waves)
    return _line(mark, f"Wave {number:>{len(str(len(board.waves)))}}", plural(len(names), "host").ljust(width), state)


def _bar(share: float, is_utf8: bool) -> str:
    done, rest = ("━", "─") if is_utf8 else ("#", ".")
    full = min(BAR, int(share * BAR))
    return done * full + rest * (BAR - full)


def _readings(board: Board, is_utf8: bool) -> Iterator[Text]:
    """A line for each probe, of the host on which it says the gravest, and of no more than MOST_PROBES."""
    worst: dict[str, tuple[str, deque[Judgement]]] = {}
    for (host, probe), series in board.readings.items():
        if probe not in worst or _gravity(series[-1]) > _gravity(worst[probe][1][-1]):
            worst[probe] = host, series
    telling = [(host, series) for host, series in worst.values() if _gravity(series[-1]) != _gravity(None)]
    for host, series in sorted(telling, key=lambda each: _gravity(each[1][-1]), reverse=True)[:MOST_PROBES]:
        reading = series[-1]
        values = [value.value for value in series if value.value is not None]
        chart = sparkline(values, reading.bound, is_utf8)
        text = f"{visible(reading.text)} ({visible(host)})"
        yield _line(VERDICTS[reading.verdict], f"{visible(reading.probe)} {chart}".rstrip(), text)


def _gravity(reading: Judgement | None) -> tuple[int, float]:
    """The rank of what a probe says, which is nothing where it passes without a value: that of None."""
    if reading is None or (reading.verdict is Verdict.PASSED and reading.value is None):
        return -1, 0.0
    share = (reading.value or 0) / reading.bound if reading.bound else reading.value or 0
    return (Verdict.PASSED, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.FAILED).index(reading.verdict), share


def sparkline(values: Sequence[float], bound: float | None, is_utf8: bool = True) -> str:
    """Numbers as a line of bars from 0 to the greatest of them, or to the bound where that is more."""
    bars = "▁▂▃▄▅▆▇█" if is_utf8 else "_.-=+*#@"
    # Of nothing but zeros, each is the least.
    most = max([*values, bound or 0], default=0) or 1
    return "".join(bars[min(len(bars) - 1, int(max(0, value) / most * len(bars)))] for value in values)


def _hosts(board: Board, now: float, room: int) -> Iterator[Text]:
    """A line for each host whose end has left no line yet; where there is no room for all, those under way first."""
    left = {name: row for name, row in board.rows.items() if row.outcome is None}
    first = sorted(left, key=lambda name: not left[name].is_begun)
    shown = set(first if len(first) <= room else first[: room - 1])
    width = max((len(visible(name)) for name in shown), default=0)
    for name, row in left.items():
        if name in shown:
            mark, text = _state(row, now, board.settle)
            yield _line(mark, visible(name).ljust(width), text)
    if folded := [row for name, row in left.items() if name not in shown]:
        counts = Counter("under way" if row.is_begun else TO_COME for row in folded)
        yield _line(" ", f"and {len(folded)} more: {', '.join(f'{count} {text}' for text, count in counts.items())}")


def _state(row: Row, now: float, settle: int) -> tuple[str, str]:
    if not row.is_begun:
        return "•", TO_COME
    seconds = int(now - row.since)
    if row.step == "settle":
        return "▶", f"settling {min(settle, seconds)}/{settle} s"
    # Not every way to a host tells its steps.
    return "▶", f"{STEPS.get(row.step, 'being changed')} {seconds} s"


def _line(mark: str, *parts: str) -> Text:
    from rich.text import Text

    return Text.assemble("  ", (mark, STYLES.get(mark, "")), " ", "  ".join(parts))
