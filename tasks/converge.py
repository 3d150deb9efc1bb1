"""The playbook's one step: the look, plan, transaction and checks of the CLI, for a pyinfra run by hand."""

from __future__ import annotations

import getpass
import socket
from datetime import UTC, datetime

from pyinfra.api import OperationError, deploy
from pyinfra.context import host
from pyinfra.operations import python

from jada import Service, Tiers
from jada.tasks import checks, plan, release
from jada.tasks.engines.change import change
from jada.tasks.engines.look import Look
from jada.tasks.frames import LookError
from jada.tasks.plan import Request
from jada.tasks.state import State
from jada.tasks.transaction import look_script, on_stdin, without_secrets


@deploy("jada")
def converge(request: Request, role: str, tiers: Tiers, service: Service) -> None:
    """Brings the current pyinfra host to these models, and fails the host unless it is then seen running on them."""
    if host.data.get("ssm_instance") and without_secrets(service.model_check.url) != service.model_check.url:
        raise OperationError(f"{host.name} is not asked for its model: AWS would keep the URL, which may hold a secret")
    state = look(service)
    work = plan.upgrade(request, role, tiers, state, service)
    if state.operator_lock:
        raise OperationError(f"{host.name} is locked by {state.operator_lock}")
    if work.refusal:
        raise OperationError(f"{host.name}: {work.refusal}")
    if work.transaction is not None:
        change(transaction=work.transaction, name=f"release {request.id}: {tiers.model}")
    python.call(name=f"see {tiers.model} running", function=_verify, service=service, tiers=tiers)


def request_from(fleet: str, nofile: int) -> Request:
    """A request for a new release by whoever runs this process."""
    now = datetime.now(UTC)
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return Request(release.new_id(now), fleet, who, now.isoformat(timespec="seconds"), nofile)


def look(service: Service) -> State:
    """Looks at the current pyinfra host. Raises OperationError where it can't be, or where another machine answers."""
    state = host.get_fact(Look, service=service, _stdin=on_stdin(look_script(service)))
    if isinstance(state, LookError):
        raise OperationError(f"{host.name} can't be looked at: {state}")
    if machine := state.other_than(host.data.get("jada_instance") or ""):
        raise OperationError(f"{host.name} is {host.data.jada_instance}, but {machine} answers at its address")
    return state


def _verify(service: Service, tiers: Tiers) -> None:
    state = look(service)
    errors = [finding for finding in checks.drift(state) if finding.is_error]
    if errors or state.release is None or state.release.desired.tiers != tiers:
        text = "; ".join(f"{finding.code} {finding.name}: {finding.actual}" for finding in errors) or "no release of it"
        raise OperationError(f"{host.name} does not run {tiers.model}: {text}")
