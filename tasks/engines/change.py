"""The operations: one transaction on one host, the question to its CLI, and the lock that people put on it."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api import StringCommand, operation

from jada import Fence, Probe, Service
from jada.tasks.engines.look import LONGEST
from jada.tasks.forget import ForgetRequest, forget_script
from jada.tasks.journal import JournalQuery
from jada.tasks.operator_lock import LockRequest
from jada.tasks.probe import Question
from jada.tasks.services import services_script
from jada.tasks.settings import Splices
from jada.tasks.state import State
from jada.tasks.transaction import (
    ERROR,
    Transaction,
    as_root,
    ask_script,
    fence_script,
    journal_script,
    lock_script,
    measure_script,
    on_stdin,
    only_on,
    probe_script,
    tasks_script,
)

NO_SUDO = "result refused\nreason "


@operation(is_idempotent=False)
def change(transaction: Transaction, look: str = "", instance: str = "") -> Generator[StringCommand, None, None]:
    """Makes the release of `transaction` on the host: all of it, or nothing.

    Prints `step NAME` lines and `result …`; exits non-zero unless the result is `done`. Then `look`, the script of a
    look, saves it the way to the host and prints what it sees as the last line. On a machine that is known to be
    another EC2 instance than `instance`, an error is printed instead.
    """
    yield StringCommand(as_root(NO_SUDO), _stdin=on_stdin(only_on(instance, transaction.script()), look, LONGEST))


@operation(is_idempotent=False)
def journal(state: State, service: Service, query: JournalQuery) -> Generator[StringCommand, None, None]:
    """Prints lines of the service's journal, masked on the host."""
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(journal_script(state, service, query)))


@operation(is_idempotent=False)
def tasks(service: Service, since: float, instance: str = "") -> Generator[StringCommand, None, None]:
    """Prints the tasks that the service says it has done since then. On another EC2 instance than `instance`, an error
    is printed instead.
    """
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(only_on(instance, tasks_script(service, since))))


@operation(is_idempotent=False)
def ask(service: Service, splices: Splices, instance: str = "") -> Generator[StringCommand, None, None]:
    """Prints what the service's own CLI says, as if its settings.json had been changed so. On another EC2 instance than
    `instance`, an error is printed instead.
    """
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(only_on(instance, ask_script(service, splices))))


@operation(is_idempotent=False)
def probe(service: Service, question: Question, instance: str = "") -> Generator[StringCommand, None, None]:
    """Prints what a change would meet on the host. On another EC2 instance than `instance`, an error is printed
    instead.
    """
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(only_on(instance, probe_script(service, question))))


@operation(is_idempotent=False)
def measure(
    service: Service, probes: Sequence[Probe], requests: int, longest: int, instance: str = ""
) -> Generator[StringCommand, None, None]:
    """Prints what the probes measure on the host, with so many requests for each of http, in `longest` s. On another
    EC2 instance than `instance`, an error is printed instead.
    """
    script = only_on(instance, measure_script(service, probes, requests, longest))
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(script))


@operation(is_idempotent=False)
def set_lock(request: LockRequest, instance: str = "") -> Generator[StringCommand, None, None]:
    """Locks the host against changes by jada, or frees it; prints the lock there was, and what came of it. On another
    EC2 instance than `instance`, an error is printed instead.
    """
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(only_on(instance, lock_script(request))))


@operation(is_idempotent=False)
def raise_fence(fence: Fence, holder: str, instance: str = "") -> Generator[StringCommand, None, None]:
    """Has the host refuse the changes of earlier holders of the rollout lease, and says that it does. On another EC2
    instance than `instance`, an error is printed instead.
    """
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(only_on(instance, fence_script(fence, holder))))


@operation(is_idempotent=False)
def services(instance: str = "") -> Generator[StringCommand, None, None]:
    """Prints the services of the host that may be an agent. On another EC2 instance than `instance`, an error is
    printed instead.
    """
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(only_on(instance, services_script())))


@operation(is_idempotent=False)
def forget(request: ForgetRequest, instance: str = "") -> Generator[StringCommand, None, None]:
    """Takes away what jada has left on the host, or tells it, and prints what came of it. On another EC2 instance than
    `instance`, an error is printed instead.
    """
    yield StringCommand(as_root(ERROR, LONGEST), _stdin=on_stdin(only_on(instance, forget_script(request))))
