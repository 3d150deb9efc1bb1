"""Logins to hosts as pyinfra's host data, with temporary keys and host keys where the cloud gives them.

Names, addresses and users come from tags and from clouds' answers. Each is checked here once more, where it becomes a
file's name, a line of known_hosts or one of an ssh configuration; secrets never become a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from jada import ConfigError, Host, HostError
from jada.inventory.access import ssh_config
from jada.inventory.access.known_hosts import HostKey, HostKeys, host_keys, known_name, revoked_keys
from jada.inventory.access.pins import NO_STORE, PinStore, pinning
from jada.inventory.access.ssh_config import Options, expanded, jumping, plain
from jada.inventory.access.temporary import LentLogin, PushedLogin, access_details, fresh_key, vouched
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.ssh import ACCEPT_NEW, KNOWN_HOSTS, PINNED, SSH_CONFIG_PATH, Ssh
from jada.inventory.sources.source import HOST_NAME, Access

if TYPE_CHECKING:
    from jada.inventory.access.identity import Grant
    from jada.inventory.access.tunnel import Tunnel

# fleet.yml's policies in the words of OpenSSH's StrictHostKeyChecking, which pyinfra takes too.
STRICTNESS = {PINNED: "yes", KNOWN_HOSTS: "yes", ACCEPT_NEW: "accept-new"}

# The beginning of a binary list of RevokedHostKeys.
_REVOCATION_LIST = b"SSHKRL\n\0"
# A name of DNS, or an address: nothing that known_hosts or ssh_config reads as a pattern, a list or an option.
_ADDRESS = re.compile(r"[\w:][\w.:-]*(%\w+)?")
_USER = re.compile(r"(\w[\w.@\\+-]*\$?)?")
_JUMP = re.compile(r"(\w[\w.-]*@)?\w[\w.-]*(:[0-9]{1,5})?")


def ssh_data(
    fleet: Fleet, hosts: Sequence[Host], scratch: Path, pins: PinStore = NO_STORE
) -> dict[str, dict[str, object] | HostError]:
    """pyinfra's host data by host name, or why a host can't be reached; known hosts and an ssh configuration go into
    the folder `scratch`, made 0700.

    Keys that a cloud gives or lets in for some minutes are in memory alone, and had anew for a login that comes later.
    fleet.yml's ssh.key is for all other hosts. Host keys that clouds name are kept in `pins`. Raises JadaError for what
    is wrong with all of them.
    """
    # Here, because paramiko takes long to import, and whoever only finds hosts needs none of it.
    from jada.inventory.access.host_key import Trust
    from jada.inventory.access.identity import Login
    from jada.inventory.access.proxy import Proxy

    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    troubles = {host.name: trouble for host in hosts if (trouble := host.trouble or unusable(host))}
    own_keys: dict[str, tuple[HostKey, ...]] = {}
    lent: dict[str, LentLogin] = {}
    usable = {host.name: host for host in hosts if host.name not in troubles}
    details = access_details([*usable.values()])
    for name, answer in details.items():
        try:
            if isinstance(answer, HostError):
                raise answer
            own_keys[name], lent[name] = vouched(name, answer), LentLogin(usable[name], answer)
        except HostError as trouble:
            troubles.setdefault(name, trouble)
    grants: dict[str, Grant] = {**lent, **_pushed([*usable.values()])}
    tunnels = _tunnels([*usable.values()])
    troubles |= {name: way for name, way in tunnels.items() if isinstance(way, HostError)}
    ways = {name: way for name, way in tunnels.items() if not isinstance(way, HostError)}
    every, hosts = hosts, [host for host in hosts if host.name not in troubles]
    if not hosts:
        return {**troubles}
    options = _options(fleet, hosts, scratch)
    known = _known(hosts, options)
    given = {name: answer.host_keys for name, answer in details.items() if isinstance(answer, Access)}
    pinned = pinning(fleet, hosts, known, given, pins)
    # Where clouds name keys, a fleet has no need of that file: a host without any is that host's trouble.
    unvouched = [] if pinned.is_asked else [host for host in hosts if not own_keys.get(host.name)]
    _check_files(fleet, [file for host in unvouched for file in options[host.name].known_hosts])
    # pyinfra would read ~/.ssh/config by itself; what stands there is in the options already.
    config = str(_write(scratch / "@none", ""))
    data: dict[str, dict[str, object]] = {}
    for host in hosts:
        own, way = options[host.name], ways.get(host.name)
        own = replace(own, user=lent[host.name].user) if host.name in lent else own
        pin = pinned.hosts.get(host.name)
        keys = pin.keys(known[host.name]) if pin else known[host.name].also(own_keys.get(host.name, ()))
        why_none = pinned.why_none.get(host.name)
        arguments: dict[str, object] = {
            "transport_factory": Trust(host.name, known_as(own), keys, str(fleet.ssh.known_hosts), pin, why_none),
            "auth_strategy": Login(host.name, own, grants.get(host.name)),
            **({"sock": Proxy(expanded(own.proxy, own, host.address))} if own.proxy else {}),
            **({"sock": way} if way else {}),
        }
        data[host.name] = {
            "ssh_hostname": own.hostname,
            "ssh_port": own.port,
            "ssh_user": own.user,
            "ssh_config_file": config,
            # Its keys are in `auth_strategy`.
            "ssh_allow_agent": False,
            "ssh_look_for_keys": False,
            **_trust(fleet.ssh, host.name, own, keys, scratch),
            "ssh_paramiko_connect_kwargs": arguments,
            **({"jada_instance": host.instance} if host.instance else {}),
            **({"jada_way": way.shared} if way else {}),
        }
    return {host.name: troubles.get(host.name) or data[host.name] for host in every}


def known_keys(fleet: Fleet, hosts: Sequence[Host], scratch: Path) -> dict[str, HostKeys]:
    """The keys by which the ssh configuration and known_hosts know hosts, by name; none of one that can't be reached.

    The folder `scratch` is as for `ssh_data`. Raises JadaError.
    """
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    usable = [host for host in hosts if not (host.trouble or unusable(host))]
    return _known(usable, _options(fleet, usable, scratch)) if usable else {}


def unknown(fleet: Fleet, hosts: Sequence[Host], scratch: Path) -> dict[str, Options]:
    """The options of ssh for each of the hosts that no known_hosts knows, by name. As `known_keys`."""
    known = known_keys(fleet, hosts, scratch)
    strangers = [host for host in hosts if host.name in known and not known[host.name].vouching]
    return _options(fleet, strangers, scratch) if strangers else {}


def is_direct(fleet: Fleet) -> bool:
    """True if hosts are connected to at the address they were found with: no jump host, no ssh configuration."""
    return not fleet.ssh.jump and ssh_config.is_silent()


def jump_config(ssh: Ssh) -> str:
    """The ssh_config by which ssh logs in to the jump host, whose own host key is checked. Raises ConfigError."""
    user, name, port = _jump(ssh)
    lines = [
        f"Host {name}",
        f"  Port {port}",
        *([f"  User {user}"] if user else []),
        f"  UserKnownHostsFile {_path(ssh.known_hosts, 'ssh.known_hosts')}",
        f"  StrictHostKeyChecking {STRICTNESS[ssh.host_keys]}",
        # OpenSSH's own first choice takes it five times the processor time, for each host; inside is another ssh.
        "  KexAlgorithms ^curve25519-sha256",
        *([f"  IdentityFile {_path(ssh.key, 'ssh.key')}", "  IdentitiesOnly yes"] if ssh.key else []),
    ]
    return "\n".join(lines) + "\n"


def _pushed(hosts: Sequence[Host]) -> dict[str, PushedLogin]:
    """The logins by a key of this run, one for all of them."""
    wanted = [host for host in hosts if host.login == "instance-connect"]
    credential = fresh_key() if wanted else None
    return {host.name: PushedLogin(host, credential) for host in wanted if credential}


def _tunnels(hosts: Sequence[Host]) -> Mapping[str, Tunnel | HostError]:
    if not any(host.via == "eice" for host in hosts):
        return {}
    # Here, for what speaks websocket takes time to import.
    from jada.inventory.access.tunnel import tunnels

    return tunnels(hosts)


def _options(fleet: Fleet, hosts: Sequence[Host], scratch: Path) -> dict[str, Options]:
    """The options of ssh for each host, by name: by fleet.yml where that says it, by ~/.ssh/config otherwise."""
    ssh = fleet.ssh
    if ssh.jump:
        config = _write(scratch / "@jump", jump_config(ssh))
        proxy = jumping(_jump(ssh)[1], ("-F", str(config)))
        options = {host.name: replace(plain(host), proxy=proxy) for host in hosts}
    elif ssh_config.is_silent():
        options = {host.name: plain(host) for host in hosts}
    else:
        options = ssh_config.options_of(hosts, is_strict=ssh.is_strict)
    if ssh.key:
        own = {"identities": (ssh.key,), "identities_only": True, "certificates": ()}
        options = {name: replace(host_options, **own) for name, host_options in options.items()}  # type: ignore[arg-type]
    # What leads there otherwise, in fleet.yml or in the configuration, is not the way of a tunnel.
    for host in hosts:
        if host.via == "eice":
            options[host.name] = replace(options[host.name], hostname=host.address, port=host.port, proxy="")
    if ssh.known_hosts != Ssh().known_hosts:
        options = {
            name: replace(host_options, known_hosts=(ssh.known_hosts,)) for name, host_options in options.items()
        }
    return options


def _known(hosts: Sequence[Host], options: Mapping[str, Options]) -> dict[str, HostKeys]:
    """The keys in the known_hosts of each host, by its name here; each file is read once."""
    known: dict[str, HostKeys] = {}
    for files in {host_options.known_hosts for host_options in options.values()}:
        names = {
            host.name: known_as(host_options)
            for host in hosts
            if (host_options := options[host.name]).known_hosts == files
        }
        by_name = host_keys("\n".join(_text(file) for file in files), names.values())
        known |= {host: by_name[name] for host, name in names.items()}
    revoked = {file: _revoked(file) for host_options in options.values() for file in host_options.revoked}
    return {host: keys.without(frozenset[bytes]().union(*(revoked[file] for file in options[host].revoked)))
            for host, keys in known.items()}  # fmt: skip


def _revoked(file: Path) -> frozenset[bytes]:
    """The keys of a file that RevokedHostKeys names; without them ssh trusts no host. Raises ConfigError."""
    try:
        data = file.read_bytes()
        if data.startswith(_REVOCATION_LIST):
            raise ValueError("it is a key revocation list")
        return revoked_keys(data.decode(errors="surrogateescape"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"{file}, which RevokedHostKeys names in the ssh configuration, can't be read: {why}",
            "jada reads the form with one public key on a line; without it no host key can be trusted",
        ) from None


def known_as(options: Options) -> str:
    """The name by which a host is looked for in known_hosts."""
    return options.alias or known_name(options.hostname, options.port)


def unusable(host: Host) -> HostError | None:
    """Says why a name, address or user can't be used: it could be more than that."""
    for word, value, shape in (("name", host.name, HOST_NAME), ("address", host.address, _ADDRESS),
                               ("user", host.user, _USER)):  # fmt: skip
        if not shape.fullmatch(value):
            return HostError(
                f"The {word} of host {host.name!r} ({host.source}) can't be used: {value!r}",
                "see who set it there; nothing was connected to",
            )
    return None


