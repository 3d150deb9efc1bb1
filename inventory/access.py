"""How to log in to each host: pyinfra's host data, with temporary keys and host keys from Lightsail's API.

Names, addresses and users come from tags and from clouds' answers. Each is checked here once more, where it becomes a
file's name, a line of known_hosts or one of an ssh configuration; secrets never become a file.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jada import ConfigError, Host, HostError
from jada.inventory.fleet import HOST_NAME, SSH_CONFIG_PATH, Fleet, Ssh
from jada.inventory.known_hosts import HostKey, HostKeys, host_key, host_keys, known_name
from jada.inventory.ssh_config import renamed

if TYPE_CHECKING:
    from paramiko import PKey

    from jada.inventory.aws_session import Failure

# fleet.yml's policies in the words of OpenSSH's StrictHostKeyChecking, which pyinfra takes too.
STRICTNESS = {"strict": "yes", "accept-new": "accept-new"}

# A name of DNS, or an address: nothing that known_hosts or ssh_config reads as a pattern, a list or an option.
_ADDRESS = re.compile(r"[\w:][\w.:-]*(%\w+)?")
_USER = re.compile(r"(\w[\w.@\\+-]*\$?)?")
_JUMP = re.compile(r"(\w[\w.-]*@)?\w[\w.-]*(:[0-9]{1,5})?")
_CERTIFICATE = re.compile(r"([\w@.-]+) ([A-Za-z0-9+/=]+)( [^\n\r]*)?", re.ASCII)


def ssh_data(fleet: Fleet, hosts: Sequence[Host], scratch: Path) -> dict[str, dict[str, object] | HostError]:
    """pyinfra's host data by host name, or why a host can't be reached; known hosts and an ssh configuration go into
    the folder `scratch`, made 0700.

    Lightsail's API gives each of its hosts a key that is valid for 10 minutes from now, which is kept in memory:
    connect soon, keep the connection, call this again to connect later. fleet.yml's ssh.key is for all other hosts.
    Raises JadaError for what is wrong with all of them.
    """
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    troubles = {host.name: trouble for host in hosts if (trouble := host.trouble or _unusable(host))}
    vouched: dict[str, tuple[HostKey, ...]] = {}
    logins: dict[str, dict[str, object]] = {}
    lightsail = [host for host in hosts if _is_lightsail(host) and host.name not in troubles]
    for name, answer in _access_details(fleet, lightsail).items():
        try:
            if isinstance(answer, HostError):
                raise answer
            vouched[name], logins[name] = _vouched(name, answer), _temporary(name, answer)
        except HostError as trouble:
            troubles[name] = trouble
    every, hosts = hosts, [host for host in hosts if host.name not in troubles]
    if not hosts:
        return {**troubles}
    unvouched = [host for host in hosts if not vouched.get(host.name)]
    _check_files(fleet, needs_known_hosts=bool(unvouched or fleet.ssh.jump))
    names = _known_names(fleet, hosts)
    jump = [_jump_name(fleet.ssh)] if fleet.ssh.jump else []
    known = host_keys(_text(fleet.ssh.known_hosts), {*names.values(), *jump})
    common: dict[str, object] = {
        "ssh_known_hosts_file": str(fleet.ssh.known_hosts),
        "ssh_strict_host_key_checking": STRICTNESS[fleet.ssh.host_keys],
    }
    if fleet.ssh.key:
        common["ssh_key"] = str(fleet.ssh.key)
    if jump:
        config = jump_config(fleet.ssh, *_jump_trust(fleet.ssh, known[jump[0]], scratch))
        common["ssh_config_file"] = str(_write(scratch / "ssh_config", config))
    data: dict[str, dict[str, object]] = {}
    for host in hosts:
        keys = known[names[host.name]]
        login = logins.get(host.name, {})
        arguments = {**_refusal(fleet, host, keys), **_key_arguments(login.pop("key", None))}
        data[host.name] = {
            "ssh_hostname": host.address,
            "ssh_port": host.port,
            **({"ssh_user": host.user} if host.user else {}),
            **{name: value for name, value in common.items() if not (login and name == "ssh_key")},
            **_trust(host.name, names[host.name], (*vouched.get(host.name, ()), *keys.own), keys.revoked, scratch),
            **login,
            **({"ssh_paramiko_connect_kwargs": arguments} if arguments else {}),
            **({"jada_instance": host.instance} if host.instance else {}),
        }
    return {host.name: troubles.get(host.name) or data[host.name] for host in every}


def is_direct(fleet: Fleet) -> bool:
    """Whether hosts are connected to at the very address they were found with: no jump host, and no ~/.ssh/config."""
    return not fleet.ssh.jump and not _own_config().exists()


def jump_config(ssh: Ssh, known_hosts: Path, strictness: str) -> str:
    """An ssh_config that leads to every host through the jump host, whose own host key is checked. Raises ConfigError.

    The port goes with ProxyJump and not with the jump host: pyinfra would hand it to paramiko as text, and paramiko
    would then look for "[host]:22" among the known hosts.
    """
    user, name, port = _jump(ssh)
    lines = [
        f"Host {name}",
        f"  UserKnownHostsFile {_path(known_hosts, 'ssh.known_hosts')}",
        f"  StrictHostKeyChecking {strictness}",
        *([f"  IdentityFile {_path(ssh.key, 'ssh.key')}"] if ssh.key else []),
        f"Host * !{name}",
        f"  ProxyJump {f'{user}@' if user else ''}{name}:{port}",
    ]
    return "\n".join(lines) + "\n"


def _unusable(host: Host) -> HostError | None:
    """Why a name, address or user can't be used: it could be more than that."""
    for word, value, shape in (("name", host.name, HOST_NAME), ("address", host.address, _ADDRESS),
                               ("user", host.user, _USER)):  # fmt: skip
        if not shape.fullmatch(value):
            return HostError(
                f"The {word} of host {host.name!r} ({host.source}) can't be used: {value!r}",
                "see who set it there; nothing was connected to",
            )
    return None


