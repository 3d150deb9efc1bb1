"""The state of a rollout while it goes on, and how it looks on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from jada.cli.records.model import HostOutcome
from jada.cli.rollout.board import Board, clock, render, sparkline
from jada.cli.rollout.events import Event, Kind
from jada.tasks.measure import Judgement, Verdict

WAVES = (("web-1",), ("web-2", "web-3", "web-4"))


def board(*events: tuple[float, Event], waves: tuple[tuple[str, ...], ...] = WAVES) -> Board:
    """A board of two waves, of which the first bakes for two minutes, once these events have happened."""
    state = Board("r1", waves, (120, 0), settle=5)
    for at, event in ((0.0, Event(kind=Kind.BEGIN, waves=waves)), *events):
        state.apply(event, at)
    return state


def shown(state: Board, now: float, width: int = 80, height: int = 24) -> list[str]:
    """The lines on a terminal of that size, in plain characters."""
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    for line in render(state, now, width, height):
        console.print(line, soft_wrap=True)
    return console.export_text().splitlines()


def begun(host: str) -> Event:
    return Event(kind=Kind.HOST_BEGIN, host=host)


def step(host: str, name: str) -> Event:
    return Event(kind=Kind.STEP, host=host, step=name)


def ended(host: str, outcome: HostOutcome = HostOutcome.VERIFIED, why: str = "") -> Event:
    return Event(kind=Kind.HOST_END, host=host, outcome=outcome, why=why)


def wave(kind: Kind, number: int, seconds: float = 0) -> Event:
    return Event(kind=kind, wave=number, seconds=seconds)


FIRST_WAVE = (
    (0.0, wave(Kind.WAVE_BEGIN, 1)),
    (0.0, begun("web-1")),
    (10.0, ended("web-1", why="reported by its model check")),
    (10.0, wave(Kind.BAKE, 1, 120)),
)
SECOND_WAVE = (
    *FIRST_WAVE,
    (130.0, wave(Kind.WAVE_PASSED, 1)),
    (130.0, wave(Kind.WAVE_BEGIN, 2)),
    (130.0, begun("web-2")),
    (130.0, begun("web-3")),
    (131.0, step("web-2", "settings")),
    (131.0, step("web-3", "settle")),
)


def test_each_host_that_has_not_come_to_its_end_has_a_line_with_its_step_and_since_when() -> None:
    assert shown(board(*SECOND_WAVE), 134) == [
        "Release r1 | 1 of 4 hosts | 2:14 | about 0:06 left",
        "  ✓ Wave 1  1 host   passed",
        "  ▶ Wave 2  3 hosts  0 of 3 changed",
        "  ▶ web-2  writing 3 s",
        "  ▶ web-3  settling 3/5 s",
        "  • web-4  to come",
    ]


def test_a_bake_is_a_clock_and_a_bar() -> None:
    lines = shown(board(*FIRST_WAVE), 70)
    assert lines[1] == "  ▶ Wave 1  1 host   bakes 1:00 of 2:00  ━━━━━━━━━━──────────"
    # The rest of the bake, and as long as the first wave took.
    assert lines[0].endswith("about 1:10 left")


def test_a_bake_that_waits_for_longer_ends_its_bar() -> None:
    assert shown(board(*FIRST_WAVE), 10 + 300)[1].endswith("bakes 5:00 of 2:00  " + "━" * 20)


def test_nobody_knows_how_long_before_a_wave_was_changed() -> None:
    assert (
        shown(board((0.0, wave(Kind.WAVE_BEGIN, 1)), (1.0, begun("web-1"))), 3)[0] == "Release r1 | 0 of 4 hosts | 0:03"
    )


def test_a_way_back_is_told_host_by_host() -> None:
    failed = (
        (40.0, ended("web-1", HostOutcome.UNPROVEN, "what runs is not what was asked for")),
        (40.0, wave(Kind.WAVE_FAILED, 1)),
        (40.0, Event(kind=Kind.ROLLBACK, hosts=("web-1",))),
        (40.0, begun("web-1")),
        (41.0, step("web-1", "files")),
    )
    lines = shown(board(*FIRST_WAVE, *failed), 42)
    assert lines[:2] == ["Release r1 | going back | 0:42", "  ✗ Wave 1  1 host   failed"]
    assert lines[3] == "  ▶ web-1  putting files back 1 s"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 40), (20, 10), (80, 5)])
def test_a_fleet_has_no_more_lines_and_columns_than_the_terminal(width: int, height: int) -> None:
    names = tuple(f"host-of-a-long-name-{number}" for number in range(200))
    state = board(
        (0.0, wave(Kind.WAVE_BEGIN, 1)),
        *((1.0, begun(name)) for name in names[:50]),
        *((2.0, ended(name, why="a long sentence " * 20)) for name in names[:20]),
        (2.0, ended(names[30], HostOutcome.ROLLED_BACK)),
        waves=(names[:100], names[100:]),
    )
    lines = shown(state, 9, width, height)
    assert max(map(len, lines)) < width
    assert len(lines) <= max(height - 1, 6)
    # Each has left its line above; how many failed is told here too.
    assert "1 failed" in lines[0] or width < 80
    assert lines[-1].startswith("    and ")


def test_what_is_folded_is_counted_and_those_under_way_come_first() -> None:
    names = tuple(f"h{number}" for number in range(30))
    state = board((0.0, wave(Kind.WAVE_BEGIN, 1)), *((1.0, begun(name)) for name in names[10:]), waves=(names, ("x",)))
    assert shown(state, 2, height=12)[3:] == [
        *(f"  ▶ h{number}  being changed 1 s" for number in range(10, 16)), "    and 25 more: 11 to come, 14 under way",
    ]  # fmt: skip


def test_names_and_reasons_move_no_cursor() -> None:
    name = "a\x1b[2J[red]"
    text = "\n".join(shown(board((0.0, begun(name)), waves=((name,), ("b",))), 2))
    assert "\x1b" not in text
    assert r"a\x1b[2J[red]" in text


def test_a_terminal_that_is_not_utf8_gets_a_bar_all_the_same() -> None:
    (_, line, *_) = render(board(*FIRST_WAVE), 70, 80, 24, is_utf8=False)
    assert line.plain.endswith("##########..........")


def test_ctrl_c_says_what_happens_to_whom() -> None:
    text = board(*SECOND_WAVE).on_ctrl_c()
    assert text.startswith(
        "web-2, web-3 first come to the end of their change; web-4 is not begun. Then it is paused: "
    )
    assert board(*FIRST_WAVE).on_ctrl_c().startswith("web-2, web-3, web-4 are not begun. Then")
    done = Board("r1", (("web-1",),), (), settle=5)
    done.apply(ended("web-1"), 1)
    assert done.on_ctrl_c().startswith("no host is being changed. Ctrl-C again")


def test_one_that_is_gone_on_with_begins_where_it_was() -> None:
    """web-3 is gone meanwhile."""
    left = (("web-1",), ("web-2", "web-4"))
    state = board((0.0, Event(kind=Kind.BEGIN, waves=left)), (0.0, ended("web-1")), (1.0, wave(Kind.WAVE_BEGIN, 2)))
    assert shown(state, 2)[1:] == [
        "  ✓ Wave 1  1 host   passed",
        "  ▶ Wave 2  2 hosts  0 of 2 changed",
        "  • web-2  to come",
        "  • web-4  to come",
    ]


def test_ctrl_c_on_the_way_back_pauses_nothing() -> None:
    state = board(*FIRST_WAVE, (40.0, Event(kind=Kind.ROLLBACK, hosts=("web-1",))), (40.0, begun("web-1")))
    assert "paused" not in state.on_ctrl_c()


def test_a_clock() -> None:
    assert [clock(seconds) for seconds in (0, 7.9, 90, 3723)] == ["0:00", "0:07", "1:30", "1:02:03"]


def reading(host: str, value: float | None, verdict: Verdict = Verdict.PASSED, probe: str = "requests") -> Event:
    text = f"{value} of 9" if value is not None else "not measured yet"
    judgement = Judgement(
        probe=probe, measure="failed", unit="%", verdict=verdict, text=text, value=value, bound=10.0, count=9
    )
    return Event(kind=Kind.READING, host=host, reading=judgement)


def test_while_a_wave_bakes_each_probe_has_a_line_of_the_host_where_it_is_gravest() -> None:
    state = board(
        *FIRST_WAVE,
        *((20.0 + at, reading("web-1", float(at))) for at in range(8)),
        (30.0, reading("web-2", 1.0)),
        (30.0, reading("web-1", None, Verdict.INCONCLUSIVE, "latency")),
        (30.0, reading("web-1", None, probe="fallbacks")),
    )
    assert shown(state, 40)[3:5] == [
        "  • latency  not measured yet (web-1)",
        "  ✓ requests ▁▁▂▃▄▅▅▆  7.0 of 9 (web-1)",
    ]
    state.apply(reading("web-2", 12.0, Verdict.FAILED), 41)
    assert shown(state, 42)[3] == "  ✗ requests ▁█  12.0 of 9 (web-2)"
    state.apply(wave(Kind.WAVE_PASSED, 1), 43)
    assert "requests" not in "\n".join(shown(state, 44))


def test_many_probes_leave_room_for_hosts() -> None:
    state = board(*FIRST_WAVE, *((20.0, reading("web-1", 1.0, probe=f"p{number}")) for number in range(9)))
    assert sum("  p" not in line and "✓ p" in line for line in shown(state, 30)) == 4
    assert shown(state, 30)[-1] == "  • web-4  to come"


def test_a_sparkline_reaches_from_zero_to_the_bound_or_beyond() -> None:
    assert sparkline([0, 5, 10], 10) == "▁▅█"
    assert sparkline([0, 5, 20], 10) == "▁▃█"
    assert sparkline([0, 0], 0) == "▁▁"
    assert sparkline([-1, 3], None, is_utf8=False) == "_@"
    assert sparkline([], 5) == ""
