"""The upgrade of hosts to the models that fleet.yml or somebody asks for: `jada upgrade`, `plan` and `apply`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jada import ConfigError, Exit, Model, Tiers, natural
from jada.cli.rollout.freeze import freeze_notes, require_unfrozen
from jada.cli.rollout.leased import waited
from jada.cli.rollout.options import Pace, RolloutOptions
from jada.cli.rollout.preflight import PreflightOptions
from jada.cli.rollout.record import next_moment
from jada.cli.rollout.run import Save, run_rollout
from jada.cli.rollout.saved import read
from jada.cli.rollout.waves import divide
from jada.cli.session import FleetSession, find, load, open_hosts
from jada.cli.ui.console import err, escape, named
from jada.cli.ui.duration import local
from jada.inventory import models
from jada.inventory.suggest import did_you_mean
from jada.tasks import plan
from jada.tasks.plan import Plan
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The wish for an upgrade: a MODEL for all hosts, or ROLE=MODEL for each of several roles, or `to` nothing for what
    fleet.yml asks for. With `force`, hosts that fail the checks before it are changed too.
    """

    to: Sequence[str] = ()
    allow_unlisted: bool = False
    restart: bool = False
    reason: str = ""
    force: bool = False


def upgrade_hosts(
    session: FleetSession,
    wish: Wish,
    pace: Pace,
    options: RolloutOptions,
    *,
    command: str,
    preflight_only: bool = False,
    try_request: bool = False,
    save: Save | None = None,
) -> Exit:
    """Upgrades the hosts of the session; where only some roles are wished for, those alone. Raises ConfigError."""
    if not (options.dry_run or preflight_only):
        require_unfrozen(session.fleet, wish.force, wish.reason)
    session, desired = desired_models(session, wish.to, wish.allow_unlisted)
    fleet = session.fleet
    division = partial(divide, policies={host.role: pace.of(fleet.policy_of(host.role)) for host in session.hosts})
    tiers = {name: replace(fleet.tiers_of(session.role(name)), model=model.id) for name, model in desired.items()}
    request = session.request(restart=wish.restart, reason=wish.reason, moment=next_moment(fleet))

    def planner(name: str, state: State) -> Plan:
        role = session.role(name)
        base = plan.upgrade(request, role, tiers[name], state, session.engine.service)
        note = "" if wish.to else plan.of_the_file(base, role, state)
        return replace(base, notes=(*base.notes, note)) if note else base

    tell_retirements(fleet, tiers)
    return run_rollout(
        session,
        request,
        planner,
        kind="upgrade",
        command=command,
        title=f"Upgrade {fleet.name} to {in_words(desired.values())}, release {request.id}",
        options=replace(options, dry_run=True) if preflight_only else options,
        about=lambda _: freeze_notes(fleet),
        division=division,
        preflight=PreflightOptions(
            models=desired, force=wish.force, only=preflight_only, try_request=try_request, division=division
        ),
        save=save,
    )


def apply_plan(file: Path, fleet_file: str | None, options: RolloutOptions, *, reason: str, force: bool) -> Exit:
    """Carries out the plan in a file. Raises ConfigError."""
    fleet = load(fleet_file)
    if not options.dry_run:
        require_unfrozen(fleet, force, reason)
    saved = read(file, fleet.name)
    every = find(fleet, None, None)
    planned, hosts = saved.hosts, {host.name: host for host in saved.found(every)}
    listed = models.catalogue(fleet.models)
    desired = {
        name: models.resolve(saved.tiers[host.role].model, listed, allow_unlisted=True)
        for name, host in planned.items()
    }
    notes = [f"as {saved.who} planned it at {local(saved.at)}{f': {saved.reason}' if saved.reason else ''}"]
    if not planned:
        notes.append("it changes no host")
    if news := saved.news(every):
        notes.append(f"new since then, and left as they are: {named(news)}")
    with open_hosts(fleet, tuple(hosts.values())) as opened, waited(opened, options, "apply") as session:
        request = session.request(
            restart=saved.restart, reason=reason or saved.reason, moment=next_moment(session.fleet)
        )

        def planner(name: str, state: State) -> Plan:
            role = planned[name].role
            base = plan.upgrade(request, role, saved.tiers[role], state, session.engine.service)
            # The host's own CLI may speak for a change that jada's table refuses.
            change = (base.despite or base).transaction
            changed = saved.changes(hosts[name], change) if change else []
            return Plan(refusal=f"changed since the plan was made: {', '.join(changed)}") if changed else base

        tell_retirements(fleet, saved.tiers)
        return run_rollout(
            session,
            request,
            planner,
            kind="upgrade",
            command="apply",
            title=f"Apply {file.name} to {fleet.name}, release {request.id}",
            options=options,
            about=lambda _: (*notes, *freeze_notes(fleet)),
            division=saved.divide,
            preflight=PreflightOptions(models=desired, force=force, division=saved.divide),
        )