def _vouched(name: str, details: Mapping[str, Any]) -> tuple[HostKey, ...]:
    """The host keys that Lightsail itself names for a host: nothing is left to trust on first use. Raises HostError."""
    keys = [host_key(str(one.get("algorithm")), str(one.get("publicKey"))) for one in details.get("hostKeys") or ()]
    if None in keys:
        raise HostError(f"Lightsail names a host key of {name} that is none")
    return tuple(key for key in keys if key)


def _trust(
    host: str, name: str, keys: Sequence[HostKey], revoked: frozenset[bytes], scratch: Path
) -> dict[str, object]:
    """A known_hosts with a host's own keys, if it has any: paramiko compares a host with every line.

    With hashed names, Debian's default, that takes it 8 s for 500 hosts. A host that has none is left to the real file,
    where a new key is to go; one that has is not trusted anew, whatever paramiko makes of its keys.
    """
    good = [key for key in dict.fromkeys(keys) if key.blob not in revoked]
    if not good:
        return {}
    # quote leaves no "@": no other file is called so.
    file = scratch / f"{quote(host, safe='')}@known_hosts"
    _write(file, "".join(f"{name} {key.kind} {key.text}\n" for key in good))
    return {"ssh_known_hosts_file": str(file), "ssh_strict_host_key_checking": "yes"}


def _jump_trust(ssh: Ssh, keys: HostKeys, scratch: Path) -> tuple[Path, str]:
    """The known_hosts for the jump host and how strict to be. pyinfra connects to it by itself, and paramiko knows no
    revoked key: where one is, no other is trusted on first use.
    """
    if not keys.own and not keys.revoked:
        return ssh.known_hosts, STRICTNESS[ssh.host_keys]
    lines = "".join(f"{_jump_name(ssh)} {key.kind} {key.text}\n" for key in keys.own)
    return _write(scratch / "@jump", lines), "yes"


def _refusal(fleet: Fleet, host: Host, keys: HostKeys) -> dict[str, object]:
    """What makes paramiko refuse the keys that are revoked for a host."""
    if not keys.revoked:
        return {}
    # Here, because paramiko takes long to import and hardly a known_hosts revokes anything.
    from jada.inventory.host_key import refusing

    return {"transport_factory": refusing(keys.revoked, host.name, str(fleet.ssh.known_hosts))}


def _key_arguments(key: object) -> dict[str, object]:
    """A key for paramiko, and none besides that an ssh configuration might name."""
    return {"pkey": key, "key_filename": None} if key else {}


def _known_names(fleet: Fleet, hosts: Sequence[Host]) -> dict[str, str]:
    """The name in known_hosts by host name; a ~/.ssh/config may lead to another address, but not with a jump host."""
    addresses = [host.address for host in hosts]
    if not is_direct(fleet) and not fleet.ssh.jump:
        addresses = renamed(_own_config(), addresses)
    return {host.name: known_name(address, host.port) for host, address in zip(hosts, addresses, strict=True)}


