"""The doctor's checks of AWS, by the calls that jada makes anyway: none of them writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jada import Aws, Host, JadaError
from jada.cli.doctor.result import OF_AWS, CheckResult, failed, passed, skipped, warned
from jada.cli.ui.console import grouped, plural
from jada.inventory.cloud.calls import Call, Purpose

if TYPE_CHECKING:
    from jada.inventory.cloud.identity import Identity
    from jada.inventory.discover import Searched
    from jada.inventory.fleet.config import Fleet

POLICY = "allow it there; `jada iam` prints the whole policy"


def credentials(fleet: Fleet) -> dict[Aws, CheckResult]:
    """Checks of each account that there are credentials: whoever has to give an MFA code is asked for it now."""
    from jada.inventory import discover

    return {aws: _login(aws, error) for aws, error in discover.log_in_to_each(fleet).items()}


def identity(aws: Aws) -> CheckResult:
    """Checks who the credentials of an account are."""
    from jada.inventory.cloud import identity as who

    try:
        return of_identity(who.identity(aws), str(aws))
    except JadaError as error:
        return failed("identity", error.message, error.hint)


def of_identity(found: Identity, credentials: str = "") -> CheckResult:
    """Checks that nobody works as the root of an account; `credentials` are the profile and the role in words. Pure."""
    text = f"{found.arn} in account {found.account}" + (f", by {credentials}" if credentials else "")
    if found.is_root:
        return warned(
            "identity", f"{text}, which may do everything", "use a role that may do no more than `jada iam` prints"
        )
    return passed("identity", text)


def search(fleet: Fleet) -> list[Searched]:
    from jada.inventory import discover

    return discover.search(fleet)


def regions(found: Sequence[Searched]) -> CheckResult:
    """Checks that all regions of AWS could be asked; what is denied there is a matter of permissions."""
    asked = [searched for searched in found if searched.region or isinstance(searched.result, JadaError)]
    if not asked:
        return skipped("regions", "no region is to be searched")
    wrong = grouped(((error.message, error.hint), searched.place) for searched in asked
                    if isinstance(error := searched.result, JadaError) and not denied(error))  # fmt: skip
    if wrong:
        text = "; ".join(f"{', '.join(places)}: {message}" for (message, _), places in wrong.items())
        return failed("regions", text, "; ".join(dict.fromkeys(hint for _, hint in wrong)))
    return passed("regions", f"asked {', '.join(searched.place for searched in asked)}")


def denied(error: JadaError) -> str:
    """The action that AWS denied, as IAM calls it, or ""."""
    from jada.inventory.cloud.errors import DeniedError

    cause = error if isinstance(error, DeniedError) else error.__cause__
    return cause.action if isinstance(cause, DeniedError) else ""


def permissions(
    calls: Iterable[Call], answered: Collection[str], errors: Iterable[tuple[str, JadaError]]
) -> Iterator[CheckResult]:
    """Checks the calls that this fleet needs: those that AWS `answered`, and the errors of others by their places. Pure
    but for the class of the errors.
    """
    refused = grouped((action, place) for place, error in errors if (action := denied(error)))
    by_action = grouped((call.action, call) for call in calls)
    for action, places in refused.items():
        of_action = by_action.get(action, ())
        resources = " and ".join(dict.fromkeys(call.resource for call in of_action))
        text = f"{action}{resources and f' on {resources}'} is denied in {', '.join(dict.fromkeys(places))}"
        if any(call.purpose is Purpose.CONDITIONS for call in of_action):
            yield warned("permissions", f"{text}: the preflight of an upgrade does without it", POLICY)
        else:
            yield failed("permissions", text, POLICY)
    wanted = [action for action in by_action if action not in refused]
    if allowed := [action for action in wanted if action in answered]:
        yield passed("permissions", f"allowed: {', '.join(allowed)}")
    if untried := [action for action in wanted if action not in answered]:
        yield skipped("permissions", f"not tried: {', '.join(untried)}")


def hosts(fleet: Fleet, found: Sequence[Searched], accounts: Collection[Aws]) -> tuple[CheckResult, tuple[Host, ...]]:
    """Checks that there are hosts, and gives them: those of the places that answered, in the `accounts` that could be
    asked.
    """
    from jada.inventory import discover

    unasked = [source for source in fleet.sources if source.credentials(fleet.aws) not in (None, *accounts)]
    # Of sources that are not in AWS nothing else tells.
    beside = [(searched.place, searched.result) for searched in found if isinstance(searched.result, JadaError)
              and searched.source.credentials(fleet.aws) is None]  # fmt: skip
    failures = [searched.place for searched in found if isinstance(searched.result, JadaError)]
    failures += dict.fromkeys(discover.Searched(source, "", ()).place for source in unasked)
    try:
        completed = discover.completed(fleet, [host for searched in found for host in searched.hosts])
    except JadaError as error:
        why = next((each for _, each in beside), error)
        return failed("hosts", why.message, why.hint), ()
    count = f"{plural(len(completed), 'host')}: " + ", ".join(
        f"{len(names)} {source}" for source, names in grouped((host.source, host.name) for host in completed).items()
    )
    if beside:
        texts = "; ".join(f"those of {place} are not known: {error.message}" for place, error in beside)
        return failed(
            "hosts", f"{count}; {texts}", "; ".join(dict.fromkeys(error.hint for _, error in beside))
        ), completed
    if failures:
        missing = f"{count}; those of {', '.join(failures)} are not known"
        return failed(
            "hosts", missing, "see the checks of AWS above: only a way back goes on with a part of the fleet"
        ), completed
    return passed("hosts", count), completed


def roles(fleet: Fleet, found: Sequence[Host]) -> CheckResult:
    """Checks that each name and tag of a role fits some host, and that each host has a role."""
    from jada.inventory.roles import unmatched

    notes = [*unmatched(found, fleet.roles)]
    if without := [host.name for host in found if not host.role]:
        notes.append(f"no role for {', '.join(without)}")
    if notes:
        return warned("roles", "; ".join(notes), f"see `roles` in {fleet.path}: a name or a tag may be misspelt")
    counts = grouped((host.role, host.name) for host in found)
    return passed("roles", ", ".join(f"{len(names)} {role}" for role, names in counts.items()))


def not_in_aws() -> Iterator[CheckResult]:
    """The checks of a fleet that has no host in AWS."""
    for check in OF_AWS:
        yield skipped(check, "no source of fleet.yml is in AWS")


def of_accounts(fleet: Fleet, accounts: Collection[Aws]) -> Fleet:
    """The fleet with the sources of these accounts, and those of none."""
    sources = (source for source in fleet.sources if source.credentials(fleet.aws) in (None, *accounts))
    return replace(fleet, sources=tuple(sources))


def _login(aws: Aws, error: JadaError | None) -> CheckResult:
    if error:
        return failed("credentials", error.message, error.hint)
    return passed(
        "credentials", f"had from {aws}" if str(aws) else "had by boto3's own order: environment, ~/.aws, SSO, role"
    )