def desired_models(
    session: FleetSession, to: Sequence[str], allow_unlisted: bool
) -> tuple[FleetSession, dict[str, Model]]:
    """The hosts that are meant, and the model for each by name. Raises ConfigError for a host whose role asks for none,
    and for what can't be meant.
    """
    catalogue = models.catalogue(session.fleet.models)
    if len(to) == 1 and "=" not in to[0]:
        model = models.resolve(to[0], catalogue, allow_unlisted)
        return session, {host.name: model for host in session.hosts}
    if not to:
        return session, _of_fleet_yml(session, catalogue, allow_unlisted)
    by_role = _by_role(to, session.fleet)
    hosts = tuple(host for host in session.hosts if host.role in by_role)
    if missing := by_role.keys() - {host.role for host in hosts}:
        raise ConfigError(
            f"None of these hosts has the role {', '.join(sorted(missing, key=natural))}",
            "jada hosts shows the role of each",
        )
    desired = {host.name: models.resolve(by_role[host.role], catalogue, allow_unlisted) for host in hosts}
    return replace(session, hosts=hosts), desired


def _of_fleet_yml(session: FleetSession, catalogue: Sequence[Model], allow_unlisted: bool) -> dict[str, Model]:
    by_role = {role.name: role.model for role in session.fleet.roles}
    if without := [host.name for host in session.hosts if not by_role.get(host.role)]:
        raise ConfigError(
            f"fleet.yml asks for no model on {', '.join(without)}",
            "add --to MODEL, or a role with a model to fleet.yml",
        )
    return {host.name: models.resolve(by_role[host.role], catalogue, allow_unlisted) for host in session.hosts}


def _by_role(to: Sequence[str], fleet: Fleet) -> dict[str, str]:
    """The names of models by role, of ROLE=MODEL each. Raises ConfigError."""
    known, by_role = [role.name for role in fleet.roles], dict[str, str]()
    for text in to:
        role, is_pair, model = text.partition("=")
        if not is_pair:
            raise ConfigError(f"--to {text} is one of {len(to)}, and names no role", "write --to ROLE=MODEL each time")
        if role not in known:
            raise ConfigError(
                f"--to {text}: fleet.yml names no role {role}{did_you_mean(role, known)}", "one of: " + ", ".join(known)
            )
        if role in by_role:
            raise ConfigError(f"--to names the role {role} twice", f"--to {role}=MODEL once")
        by_role[role] = model
    return by_role


def tell_retirements(fleet: Fleet, tiers: Mapping[str, Tiers]) -> None:
    """Tells of each of these models that retires soon."""
    listed, today = models.catalogue(fleet.models), datetime.now(UTC).date()
    named = (each for host in tiers.values() for each in (host.model, *host.fallback, host.subagent_model) if each)
    for model_id in dict.fromkeys(named):
        if when := models.retirement(model_id, listed, today):
            err.print(f"[yellow]Note[/] {escape(model_id)} {escape(when)}")


def in_words(desired: Iterable[Model]) -> str:
    """The models as a title names them."""
    return ", ".join(
        sorted({f"{model.name} ({model.id})" if model.name != model.id else model.id for model in desired}, key=natural)
    )
