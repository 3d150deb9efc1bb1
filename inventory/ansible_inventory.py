"""The fleet as Ansible's dynamic inventory has it: groups of hosts with their variables."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from jada import Host, HostError
from jada.inventory.access.login import STRICTNESS, unusable
from jada.inventory.access.ssh_config import jumping
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.ssh import Ssh

# The address of a host that can't be reached: no name ends so (RFC 6761), and Ansible then fails that host alone.
NOWHERE = "unreachable.invalid"
# A mapping with such a key is another thing to Ansible's JSON, and may have it read nothing of the whole inventory.
RESERVED = "__ansible"
_NOT_IN_GROUPS = re.compile(r"[^A-Za-z0-9_]")


def inventory(fleet: Fleet, hosts: Sequence[Host]) -> dict[str, Any]:
    """The hosts with their variables, and a group for each role, provider, region and tag but Name; without those whose
    name would spoil it for all. Pure.
    """
    hosts = [host for host in hosts if not host.name.startswith(RESERVED)]
    groups: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        for group in _groups(host):
            groups[group].append(host.name)
    return {
        "_meta": {"hostvars": {host.name: _variables(fleet.ssh, host) for host in hosts}},
        "all": {"hosts": [host.name for host in hosts], "children": list(groups)},
        **{group: {"hosts": names} for group, names in groups.items()},
    }


def trouble(host: Host) -> HostError | None:
    """Says why Ansible can't reach a host the way jada does: it has no login of some minutes, and no such tunnel."""
    if why := host.trouble or unusable(host):
        return why
    if host.name.startswith(RESERVED):
        return HostError(f"{host.name} has a name that is none to Ansible, so it is left out", "give it another name")
    if host.engine != "ssh":
        way = "through Systems Manager"
    elif host.via != "address":
        way = "through an EC2 Instance Connect Endpoint"
    elif host.login != "keys":
        way = "with a key that EC2 Instance Connect lets in for a minute"
    else:
        return None
    hint = "set the connection of these hosts in Ansible's own group variables, or leave them out with --limit"
    return HostError(f"{host.name} is reached {way}, which Ansible does not take over from jada", hint)


def _groups(host: Host) -> list[str]:
    named = {"role": host.role, "provider": host.provider, "region": host.region}
    named |= {f"tag_{key}": value for key, value in host.tags.items() if key != "Name"}
    # Two tags may become one name; each host is in a group once.
    return list(dict.fromkeys(_NOT_IN_GROUPS.sub("_", f"{key}_{value}") for key, value in named.items() if value))


def _variables(ssh: Ssh, host: Host) -> dict[str, Any]:
    why_not = trouble(host)
    about = {"jada_role": host.role, "jada_id": host.id, "jada_region": host.region}
    variables: dict[str, Any] = {key: _as_it_is(value) for key, value in about.items() if value}
    kept = {key: value for key, value in host.tags.items() if not key.startswith(RESERVED)}
    variables["jada_tags"] = {key: _as_it_is(value) for key, value in kept.items()}
    if why_not:
        return {**variables, "ansible_host": NOWHERE, "jada_error": _as_it_is(why_not.message)}
    variables |= {"ansible_host": host.address, "ansible_port": host.port}
    if host.user:
        variables["ansible_user"] = host.user
    if ssh.key:
        variables["ansible_ssh_private_key_file"] = str(ssh.key)
    if words := _options(ssh):
        variables["ansible_ssh_common_args"] = shlex.join(words)
    return variables


def _options(ssh: Ssh) -> list[str]:
    """The options by which ssh trusts hosts and gets to them as jada does, where fleet.yml says so."""
    trust = []
    if ssh.known_hosts != Ssh().known_hosts:
        trust += ["-o", f'UserKnownHostsFile="{ssh.known_hosts}"']
    if not ssh.jump:
        return [*trust, "-o", f"StrictHostKeyChecking={STRICTNESS[ssh.host_keys]}"]
    key = ["-i", str(ssh.key), "-o", "IdentitiesOnly=yes"] if ssh.key else []
    way = jumping(ssh.jump, ["-F", "none", *trust, *key], is_strict=ssh.is_strict)
    return [*trust, "-o", f"StrictHostKeyChecking={STRICTNESS[ssh.host_keys]}", "-o", f"ProxyCommand={way}"]


def _as_it_is(text: str) -> Mapping[str, str]:
    """A text of others, in which Ansible is to look for no template: that would run commands on this machine."""
    return {"__ansible_unsafe": text}