def _own_config() -> Path:
    return Path("~/.ssh/config").expanduser()


def _jump(ssh: Ssh) -> tuple[str, str, int]:
    """The user or "", the host and the port of a jump host. Raises ConfigError."""
    if not _JUMP.fullmatch(ssh.jump):
        raise ConfigError(f"ssh.jump in fleet.yml can't be used: {ssh.jump!r}", "write [user@]host[:port]")
    user, _, address = ssh.jump.rpartition("@")
    name, _, port = address.partition(":")
    return user, name, int(port or 22)


def _jump_name(ssh: Ssh) -> str:
    _, name, port = _jump(ssh)
    return known_name(name, port)


def _path(path: Path, key: str) -> str:
    if not SSH_CONFIG_PATH.fullmatch(str(path)):
        raise ConfigError(
            f"{key}: {str(path)!r} can't be written into an ssh configuration, which ssh.jump needs",
            "a path of letters, digits and . _ - + = , : @ / only",
        )
    return str(path)


def _is_lightsail(host: Host) -> bool:
    return host.source.startswith("lightsail ")


def _access_details(fleet: Fleet, hosts: Sequence[Host]) -> dict[str, Mapping[str, Any] | HostError]:
    """get_instance_access_details of all these hosts, side by side, by host name, or why there are none of a host."""
    if not hosts:
        return {}
    from jada.inventory.aws_session import Failure, clients_of, side_by_side

    clients = clients_of(fleet.aws)
    regions = {region: clients.client("lightsail", region) for region in {host.region for host in hosts}}

    def ask(host: Host) -> Mapping[str, Any]:
        answer = regions[host.region].get_instance_access_details(instanceName=host.id, protocol="ssh")
        details: Mapping[str, Any] = answer["accessDetails"]
        return details

    answers = side_by_side(ask, hosts, lambda host: host.source)
    return {host.name: _no_access(host, answer) if isinstance(answer, Failure) else answer
            for host, answer in zip(hosts, answers, strict=True)}  # fmt: skip


def _no_access(host: Host, failure: Failure) -> HostError:
    return HostError(f"{host.name}: Lightsail gives no access to it: {failure.message}", failure.hint)


def temporary_key(fleet: Fleet, host: Host) -> tuple[str, str] | None:
    """A private key and its certificate, as texts, where the cloud gives them for one login. Raises JadaError."""
    if not _is_lightsail(host):
        return None
    details = _access_details(fleet, [host])[host.name]
    if isinstance(details, HostError):
        raise details
    return str(details["privateKey"]), str(details["certKey"])


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


def _temporary(name: str, details: Mapping[str, Any]) -> dict[str, object]:
    """The user and the key of Lightsail's answer, and no key from anywhere else. Raises HostError."""
    user = details.get("username")
    if not (isinstance(user, str) and user and _USER.fullmatch(user)):
        raise HostError(f"Lightsail names a user of {name} that can't be used: {user!r}")
    try:
        key = _with_certificate(details["privateKey"], details["certKey"])
    except Exception as error:
        # Whatever paramiko makes of it; its texts may quote the key.
        raise HostError(f"Lightsail's temporary key for {name} can't be used ({type(error).__name__})") from None
    return {"key": key, "ssh_user": user, "ssh_allow_agent": False, "ssh_look_for_keys": False}


def _with_certificate(private: str, certificate: str) -> PKey:
    """The key in memory. A certificate as a text would be taken for a path, if there is such a file."""
    from paramiko import ECDSAKey, Ed25519Key, Message, RSAKey, SSHException

    found = _CERTIFICATE.fullmatch(certificate.strip())
    if not found:
        raise ValueError("no certificate")
    for kind in (RSAKey, Ed25519Key, ECDSAKey):
        try:
            key = _unprinted(kind).from_private_key(StringIO(private))
        except SSHException:
            continue
        key.load_certificate(Message(b64decode(found.group(2), validate=True)))
        return key
    raise ValueError("no private key")


def _unprinted(kind: type[PKey]) -> type[PKey]:
    """The kind of key, as pyinfra's `debug-inventory` can print it: it makes JSON of all host data."""
    return type(kind.__name__, (kind,), {"to_json": lambda key: key.fingerprint})


def _write(file: Path, text: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return file


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""
