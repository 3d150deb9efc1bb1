"""Questions to the hosts before a change: what would it do there? Nothing is touched."""

from __future__ import annotations

from jada import HostError
from jada.cli.results import HostResults
from jada.cli.session import FleetSession
from jada.tasks.plan import Plan, with_answer


def ask_first(session: FleetSession, plans: HostResults[Plan], is_dry_run: bool) -> HostResults[Plan]:
    """The plans, with the answers of the hosts' own CLIs, asked as if the changes had been made.

    They are asked where that is all that will prove the model, where jada's own table stands in the way of the change,
    and in a dry run.
    """
    service = session.engine.service
    needed = is_dry_run or service.asks_first
    questions = {
        name: plan.question
        for name, plan in plans.ok.items()
        if plan.question and service.asks and (needed or plan.despite)
    }
    if not questions:
        return plans
    answers = session.run_on_each(
        "Asking the hosts' own Claude CLIs", questions, lambda name, connection: connection.ask(questions[name])
    )

    def answered(name: str, plan: Plan) -> Plan | HostError:
        answer = answers[name]
        if isinstance(answer, HostError):
            return answer
        # Where the service itself will say what it runs, it is no news that its CLI can't.
        return with_answer(plan, answer) if answer.model or service.asks_first else plan

    return HostResults({**plans, **{name: answered(name, plans.ok[name]) for name in answers}})
