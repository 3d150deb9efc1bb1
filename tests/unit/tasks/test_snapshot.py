"""The content of a snapshot and the place it is bound to; and the time that a unit's restart may take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jada import ModelCheck, Service, Tiers
from jada.tasks import checks, effective, plan, release
from jada.tasks.look_reader import _duration
from jada.tasks.plan import Request
from jada.tasks.release import Desired, Release
from jada.tasks.state import File, Folder, HistoryEntry, ModelReport, State, Way
from tests.unit.conftest import back_alone

Host = Callable[..., State]
ID = "20261124-120000-aaaa"
REQUEST = Request("20261124-130000-bbbb", "fleet", "ann@box", "2026-11-24T13:00:00+00:00", 2_147_483_646)
BACK = replace(REQUEST, id="20261124-140000-cccc")
SERVICE = Service(model_check=ModelCheck(url="http://127.0.0.1:8787/healthz"), settle=5)
OPUS, HAIKU = "claude-opus-5", "claude-haiku-4.5"
EDITED = File("1000:1000", "600", "9" * 64)


def by_hand(host: Host, model: str = HAIKU) -> State:
    """A host whose settings.json somebody edited since its release."""
    return host(settings={"file": EDITED, "text": f'{{"model": "{model}"}}'})


def upgraded(state: State) -> State:
    """The same host after an upgrade to OPUS."""
    transaction = plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE).transaction
    assert transaction
    return replace(state, release=transaction.release, after={})


def test_a_hand_edit_is_what_the_way_back_leads_to(host: Host) -> None:
    now = upgraded(by_hand(host))
    assert now.release
    assert now.release.before == Desired(HAIKU, 1_048_576, 2_147_483_646, "", ID)
    assert Release.from_json(now.release.to_json()) == now.release
    back = back_alone(BACK, now, SERVICE)
    assert back.diff[0][0] == (
        f"back to release {ID} as it was edited by hand before release {REQUEST.id}, byte for byte, and restart"
    )
    assert f"+model {HAIKU}" in back.diff[0]
    # And judged by what it is: the host that runs it is in sync.
    assert back.transaction
    state = by_hand(host)
    runs = replace(state, release=back.transaction.release, after={}, report=replace(state.report, model=HAIKU))
    assert not [finding for finding in checks.drift(runs) if finding.is_error]


def test_a_torn_file_asks_for_no_model(host: Host) -> None:
    torn = host(settings={"file": EDITED, "text": '{\n  "model": "claude-son'})
    back = back_alone(REQUEST, torn, SERVICE)
    assert back.transaction
    assert back.transaction.release.before == Desired("", 1_048_576, 2_147_483_646, "", ID)
    assert "was edited since" in back.notes[0]
    # Only where jada never was, nothing was asked for before it.
    assert back.diff[0][1:] == (
        "-model as edited by hand", f"+model {HAIKU}", "-open files 1048576", "+open files as before jada"
    )  # fmt: skip


@pytest.mark.parametrize("name", ["dropin", "limits"])
def test_limits_that_were_edited_are_nobodys_to_judge(host: Host, name: str) -> None:
    now = upgraded(host(**{name: File("0:0", "644", "9" * 64)}))
    assert now.release
    assert now.release.before == Desired("claude-sonnet-4.6", 0, 0, "", ID)


def test_what_nobody_edited_is_the_release(host: Host) -> None:
    now = upgraded(host())
    assert now.release
    assert now.release.before == Desired("claude-sonnet-4.6", 1_048_576, 2_147_483_646, ID)


OTHERS = {
    "another group": {"gid": 1001},
    "another home": {"home": "/home/x", "home_real": "/home/x", "settings": {"path": "/home/x/.claude/settings.json"}},
    "another file": {"settings": {"path": "/srv/claude.json"}},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_a_snapshot_goes_to_no_other_place(host: Host, changes: dict[str, object]) -> None:
    refused = back_alone(REQUEST, host(**changes), SERVICE)
    assert refused.transaction is None
    assert (
        "its snapshot is of /home/agent/.claude/settings.json of user 1000, for jada-agent.service" in refused.refusal
    )
    assert f"/var/lib/jada/releases/{ID}/before/settings" in refused.refusal


def test_where_a_link_leads_now_is_the_users_word(host: Host) -> None:
    """It keeps no snapshot from the place where it was taken, by root's own record."""
    elsewhere = host(settings={"real": "/home/agent/dots/claude.json"})
    back = back_alone(REQUEST, elsewhere, SERVICE)
    assert back.transaction
    assert back.transaction.place == host().place
    assert "now leads to /home/agent/dots/claude.json; the snapshot is of /home/agent/.claude/" in back.notes[0]
    linked = ("1000", "1000", "jada-agent.service", "yes", "/home/agent/dots", "claude.json")
    for real in ("/home/agent/dots/claude.json", "/home/agent/.claude/settings.json", "/etc/x"):
        back = back_alone(REQUEST, host(place=linked, settings={"real": real}), SERVICE)
        assert back.transaction
        assert back.transaction.place == linked