def _trust(ssh: Ssh, host: str, options: Options, keys: HostKeys, scratch: Path) -> dict[str, object]:
    """The known_hosts that paramiko is to read: with one line, if a host is known at all, for all that vouches for it.

    paramiko compares a host with every line: with hashed names, Debian's default, that takes it 8 s for 500 hosts. A
    host that is not known is left to the real file, where its key is to go, but for one with another name there.
    """
    strictness = "yes" if keys.vouching or options.alias else STRICTNESS[ssh.host_keys]
    file = options.known_hosts[0] if options.known_hosts else ssh.known_hosts
    if keys.vouching:
        # quote leaves no "@": no other file is called so.
        name = known_name(options.hostname, options.port)
        line = f"{name} {keys.first.kind} {keys.first.text}\n"
        file = _write(scratch / f"{quote(host, safe='')}@known_hosts", line)
    return {"ssh_known_hosts_file": str(file), "ssh_strict_host_key_checking": strictness}


def _jump(ssh: Ssh) -> tuple[str, str, int]:
    """The user or "", the host and the port of a jump host. Raises ConfigError."""
    if not _JUMP.fullmatch(ssh.jump):
        raise ConfigError(f"ssh.jump in fleet.yml can't be used: {ssh.jump!r}", "write [user@]host[:port]")
    user, _, address = ssh.jump.rpartition("@")
    name, _, port = address.partition(":")
    return user, name, int(port or 22)


