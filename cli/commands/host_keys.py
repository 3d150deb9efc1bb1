"""jada host-keys"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from jada import ConfigError, Exit, Host, JadaError
from jada.cli.options import host_options
from jada.cli.session import find, load, operator
from jada.cli.ui.console import emit_json, escape, nulled, out, plural
from jada.cli.ui.given import GIVEN
from jada.inventory.access.known_hosts import KINDS, HostKey
from jada.inventory.access.pin import Machine, Pin, machine_of, whole_key

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet


@click.command("host-keys")
@click.option("--pin", "line", metavar="KEY", type=GIVEN, help="Pin this key to the one host that --limit leaves, "
              "in place of those it has: `ssh-ed25519 AAAA…`.")  # fmt: skip
@click.option("--forget", is_flag=True, help="Forget the keys of the hosts that --role and --limit leave.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def host_keys(
    line: str | None, forget: bool, as_json: bool, fleet_file: str | None, role: str | None, limit: str | None
) -> Exit:
    """Show the ssh host keys that are pinned to hosts.

    The keys that a cloud names for an instance are pinned when it is first connected to, unless known_hosts knows the
    host, and kept: a host that shows another key is refused. --pin takes a new one, once you have compared it. A host
    whose keys are forgotten is met for the first time again. Connects to no host.

    \b
    Examples:
      jada host-keys
      jada host-keys --limit web-7 --pin 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…'
      jada host-keys --limit 'web-*' --forget
    """
    if forget and (line or not (role or limit)):
        raise ConfigError(
            "--forget goes with --limit or --role, and not with --pin", "jada host-keys --forget --limit HOST"
        )
    key = _key(line) if line else None
    # On the way back a host may be refused for its key, and that goes on where little else does.
    fleet = load(fleet_file, needs_all=False)
    hosts = find(fleet, role, limit, is_way_back=True)
    # Not for completion, which wants the options alone.
    from jada.cli.records.sqlite import open_records

    with open_records() as records:
        machines = {machine_of(host) for host in hosts}
        by_machine = {pin.machine: pin for pin in records.pins(machines)}
        if key:
            pin = _pinned(fleet, hosts, key)
            records.pin([pin], replaces=True)
            by_machine[pin.machine] = pin
        elif forget:
            records.unpin(by_machine.values())
            by_machine = {}
    if as_json:
        emit_json("host-keys", fleet.name, Exit.OK, {"hosts": [_as_json(host, by_machine) for host in hosts]})
        return Exit.OK
    for text in _lines(fleet, hosts, by_machine):
        out.print(text)
    return Exit.OK


def _key(line: str) -> HostKey:
    """The key of a line as in known_hosts, without the host. Raises ConfigError."""
    words = line.split()
    key = whole_key(words[0], words[1]) if len(words) > 1 else None
    if key is None:
        raise ConfigError(
            "--pin: that is no public key of a host",
            f"its type and its base64, as `cat /etc/ssh/ssh_host_ed25519_key.pub` on the host tells them; types: "
            f"{', '.join(KINDS)}",
        )
    return key


def _pinned(fleet: Fleet, hosts: Sequence[Host], key: HostKey) -> Pin:
    """The pin of the only host. Raises ConfigError for several, JadaError where it would not count."""
    if len(hosts) != 1:
        raise ConfigError(f"--pin is for one host, and {plural(len(hosts), 'host')} are left", "name it with --limit")
    if not fleet.ssh.pins_keys:
        raise JadaError(
            f"Pinned keys do not count for this fleet: ssh.host_keys is {fleet.ssh.host_keys} in {fleet.path}",
            f"add the key to {fleet.ssh.known_hosts}, or set ssh.host_keys: pinned",
        )
    from jada.inventory.access.pins import is_pinned

    if not is_pinned(fleet, hosts[0]):
        raise JadaError(
            f"{hosts[0].name} ({hosts[0].source}) is no instance of a cloud, so there is nothing to pin a key to",
            f"add the key to {fleet.ssh.known_hosts}",
        )
    return Pin.of(machine_of(hosts[0]), [key], operator())


def _lines(fleet: Fleet, hosts: Sequence[Host], by_machine: Mapping[Machine, Pin]) -> Iterator[str]:
    for host in hosts:
        pin = by_machine.get(machine_of(host))
        yield f"[bold]{escape(host.name)}[/] ({escape(', '.join(filter(None, (host.source, host.id))))})"
        yield f"    {escape(pin.told)}" if pin else "    nothing is pinned: it goes by known_hosts"
        for key in pin.own if pin else ():
            yield f"    {key.kind} {key.fingerprint}"
    if not fleet.ssh.pins_keys:
        yield f"\nPinned keys do not count: ssh.host_keys is {fleet.ssh.host_keys} in {escape(str(fleet.path))}."


def _as_json(host: Host, by_machine: Mapping[Machine, Pin]) -> dict[str, Any]:
    pin = by_machine.get(machine_of(host))
    own = {"host": host.name, "provider": host.provider, "region": host.region, "account": host.account, "id": host.id}
    pinned = pin and {
        **nulled({"source": pin.source, "seen": pin.seen, "at": pin.at}),
        "keys": [{"type": key.kind, "key": key.text, "fingerprint": key.fingerprint} for key in pin.own],
    }
    return {**nulled(own), "pinned": pinned}
