"""The drift of a fleet: its hosts' own findings, their place in the fleet, and what is accepted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from jada import ConfigError, Exit, Host, HostError, HostKeyError, OtherMachineError, Service
from jada.cli.drift.evaluate import DriftReport, Status, evaluate, explain, unmatched
from jada.cli.records import sqlite
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.store import LocalStore
from jada.inventory.fleet.accept import Acceptance
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role
from jada.tasks import codes as kinds
from jada.tasks.asked import Asked
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.state import ModelReport, State

MakeHost = Callable[..., State]
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
RELEASE = "20261124-120000-aaaa"
LATER = "20261125-120000-bbbb"
FLEET = Fleet("f", Path("fleet.yml"), (), ())


def fleet(*accept: Acceptance) -> Fleet:
    return replace(FLEET, accept=accept)


def accepted(code: str, hosts: str = "*", until: str = "2026-12-31") -> Acceptance:
    return Acceptance(code, (hosts,), "known", date.fromisoformat(until), 7)


def check(seen: Mapping[str, State | HostError], fleet: Fleet = FLEET, **options: Any) -> DriftReport:
    """A check of hosts that all play the role that HEALTHY was released to for."""
    roles = options.pop("roles", {})
    hosts = [Host(name, "192.0.2.1", "static", role=roles.get(name, "r")) for name in seen]
    return evaluate(fleet, hosts, seen, options.pop("released", {}), AT, **options)


def codes(drift: DriftReport, host: str = "web-1") -> list[str]:
    return next([evaluated.finding.code for evaluated in row.findings] for row in drift.hosts if row.host == host)


def status(drift: DriftReport, host: str = "web-1") -> Status:
    return next(row.status for row in drift.hosts if row.host == host)


def test_a_fleet_in_sync(host: MakeHost) -> None:
    found = check({"web-1": host(), "web-2": host()})
    assert [row.status for row in found.hosts] == [Status.IN_SYNC] * 2
    assert found.exit == Exit.OK


def test_one_finding_is_drift(host: MakeHost) -> None:
    found = check({"web-1": host(process={"soft": 1024}), "web-2": host()})
    assert (status(found), status(found, "web-2")) == (Status.DRIFTED, Status.IN_SYNC)
    assert found.exit == Exit.DRIFT


def test_a_host_that_was_not_checked_is_never_fine(host: MakeHost) -> None:
    found = check({"web-1": HostError("web-1 can't be reached: no route"), "web-2": host(process={"soft": 1024})})
    assert status(found) is Status.NOT_CHECKED
    assert codes(found) == ["J408"]
    assert found.count(Status.IN_SYNC) == 0
    assert found.exit == Exit.FAILED


def test_a_model_that_only_jadas_table_tells_is_unproven(host: MakeHost) -> None:
    silent = host(report=ModelReport())
    found = check({"web-1": silent, "web-2": host()})
    assert (status(found), codes(found), found.exit) == (Status.UNPROVEN, ["J117"], Exit.FAILED)
    assert status(found, "web-2") is Status.IN_SYNC
    assert found.hosts[0].findings[0].finding.actual.endswith("its CLI was not asked")
    asked = replace(silent, asked=Asked(model="claude-sonnet-4.6", version="2.1.63", is_running=True))
    assert check({"web-1": asked}).exit == Exit.OK


def test_a_fleet_may_live_with_a_model_that_is_derived(host: MakeHost) -> None:
    derived = replace(FLEET, service=Service(proof="derived"))
    found = check({"web-1": host(report=ModelReport())}, derived)
    assert (status(found), codes(found), found.exit) == (Status.IN_SYNC, [], Exit.OK)
    assert [evidence.kind for evidence in found.hosts[0].evidence] == ["derived"]


def test_an_unproven_host_that_differs_has_drifted(host: MakeHost) -> None:
    found = check({"web-1": host(report=ModelReport(), process={"soft": 1024})})
    assert (status(found), sorted(codes(found))) == (Status.DRIFTED, ["J117", "J301"])
    assert found.exit == Exit.DRIFT


HALF_WAY = {
    "unit": {"active": "activating"},
    "process": {"soft": 1024},
    "settings": {"text": "{}"},
    "unfinished_transaction": "r",
}
HOLDER = "ann@ops since 2026-11-24T11:59:00+00:00 for release 20261124-115900-cccc"


def test_a_host_in_the_middle_of_a_change_is_neither_in_sync_nor_drift(host: MakeHost) -> None:
    found = check({"web-1": host(**HALF_WAY, running_transaction=HOLDER), "web-2": host()})
    assert (status(found), codes(found)) == (Status.CHANGING, ["J409"])
    assert found.hosts[0].findings[0].finding.actual == f"being changed by {HOLDER}"
    assert found.count(Status.IN_SYNC) == 1
    assert found.exit == Exit.OK


def holder(since: str) -> str:
    return f"ann since 2020@ops since {since} for release 20261124-115900-cccc"


@pytest.mark.parametrize(
    "since",
    ["2026-11-24T09:49:00+00:00", "2026-11-24T12:06:00+00:00", "2099-01-01T00:00:00Z", "1970-01-01T00:00:00+14:00"],
)
def test_a_change_that_lasts_too_long_or_has_not_begun_yet_hides_nothing_for_ever(host: MakeHost, since: str) -> None:
    """A transaction that hangs, or a lock that somebody holds by hand: nobody knows what the host runs."""
    found = check({"web-1": host(**HALF_WAY, running_transaction=holder(since)), "web-2": host()})
    assert (status(found), codes(found)) == (Status.NOT_CHECKED, ["J408"])
    (evaluated,) = found.hosts[0].findings
    assert evaluated.finding.actual.startswith(
        f"web-1 can't be judged: being changed by {holder(since)}, which no change "
    )
    assert "--force" not in evaluated.finding.fix_on("web-1")
    assert found.exit == Exit.FAILED


@pytest.mark.parametrize(
    "lock",
    [
        holder("2026-11-24T10:01:00+00:00"),
        holder("2026-11-24T12:04:00+00:00"),
        holder("2026-11-24T13:01:00+02:00"),
        holder("noon"),
        holder("0001-01-01T00:00:00+14:00"),
        "ann",
        " since ",
    ],
)
def test_a_change_that_may_still_last_or_is_of_no_known_time_goes_on(host: MakeHost, lock: str) -> None:
    """Hosts are begun up to fleet.yml's deadline; and the holder may not have been written down yet."""
    assert status(check({"web-1": host(running_transaction=lock)})) is Status.CHANGING


