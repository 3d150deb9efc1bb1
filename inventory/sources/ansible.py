"""Hosts of an Ansible inventory, read by Ansible's own command: nothing else reads all that may stand in one."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from jada import Aws, Host, JadaError
from jada.inventory.sources.source import HOST_NAME
from jada.inventory.sources.static import ADDRESS, tags
from jada.inventory.suggest import did_you_mean
from jada.inventory.yaml_readers import USER, path
from jada.inventory.yaml_values import Readers, Value, shown

# Seconds for all that an inventory may ask, a cloud too.
PATIENCE = 120
# Without these, an inventory that can't be read is one without hosts.
STRICT = {
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
    "ANSIBLE_NOCOLOR": "true",
}
OVER_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh")
INSTALL = "install it: uv tool install ansible-core"


@dataclass(frozen=True, slots=True)
class AnsibleSource:
    """The hosts of a group of an inventory: a file, a folder or a program, as `ansible -i` takes it. All of them get
    the same `tags`.
    """

    provider: ClassVar[str] = "ansible"
    is_own: ClassVar[bool] = False
    inventory: Path
    group: str = "all"
    tags: Mapping[str, str] = field(default_factory=dict)

    def credentials(self, _aws: Aws, /) -> None:
        """AWS is not asked, but by the inventory itself where it is one of Ansible's own for AWS."""

    def searched_regions(self, _aws: Aws, /) -> tuple[str]:
        return ("",)

    def find(self, _aws: Aws, _region: str, /) -> list[Host]:
        """The hosts, in the order of the inventory. Raises JadaError where Ansible can't read it."""
        return hosts(self, _listing(self.inventory))

    def describe(self) -> str:
        return f"ansible ({self.inventory}, group {self.group})"


def read(value: Value) -> AnsibleSource:
    readers: Readers = {"inventory": path, "group": Value.text, "tags": tags}
    return AnsibleSource(**value.fields(readers, required=("inventory",)))


def hosts(source: AnsibleSource, listing: Mapping[str, Any]) -> list[Host]:
    """The hosts of the source's group, and of the groups in it, of what `ansible-inventory --list` says. Pure."""
    if source.group not in listing:
        groups = [name for name in listing if name != "_meta"]
        meant = did_you_mean(source.group, groups)
        raise JadaError(f"{source.inventory} has no group {source.group}{meant}", "groups: " + ", ".join(groups))
    names: dict[str, None] = {}
    todo, seen = [source.group], set[str]()
    while todo:
        group = todo.pop(0)
        if group not in seen:
            seen.add(group)
            members = listing.get(group) or {}
            names |= dict.fromkeys(members.get("hosts", ()))
            todo += members.get("children", ())
    variables = listing["_meta"]["hostvars"]
    return [_host(source, name, variables.get(name, {})) for name in names]


def _host(source: AnsibleSource, name: str, variables: Mapping[str, Any]) -> Host:
    connection = variables.get("ansible_connection", "ssh")
    if connection not in OVER_SSH:
        raise JadaError(
            f"{source.inventory}: Ansible reaches {shown(name)} by {shown(str(connection))}, and jada by ssh alone",
            "name a `group` without it",
        )
    address = str(_first(variables, "ansible_host", "ansible_ssh_host") or name)
    user = str(_first(variables, "ansible_user", "ansible_ssh_user") or "")
    port = str(_first(variables, "ansible_port", "ansible_ssh_port") or 0)
    for key, text, fits in (
        ("name", name, HOST_NAME.fullmatch(name)),
        ("ansible_host", address, ADDRESS.fullmatch(address)),
        ("ansible_user", user, not user or USER.fullmatch(user)),
        ("ansible_port", port, port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65536),
    ):
        if not fits:
            raise JadaError(
                f"{source.inventory}: the {key} of {shown(name)} can't be used: {shown(text)}",
                "jada takes plain values; Ansible fills a template ({{ … }}) in only where a play runs",
            )
    return Host(name, address, source.provider, user=user, port=int(port), tags=source.tags)


def _first(variables: Mapping[str, Any], *names: str) -> Any:
    return next((variables[name] for name in names if name in variables), None)


def _listing(inventory: Path) -> dict[str, Any]:
    """The answer of `ansible-inventory --list`. Raises JadaError."""
    argv = ("ansible-inventory", "--list", "-i", str(inventory))
    try:
        with subprocess.Popen(
            argv,
            env={**os.environ, **STRICT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                output, messages = process.communicate(timeout=PATIENCE)
            except BaseException:
                # subprocess.run would wait for whatever it has started, too.
                process.kill()
                raise
    except FileNotFoundError:
        raise JadaError("There is no ansible-inventory here, which reads the source `ansible`", INSTALL) from None
    except subprocess.TimeoutExpired:
        raise JadaError(f"ansible-inventory gave no answer about {inventory} within {PATIENCE} s") from None
    try:
        listing = json.loads(output)
        if process.returncode == 0 and isinstance(listing["_meta"]["hostvars"], dict):
            return dict(listing)
    except (ValueError, TypeError, LookupError):
        pass
    errors = [line for line in messages.decode(errors="backslashreplace").splitlines() if line.strip()]
    why = next(
        (line for line in reversed(errors) if line.startswith("[ERROR]")), errors[-1] if errors else "it says nothing"
    )
    raise JadaError(f"ansible-inventory can't read {inventory}: {shown(why, 300)}", f"see: {shlex.join(argv)}")
