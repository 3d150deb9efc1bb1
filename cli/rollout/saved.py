"""A plan as a file: `jada plan` writes it for `jada apply`. It holds no text of a host but names and models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from jada import EXACT_ID, ConfigError, Host, HostError, JadaError, Tiers, __version__
from jada.cli.results import HostResults
from jada.cli.rollout.outcome import Plans
from jada.cli.rollout.waves import Group, Groups, slices
from jada.cli.selection import patterns
from jada.cli.ui.console import write_file
from jada.inventory.fleet import rollout
from jada.inventory.fleet.rollout import RolloutPolicy
from jada.inventory.yaml_values import SIZE, Readers, Value, of_text, shown
from jada.tasks.fingerprint import parts
from jada.tasks.plan import Request
from jada.tasks.transaction import Transaction

ANEW = "jada plan -o FILE makes it anew"
# The words for the parts of a host of which the file keeps hashes.
PARTS = {
    "machine": "its machine",
    "user": "its service's user",
    "unit": "its unit",
    "settings": "its settings.json",
    "layers": "other settings or agents there",
    "files": "jada's drop-in or limits",
    "release": "the release that it is on",
    "desired": "what fleet.yml asks for besides models",
}


@dataclass(frozen=True, slots=True)
class PlannedHost:
    """A host that is to be changed: its role, the machine that it is by its source, and hashes of what was `seen`."""

    role: str
    machine: str
    seen: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """Hosts whose rollout goes by one policy, in the order in which they are to follow."""

    policy: RolloutPolicy
    hosts: Mapping[str, PlannedHost]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan for hosts of a fleet, those of some `roles` that --limit left; None where a role has none to change.

    `others` are hosts that it leaves as they are, each for its reason.
    """

    fleet: str
    who: str
    at: str
    roles: Mapping[str, Tiers | None] = field(default_factory=dict)
    groups: tuple[PlannedGroup, ...] = ()
    others: tuple[str, ...] = ()
    reason: str = ""
    restart: bool = False
    limit: str = ""

    @property
    def tiers(self) -> dict[str, Tiers]:
        """The models of each role with hosts that are to be changed."""
        return {role: tiers for role, tiers in self.roles.items() if tiers}

    @property
    def hosts(self) -> dict[str, PlannedHost]:
        return {name: host for group in self.groups for name, host in group.hosts.items()}

    def divide(self, hosts: Sequence[Host]) -> Groups:
        """The waves of those hosts that are still to be changed, in the order that was planned."""
        left = {host.name for host in hosts}
        return tuple(
            Group(group.policy, tuple(slices([name for name in group.hosts if name in left], group.policy)))
            for group in self.groups
        )

    def changes(self, host: Host, transaction: Transaction) -> list[str]:
        """What is no longer as it was when the plan was made, in words."""
        planned, now = self.hosts[host.name], parts(transaction)
        changed = [words for part, words in PARTS.items() if planned.seen[part] != now[part]]
        if planned.role != host.role:
            changed.insert(0, f"its role, which was {planned.role or 'none'}")
        if planned.machine != machine_of(host):
            changed.insert(0, f"the machine of that name, which was {planned.machine}")
        return changed

    def found(self, hosts: Sequence[Host]) -> Iterator[Host]:
        """The hosts of the plan; one that no source finds any more has trouble, and is not tried."""
        known = {host.name: host for host in hosts}
        for name, planned in self.hosts.items():
            gone = HostError(f"{name} ({planned.machine}) was in the plan, and no source finds it any more")
            yield known.get(name) or Host(name, "", "", role=planned.role, trouble=gone)

    def news(self, hosts: Sequence[Host]) -> list[str]:
        """The hosts that the plan would have been about, had they been there."""
        known = {*self.hosts, *self.others}
        return [
            host.name
            for host in hosts
            if host.name not in known
            and host.role in self.roles
            and (not self.limit or any(fnmatchcase(host.name, pattern) for pattern in patterns(self.limit)))
        ]


def machine_of(host: Host) -> str:
    """The machine that a host is by its source, in words; a static one is its address."""
    return f"{host.source} {host.instance or host.id or host.address}"


def made_of(request: Request, hosts: Sequence[Host], plans: Plans, groups: Groups, limit: str | None) -> SavedPlan:
    """The plan for those of the hosts that are to be changed."""
    known = {host.name: host for host in hosts}
    changes = {name: each.transaction for name, each in HostResults(plans).ok.items() if each.transaction}
    return SavedPlan(
        fleet=request.fleet,
        who=request.who,
        at=request.at,
        roles={known[name].role: None for name in plans}
        | {known[name].role: change.release.desired.tiers for name, change in changes.items()},
        groups=tuple(
            PlannedGroup(
                group.policy,
                {
                    name: PlannedHost(known[name].role, machine_of(known[name]), parts(changes[name]))
                    for name in chain(*group.waves)
                },
            )
            for group in groups
        ),
        others=tuple(name for name in plans if name not in changes),
        reason=request.reason,
        restart=request.restart,
        limit=limit or "",
    )


