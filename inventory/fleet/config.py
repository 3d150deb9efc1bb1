"""fleet.yml as a whole: one frozen value, of which each section has a module that reads, checks and holds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from jada import Aws, ConfigError, Probe, Service, Telemetry, Tiers
from jada.inventory import models, roles
from jada.inventory.cloud import profile
from jada.inventory.fleet import (
    accept,
    freeze,
    guard,
    hooks,
    limits,
    notify,
    probes,
    rollout,
    service,
    ssh,
    state,
    telemetry,
)
from jada.inventory.fleet.accept import Acceptance
from jada.inventory.fleet.freeze import Window
from jada.inventory.fleet.guard import GuardPolicy
from jada.inventory.fleet.hints import helped
from jada.inventory.fleet.hooks import Hooks
from jada.inventory.fleet.limits import Limits
from jada.inventory.fleet.notify import Notify
from jada.inventory.fleet.rollout import RolloutPolicy
from jada.inventory.fleet.search import find
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.fleet.state import SharedState
from jada.inventory.models import Override
from jada.inventory.roles import Role
from jada.inventory.sources import registry
from jada.inventory.sources.source import Source
from jada.inventory.yaml_readers import Tell, or_default, working_folder
from jada.inventory.yaml_values import Readers, Value, read


@dataclass(frozen=True, slots=True)
class Fleet:
    """One fleet.yml. `models` says by short name what is not the catalogue's; `deadline` is in seconds. An `engine`
    reaches all hosts by it, whatever their sources say. Without a `state`, the record is that of this machine.

    Whoever changes a fleet in `production` at a terminal types its name.
    """

    name: str
    path: Path
    sources: tuple[Source, ...]
    roles: tuple[Role, ...]
    aws: Aws = field(default_factory=Aws)
    models: Mapping[str, Override] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    service: Service = field(default_factory=Service)
    deadline: int = 3600
    ssh: Ssh = field(default_factory=Ssh)
    accept: tuple[Acceptance, ...] = ()
    notify: Notify = field(default_factory=Notify)
    rollout: RolloutPolicy = field(default_factory=RolloutPolicy)
    production: bool = False
    guard: GuardPolicy = field(default_factory=GuardPolicy)
    engine: str = ""
    hooks: Hooks = field(default_factory=Hooks)
    probes: tuple[Probe, ...] = ()
    state: SharedState | None = None
    freeze: tuple[Window, ...] = ()

    @property
    def accounts(self) -> tuple[Aws, ...]:
        """The credentials that the sources ask AWS with, each once."""
        needed = (source.credentials(self.aws) for source in self.sources)
        return tuple(dict.fromkeys(aws for aws in needed if aws))

    @property
    def is_asked_for(self) -> bool:
        """True if not all hosts are named in fleet.yml itself."""
        return any(not source.is_own for source in self.sources)

    @property
    def home(self) -> Aws:
        """The credentials for what is of no single host, such as alarms and notices: of the only account, or `aws`."""
        return self.accounts[0] if len(self.accounts) == 1 else self.aws

    @property
    def longest_rollout(self) -> int:
        """The seconds after which nothing of a rollout can be under way any more."""
        policies = [self.policy_of(role) for role in ("", *(role.name for role in self.roles if role.rollout))]
        return max(policy.deadline or 0 for policy in policies) + sum(policy.bakes for policy in policies)

    def policy_of(self, role: str) -> RolloutPolicy:
        """The policy of the rollouts of a role: the fleet's, but for the keys that the role has itself."""
        entry = next((entry for entry in self.roles if entry.name == role), Role(role))
        policy = replace(self.rollout, **entry.rollout)
        return policy if policy.deadline else replace(policy, deadline=self.deadline)

    def tiers_of(self, role: str) -> Tiers:
        """The exact ids of the models that are asked for by a role."""
        entry = next((entry for entry in self.roles if entry.name == role), Role(role))
        listed = models.catalogue(self.models)

        def exact(name: str) -> str:
            return models.resolve(name, listed).id if name else ""

        return Tiers(exact(entry.model), tuple(map(exact, entry.fallback)), exact(entry.subagent_model))

    def model_of(self, role: str) -> str:
        """The exact id that is asked for by a role, or ""."""
        return self.tiers_of(role).model


def _raise(error: ConfigError) -> None:
    raise error


def load(
    path: str | None = None, environ: Mapping[str, str] | None = None, cwd: Path | None = None, tell: Tell = _raise
) -> Fleet:
    """The fleet of `path`, or of the first file found: $JADA_FLEET, ./inventory/fleet.yml, the user's, the system's.

    Raises ConfigError with the line and the key of what is wrong; `tell` gets it where the way back does not need the
    section, and may leave that out.
    """
    return parse(find(path, os.environ if environ is None else environ, cwd or working_folder()), tell)


def parse(file: Path, tell: Tell = _raise) -> Fleet:
    """The fleet of one file. Raises ConfigError."""
    return parse_top(read(file), tell)


def parse_top(top: Value, tell: Tell = _raise) -> Fleet:
    """The fleet of the top of a YAML file. Raises ConfigError with all that is wrong, in the order of the lines."""
    try:
        return _fleet(top, tell)
    except ConfigError as error:
        raise helped(error) from None


def _fleet(top: Value, tell: Tell) -> Fleet:
    readable = or_default(tell, models.read, dict[str, Override]())
    overrides, unreadable = dict[str, Override](), None
    try:
        overrides = readable(written) if (written := top.part("models")) else {}
    except ConfigError as error:
        unreadable = error

    def own_models(_: Value) -> dict[str, Override]:
        if unreadable:
            raise unreadable
        return overrides

    own_rollout = or_default(tell, rollout.read_keys, dict[str, Any]())

    # Which names there are is not known without the models.
    catalogue = None if unreadable else models.catalogue(overrides)

    readers: Readers = {
        "fleet": lambda name: name.text(80),
        "aws": profile.read,
        "sources": registry.read,
        "roles": partial(roles.read, catalogue=catalogue, rollout=own_rollout, tell=tell),
        "models": own_models,
        "limits": or_default(tell, limits.read, Limits()),
        **service.READERS,
        "telemetry": or_default(tell, telemetry.read, Telemetry()),
        **{key: or_default(tell, reader, None) for key, reader in service.RENAMED.items()},
        "deadline": lambda deadline: deadline.integer(1, 86400),
        "ssh": ssh.read,
        "accept": or_default(tell, accept.read, ()),
        "notify": or_default(tell, notify.read, Notify()),
        "production": Value.flag,
        "guard": or_default(tell, partial(guard.read, catalogue=catalogue), GuardPolicy()),
        "rollout": or_default(tell, rollout.read, RolloutPolicy()),
        "hooks": or_default(tell, hooks.read, Hooks()),
        "probes": or_default(tell, probes.read, ()),
        "freeze": or_default(tell, freeze.read, ()),
        "state": or_default(tell, state.read, None),
    }
    values = top.fields(readers, required=("fleet", "sources", "roles"))
    rest = {key: value for key, value in values.items() if key not in (*service.READERS, *service.RENAMED)}
    return Fleet(name=rest.pop("fleet"), path=top.file, service=service.from_values(values), **rest)
