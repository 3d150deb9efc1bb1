"""Questions to the hosts before a change: what would it do there? Nothing is touched."""

from __future__ import annotations

from collections.abc import Mapping

from jada import HostError
from jada.cli.results import HostResults
from jada.cli.session import FleetSession
from jada.tasks.asked import Asked
from jada.tasks.plan import Plan, with_answer


def ask_first(session: FleetSession, plans: HostResults[Plan], is_dry_run: bool) -> HostResults[Plan]:
    """The plans, with the answers of the hosts' own CLIs, asked as if the changes had been made.

    They are asked where that is all that will prove the model, where jada's own table stands in the way of the change,
    and in a dry run.
    """
    service = session.engine.service
    needed = is_dry_run or service.asks()
    questions = {
        name: plan.question
        for name, plan in plans.ok.items()
        if plan.question and service.ask != "never" and (needed or plan.despite)
    }
    if not questions:
        return plans
    answers = session.run_on_each(
        "Asking the hosts' own Claude CLIs", questions, lambda name, connection: connection.ask(questions[name])
    )
    if not service.asks():
        # The service itself will say what it runs: that its CLI can't is no news.
        answers = HostResults((name, Asked() if _is_error(answer) else answer) for name, answer in answers.items())
    return HostResults((name, _answered(name, plan, answers)) for name, plan in plans.items())


def _is_error(answer: Asked | HostError) -> bool:
    return isinstance(answer, Asked) and not answer.model


def _answered(name: str, plan: Plan | HostError, answers: Mapping[str, Asked | HostError]) -> Plan | HostError:
    if isinstance(plan, HostError) or name not in answers:
        return plan
    answer = answers[name]
    return answer if isinstance(answer, HostError) else with_answer(plan, answer)
