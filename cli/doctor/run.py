"""All checks of the doctor, each whose ground is there; the others are skipped, and say why."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from jada import Aws, ConfigError, Host, HostError, JadaError, Model
from jada.cli import session as sessions
from jada.cli.doctor import cloud, hosts, machine
from jada.cli.doctor.result import (
    OF_AWS,
    OF_FLEET,
    OF_HOST,
    OF_HOSTS,
    CheckResult,
    Verdict,
    failed,
    passed,
    skipped,
)
from jada.cli.records.pins import RecordedPins
from jada.cli.results import judge_each
from jada.cli.selection import choose
from jada.cli.session import FleetSession
from jada.inventory.access.known_hosts import HostKeys
from jada.inventory.access.pin import Machine, Pin, machine_of
from jada.tasks import checks, probe
from jada.tasks.probe import Question

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet
    from jada.inventory.sources.source import Condition
    from jada.tasks.state import State


def examine(fleet_file: str | None, role: str | None, limit: str | None) -> tuple[Fleet | None, list[CheckResult]]:
    """The fleet, None where fleet.yml can't be used, and the results of all checks. Raises ConfigError for options that
    match no host.
    """
    results = [machine.versions(metadata.requires("jada") or ()), machine.record()]
    try:
        fleet = sessions.load(fleet_file)
    except ConfigError as error:
        rest = (*OF_FLEET, *OF_AWS, *OF_HOSTS, *OF_HOST)
        unread = [skipped(check, "fleet.yml can't be used") for check in rest]
        return None, [*results, machine.openssh(is_needed=False), *machine.problems(error), *unread]
    results += [
        machine.openssh(is_needed=bool(fleet.ssh.jump)),
        machine.fleet_yml(fleet),
        machine.retiring(fleet, datetime.now(UTC).date()),
        machine.notify(fleet, os.environ),
        *machine.shared(fleet),
        machine.lease(fleet),
        machine.freeze(fleet),
    ]
    return fleet, [*results, *_of_hosts(fleet, role, limit)]


def _of_hosts(fleet: Fleet, role: str | None, limit: str | None) -> Iterator[CheckResult]:
    """The checks of AWS, and of the hosts that --role and --limit leave."""
    logins = cloud.credentials(fleet)
    usable = [aws for aws, login in logins.items() if login.verdict is Verdict.PASS]
    if not logins:
        yield from cloud.not_in_aws()
    yield from logins.values()
    for aws in logins:
        yield cloud.identity(aws) if aws in usable else skipped("identity", "there are no credentials")
    found = cloud.search(cloud.of_accounts(fleet, usable))
    if usable:
        yield cloud.regions(found)
    elif logins:
        yield skipped("regions", "there are no credentials")
        yield skipped("permissions", "there are no credentials")
    result, every = cloud.hosts(fleet, found, usable)
    yield result
    yield cloud.roles(fleet, every) if every else skipped("roles", "there are no hosts")
    chosen = choose(fleet, every, role, limit) if every else ()
    errors = [(searched.place, searched.result) for searched in found if isinstance(searched.result, JadaError)]
    yield from _of_each(fleet, chosen, errors)
    if usable:
        yield from _permissions(fleet, usable, errors)


def _of_each(fleet: Fleet, chosen: Sequence[Host], errors: list[tuple[str, JadaError]]) -> Iterator[CheckResult]:
    """The checks of each host; errors of AWS beside them are added to `errors`, with their places."""
    yield from (hosts.address(host).of(host.name) for host in chosen)
    conditions = _conditions(fleet, chosen, errors)
    yield from (hosts.cloud(conditions.get(host.name)).of(host.name) for host in chosen)
    rest = [check for check in OF_HOST if check not in ("address", "cloud")]
    if not chosen:
        yield from (skipped(check, "there are no hosts") for check in ("login", "address", "cloud", *rest))
        return
    with ExitStack() as stack:
        try:
            keys = _known_keys(fleet, chosen)
            engine = stack.enter_context(sessions.open_engine(fleet, tuple(chosen)))
        except JadaError as error:
            yield failed("login", error.message, error.hint)
            yield from (skipped(check, "nobody can log in").of(host.name) for check in rest for host in chosen)
            return
        yield passed("login", _login(fleet))
        session = FleetSession(fleet, tuple(chosen), engine, time.monotonic() + fleet.deadline)
        yield from _looked_at(session, keys, errors)


def _looked_at(
    session: FleetSession, keys: Mapping[str, HostKeys], errors: list[tuple[str, JadaError]]
) -> Iterator[CheckResult]:
    """The checks of one look at each host, and of what those that could be looked at are asked."""
    from jada.inventory.sources.registry import SOURCES

    fleet, service = session.fleet, session.engine.service
    earliest = time.time()
    seen = session.look("Examining hosts", ask=service.asks)
    latest = time.time()
    to_run = {name: _model(fleet, session.role(name), state) for name, state in seen.ok.items()}

    def question(name: str, state: State) -> Question:
        if model := to_run[name]:
            return probe.question(state, model.id)
        return Question(model="", why_not="nobody asks for a model")

    questions = judge_each(seen, question).ok
    answers = session.run_on_each(
        "Asking what a change would meet", questions, lambda name, connection: connection.probe(questions[name])
    )
    pins = _pins(session)
    for host in session.hosts:
        look = seen[host.name]
        if isinstance(look, HostError):
            errors.append((_place(fleet, host), look))
        if host.trouble:
            skips = [check for check in OF_HOST if check not in ("address", "cloud")]
            yield from (skipped(check, "its address can't be used").of(host.name) for check in skips)
            continue
        giver = host.provider if SOURCES[host.provider].access else ""
        results = [*hosts.other_engines(host.engine), hosts.reached(host.engine, look), hosts.sudo(look)]
        if host.engine == "ssh":
            known, pin = keys.get(host.name, HostKeys()), pins.get(machine_of(host))
            results.append(hosts.host_key(known, fleet.ssh, giver, look, pin))
        if isinstance(look, HostError):
            results += hosts.unseen(look)
        else:
            model = to_run[host.name]
            results += hosts.looked_at(host, hosts.Seen(look, service, model, earliest, latest))
            results += hosts.probed(answers[host.name], model.id if model else "")
        yield from (result.of(host.name) for result in results)


def _known_keys(fleet: Fleet, chosen: Sequence[Host]) -> dict[str, HostKeys]:
    from jada.inventory.access import login
    from jada.inventory.access.scratch import scratch

    with scratch() as folder:
        return login.known_keys(fleet, [host for host in chosen if host.engine == "ssh"], folder)


def _pins(session: FleetSession) -> Mapping[Machine, Pin]:
    from jada.inventory.access.pins import is_pinned

    machines = {machine_of(host) for host in session.hosts if is_pinned(session.fleet, host)}
    return {pin.machine: pin for pin in RecordedPins().read(machines)} if machines else {}


def _login(fleet: Fleet) -> str:
    keys = [f"key {fleet.ssh.key}" if fleet.ssh.key else "the ssh agent, ~/.ssh/config and the default keys"]
    if any(getattr(source, "login", "") == "instance-connect" for source in fleet.sources):
        keys.append("a key of this run by EC2 Instance Connect")
    ways = [f"by way of {fleet.ssh.jump}"] if fleet.ssh.jump else []
    if any(getattr(source, "via", "") == "eice" for source in fleet.sources):
        ways.append("through EC2 Instance Connect Endpoints")
    return f"{', '.join((' or '.join(keys), *ways))}; host keys in {fleet.ssh.known_hosts}, {fleet.ssh.host_keys}"


def _conditions(fleet: Fleet, chosen: Sequence[Host], errors: list[tuple[str, JadaError]]) -> Mapping[str, Condition]:
    from jada.inventory import conditions

    answers = conditions.ask(chosen)
    errors += [(_place(fleet, asked[0]), answer) for asked, answer in answers if isinstance(answer, JadaError)]
    return conditions.by_name(answers)


def _place(fleet: Fleet, host: Host) -> str:
    """The region of a host in words, with the account where that is one of its source's own."""
    return host.source if host.aws in (Aws(), fleet.aws) else f"{host.source} of {host.aws}"


def _permissions(
    fleet: Fleet, accounts: Sequence[Aws], errors: Sequence[tuple[str, JadaError]]
) -> Iterator[CheckResult]:
    from jada.inventory.cloud.calls import Purpose
    from jada.inventory.cloud.client import answered
    from jada.inventory.permissions import calls_of

    return cloud.permissions(calls_of(fleet, Purpose), answered(accounts), errors)


def _model(fleet: Fleet, role: str, state: State) -> Model | None:
    """The model that a host is to run: its role's, or that which runs where the role asks for none."""
    from jada.inventory import models

    listed = models.catalogue(fleet.models)
    exact = fleet.model_of(role) or checks.running_model(state)
    return next((model for model in listed if model.id == exact), Model(exact, exact)) if exact else None
