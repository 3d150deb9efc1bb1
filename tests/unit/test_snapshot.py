"""What a snapshot holds and what it is bound to; and how long a unit's restart may take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from jada import Service
from jada.tasks import checks, plan, release
from jada.tasks.plan import Request
from jada.tasks.release import Release, Wanted
from jada.tasks.state import File, Past, State, _duration

Host = Callable[..., State]
ID = "20261124-120000-aaaa"
REQUEST = Request("20261124-130000-bbbb", "fleet", "ann@box", "2026-11-24T13:00:00+00:00", 2_147_483_646)
BACK = replace(REQUEST, id="20261124-140000-cccc")
SERVICE = Service("jada-agent.service", "~/.claude/settings.json", "http://127.0.0.1:8787/healthz", 5)
OPUS, HAIKU = "claude-opus-5", "claude-haiku-4.5"
EDITED = File("1000:1000", "600", "9" * 64)


def by_hand(host: Host, model: str = HAIKU) -> State:
    """A host whose settings.json somebody edited since its release."""
    return host(settings={"file": EDITED, "text": f'{{"model": "{model}"}}'})


def upgraded(state: State) -> State:
    """The same host after an upgrade to OPUS."""
    made = plan.upgrade(REQUEST, "r", OPUS, state, SERVICE).transaction
    assert made
    return replace(state, release=made.release, after={})


def test_a_hand_edit_is_what_the_way_back_leads_to(host: Host) -> None:
    now = upgraded(by_hand(host))
    assert now.release
    assert now.release.before == Wanted(HAIKU, 1_048_576, 2_147_483_646, "", ID)
    assert Release.from_json(now.release.to_json()) == now.release
    back = plan.rollback(BACK, "r", "", now, SERVICE)
    assert back.diff[0][0] == (
        f"back to release {ID} as it was edited by hand before release {REQUEST.id}, byte for byte, and restart"
    )
    assert f"+model {HAIKU}" in back.diff[0]
    # And judged by what it is: the host that runs it is in sync.
    assert back.transaction
    there = by_hand(host)
    runs = replace(there, release=back.transaction.release, after={}, health=replace(there.health, model=HAIKU))
    assert not [finding for finding in checks.drift(runs) if finding.is_error]


def test_a_torn_file_asks_for_no_model(host: Host) -> None:
    torn = host(settings={"file": EDITED, "text": '{\n  "model": "claude-son'})
    back = plan.rollback(REQUEST, "r", "", torn, SERVICE)
    assert back.transaction
    assert back.transaction.release.before == Wanted("", 1_048_576, 2_147_483_646, "", ID)
    assert "was edited since" in back.notes[0]


@pytest.mark.parametrize("name", ["dropin", "limits"])
def test_limits_that_were_edited_are_nobodys_to_judge(host: Host, name: str) -> None:
    now = upgraded(host(**{name: File("0:0", "644", "9" * 64)}))
    assert now.release
    assert now.release.before == Wanted("claude-sonnet-4.6", 0, 0, "", ID)


def test_what_nobody_edited_is_the_release(host: Host) -> None:
    now = upgraded(host())
    assert now.release
    assert now.release.before == Wanted("claude-sonnet-4.6", 1_048_576, 2_147_483_646, ID)


OTHERS = {
    "another group": {"gid": 1001},
    "another file": {"settings": {"real": "/home/agent/dots/claude.json"}},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_a_snapshot_goes_to_no_other_place(host: Host, changes: dict[str, object]) -> None:
    refused = plan.rollback(REQUEST, "r", "", host(**changes), SERVICE)
    assert refused.transaction is None
    assert (
        "its snapshot is of /home/agent/.claude/settings.json of user 1000, for jada-agent.service" in refused.refusal
    )
    assert f"/var/lib/jada/releases/{ID}/before/settings" in refused.refusal


def test_nor_to_another_service(host: Host) -> None:
    other = replace(SERVICE, unit="other.service")
    assert "for jada-agent.service, and the service" in plan.rollback(REQUEST, "r", "", host(), other).refusal


def test_each_release_of_the_history_is_bound_too(host: Host) -> None:
    older = release.upgrade("20261123-120000-aaaa", Wanted(HAIKU, 0), Wanted(OPUS, 1, 1))
    state = host(
        history=(Past(older, "", ("1001", "1001", "jada-agent.service", "", "/home/x/.claude", "settings.json")),)
    )
    assert "/home/x/.claude/settings.json of user 1001" in plan.rollback(REQUEST, "r", HAIKU, state, SERVICE).refusal


TIMES = {
    "1min 30s": 90,
    "5min": 300,
    "infinity": math.inf,
    "0": 0,
    "100ms": 0.1,
    "1h 2min 3s": 3723,
    "": 90,
    "1month": 2629800,
}


@pytest.mark.parametrize(("text", "seconds"), TIMES.items())
def test_a_units_times_are_read_as_systemd_tells_them(text: str, seconds: float) -> None:
    assert _duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("stop", "start", "told"),
    [
        (90.0, 90.0, ""),
        (90.0, math.inf, ""),
        (150.0, 90.0, "a restart may take up to 500 s: TimeoutStopSec=150 in jada-agent.service"),
        (math.inf, 90.0, "a restart may take up to 3600 s: TimeoutStopSec=infinity in jada-agent.service"),
        (20.0, 600.0, "a restart may take up to 1260 s: TimeoutStartSec=600 in jada-agent.service"),
    ],
)
def test_a_change_waits_as_long_as_the_unit_may_take(host: Host, stop: float, start: float, told: str) -> None:
    state = host(unit={"stop": stop, "start": start})
    for made in (plan.upgrade(REQUEST, "r", OPUS, state, SERVICE), plan.rollback(REQUEST, "r", "", state, SERVICE)):
        assert made.transaction
        assert [note for note in made.notes if "a restart may" in note] == ([told] if told else [])
        assert f"RESTART_TIMEOUT={state.unit.restart:.0f}\n" in made.transaction.script()
        assert made.transaction.longest > 2 * state.unit.restart
