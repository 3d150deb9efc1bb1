"""How to log in to each host: pyinfra's host data, with temporary keys and host keys from Lightsail's API."""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jada import ConfigError, Host
from jada.inventory.fleet import Fleet, Ssh

# fleet.yml's policies in the words of OpenSSH's StrictHostKeyChecking, which pyinfra takes too.
STRICTNESS = {"strict": "yes", "accept-new": "accept-new"}


def ssh_data(fleet: Fleet, hosts: Sequence[Host], scratch: Path) -> dict[str, dict[str, object]]:
    """pyinfra's host data by host name; secrets and generated files go into the folder `scratch`, made 0700.

    Lightsail's API gives each of its hosts a key that is valid for 10 minutes from now: connect soon, keep the
    connection, call this again to connect later. fleet.yml's ssh.key is for all other hosts. Raises JadaError.
    """
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    details = _access_details(fleet, [host for host in hosts if _is_lightsail(host)])
    witnessed = [line for host in hosts for line in host_key_lines(host, details.get(host.name, {}))]
    vouched = {host.name for host in hosts if details.get(host.name, {}).get("hostKeys")}
    _check_files(fleet, needs_known_hosts=len(vouched) < len(hosts) or bool(fleet.ssh.jump))

    common: dict[str, object] = {
        "ssh_known_hosts_file": str(fleet.ssh.known_hosts),
        "ssh_strict_host_key_checking": STRICTNESS[fleet.ssh.host_keys],
    }
    if fleet.ssh.key:
        common["ssh_key"] = str(fleet.ssh.key)
    if fleet.ssh.jump:
        common["ssh_config_file"] = str(_write(scratch / "ssh_config", jump_config(fleet.ssh)))
    # AWS itself names these hosts' keys: nothing is left to trust on first use.
    vouched_for: dict[str, object] = {"ssh_strict_host_key_checking": "yes"}
    if vouched:
        known_hosts = _write(scratch / "known_hosts", "\n".join([*witnessed, _text(fleet.ssh.known_hosts)]))
        vouched_for["ssh_known_hosts_file"] = str(known_hosts)
    known = _files_of_known(fleet, [host for host in hosts if host.name not in vouched], scratch)
    return {
        host.name: {
            "ssh_hostname": host.address,
            "ssh_port": host.port,
            **({"ssh_user": host.user} if host.user else {}),
            **common,
            **({"ssh_known_hosts_file": str(known[host.name])} if host.name in known else {}),
            **(_temporary(details[host.name], scratch / quote(host.name, safe="")) if host.name in details else {}),
            **(vouched_for if host.name in vouched else {}),
        }
        for host in hosts
    }


def is_direct(fleet: Fleet) -> bool:
    """Whether hosts are connected to at the very address they were found with: no jump host, and no ~/.ssh/config."""
    return not fleet.ssh.jump and not _may_be_renamed(fleet)


def host_key_lines(host: Host, details: Mapping[str, Any]) -> list[str]:
    """The host keys of an answer of get_instance_access_details as lines of known_hosts."""
    return [f"{_known_as(host)} {key['algorithm']} {key['publicKey']}" for key in details.get("hostKeys", ())]


def lines_about(names: Collection[str], text: str) -> dict[str, list[str]]:
    """The lines of a known_hosts about each of these names, where there are any; those with patterns or markers too."""
    found: dict[str, list[str]] = defaultdict(list)
    general = []
    for line in text.splitlines():
        listed = (line.split(maxsplit=1) or ["#"])[0]
        if listed.startswith("@") or any(sign in listed for sign in "*?!"):
            general.append(line)
        elif not listed.startswith("#"):
            for name in {_known_name(part, names) for part in listed.split(",")} - {None}:
                found[str(name)].append(line)
    return {name: lines + general for name, lines in found.items()}


def jump_config(ssh: Ssh) -> str:
    """An ssh_config that leads to every host through the jump host, whose own host key is checked as strictly.

    The port goes with ProxyJump and not with the jump host: pyinfra would hand it to paramiko as text, and paramiko
    would then look for "[host]:22" among the known hosts.
    """
    user, _, address = ssh.jump.rpartition("@")
    name, _, port = address.partition(":")
    lines = [
        f"Host {name}",
        f"  UserKnownHostsFile {ssh.known_hosts}",
        f"  StrictHostKeyChecking {STRICTNESS[ssh.host_keys]}",
        *([f"  IdentityFile {ssh.key}"] if ssh.key else []),
        f"Host * !{name}",
        f"  ProxyJump {f'{user}@' if user else ''}{name}:{port or 22}",
    ]
    return "\n".join(lines) + "\n"