def test_a_change_under_way_hides_no_other_hosts_drift_and_no_unreachable_one(host: MakeHost) -> None:
    changing = host(running_transaction=HOLDER)
    assert check({"web-1": changing, "web-2": host(process={"soft": 1024})}).exit == Exit.DRIFT
    assert check({"web-1": changing, "web-2": HostError("gone")}).exit == Exit.FAILED


def test_a_new_host_in_its_first_change_is_not_told_as_new(host: MakeHost) -> None:
    seen = {"web-1": host(release=None, running_transaction=HOLDER), "web-2": host()}
    assert codes(check(seen)) == ["J409"]


def test_what_is_half_way_without_a_change_that_runs_is_drift(host: MakeHost) -> None:
    """The kernel says whether one runs: the text that a change left in its lock file is not even read."""
    assert status(check({"web-1": host(**HALF_WAY)})) is Status.DRIFTED


def test_a_changed_host_key_is_no_plain_unreachable(host: MakeHost) -> None:
    found = check({"web-1": HostKeyError("web-1 shows another key", "compare it"), "web-2": host()})
    assert codes(found) == ["J406"]
    assert found.hosts[0].findings[0].finding.fix_on("web-1") == "compare it"
    assert found.exit == Exit.FAILED


@pytest.mark.parametrize(
    ("others", "released", "expected"),
    [
        ({}, {}, ["J401"]),
        ({"web-2": True}, {}, ["J404"]),
        ({}, {"gone-1": RELEASE}, ["J404"]),
        ({"web-2": True}, {"web-1": RELEASE}, ["J401"]),
    ],
    ids=["no release anywhere", "others have one", "others had one", "it had one itself"],
)
def test_hosts_without_a_release(
    host: MakeHost, others: dict[str, bool], released: dict[str, str], expected: list[str]
) -> None:
    seen = {"web-1": host(release=None), **{name: host() for name in others}}
    assert codes(check(seen, released=released)) == expected


