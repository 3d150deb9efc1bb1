"""Which hosts a rollback sends back, and from what: the fleet's last change, as the hosts tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from jada import HostError, Service
from jada.cli.rollout.way_back import Recorded, last_change, rollback_notes
from jada.inventory.fleet.config import Fleet
from jada.tasks import plan, release
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Desired, Release
from jada.tasks.state import HistoryEntry, State

SERVICE = Service()
FLEET = Fleet("f", Path("fleet.yml"), (), ())
OLD, SONNET, OPUS, HAIKU = "claude-sonnet-4-5-20250929", "claude-sonnet-4.6", "claude-opus-5", "claude-haiku-4.5"
FUTURE = "20270101-000000-"


class Hosts:
    """Hosts on which things are done one after the other, by the very functions that plan them."""

    def __init__(self, host: Callable[..., State], *names: str) -> None:
        self.states = {name: _running(host(release=None, after={}), OLD) for name in names}
        self.count = 0

    def request(self) -> Request:
        self.count += 1
        return Request(f"20261124-12{self.count:02}00-aaaa", "f", "ann@box", "2026-11-24T12:00:00+00:00", 4096)

    def upgrade(self, model: str, names: str, fails: str = "", request: Request | None = None) -> str:
        request = request or self.request()
        for name in names:
            state = self.states[name]
            before = release.present(state.release, state.settings.tiers, {})
            change = release.upgrade(request.id, before, Desired(model, 4096, 4096), who=request.who)
            self.do(name, change, name in fails)
        return request.id

    def do(self, name: str, change: Release, failed: bool = False) -> None:
        state = self.states[name]
        state = replace(state, history=(*state.history, HistoryEntry(change, "it crashed" if failed else "")))
        if not failed:
            state = replace(_running(state, change.desired.model), release=change)
        self.states[name] = state

    def back(self, names: str = "", redo: bool = False, to: str = "", fails: str = "") -> Mapping[str, Plan]:
        """A rollback of these hosts, or of all."""
        chosen = {name: self.states[name] for name in names or self.states}
        last = plan.last_release(chosen.values(), FUTURE)
        change, request = last.change if last else "", self.request()
        plans = {
            name: plan.redo(request, "r", state, SERVICE, change)
            if redo
            else plan.rollback(request, "r", to, state, SERVICE, change)
            for name, state in chosen.items()
        }
        self.notes = list(rollback_notes(FLEET, chosen, plans, None if to else last, redo))
        for name, step in plans.items():
            if step.transaction:
                self.do(name, step.transaction.release, name in fails)
        return plans

    @property
    def on(self) -> str:
        """The models of all hosts, by their first letters after "claude-"; the one they had at first as "-"."""
        models = {name: state.release.desired.model if state.release else OLD for name, state in self.states.items()}
        return "".join("-" if model == OLD else model.removeprefix("claude-")[0] for model in models.values())


def _running(state: State, model: str) -> State:
    return replace(
        state,
        settings=replace(state.settings, text=f'{{"model": "{model}"}}'),
        report=replace(state.report, model=model),
        process=replace(state.process, soft=4096, hard=4096) if state.process else None,
    )


@pytest.fixture
def hosts(host: Callable[..., State]) -> Hosts:
    hosts = Hosts(host, *"abcd")
    hosts.upgrade(SONNET, "abcd")
    return hosts


def moved(plans: Mapping[str, Plan]) -> str:
    return "".join(name for name, plan in plans.items() if plan.transaction)


def test_a_host_that_put_itself_back_is_not_sent_further(hosts: Hosts) -> None:
    change = hosts.upgrade(OPUS, "abcd", fails="d")
    assert hosts.on == "ooos"
    plans = hosts.back()
    assert (moved(plans), hosts.on) == ("abc", "ssss")
    assert plans["d"].idle == f"on {SONNET} again already: release {change} failed there and was undone"
    assert hosts.notes == [f"This undoes release {change}, which put {OPUS} in place (ann@box)"]


def test_run_twice_it_does_nothing_more_and_says_how_to_go_forward(hosts: Hosts) -> None:
    hosts.upgrade(OPUS, "abcd")
    hosts.back()
    assert (moved(hosts.back()), hosts.on) == ("", "ssss")
    assert "jada rollback --redo" in hosts.notes[0]
    assert "Nothing to undo: the last change" in hosts.notes[0]
    assert (moved(hosts.back(redo=True)), hosts.on) == ("abcd", "oooo")
    assert moved(hosts.back(redo=True)) == ""
    assert "was no rollback" in hosts.notes[0]
    # A change that was done again can be undone again.
    assert (moved(hosts.back()), hosts.on) == ("abcd", "ssss")
    assert moved(hosts.back()) == ""


@pytest.mark.parametrize("model", [OPUS, SONNET])
def test_the_change_of_one_host_is_undone_on_that_host_alone(hosts: Hosts, model: str) -> None:
    """`jada heal`, or `jada upgrade --limit a`."""
    first = hosts.states["b"].release
    assert first
    hosts.upgrade(HAIKU, "abcd")
    hosts.upgrade(model, "a")
    plans = hosts.back()
    assert (moved(plans), hosts.on) == ("a", "hhhh")
    assert plans["b"].idle == f"already on {HAIKU}"
    assert f"left as they are: b, c, d. To send them back too: jada rollback --to {first.id}" in hosts.notes[1]
    hosts.back(to=first.id)
    assert hosts.on == "ssss"


def test_more_models_than_before_are_told(hosts: Hosts) -> None:
    hosts.upgrade(OPUS, "bcd")
    hosts.upgrade(OPUS, "a")
    hosts.back()
    assert hosts.on == "sooo"
    assert hosts.notes[-1] == "The hosts will run 2 models instead of 1: 3 on opus-5, 1 on sonnet-4.6"


def test_the_hosts_chosen_are_all_that_counts(hosts: Hosts) -> None:
    hosts.upgrade(OPUS, "abcd")
    hosts.upgrade(HAIKU, "d")
    assert (moved(hosts.back("a")), hosts.on) == ("a", "sooh")
    assert (moved(hosts.back("ab")), hosts.on) == ("b", "ssoh")
    # The last thing that was done took that release back, and c is still on it.
    assert (moved(hosts.back()), hosts.on) == ("c", "sssh")
    assert (moved(hosts.back("d")), hosts.on) == ("d", "ssso")


def test_a_rollback_of_one_host_first_is_gone_on_with(hosts: Hosts) -> None:
    hosts.upgrade(OPUS, "abcd")
    hosts.back("a")
    assert (moved(hosts.back()), hosts.on) == ("bcd", "ssss")
    assert (moved(hosts.back(redo=True)), hosts.on) == ("abcd", "oooo")


def test_a_rollback_that_failed_on_a_host_is_tried_again(hosts: Hosts) -> None:
    hosts.upgrade(OPUS, "abcd")
    hosts.back(fails="c")
    assert hosts.on == "ssos"
    assert (moved(hosts.back()), hosts.on) == ("c", "ssss")


def test_an_upgrade_that_failed_everywhere_has_undone_itself(hosts: Hosts) -> None:
    change = hosts.upgrade(OPUS, "abcd", fails="abcd")
    assert (moved(hosts.back()), hosts.on) == ("", "ssss")
    assert hosts.notes[0].startswith(f"Nothing to undo: release {change} failed, and the hosts put themselves back.")
    assert "--to" in hosts.notes[0]


def test_further_back_is_never_gone_without_to(hosts: Hosts) -> None:
    hosts.upgrade(OPUS, "abcd")
    first = hosts.states["a"].release.before.release  # type: ignore[union-attr]
    hosts.back(to=OLD)
    assert hosts.on == "----"
    assert moved(hosts.back()) == ""
    hosts.back(redo=True)
    assert hosts.on == "oooo"
    hosts.back(to=first)
    assert hosts.on == "ssss"


def test_a_host_that_came_to_the_change_from_above_goes_below_it(hosts: Hosts) -> None:
    """Its newest snapshot is of the later release, where it must not go."""
    hosts.upgrade(OPUS, "abcd")
    hosts.upgrade(HAIKU, "a")
    hosts.back("a")
    hosts.back("b")
    assert hosts.on == "osoo"
    assert (moved(hosts.back()), hosts.on) == ("acd", "ssss")


def test_a_host_that_jada_never_changed_stays(host: Callable[..., State]) -> None:
    hosts = Hosts(host, *"abcd")
    assert {plan.refusal for plan in hosts.back().values()} == {
        "it has no earlier release: jada never changed this host"
    }
    hosts.upgrade(OPUS, "a")
    assert (moved(hosts.back()), hosts.on) == ("a", "----")
    assert len(hosts.notes) == 1


def test_a_release_of_the_future_decides_for_no_other_host(hosts: Hosts) -> None:
    """Root on one host may write any id into its manifest."""
    hosts.upgrade(OPUS, "abcd")
    hosts.upgrade(OPUS, "d", request=replace(hosts.request(), id="20280101-120000-aaaa"))
    assert moved(hosts.back()) == "abc"
    # Where the clock that made them was wrong, it is all there is to go by.
    assert moved(hosts.back("d")) == "d"


def test_a_host_that_does_not_run_what_it_is_on_is_no_nothing_to_do(hosts: Hosts) -> None:
    hosts.upgrade(OPUS, "abc")
    torn = replace(hosts.states["d"].settings, text='{"model": "clau')
    hosts.states["d"] = replace(hosts.states["d"], settings=torn)
    plans = hosts.back()
    assert moved(plans) == "abc"
    assert plans["d"].refusal.startswith(f"already on {SONNET}, but J101")
    assert "jada heal" in plans["d"].refusal


@pytest.mark.parametrize("redo", [False, True])
def test_a_change_that_was_cut_off_is_undone_first(hosts: Hosts, redo: bool) -> None:
    unfinished = release.upgrade("20261124-130000-aaaa", Desired(SONNET, 4096, 4096), Desired(OPUS, 4096, 4096))
    state = hosts.states["d"]
    hosts.states["d"] = replace(
        state, unfinished_transaction=unfinished.id, history=(*state.history, HistoryEntry(unfinished, "cut off"))
    )
    plans = hosts.back(redo=redo)
    assert plans["d"].transaction
    assert plans["d"].diff == ((f"undo release {unfinished.id}, which was cut off half-way, and plan the rest anew",),)
    never = replace(
        hosts.states["d"],
        release=None,
        history=(HistoryEntry(unfinished, "cut off"),),
        unfinished_transaction=unfinished.id,
    )
    assert plan.rollback(hosts.request(), "r", "", never, SERVICE, unfinished.id).transaction
    odd = replace(
        never, place=("1000", "1000", "jada-agent.service", "", "/home/a\nb", "settings.json"), release=unfinished
    )
    odd = replace(odd, history=())
    assert "characters that no path should have" in plan.rollback(hosts.request(), "r", "", odd, SERVICE, "").refusal


def record(change: str, hosts: str, model: str = OPUS) -> Recorded:
    return Recorded(release.upgrade(change, Desired("", 0), Desired(model, 0)), frozenset(hosts))


def test_a_change_of_hosts_that_are_gone_sends_no_others_back(hosts: Hosts) -> None:
    change = hosts.upgrade(OPUS, "d")
    seen: dict[str, State | HostError] = {**{name: hosts.states[name] for name in "abc"}, "d": HostError("d is off")}
    assert last_change(seen, None) == hosts.states["a"].release
    last = last_change(seen, record(change, "d"))
    assert last
    assert last.change == change
    plans = {name: plan.rollback(hosts.request(), "r", "", hosts.states[name], SERVICE, change) for name in "abc"}
    assert moved(plans) == ""
    (note,) = rollback_notes(FLEET, seen, {**plans, "d": HostError("")}, last, False)
    assert note.startswith(f"The last change was release {change}. Unreachable: d.")


def test_one_hosts_word_is_not_before_this_machines_record(hosts: Hosts) -> None:
    """Whatever a host says that it did later, what was done from here is what is undone."""
    change = hosts.upgrade(OPUS, "abcd")
    forged = "20261124-235959-ffff"
    state = hosts.states["d"]
    assert state.release
    hosts.states["d"] = replace(state, release=replace(state.release, id=forged, who="mallory"))
    last = last_change(hosts.states, record(change, "abcd"))
    assert last
    assert last.change == change
    plans = {
        name: plan.rollback(hosts.request(), "r", "", state, SERVICE, change) for name, state in hosts.states.items()
    }
    assert moved(plans).startswith("abc")
    notes = list(rollback_notes(FLEET, hosts.states, plans, last, False))
    assert any(f"d tells of a later release {forged}, by mallory" in note for note in notes)
    failed = HistoryEntry(replace(state.release, id=forged), "it crashed")
    hosts.states["d"] = replace(state, history=(*state.history, failed))
    assert last_change(hosts.states, record(change, "abcd")) == state.release
    assert last_change(hosts.states, None) != state.release