def write(plan: SavedPlan, file: Path) -> None:
    """Writes the file in one step, for its owner alone. Raises JadaError."""
    content = _content(plan)
    text = json.dumps({**content, "sha256": _checksum(content)}, ensure_ascii=False, indent=1)
    if len(text.encode()) >= SIZE:
        raise JadaError(f"A plan for {len(plan.hosts)} hosts is too large for a file", "plan one role, with --role")
    write_file(file, f"{text}\n", mode=0o600)


def read(file: Path, fleet: str) -> SavedPlan:
    """The plan of a file for the fleet of that name. Raises ConfigError."""
    text, content = _whole(file)
    # Of another version, the form and the hashes may be other ones.
    if content.get("jada") != __version__:
        version = shown(str(content.get("jada", "not known")))
        raise ConfigError(f"{file} is no plan of jada {__version__}: its version is {version}", ANEW)
    if content.pop("sha256", None) != _checksum(content):
        raise ConfigError(f"{file} is not as jada wrote it: somebody has changed it since", ANEW)
    plan = _plan(of_text(text, file))
    if plan.fleet != fleet:
        raise ConfigError(
            f"{file} is for the fleet {plan.fleet}, and fleet.yml is that of {fleet}",
            "name the fleet.yml of that one with --fleet FILE",
        )
    return plan


def _content(plan: SavedPlan) -> dict[str, Any]:
    """The values of the file. An empty one is left out."""
    return _filled(
        {
            "jada": __version__,
            "fleet": plan.fleet,
            "who": plan.who,
            "at": plan.at,
            "reason": plan.reason,
            "restart": plan.restart,
            "limit": plan.limit,
            "roles": [
                _filled({"name": role, **(asdict(tiers) if tiers else {})}) for role, tiers in plan.roles.items()
            ],
            "groups": [
                {
                    "rollout": _filled(group.policy.as_keys()),
                    "hosts": {name: _filled(asdict(host)) for name, host in group.hosts.items()},
                }
                for group in plan.groups
            ],
            "others": list(plan.others),
        }
    )


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", (), [], {})}


def _checksum(content: Mapping[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _whole(file: Path) -> tuple[str, dict[str, Any]]:
    """The text of the file, and the JSON object that it is. Raises ConfigError."""
    try:
        # Once: it may be a pipe.
        with file.open("rb") as opened:
            text = opened.read(SIZE).decode()
        content = json.loads(text)
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}", "jada plan -o FILE makes a plan") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{file} is no plan of jada, or not a whole one", ANEW) from None
    if not isinstance(content, dict):
        raise ConfigError(f"{file} is no plan of jada", ANEW)
    return text, content


def _plan(top: Value) -> SavedPlan:
    readers: Readers = {
        **dict.fromkeys(("fleet", "who", "at", "reason", "limit"), Value.text),
        **dict.fromkeys(("jada", "sha256"), lambda _: None),
        "others": Value.texts,
        "restart": Value.flag,
        "roles": lambda roles: dict(map(_role, roles.items())),
        "groups": lambda groups: tuple(map(_group, groups.items())),
    }
    values = top.fields(readers, required=("fleet", "who", "at"))
    plan = SavedPlan(**{name: value for name, value in values.items() if name not in ("jada", "sha256")})
    if len(plan.hosts) != sum(len(group.hosts) for group in plan.groups):
        raise top.error("names a host twice", ANEW)
    if not {host.role for host in plan.hosts.values()} <= plan.tiers.keys():
        raise top.error("has hosts of a role without models", ANEW)
    return plan


def _role(value: Value) -> tuple[str, Tiers | None]:
    fallback = {"fallback": lambda models: tuple(map(_model, models.items()))}
    keys = value.fields({"name": Value.text, "model": _model, **fallback, "subagent_model": _model})
    name = keys.pop("name", "")
    if keys and "model" not in keys:
        raise value.error("lacks the key model", ANEW)
    return name, Tiers(**keys) if keys else None


def _model(value: Value) -> str:
    return value.matching(EXACT_ID, "the id of a model")


def _group(value: Value) -> PlannedGroup:
    readers: Readers = {
        "rollout": rollout.read,
        "hosts": lambda hosts: {name: _host(host) for name, host in hosts.entries().items()},
    }
    keys = value.fields(readers, required=readers)
    return PlannedGroup(keys["rollout"], keys["hosts"])


def _host(value: Value) -> PlannedHost:
    seen = {"seen": lambda parts: parts.fields(dict.fromkeys(PARTS, Value.text), required=PARTS)}
    keys = value.fields({"role": Value.text, "machine": Value.text, **seen}, required=("machine", "seen"))
    return PlannedHost(**{"role": "", **keys})