def test_a_reinstalled_host_names_the_release_it_had(host: MakeHost) -> None:
    found = check({"web-1": host(release=None)}, released={"web-1": RELEASE}).hosts[0].findings[0].finding
    assert RELEASE in found.expected
    assert "reinstalled" in found.actual
    assert found.fix_on("web-1") == "jada heal --limit web-1"


def test_a_hosts_name_in_what_fixes_it_is_one_word_to_a_shell(host: MakeHost) -> None:
    name = "web-1; rm -rf $HOME"
    found = check({name: host(release=None)}, released={name: RELEASE}).hosts[0].findings[0].finding
    assert found.fix_on(name) == f"jada heal --limit '{name}'"


def test_a_new_host_that_is_down_too_is_both(host: MakeHost) -> None:
    seen = {"web-1": host(release=None, unit={"active": "failed"}), "web-2": host()}
    assert codes(check(seen)) == ["J404", "J202"]


@pytest.mark.parametrize(("role", "expected"), [("r", []), ("other", ["J407"]), ("", ["J407"])])
def test_another_role_than_at_its_release(host: MakeHost, role: str, expected: list[str]) -> None:
    assert codes(check({"web-1": host()}, roles={"web-1": role})) == expected


def test_hosts_that_are_gone_are_told_and_are_no_drift(host: MakeHost) -> None:
    released = {"web-1": RELEASE, "old": "20250101-120000-cccc", "gone": RELEASE, "gone-too": LATER}
    found = check({"web-1": host()}, released=released)
    gone = [row.host for row in found.hosts if row.status is Status.GONE]
    # The release of `old` is older than any that is current somewhere: that is history.
    assert gone == ["gone", "gone-too"]
    assert codes(found, "gone") == ["J405"]
    assert found.exit == Exit.OK
    assert found.count(Status.IN_SYNC) == 1


def test_the_record_knows_the_last_release_that_stood_on_each_host() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        sqlite.prepare(connection)
        record = sqlite.Records(LocalStore(connection))
        for number, fleet, outcome in (
            ("20261124-120001-aaaa", "f", HostOutcome.VERIFIED),
            ("20261124-120002-aaaa", "f", HostOutcome.UNPROVEN),
            ("20261124-120003-aaaa", "f", HostOutcome.ROLLED_BACK),
            ("20261124-120004-aaaa", "g", HostOutcome.VERIFIED),
        ):
            record.add(
                Entry(id=number, fleet=fleet, kind="upgrade", at="", who="", reason="", model=""),
                [HostEntry(release=number, host="web-1", outcome=outcome, model_after=f"model-{number}")],
            )
        assert {name: (entry.release, entry.model_after) for name, entry in record.released("f").items()} == {
            "web-1": ("20261124-120002-aaaa", "model-20261124-120002-aaaa")
        }


def test_a_check_of_some_hosts_calls_none_gone(host: MakeHost) -> None:
    found = check({"web-1": host()}, released={"gone": RELEASE}, whole=False)
    assert [row.host for row in found.hosts] == ["web-1"]


@pytest.mark.parametrize(
    ("acceptance", "counts", "expired"),
    [
        (accepted("J301"), False, False),
        (accepted("J301", hosts="web-*"), False, False),
        (accepted("J301", until="2026-11-24"), False, False),
        (accepted("J301", until="2026-11-23"), True, True),
        (accepted("J301", hosts="db-*"), True, False),
        (accepted("J302"), True, False),
    ],
    ids=["all hosts", "by pattern", "on its last day", "the day after", "other hosts", "another code"],
)
def test_accepted_findings_do_not_count_until_they_expire(
    host: MakeHost, acceptance: Acceptance, counts: bool, expired: bool
) -> None:
    found = check({"web-1": host(process={"soft": 1024})}, fleet(acceptance))
    evaluated = found.hosts[0].findings[0]
    assert (evaluated.is_drift, evaluated.expired) == (counts, expired)
    assert status(found) is (Status.DRIFTED if counts else Status.IN_SYNC)