def _files_of_known(fleet: Fleet, hosts: Sequence[Host], scratch: Path) -> dict[str, Path]:
    """A known_hosts with a host's own lines, for each host that has any: paramiko compares a host with every line.

    With hashed names, Debian's default, that takes it 8 s for 500 hosts. A host that has none is left to the real file,
    where a new key is to go; so are all when ~/.ssh/config may give them other names.
    """
    if _may_be_renamed(fleet):
        return {}
    lines = lines_about({_known_as(host) for host in hosts}, _text(fleet.ssh.known_hosts))
    return {
        # quote leaves no "@": no other file is called so.
        host.name: _write(scratch / f"{quote(host.name, safe='')}@known_hosts", "\n".join(lines[name]) + "\n")
        for host in hosts
        if (name := _known_as(host)) in lines
    }


def _may_be_renamed(fleet: Fleet) -> bool:
    """Whether a ~/.ssh/config may give hosts another name or address; with a jump host, jada's own config is read."""
    return not fleet.ssh.jump and Path("~/.ssh/config").expanduser().exists()


def _known_as(host: Host) -> str:
    return host.address if host.port == 22 else f"[{host.address}]:{host.port}"


def _known_name(part: str, names: Collection[str]) -> str | None:
    """The one of `names` that a name in known_hosts stands for: itself, or hashed with a salt as |1|SALT|HASH."""
    if not part.startswith("|1|"):
        return part if part in names else None
    try:
        salt, digest = (b64decode(one) for one in part[3:].split("|"))
    except ValueError:
        return None
    return next((name for name in names if hmac.digest(salt, name.encode(), "sha1") == digest), None)


def _is_lightsail(host: Host) -> bool:
    return host.source.startswith("lightsail ")


def _access_details(fleet: Fleet, hosts: Sequence[Host]) -> dict[str, Mapping[str, Any]]:
    """get_instance_access_details of all these hosts, side by side, by host name."""
    if not hosts:
        return {}
    from jada.inventory.aws_session import Clients, side_by_side, told_together

    clients = Clients(fleet.aws)
    regions = {region: clients.client("lightsail", region) for region in {host.region for host in hosts}}

    def ask(host: Host) -> Mapping[str, Any]:
        answer = regions[host.region].get_instance_access_details(instanceName=host.id, protocol="ssh")
        details: Mapping[str, Any] = answer["accessDetails"]
        return details

    given, failed = side_by_side(ask, hosts, lambda host: f"{host.source} {host.name}")
    if failed:
        raise told_together(failed, "Lightsail gives no access to some hosts")
    return {host.name: details for host, details in zip(hosts, given, strict=True)}


def _check_files(fleet: Fleet, needs_known_hosts: bool) -> None:
    """Tells once what would otherwise fail on every host."""
    ssh = fleet.ssh
    if ssh.key and not ssh.key.is_file():
        raise ConfigError(
            f"ssh.key in {fleet.path} names {ssh.key}, which does not exist",
            "without ssh.key, the ssh agent and the default keys are used",
        )
    if not needs_known_hosts or ssh.known_hosts.is_file():
        return
    if ssh.host_keys == "strict":
        raise ConfigError(
            f"{ssh.known_hosts} does not exist, so no host key can be checked",
            "collect the hosts' keys there, name another file with ssh.known_hosts, or, to trust each host the first "
            f"time it is seen, set ssh.host_keys to accept-new in {fleet.path}",
        )
    ssh.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    ssh.known_hosts.touch(mode=0o600)


def _temporary(details: Mapping[str, Any], key: Path) -> dict[str, object]:
    """Saves a temporary key, and its certificate beside it, where ssh and pyinfra look for one."""
    _write(key, details["privateKey"].rstrip() + "\n")
    _write(key.with_name(f"{key.name}-cert.pub"), details["certKey"].rstrip() + "\n")
    return {"ssh_key": str(key), "ssh_user": details["username"]}


def _write(file: Path, text: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return file


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""