def _path(path: Path, key: str) -> str:
    if not SSH_CONFIG_PATH.fullmatch(str(path)):
        raise ConfigError(
            f"{key}: {str(path)!r} can't be written into an ssh configuration, which ssh.jump needs",
            "a path of letters, digits and . _ - + = , : @ / only",
        )
    return str(path)


def _check_files(fleet: Fleet, known_hosts: Sequence[Path]) -> None:
    """Tells once what would otherwise fail on every host that needs one of these known_hosts."""
    ssh = fleet.ssh
    if ssh.key and not ssh.key.is_file():
        raise ConfigError(
            f"ssh.key in {fleet.path} names {ssh.key}, which does not exist",
            "without ssh.key, the ssh agent and the default keys are used",
        )
    if not (known_hosts or ssh.jump) or any(file.is_file() for file in {ssh.known_hosts, *known_hosts}):
        return
    if ssh.is_strict:
        raise ConfigError(
            f"{ssh.known_hosts} does not exist, so no host key can be checked",
            "collect the hosts' keys there, name another file with ssh.known_hosts, or, to trust each host the first "
            f"time it is seen, set ssh.host_keys to accept-new in {fleet.path}",
        )
    ssh.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    ssh.known_hosts.touch(mode=0o600)


def _write(file: Path, text: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return file


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""