@pytest.mark.parametrize(("pattern", "counts"), [("web", False), ("i-a", False), ("web-i-a", True), ("x/web", False)])
def test_an_acceptance_is_for_the_name_itself(host: MakeHost, pattern: str, counts: bool) -> None:
    own = "x/web" if "/" in pattern else "web"
    machine = Host("web-i-a", "192.0.2.1", "ec2", region="us-east-1", id="i-a", role="r", own_name=own)
    found = evaluate(fleet(accepted("J301", pattern)), [machine], {"web-i-a": host(process={"soft": 1024})}, {}, AT)
    assert [evaluated.is_drift for evaluated in found.hosts[0].findings] == [counts]


def test_patterns_of_acceptances_that_are_for_no_host_are_told(host: MakeHost) -> None:
    config = replace(FLEET, accept=(accepted("J301", "web-*"), Acceptance("J302", ("wbe-1", "old"), "x", AT.date(), 8)))
    hosts = [Host("web-1", "192.0.2.1", "static", role="r")]
    found = evaluate(config, hosts, {"web-1": host()}, {"old": LATER}, AT)
    assert list(unmatched(config, hosts, found)) == ["accept[1] (J302): no host has a Name or an id like wbe-1"]


def test_a_host_that_is_called_differently_since_another_has_its_name_is_not_gone(host: MakeHost) -> None:
    hosts = [
        Host(f"web-{instance}", "x", "ec2", region="us-east-1", id=instance, role="r", own_name="web")
        for instance in ("i-a", "i-b")
    ]
    found = evaluate(FLEET, hosts, {machine.name: host() for machine in hosts}, {"web": LATER}, AT)
    assert found.count(Status.GONE) == 0


def test_of_two_acceptances_the_longer_one_holds(host: MakeHost) -> None:
    both = fleet(accepted("J301"), accepted("J301", until="2026-01-01"))
    assert check({"web-1": host(process={"soft": 1024})}, both).exit == Exit.OK


def test_what_is_not_accepted_still_counts(host: MakeHost) -> None:
    seen = {"web-1": host(process={"soft": 1024}, unit={"needs_reload": True})}
    assert check(seen, fleet(accepted("J301"))).exit == Exit.DRIFT


def test_another_machine_at_the_address_is_no_plain_unreachable(host: MakeHost) -> None:
    found = check({"web-1": OtherMachineError("web-1 is i-a, but i-b answers"), "web-2": host()})
    assert codes(found) == ["J420"]
    assert status(found) is Status.NOT_CHECKED


@pytest.mark.parametrize("code", ["J406", "J408", "J420", "J502", "J505"])
def test_what_no_check_tells_can_not_be_accepted(host: MakeHost, code: str) -> None:
    with pytest.raises(ConfigError, match=rf"fleet.yml:7: accept\[0\].code can't be {code}"):
        check({"web-1": host()}, fleet(accepted(code)))


def test_an_unknown_code_is_told_with_its_line(host: MakeHost) -> None:
    with pytest.raises(ConfigError, match=r"fleet.yml:7: accept\[0\].code is no code of a finding: J901; did you mean"):
        check({"web-1": host()}, fleet(accepted("J901")))


@pytest.mark.parametrize("word", ["J103", "j103", "model-shadowed"])
def test_explain_tells_what_a_code_means_and_what_fixes_it(word: str) -> None:
    text = explain(word)
    assert text.startswith("J103 model-shadowed: error\n")
    assert kinds.MODEL_SHADOWED.meaning in text
    assert kinds.MODEL_SHADOWED.fix in text


def test_explain_says_that_a_note_is_no_drift() -> None:
    assert "not drift" in explain("J405")


def test_explain_does_not_know_every_word() -> None:
    with pytest.raises(ConfigError, match="no finding model-shadow; did you mean model-shadowed"):
        explain("model-shadow")


SONNET, HAIKU = "claude-sonnet-4.6", "claude-haiku-4.5"


def released_to(host: MakeHost, model: str, **changes: Any) -> State:
    state = host(settings={"text": f'{{"model": "{model}"}}'}, report={"model": model}, **changes)
    assert state.release
    return replace(state, release=replace(state.release, desired=replace(state.release.desired, model=model)))


