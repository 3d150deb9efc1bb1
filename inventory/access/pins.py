"""Host keys pinned to an instance: as its cloud named them when they were first needed, and kept from then on.

A line of known_hosts is a person's word for an address, which may pass on to another machine; a pin is the cloud's, or
a person's, for one instance. A host that known_hosts knows needs none.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from jada import Host, JadaError
from jada.inventory.access.known_hosts import HostKey, HostKeys
from jada.inventory.access.pin import Machine, Pin, machine_of, whole_key
from jada.inventory.concurrency import map_concurrently
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources.registry import SOURCES
from jada.inventory.sources.source import CloudKey


class PinStore(Protocol):
    """A place where pins are kept for every later run. It raises nothing: pins that can't be read are none."""

    def read(self, machines: Collection[Machine], /) -> Iterable[Pin]: ...

    def keep(self, pins: Sequence[Pin], /) -> None:
        """Keeps pins of machines that have none."""


class NoStore:
    """Keeps nothing: each run asks the clouds anew."""

    def read(self, _: Collection[Machine], /) -> tuple[Pin, ...]:
        return ()

    def keep(self, _: Sequence[Pin], /) -> None:
        """Nothing is kept."""


NO_STORE = NoStore()


@dataclass(frozen=True, slots=True)
class PinnedHost:
    """A host with a pin, and all that may explain another key: what its cloud names `now`, what known_hosts has for its
    address, and whose pinned keys the other hosts' are.
    """

    host: Host
    pin: Pin
    now: Callable[[], tuple[HostKey, ...]]
    known: tuple[HostKey, ...] = ()
    owners: Mapping[HostKey, str] = field(default_factory=dict)

    def keys(self, known: HostKeys) -> HostKeys:
        """The keys that it is trusted by: the pinned ones for those that known_hosts has, whose marked lines count."""
        return HostKeys(authorities=known.authorities, revoked=known.revoked).also(self.pin.own)

    def changed(self, shown: HostKey) -> tuple[str, str]:
        """Tells what another key than the pinned one may mean, and how to take it. It asks the cloud."""
        host, pinned = self.host, self.pin.own
        old = next((key for key in pinned if key.kind == shown.kind), pinned[0])
        why, is_told = self._explained(shown)
        where = ", ".join(filter(None, (host.source, host.id)))
        message = (
            f"{host.name} ({where}) shows another ssh host key than the pinned one: {shown.kind} {shown.fingerprint} "
            f"instead of {old.kind} {old.fingerprint}, {self.pin.told}. {why}"
        )
        take = taking(host.name, shown)
        if is_told:
            return message, f"compare the key with the console of the host; if it is right: {take}"
        return message, (
            "do not log in, for somebody may sit in between. If the host was given new keys, compare them on the host "
            f"itself, not by ssh; if they are right: {take}"
        )

    def _explained(self, shown: HostKey) -> tuple[str, bool]:
        """What is known of the other key, and True if the cloud itself names it for this host."""
        if owner := self.owners.get(shown):
            return f"That is the key of {owner}: another machine answers at {host_place(self.host)}", False
        place = SOURCES[self.host.provider].keys_from
        try:
            now = self.now()
        except JadaError as error:
            why, is_told = f"{place} could not be asked what it names now: {error.message}", False
        else:
            why, is_told = _compared(place, self.pin.own, now, shown), shown in now
        return why + ("; known_hosts has that key for its address" if shown in self.known else ""), is_told


@dataclass(frozen=True, slots=True)
class Pinning:
    """What the pins say of the hosts of one run, by their names; `why_none` of those that need one and have none."""

    hosts: Mapping[str, PinnedHost] = field(default_factory=dict)
    why_none: Mapping[str, JadaError] = field(default_factory=dict)

    @property
    def is_asked(self) -> bool:
        """True if a cloud was asked, now or once, for keys of any of them."""
        return bool(self.hosts or self.why_none)