FORGED: dict[str, dict[str, object]] = {
    "a link out of the home": {"settings": {"real": "/etc/shadow"}},
    "an odd path": {"settings": {"real": "/home/agent/a\nb"}},
    "a link to nothing": {"way": {"is_dangling": True, "links": ("/home/agent/.claude",)}},
    "a folder of another's": {"way": {"folders": (Folder("/home/agent/.claude", 5, "drwxrwxrwx"),)}},
    "a file of another's": {"settings": {"file": File("5:5", "777", "f" * 64), "names": 9}},
    "no regular file": {"settings": {"problem": "it is not a regular file"}},
    "nothing": {"unseen": "it was cut off", "settings": {"real": "", "text": None, "file": File()}, "way": Way()},
}


@pytest.mark.parametrize("changes", FORGED.values(), ids=FORGED)
def test_nothing_that_the_user_says_stands_in_the_way_back(host: Host, changes: dict[str, Any]) -> None:
    back, usual = (back_alone(REQUEST, state, SERVICE).transaction for state in (host(**changes), host()))
    assert back
    assert usual
    script = back.script()
    assert "FOLDER=/home/agent/.claude\nNAME=settings.json\n" in script
    assert "\nEXPECTED=''\n" in script
    assert (back.release.desired, back.release.restores) == (usual.release.desired, ID)
    assert plan.upgrade(REQUEST, "r", Tiers(OPUS), host(**changes), SERVICE).refusal


def test_what_could_not_be_seen_is_told_and_proves_nothing(host: Host) -> None:
    blind: dict[str, Any] = {
        "unseen": "it was cut off", "settings": {"real": "", "text": None, "file": File()}, "way": Way(),
    }  # fmt: skip
    back = back_alone(REQUEST, host(**blind), SERVICE)
    assert back.notes[0].startswith(
        "what agent owns could not be seen (it was cut off): this goes by root's own records"
    )
    # Nobody knows of an edit.
    assert back.transaction
    assert back.transaction.release.before == host(**blind).release.desired  # type: ignore[union-attr]
    refused = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(**blind), SERVICE).refusal
    assert refused.startswith("what agent owns could not be seen (it was cut off), so nothing tells what would run")
    assert effective.resolve(host(**blind), effective.next_start(host(**blind))).model == effective.UNKNOWN
    # The service's own word is one that root hears.
    codes = {finding.code: finding.is_error for finding in checks.drift(host(**blind))}
    assert codes == {"J411": False}
    for release_of in (host().release, replace(host().release, desired=Desired("", 0))):  # type: ignore[type-var]
        silent = host(**blind, release=release_of, report=ModelReport())
        assert checks.running_model(silent) == ""
        assert {finding.code: finding.is_error for finding in checks.drift(silent)} == {"J411": False, "J112": True}
    dumb = host(**blind, report=ModelReport(by="url", error="curl ended with 7"))
    assert {finding.code for finding in checks.drift(dumb)} == {"J411", "J112", "J105"}


OLDER, OLDEST = "20261123-120000-aaaa", "20261122-120000-aaaa"


