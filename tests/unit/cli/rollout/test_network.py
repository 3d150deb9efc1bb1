"""The network of hosts before and after a rollout: what is told of it, to whom, and what never hangs on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from jada import Exit, Host
from jada.cli import signals
from jada.cli.drift import notices
from jada.cli.records.model import RolloutStatus
from jada.cli.records.sqlite import open_database, open_records
from jada.cli.rollout import bake, network
from jada.cli.rollout.network import AGAIN
from jada.cli.rollout.network_findings import MOST_FACTS, may_settle, network_findings
from jada.inventory.sources.network import (
    Aspect,
    Health,
    HostNetwork,
    behind,
    facts_of,
    from_json,
    merged,
    to_json,
    unknown_of,
)
from tests.fakes import Clock
from tests.forms import lines
from tests.unit.cli.conftest import Done, Jada

UPGRADE = ("upgrade", "--to", "opus-5", "--yes")
SSH, WEB = "in tcp 22 from 10.0.0.0/8 (sg-1)", "in tcp 80 from 0.0.0.0/0 (sg-1)"
PLACE = "targetgroup/web/73e2 port 80"


def seen(ports: Sequence[str] = (SSH,), health: str = "healthy") -> HostNetwork:
    return merged(
        facts_of(Aspect.ADDRESSES, ["private 10.0.0.1"]), facts_of(Aspect.PORTS, ports), behind({PLACE: Health(health)})
    )


class AtOnce:
    """A thread that is done as soon as it is begun."""

    def __init__(self, target: Callable[[], None], daemon: bool) -> None:
        assert daemon
        self._run = target

    def start(self) -> None:
        self._run()

    def join(self, timeout: float) -> None:
        raise AssertionError("it is done")


class Never(AtOnce):
    """A thread whose question gets no answer."""

    def start(self) -> None:
        """It hangs."""

    def join(self, timeout: float) -> None:
        """Nor does it end."""


@dataclass
class Cloud:
    """A cloud that knows web-1 and web-2: `answers` are theirs, one look after the other; the last one stays."""

    answers: list[HostNetwork | Exception] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)

    def has_network(self, hosts: Sequence[Host]) -> bool:
        return any(host.name.startswith("web-") for host in hosts)

    def networks(self, hosts: Sequence[Host]) -> dict[str, HostNetwork]:
        self.asked.append([host.name for host in hosts])
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return {host.name: answer for host in hosts}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(network, "time", clock)
    return clock


@pytest.fixture
def cloud(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud([seen()])
    monkeypatch.setattr(network, "has_network", cloud.has_network)
    monkeypatch.setattr(network, "networks", cloud.networks)
    monkeypatch.setattr(network, "threading", SimpleNamespace(Thread=AtOnce))
    return cloud


def of_host(done: Done, name: str) -> list[dict[str, Any]] | None:
    rows: dict[str, list[dict[str, Any]] | None] = {row["host"]: row["network"] for row in lines(done.out)[-1]["hosts"]}
    return rows[name]


def release(jada: Jada) -> dict[str, Any]:
    return dict(jada("history", "--json").json()["releases"][0])


def test_nothing_changed_is_silence(jada: Jada, cloud: Cloud, clock: Clock) -> None:
    done = jada(*UPGRADE)
    assert (done.exit, "Network" in done.out + done.err) == (Exit.OK, False)
    # Before, of all hosts that it knows; and once more of those that were touched.
    assert cloud.asked == [["web-1", "web-2"], ["web-1", "web-2"]]
    assert clock.slept == 0
    assert release(jada)["networks_changed"] == 0
    done = jada("rollback", "--yes", "--json")
    assert (of_host(done, "web-1"), of_host(done, "db-1")) == ([], None)


def test_a_change_is_told_and_recorded_and_no_host_is_worse_for_it(jada: Jada, cloud: Cloud) -> None:
    cloud.answers.append(seen([SSH, WEB]))
    done = jada(*UPGRADE)
    assert done.exit == Exit.OK
    text = f"Network J502 ports-changed: expected nothing new, saw {WEB} (web-1, web-2)"
    assert done.out.endswith(f"{text}\n")
    assert "3 hosts: 3 verified" in done.out
    assert release(jada)["networks_changed"] == 2
    assert "3 verified; network of 2 changed" in " ".join(jada("history", "-o", "wide").out.split())
    shown = jada("show", release(jada)["release"])
    assert shown.out.endswith(f"{text}\n")
    found = jada("show", release(jada)["release"], "--json").json()["network"]
    assert found[0] == {
        "host": "web-1", "code": "J502", "name": "ports-changed", "expected": "nothing new", "actual": WEB,
    }  # fmt: skip
    assert [each["host"] for each in found] == ["web-1", "web-2"]
    assert jada("history", "--limit", "web-1", "--json").json()["releases"][0]["networks_changed"] == 1


def test_a_change_is_in_the_report_for_scripts(jada: Jada, cloud: Cloud) -> None:
    cloud.answers.append(seen([WEB]))
    done = jada(*UPGRADE, "--json")
    assert done.exit == Exit.OK
    assert [(each["code"], each["expected"], each["actual"]) for each in of_host(done, "web-2") or ()] == [
        ("J502", SSH, WEB)
    ]


def test_a_dry_run_asks_for_nothing(jada: Jada, cloud: Cloud) -> None:
    assert jada("upgrade", "--to", "opus-5", "--dry-run").exit == Exit.OK
    assert cloud.asked == []


def test_hosts_that_were_not_touched_are_not_compared(jada: Jada, cloud: Cloud) -> None:
    assert jada(*UPGRADE, "--limit", "web-1").exit == Exit.OK
    cloud.answers.append(seen([WEB]))
    cloud.asked.clear()
    done = jada(*UPGRADE)
    assert cloud.asked == [["web-1", "web-2"], ["web-2"]]
    assert "(web-2)" in done.out


def test_a_load_balancer_is_asked_once_more_before_it_is_told(jada: Jada, cloud: Cloud, clock: Clock) -> None:
    cloud.answers += [seen(health="initial"), seen()]
    done = jada(*UPGRADE)
    assert "Network" not in done.out
    assert len(cloud.asked) == 3
    assert clock.slept == pytest.approx(AGAIN, abs=1)


def test_one_that_stays_ill_is_told(jada: Jada, cloud: Cloud) -> None:
    cloud.answers += [seen(health="initial"), seen(health="unhealthy")]
    done = jada(*UPGRADE)
    assert f"J504 target-less-healthy: expected healthy at {PLACE}, saw unhealthy at {PLACE} (web-1, web-2)" in done.out


def test_without_a_second_answer_the_first_one_counts(
    cloud: Cloud, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.answers.append(seen([WEB], "initial"))
    sleep = clock.sleep

    def then_hang(seconds: float) -> None:
        monkeypatch.setattr(network, "threading", SimpleNamespace(Thread=Never))
        sleep(seconds)

    monkeypatch.setattr(clock, "sleep", then_hang)
    watch = network.NetworkWatch([Host("web-1", "192.0.2.1", "ec2")], is_back=False)
    watch.end(["web-1"])
    monkeypatch.setattr(Never, "join", lambda _, timeout: sleep(timeout))
    assert [finding.code for finding in watch.findings()["web-1"]] == ["J502", "J504"]


def test_a_way_back_waits_for_no_load_balancer(jada: Jada, cloud: Cloud, clock: Clock) -> None:
    assert jada(*UPGRADE).exit == Exit.OK
    cloud.asked.clear()
    cloud.answers.append(seen(health="initial"))
    done = jada("rollback", "--yes")
    assert done.exit == Exit.OK
    assert (len(cloud.asked), clock.slept) == (2, 0)
    # The hosts come before it.
    assert done.out.index("3 hosts: 3 verified") < done.out.index("J504 target-less-healthy")


def test_what_is_not_known_is_a_note_and_no_change(jada: Jada, cloud: Cloud) -> None:
    why = "access denied; these credentials lack the permission ec2:DescribeSecurityGroups (UnauthorizedOperation): no"
    cloud.answers.append(merged(seen(), unknown_of(Aspect.PORTS, why)))
    cloud.answers[-1] = HostNetwork(
        facts={aspect: facts for aspect, facts in seen().facts.items() if aspect is not Aspect.PORTS},
        health=seen().health,
        unknown={Aspect.PORTS: why},
    )
    done = jada(*UPGRADE)
    assert done.exit == Exit.OK
    assert f"J505 network-not-known: expected ports as before, saw not known: {why} (web-1, web-2)" in done.out
    assert release(jada)["networks_changed"] == 0


@pytest.mark.parametrize("argv", [("upgrade", "--to", "sonnet-4.6", "--yes"), ("rollback", "--yes")])
def test_an_answer_that_never_comes_holds_nothing_up(
    jada: Jada, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    assert jada(*UPGRADE).exit == Exit.OK
    monkeypatch.setattr(network, "threading", SimpleNamespace(Thread=Never))
    monkeypatch.setattr(network, "PATIENCE", 0)
    monkeypatch.setattr(network, "PATIENCE_BACK", 0)
    done = jada(*argv)
    assert done.exit == Exit.OK
    why = "expected addresses, ports, load balancing as before, saw not known: AWS gave no answer within 0 s"
    assert f"{why} (web-1, web-2)" in done.out


def test_trouble_of_any_kind_is_not_known(jada: Jada, cloud: Cloud) -> None:
    cloud.answers.append(KeyError("InstanceId"))
    done = jada(*UPGRADE)
    assert done.exit == Exit.OK
    assert "not known: jada could not ask for it (KeyError) (web-1, web-2)" in done.out


def test_somebody_who_stops_jada_waits_for_nothing(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "stopped", lambda: True)
    hosts = [Host("web-1", "192.0.2.1", "ec2")]
    cloud.answers.append(seen([WEB], "initial"))
    watch = network.NetworkWatch(hosts, is_back=False)
    watch.end(["web-1"])
    # What is there already is told.
    assert [finding.code for finding in watch.findings()["web-1"]] == ["J502", "J504"]
    monkeypatch.setattr(network, "threading", SimpleNamespace(Thread=Never))
    watch.end(["web-1"])
    (finding,) = watch.findings()["web-1"]
    assert finding.actual == "not known: jada was told to stop"


WAVES = "rollout: {waves: [1, 100%], bake_time: 1s, final_bake_time: 1s}\n"


@pytest.fixture
def rolled(jada: Jada, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Jada:
    """The fleet whose upgrades go in two waves."""
    jada.fleet_file.write_text(jada.fleet_file.read_text().replace("rollout: {waves: [100%]}\n", WAVES))
    monkeypatch.setattr(bake, "time", Clock())
    return jada


def test_people_elsewhere_are_told_of_a_change_once(
    rolled: Jada, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(notices, "tell", lambda _, subject, text: told.append((subject, text)))
    assert rolled(*UPGRADE).exit == Exit.OK
    assert [subject for subject, _ in told if "network" in subject] == []
    cloud.answers = [seen(), seen([WEB])]
    cloud.asked.clear()
    assert rolled("upgrade", "--to", "sonnet-4.6", "--yes").exit == Exit.OK
    ((subject, text),) = [(subject, text) for subject, text in told if "network" in subject]
    assert subject.startswith("jada: f: the network of web-1, web-2 changed during rollout 2")
    assert text == f"J502 ports-changed: expected {SSH}, saw {WEB}"


def test_a_rollout_that_is_gone_on_with_is_compared_with_its_beginning(rolled: Jada, cloud: Cloud) -> None:
    assert rolled(*UPGRADE).exit == Exit.OK
    with open_database() as db:
        db.execute("UPDATE rollout SET status = ?, wave = 1", (RolloutStatus.PAUSED,))
        db.commit()
    # Changed while it was paused.
    cloud.answers, asked = [seen([WEB])], len(cloud.asked)
    done = rolled("resume")
    assert done.exit == Exit.OK
    assert f"J502 ports-changed: expected {SSH}, saw {WEB}" in done.out
    # How it was before is written down.
    assert len(cloud.asked) == asked + 1
    # Put right again meanwhile: the record says how it was at the end.
    with open_database() as db:
        db.execute("UPDATE rollout SET status = ?, wave = 1", (RolloutStatus.PAUSED,))
        db.commit()
    cloud.answers = [seen()]
    assert "Network" not in rolled("resume").out
    assert release(rolled)["networks_changed"] == 0


def test_a_beginning_that_can_not_be_read_is_seen_anew(rolled: Jada, cloud: Cloud) -> None:
    assert rolled(*UPGRADE).exit == Exit.OK
    with open_database() as db:
        db.execute("UPDATE rollout SET status = ?, wave = 1, networks_json = '[]'", (RolloutStatus.PAUSED,))
        db.commit()
    asked = len(cloud.asked)
    assert rolled("resume").exit == Exit.OK
    assert len(cloud.asked) == asked + 2


def test_a_record_that_can_not_be_written_is_no_trouble_of_the_change(
    jada: Jada, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert jada(*UPGRADE).exit == Exit.OK
    cloud.answers = [seen(), seen([WEB])]
    cloud.asked.clear()
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    done = jada("rollback", "--yes")
    assert done.exit == Exit.OK
    assert "J502" in done.out
    assert "Not recorded here" in done.err


def test_foreign_texts_are_shown_as_texts(jada: Jada, cloud: Cloud) -> None:
    cloud.answers.append(seen(["\x1b[2J[red]##[group]\u202e"]))
    done = jada(*UPGRADE)
    assert r"saw \x1b[2J[red]" in done.out
    assert "\x1b" not in done.out
    with open_records() as records:
        assert "\x1b" not in str(records.network(release(jada)["release"]))


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ("healthy", "healthy", []),
        ("healthy", "initial", ["J504"]),
        ("healthy", "unused", ["J504"]),
        ("initial", "unhealthy", ["J504"]),
        ("unhealthy", "unhealthy", []),
        ("unhealthy", "healthy", []),
        # Nobody checks it, or the state is a new one: nothing can be said.
        ("healthy", "unavailable", []),
        ("unavailable", "unhealthy", []),
        ("healthy", "brand-new", []),
        # On its way out, it is no longer registered there.
        ("healthy", "draining", ["J503"]),
        ("unhealthy", "unhealthy.draining", ["J503"]),
        ("draining", "healthy", ["J503"]),
    ],
)
def test_health_is_worse_or_nothing_to_tell(before: str, after: str, codes: list[str]) -> None:
    findings = network_findings(seen(health=before), seen(health=after))
    assert [finding.code for finding in findings] == codes
    assert may_settle(findings) == bool(codes)


def test_many_facts_are_counted() -> None:
    (finding,) = network_findings(seen([]), seen([f"in tcp {port} from ::/0" for port in range(10, 30)]))
    assert finding.actual.endswith(f"and {20 - MOST_FACTS} more")
    assert not may_settle([finding])


def test_what_was_not_known_before_is_not_known_after() -> None:
    before = HostNetwork.not_known("no answer")
    (finding,) = network_findings(before, seen())
    assert (finding.code, finding.expected) == ("J505", "addresses, ports, load balancing as before")


def test_networks_are_kept_with_each_fact_once() -> None:
    networks = {"web-1": seen(), "web-2": seen([SSH, WEB], "initial"), "web-3": HostNetwork.not_known("denied")}
    text = to_json(networks)
    assert from_json(text) == networks
    assert text.count(SSH) == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"facts": [], "hosts": {"a": {"facts": {"ports": [1]}}}}', '{"facts": [], "hosts": 1}',
        '{"facts": [7], "hosts": {"a": {"facts": {"ports": [0]}, "health": {}, "unknown": {}}}}',
        '{"facts": [], "hosts": {"a": {"facts": {}, "health": {"lb": [1, ""]}, "unknown": {}}}}',
        '{"facts": [], "hosts": {"a": {"facts": {}, "health": {}, "unknown": {"ports": ["why"]}}}}',
    ],
)  # fmt: skip
def test_networks_that_nobody_kept_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a network|Expecting value"):
        from_json(text)
