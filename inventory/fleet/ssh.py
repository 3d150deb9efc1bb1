"""fleet.yml's `ssh`: the login to hosts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from jada.inventory.yaml_readers import NAME, path, port, user
from jada.inventory.yaml_values import Value, shown, whole_numbers

_JUMP = re.compile(rf"(?:{NAME}@)?{NAME}(?::(?:{whole_numbers(1, 65535).pattern}))?")
# ssh_config splits its values at blanks, takes quotes away, and reads % # ~ and patterns as more than text.
SSH_CONFIG_PATH = re.compile(r"/[\w./:@+,=-]*")

# By what a host's key is trusted: PINNED is what known_hosts says, and where it says nothing of a host, what the host's
# cloud names as its keys; KNOWN_HOSTS alone; or any key, the first time that a host is seen.
PINNED, KNOWN_HOSTS, ACCEPT_NEW = "pinned", "known_hosts", "accept-new"
HOST_KEYS = (PINNED, KNOWN_HOSTS, ACCEPT_NEW)
# An earlier word for KNOWN_HOSTS.
STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Ssh:
    """A login to hosts. `jump` is [user@]host[:port]; `host_keys` is one of HOST_KEYS."""

    user: str = ""
    key: Path | None = None
    port: int = 22
    jump: str = ""
    known_hosts: Path = field(default_factory=lambda: Path("~/.ssh/known_hosts").expanduser())
    host_keys: str = PINNED

    @property
    def is_strict(self) -> bool:
        """True if no key is trusted only because it is the first that a host shows."""
        return self.host_keys != ACCEPT_NEW

    @property
    def pins_keys(self) -> bool:
        """True if hosts may be known by the keys that their clouds name."""
        return self.host_keys == PINNED


def read(value: Value) -> Ssh:
    readers = {
        "user": user,
        "key": path,
        "port": port,
        "jump": _jump,
        "known_hosts": path,
        "host_keys": _host_keys,
    }
    ssh = Ssh(**value.fields(readers))
    for name, file in (("key", ssh.key), ("known_hosts", ssh.known_hosts)):
        if ssh.jump and file and not SSH_CONFIG_PATH.fullmatch(str(file)):
            raise (value.part(name) or value).error(
                f"can't be {shown(str(file))} with a jump host: it goes into an ssh configuration",
                "a path of letters, digits and . _ - + = , : @ / only",
            )
    return ssh


def _host_keys(value: Value) -> str:
    policy = value.choice(HOST_KEYS, earlier=(STRICT,))
    return KNOWN_HOSTS if policy == STRICT else policy


def _jump(value: Value) -> str:
    return value.matching(_JUMP, "one [user@]host[:port] with a port up to 65535")