def host_place(host: Host) -> str:
    return f"{host.address}, port {host.port}"


def taking(name: str, key: HostKey) -> str:
    """The command that pins this key for a host, in place of all that are pinned."""
    return f"jada host-keys --pin {shlex.quote(f'{key.kind} {key.text}')} --limit {shlex.quote(name)}"


def is_pinned(fleet: Fleet, host: Host) -> bool:
    """True if a host of this fleet is known by its pinned keys, as far as there are any."""
    return fleet.ssh.pins_keys and bool(SOURCES[host.provider].keys_from and host.id)


def pinning(
    fleet: Fleet,
    hosts: Iterable[Host],
    known: Mapping[str, HostKeys],
    given: Mapping[str, tuple[CloudKey, ...]],
    store: PinStore,
) -> Pinning:
    """The pins of hosts, kept ones first. A host without one gets it of its cloud, unless known_hosts says otherwise:
    what works by that goes on to. `given` are the keys that clouds gave with a login; others are asked for, side by
    side.
    """
    candidates = [host for host in hosts if is_pinned(fleet, host)]
    if not candidates:
        return Pinning()
    kept = {pin.machine: pin for pin in store.read({machine_of(host) for host in candidates}) if pin.own}
    missing = [host for host in candidates if machine_of(host) not in kept]
    answers = {host.name: given[host.name] for host in missing if host.name in given}
    to_ask = [host for host in missing if host.name not in given and not known[host.name].vouching]
    asked = map_concurrently(_named, to_ask)
    why_none: dict[str, JadaError] = {}
    for host, answer in zip(to_ask, asked, strict=True):
        if isinstance(answer, JadaError):
            why_none[host.name] = JadaError(f"{_place(host)} could not be asked: {answer.message}")
            why_none[host.name].__cause__ = answer
        elif checked(answer):
            answers[host.name] = answer
        else:
            why_none[host.name] = JadaError(f"{_place(host)} names no keys of it")
    new = {machine_of(host): pin for host in missing
           if (pin := _first(host, answers.get(host.name, ()), known[host.name]))}  # fmt: skip
    if new:
        store.keep(list(new.values()))
    pins = kept | new
    owners = {key: host.name for host in candidates if (pin := pins.get(machine_of(host))) for key in pin.own}
    return Pinning(
        {
            host.name: PinnedHost(host, pins[machine_of(host)], _asking(host, given), known[host.name].own, owners)
            for host in candidates
            if machine_of(host) in pins
        },
        why_none,
    )


def checked(keys: Iterable[CloudKey]) -> tuple[HostKey, ...]:
    """The keys of a cloud's answer that are such as a host can be known by."""
    good = (whole_key(key.kind, key.text) for key in keys)
    return tuple(dict.fromkeys(key for key in good if key))


def _first(host: Host, named: Sequence[CloudKey], known: HostKeys) -> Pin | None:
    """The pin of a host that has none yet; None where known_hosts has others for it, by which it is known until now."""
    keys = checked(named)
    if not keys or (known.own and not {*known.own} & {*keys}):
        return None
    return Pin.of(machine_of(host), keys, _place(host), max(key.seen for key in named))


def _named(host: Host) -> tuple[CloudKey, ...]:
    ask = SOURCES[host.provider].host_keys
    return ask(host.aws, host) if ask else ()


def _asking(host: Host, given: Mapping[str, tuple[CloudKey, ...]]) -> Callable[[], tuple[HostKey, ...]]:
    return lambda: checked(given[host.name] if host.name in given else _named(host))


def _place(host: Host) -> str:
    return SOURCES[host.provider].keys_from


def _compared(place: str, pinned: Sequence[HostKey], now: Sequence[HostKey], shown: HostKey) -> str:
    if shown in now:
        return f"{place} names that key by now: the host was reinstalled, or got new keys"
    if {*pinned} & {*now}:
        return f"{place} still names the pinned one"
    return f"{place} names neither of them now" if now else f"{place} names no key of it any more"
