"""The state of a rollout while it goes on, put together from its events, and how it looks on a terminal. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jada.cli.records.model import HostOutcome
from jada.cli.rollout.events import Event, Kind
from jada.cli.rollout.waves import Waves
from jada.cli.ui.console import named, plural, visible

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
LEAST_ROWS = 3
STYLES = {"✓": "green", "✗": "red", "▶": "cyan", "•": "dim"}


@dataclass(slots=True)
class Row:
    """A host: the step that it is at since a moment (monotonic), and how it ended."""

    is_begun: bool = False
    step: str = ""
    since: float = 0
    outcome: HostOutcome | None = None
    why: str = ""

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

    def __post_init__(self) -> None:
        self.rows = {name: Row() for wave in self.waves for name in wave}

    def apply(self, event: Event, now: float) -> None:
        """Takes an event in that happened now (monotonic)."""
        match event.kind:
            case Kind.BEGIN:
                self.began = now
            case Kind.WAVE_BEGIN:
                self.wave, self.wave_began, self.bake_began = event.wave, now, 0
                self.states[event.wave] = UNDER_WAY
            case Kind.HOST_BEGIN:
                self.rows[event.host] = Row(is_begun=True, since=now)
            case Kind.STEP:
                row = self.rows[event.host]
                row.step, row.since = event.step, now
            case Kind.HOST_END:
                row = self.rows[event.host]
                row.outcome, row.why = event.outcome, event.why
            case Kind.BAKE:
                self.change_seconds.append(now - self.wave_began)
                self.bake_began = now
            case Kind.WAVE_PASSED | Kind.PROMOTED:
                self.states[event.wave] = PASSED
            case Kind.WAVE_FAILED:
                self.states[event.wave] = FAILED
            case Kind.ROLLBACK:
                self.is_going_back = True
            case Kind.END:
                pass

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
        paused = ". Then it is paused: jada resume goes on, jada abort sends all back" if self.bakes else ""
        again = "Ctrl-C again leaves at once; hosts then finish or undo the change by themselves"
        return f"{what}{paused}. {again}."


def render(board: Board, now: float, width: int, height: int, is_utf8: bool = True) -> list[Text]:
    """The lines of a board, no wider and no more than the terminal has room for."""
    from rich.text import Text

    lines = [Text(_heading(board, now))]
    if board.bakes:
        lines += [_wave(board, number, now, is_utf8) for number in range(1, len(board.waves) + 1)]
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
    ended = sum(row.outcome is not None for row in board.rows.values())
    left = board.seconds_left(now)
    parts = (
        f"Release {board.release}",
        "going back" if board.is_going_back else f"{ended} of {plural(len(board.rows), 'host')}",
        clock(now - board.began),
        "" if left is None else f"about {clock(left)} left",
    )
    return " | ".join(filter(None, parts))


def _wave(board: Board, number: int, now: float, is_utf8: bool) -> Text:
    state = board.states.get(number, TO_COME)
    names = board.waves[number - 1]
    mark = {PASSED: "✓", FAILED: "✗", TO_COME: "•"}.get(state, "▶")
    if state == UNDER_WAY and board.bake_began:
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


def _hosts(board: Board, now: float, room: int) -> Iterator[Text]:
    """A line for each host or, where they are more than there is room for, for those that matter most."""
    shown = set(sorted(board.rows, key=lambda name: _weight(board.rows[name]))[:room])
    if len(shown) < len(board.rows):
        shown = set(sorted(board.rows, key=lambda name: _weight(board.rows[name]))[: room - 1])
    width = max((len(visible(name)) for name in shown), default=0)
    for name, row in board.rows.items():
        if name in shown:
            mark, text = _state(row, now, board.settle)
            yield _line(mark, visible(name).ljust(width), text)
    if folded := [row for name, row in board.rows.items() if name not in shown]:
        yield _line(" ", f"and {len(folded)} more: {_counted(folded)}")


def _weight(row: Row) -> int:
    """The place of a host among those that are shown: failed before under way before ended before those to come."""
    if row.outcome:
        return 2 if row.outcome.ok else 0
    return 1 if row.is_begun else 3


def _counted(rows: Sequence[Row]) -> str:
    counts = Counter(row.outcome.label if row.outcome else "under way" if row.is_begun else TO_COME for row in rows)
    return ", ".join(f"{count} {label}" for label, count in counts.items())


def _state(row: Row, now: float, settle: int) -> tuple[str, str]:
    if row.outcome:
        text = row.outcome.label + (f": {visible(row.why)}" if row.why else "")
        return "✓" if row.outcome.ok else "✗", text
    if not row.is_begun:
        return "•", TO_COME
    if row.step == "settle":
        return "▶", f"settling {min(settle, int(now - row.since))}/{settle} s"
    return "▶", STEPS.get(row.step, "begun")


def _line(mark: str, *parts: str) -> Text:
    from rich.text import Text

    return Text.assemble("  ", (mark, STYLES.get(mark, "")), " ", "  ".join(parts))
