"""Host keys that are pinned to instances: which, of whom, and what another key is told to mean."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier

import pytest
from paramiko import PKey

from jada import Host, HostKeyError, JadaError, UnknownKeyError
from jada.inventory.access.host_key import Trust
from jada.inventory.access.known_hosts import HostKey, HostKeys
from jada.inventory.access.pin import Machine, Pin, machine_of
from jada.inventory.access.pins import PinnedHost, Pinning, pinning
from jada.inventory.concurrency import THREADS
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.ssh import ACCEPT_NEW, KNOWN_HOSTS, Ssh
from jada.inventory.sources.registry import SOURCES
from jada.inventory.sources.source import CloudKey


def key(number: int, kind: str = "ssh-ed25519") -> HostKey:
    name = kind.encode()
    blob = len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + bytes([number]) * 32
    return HostKey(kind, base64.b64encode(blob).decode())


A, B, C = key(1), key(2), key(3)
SEEN = "2026-11-26T10:00:00+00:00"
WEB = Host("web-1", "192.0.2.1", "ec2", id="i-1", region="eu-west-1", account="123")
OTHER = replace(WEB, name="web-2", id="i-2", address="192.0.2.2")
LIGHT = Host("light", "192.0.2.3", "lightsail", id="light", region="eu-west-1", account="123", uid="f00")
STATIC = Host("rack-1", "192.0.2.4", "static")
FLEET = Fleet("f", Path("fleet.yml"), (), ())


def named(*keys: HostKey) -> tuple[CloudKey, ...]:
    return tuple(CloudKey(key.kind, key.text, SEEN) for key in keys)


@dataclass
class Store:
    """Pins in memory."""

    kept: dict[Machine, Pin] = field(default_factory=dict)
    asked: list[set[Machine]] = field(default_factory=list)

    def read(self, machines: Collection[Machine]) -> Iterable[Pin]:
        self.asked.append(set(machines))
        return list(self.kept.values())

    def keep(self, pins: Sequence[Pin]) -> None:
        self.kept |= {pin.machine: pin for pin in pins}


@dataclass
class Consoles:
    """What EC2 says of each instance; `asked` are those it was asked about."""

    keys: dict[str, tuple[CloudKey, ...] | JadaError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, _: object, host: Host) -> tuple[CloudKey, ...]:
        self.asked.append(host.id)
        answer = self.keys.get(host.id, ())
        if isinstance(answer, JadaError):
            raise answer
        return answer


@pytest.fixture
def consoles(monkeypatch: pytest.MonkeyPatch) -> Consoles:
    consoles = Consoles()
    monkeypatch.setitem(SOURCES, "ec2", replace(SOURCES["ec2"], host_keys=consoles))
    return consoles


def pin(
    *hosts: Host, known: dict[str, HostKeys] | None = None, given: dict[str, tuple[CloudKey, ...]] | None = None,
    store: Store | None = None, fleet: Fleet = FLEET,
) -> Pinning:  # fmt: skip
    by_name = {host.name: HostKeys() for host in hosts} | (known or {})
    return pinning(fleet, hosts, by_name, given or {}, store or Store())


def own(result: Pinning) -> dict[str, tuple[HostKey, ...]]:
    return {name: host.pin.own for name, host in result.hosts.items()}


def test_a_host_that_nobody_knows_is_pinned_by_what_its_cloud_names(consoles: Consoles) -> None:
    consoles.keys = {"i-1": named(A, B)}
    store = Store()
    assert own(pin(WEB, OTHER, STATIC, store=store)) == {"web-1": (A, B)}
    kept = store.kept["ec2", "123", "eu-west-1", "i-1"]
    assert (kept.source, kept.seen) == ("EC2's console output", SEEN)
    # By now it says otherwise, and nobody asks.
    consoles.keys, consoles.asked = {"i-1": named(C)}, []
    assert own(pin(WEB, store=store)) == {"web-1": (A, B)}
    assert consoles.asked == []


def test_known_hosts_goes_first_and_no_cloud_is_asked(consoles: Consoles) -> None:
    consoles.keys = {"i-1": named(A), "i-2": named(A)}
    known = {"web-1": HostKeys((B,)), "web-2": HostKeys(authorities=(B,))}
    assert pin(WEB, OTHER, known=known) == Pinning()
    assert consoles.asked == []


def test_a_login_brings_keys_which_are_pinned_unless_known_hosts_says_otherwise() -> None:
    given = {"light": named(A, B)}
    store = Store()
    assert own(pin(LIGHT, given=given, store=store)) == {"light": (A, B)}
    assert store.kept[machine_of(LIGHT)].source == "Lightsail's API"
    assert own(pin(LIGHT, given=given, known={"light": HostKeys((B, C))})) == {"light": (A, B)}
    assert own(pin(LIGHT, given=given, known={"light": HostKeys((C,))})) == {}
    assert own(pin(LIGHT, given={"light": ()})) == {}
    # Another machine of the same name is met for the first time.
    assert own(pin(replace(LIGHT, uid="f01"), given={"light": named(C)}, store=store)) == {"light": (C,)}


@pytest.mark.parametrize("policy", [KNOWN_HOSTS, ACCEPT_NEW])
def test_a_fleet_may_do_without(consoles: Consoles, policy: str) -> None:
    store = Store({machine_of(WEB): Pin.of(machine_of(WEB), [A], "a test")})
    fleet = replace(FLEET, ssh=Ssh(host_keys=policy))
    assert pin(WEB, store=store, fleet=fleet) == Pinning()
    assert (store.asked, consoles.asked) == ([], [])


def test_why_there_is_no_pin_is_kept_for_who_is_refused(consoles: Consoles) -> None:
    half = base64.b64encode(A.blob[:-4]).decode()
    bad = tuple(
        CloudKey(kind, text, SEEN)
        for kind, text in (("ssh-ed25519", "AAAA"), ("ssh-dss", key(1, "ssh-dss").text), ("ssh-ed25519", half))
    )
    consoles.keys = {"i-1": JadaError("access denied"), "i-2": bad}
    result = pin(WEB, OTHER)
    assert result.hosts == {}
    assert {name: error.message for name, error in result.why_none.items()} == {
        "web-1": "EC2's console output could not be asked: access denied",
        "web-2": "EC2's console output names no keys of it",
    }
    trust = Trust("web-1", "192.0.2.1", HostKeys(), "kh", why_none=result.why_none["web-1"])
    # The doctor tells of what was denied.
    assert result.why_none["web-1"].__cause__ is consoles.keys["i-1"]
    with pytest.raises(UnknownKeyError, match=r"kh has none for 192\.0\.2\.1, and EC2's console output") as refused:
        trust.verify(shown(A))
    assert refused.value.hint.endswith(f"jada host-keys --pin '{A.kind} {A.text}' --limit web-1")
    assert refused.value.__cause__ is consoles.keys["i-1"]
    # With accept-new no cloud is asked, and paramiko's policy decides.
    assert Trust("web-1", "192.0.2.1", HostKeys(), "kh").verify(shown(A)) is None


def test_a_pin_that_another_wrote_wrongly_is_none(consoles: Consoles) -> None:
    good = Pin.of(machine_of(WEB), [A], "a test")
    store = Store({machine_of(WEB): replace(good, keys="ssh-ed25519\nssh-ed25519 AAAA\n\n")})
    consoles.keys = {"i-1": named(B)}
    assert own(pin(WEB, store=store)) == {"web-1": (B,)}
    assert replace(good, keys=f"{good.keys}ssh-dss {A.text}\n").own == (A,)


def shown(key: HostKey) -> PKey:
    return PKey.from_type_string(key.kind, key.blob)


def refuse(
    shows: HostKey, now: Callable[[], tuple[HostKey, ...]] = lambda: (), known: tuple[HostKey, ...] = (),
    owners: dict[HostKey, str] | None = None,
) -> HostKeyError:  # fmt: skip
    """The error of a host with the pins A and B that shows another key."""
    its = Pin.of(machine_of(WEB), [A, B], "EC2's console output", SEEN)
    pinned = PinnedHost(WEB, its, now, known, owners or {})
    trust = Trust("web-1", "192.0.2.1", pinned.keys(HostKeys(known)), "kh", pinned)
    assert trust.verify(shown(A)) == A
    with pytest.raises(HostKeyError) as refused:
        trust.verify(shown(shows))
    return refused.value


def test_another_key_tells_which_instance_and_what_was_pinned_when_and_from_where() -> None:
    error = refuse(C)
    assert error.message.startswith(
        f"web-1 (ec2 eu-west-1, i-1) shows another ssh host key than the pinned one: ssh-ed25519 {C.fingerprint} "
        f"instead of ssh-ed25519 {A.fingerprint}, pinned 20"
    )
    assert f" from EC2's console output, as it was {SEEN}. EC2's console output names no key" in error.message
    assert error.hint.startswith("do not log in, for somebody may sit in between.")
    assert error.hint.endswith(f"jada host-keys --pin '{C.kind} {C.text}' --limit web-1")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ((A, B), "still names the pinned one"),
        ((key(9),), "names neither of them now"),
        ((), "names no key of it any more"),
    ],
)
def test_what_the_cloud_says_now_is_told(now: tuple[HostKey, ...], told: str) -> None:
    error = refuse(C, lambda: now)
    assert told in error.message
    assert "somebody may sit in between" in error.hint


def test_a_key_that_the_cloud_names_too_is_of_a_host_that_was_reinstalled() -> None:
    error = refuse(C, lambda: (C,))
    assert "names that key by now: the host was reinstalled, or got new keys" in error.message
    assert error.hint.startswith("compare the key with the console of the host; if it is right: jada host-keys --pin")


def test_a_cloud_that_can_not_be_asked_is_no_agreement() -> None:
    def denied() -> tuple[HostKey, ...]:
        raise JadaError("access denied")

    error = refuse(C, denied)
    assert "could not be asked what it names now: access denied" in error.message
    assert "somebody may sit in between" in error.hint


def test_known_hosts_does_not_vouch_beside_a_pin_and_is_told_of() -> None:
    assert refuse(C, known=(C,)).message.endswith("; known_hosts has that key for its address")


def test_a_key_of_another_host_names_that_one_and_asks_nobody() -> None:
    def asked() -> tuple[HostKey, ...]:
        raise AssertionError

    message = refuse(C, asked, owners={C: "web-2", A: "web-1"}).message
    assert message.endswith("That is the key of web-2: another machine answers at 192.0.2.1, port 22")


def test_pins_name_the_owners_of_the_keys_of_all_hosts(consoles: Consoles) -> None:
    consoles.keys = {"i-1": named(A), "i-2": named(B)}
    assert pin(WEB, OTHER).hosts["web-1"].owners == {A: "web-1", B: "web-2"}


def test_marked_lines_of_known_hosts_count_beside_a_pin() -> None:
    its = Pin.of(machine_of(WEB), [A, B], "a test")
    pinned = PinnedHost(WEB, its, lambda: ())
    assert pinned.keys(HostKeys((C,), frozenset({B.blob}), (C,))) == HostKeys((A,), frozenset({B.blob}), (C,))


def test_keys_are_asked_for_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [replace(WEB, name=f"web-{number}", id=f"i-{number}") for number in range(THREADS)]
    together = Barrier(THREADS)

    def host_keys(_: object, __: Host) -> tuple[CloudKey, ...]:
        # It breaks, and so fails, unless all of them come here.
        together.wait(60)
        return named(A)

    monkeypatch.setitem(SOURCES, "ec2", replace(SOURCES["ec2"], host_keys=host_keys))
    assert own(pin(*hosts)) == {host.name: (A,) for host in hosts}