def asking(model: str) -> Fleet:
    return replace(FLEET, roles=(Role("r", model),))


def test_a_fleet_yml_that_asks_for_another_model_is_drift(host: MakeHost) -> None:
    seen = {"web-1": released_to(host, HAIKU), "web-2": host()}
    found = check(seen, asking("sonnet-4.6"))
    assert (codes(found), codes(found, "web-2")) == (["J422"], [])
    assert (status(found), status(found, "web-2")) == (Status.DRIFTED, Status.IN_SYNC)
    (evaluated,) = found.hosts[0].findings
    assert evaluated.finding.expected == f"{SONNET}, as fleet.yml asks of role r"
    assert evaluated.finding.actual == f"{HAIKU} by release {RELEASE}"
    accept = replace(asking("sonnet-4.6"), accept=(accepted("J422"),))
    assert check(seen, accept).exit == Exit.OK


def test_so_is_one_that_asks_for_other_models_beside_it(host: MakeHost) -> None:
    role = Role("r", "sonnet-4.6", fallback=("opus-5",), subagent_model="haiku-4.5")
    found = check({"web-1": host()}, replace(FLEET, roles=(role,)))
    assert [(each.finding.code, each.finding.expected, each.finding.actual) for each in found.hosts[0].findings] == [
        ("J422", "fallback claude-opus-5, as fleet.yml asks of role r", f"fallback no model by release {RELEASE}"),
        (
            "J422",
            f"subagents on {HAIKU}, as fleet.yml asks of role r",
            f"subagents on no model by release {RELEASE}",
        ),
    ]


def test_of_another_role_than_its_release_only_that_is_told(host: MakeHost) -> None:
    found = check({"web-1": released_to(host, HAIKU)}, replace(asking(""), roles=(Role("s", "sonnet-4.6"),)),
                  roles={"web-1": "s"})  # fmt: skip
    assert codes(found) == ["J407"]


def test_a_role_of_two_models_is_told_where_fleet_yml_names_none(host: MakeHost) -> None:
    seen = {"web-1": released_to(host, HAIKU), "web-2": host(), "web-3": host(), "new-1": host(release=None)}
    found = check(seen)
    assert [codes(found, name) for name in ("web-1", "web-2", "web-3")] == [["J423"], [], []]
    assert status(found) is Status.IN_SYNC
    assert found.hosts[0].findings[0].finding.actual == f"{HAIKU}; of that role: 2 on {SONNET}, 1 on {HAIKU}"
    # None is the right one of as many.
    even = check({"web-1": released_to(host, HAIKU), "web-2": host()})
    assert (codes(even), codes(even, "web-2")) == (["J423"], ["J423"])
    # fleet.yml decides where it says.
    assert [codes(check(seen, asking("haiku-4.5")), name) for name in ("web-1", "web-2")] == [[], ["J422"]]
    assert codes(check(seen, roles={"web-1": "s"})) == ["J407"]


RETIRES = "claude-sonnet-4-5-20250929"


def test_a_model_that_retires_is_told_while_there_is_time(host: MakeHost) -> None:
    assert codes(check({"web-1": released_to(host, RETIRES)})) == ["J121"]
    found = check({"web-1": released_to(host, RETIRES), "web-2": host()}, asking("sonnet-4.5"))
    assert (codes(found), codes(found, "web-2")) == (["J121"], ["J422", "J121"])
    assert found.hosts[0].findings[0].finding.actual == (
        f"{RETIRES} retires on 2026-11-30, in 6 days (runs there, released there, asked for by fleet.yml)"
    )
    assert found.hosts[1].findings[1].finding.actual.endswith("in 6 days (asked for by fleet.yml)")


def test_a_lock_is_told_and_is_no_drift(host: MakeHost) -> None:
    held = OperatorLock("bob@ops", "2026-11-24T11:00:00+00:00", "", "incident 4711")
    found = check({"web-1": host(operator_lock=held), "web-2": host()})
    assert (codes(found), found.exit) == (["J421"], Exit.OK)
    assert found.hosts[0].findings[0].finding.actual == f"locked by {held}"