def damaged(host: Host, *whole: str, previous: str = "") -> State:
    """A host whose current manifest is torn, and which keeps two older releases."""
    first = release.upgrade(OLDEST, Desired("", 0), Desired(HAIKU, 4096, 4096))
    second = release.upgrade(OLDER, first.desired, Desired(OPUS, 4096, 4096))
    failed = release.upgrade("20261123-130000-aaaa", second.desired, Desired(HAIKU, 4096, 4096))
    current = Release(ID, "upgrade", Desired("", 0, edited=ID), second.desired)
    past = ((first, ""), (second, ""), (failed, "crashed"))
    return host(
        release=current, previous=second, damage=f"/var/lib/jada/releases/{ID}/manifest.json: the manifest is not JSON",
        history=tuple(HistoryEntry(entry, why, host().place) for entry, why in past),
        whole=frozenset({*whole, failed.id}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("whole", "undone", "expected"),
    [
        ((ID, OLDER, OLDEST), ID, f"its snapshot, of before release {ID}, is whole and goes back"),
        ((OLDER, OLDEST), OLDER, f"the next older one goes back, of before release {OLDER}"),
        ((OLDEST,), OLDEST, f"the next older one goes back, of before release {OLDEST}"),
    ],
)
def test_a_torn_manifest_leaves_the_way_back(host: Host, whole: tuple[str, ...], undone: str, expected: str) -> None:
    back = back_alone(REQUEST, damaged(host, *whole), SERVICE)
    assert back.transaction
    new = back.transaction.release
    assert new.restores == undone
    assert new.desired.model == {ID: OPUS, OLDER: HAIKU, OLDEST: ""}[undone]
    assert Release.from_json(new.to_json()) == new
    assert f"\nCURRENT={ID}\n" in back.transaction.script()
    assert back.notes[0].startswith(f"/var/lib/jada/releases/{ID}/manifest.json: the manifest is not JSON; ")
    assert expected in back.notes[0]


def test_a_torn_manifest_is_a_finding_and_an_upgrade_fixes_it(host: Host) -> None:
    state = damaged(host)
    refused = back_alone(REQUEST, state, SERVICE).refusal
    assert "and no snapshot in /var/lib/jada/releases is whole: jada upgrade puts" in refused
    findings = {finding.code: finding for finding in checks.drift(state)}
    assert findings["J412"].is_error
    assert f"releases/{ID}/manifest.json" in findings["J412"].actual
    transaction = plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE).transaction
    assert transaction
    assert Release.from_json(transaction.release.to_json()) == transaction.release
    assert f"\nCURRENT={ID}\n" in transaction.script()


def test_nor_to_another_service(host: Host) -> None:
    other = replace(SERVICE, unit="other.service")
    assert "for jada-agent.service, and the service" in back_alone(REQUEST, host(), other).refusal


def test_each_release_of_the_history_is_bound_too(host: Host) -> None:
    older = release.upgrade("20261123-120000-aaaa", Desired(HAIKU, 0), Desired(OPUS, 1, 1))
    state = host(
        history=(
            HistoryEntry(older, "", ("1001", "1001", "jada-agent.service", "", "/home/x/.claude", "settings.json")),
        )
    )
    assert "/home/x/.claude/settings.json of user 1001" in back_alone(REQUEST, state, SERVICE, HAIKU).refusal


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
    ("stop", "start", "expected"),
    [
        (90.0, 90.0, ""),
        (90.0, math.inf, ""),
        (150.0, 90.0, "a restart may take up to 500 s: TimeoutStopSec=150 in jada-agent.service"),
        (math.inf, 90.0, "a restart may take up to 3600 s: TimeoutStopSec=infinity in jada-agent.service"),
        (20.0, 600.0, "a restart may take up to 1260 s: TimeoutStartSec=600 in jada-agent.service"),
    ],
)
def test_a_change_waits_as_long_as_the_unit_may_take(host: Host, stop: float, start: float, expected: str) -> None:
    state = host(unit={"stop": stop, "start": start})
    for planned in (plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE), back_alone(REQUEST, state, SERVICE)):
        assert planned.transaction
        assert [note for note in planned.notes if "a restart may" in note] == ([expected] if expected else [])
        assert f"RESTART_TIMEOUT={state.unit.restart:.0f}\n" in planned.transaction.script()
        assert planned.transaction.longest > 2 * state.unit.restart
