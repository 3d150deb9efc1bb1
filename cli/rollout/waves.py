"""The waves of a rollout, and the verdict on each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain, zip_longest

from jada import Host
from jada.cli.records.model import HostOutcome
from jada.cli.rollout.outcome import HostResult
from jada.cli.ui.console import grouped, named, plural
from jada.cli.ui.duration import told
from jada.inventory.fleet.rollout import RolloutPolicy
from jada.inventory.tags import has_tags

Waves = tuple[tuple[str, ...], ...]


# Outcomes of hosts that were left as they are, for a reason that has nothing to do with the change.
HELD_UP = (HostOutcome.NOT_STARTED, HostOutcome.LOCKED)


class Verdict(StrEnum):
    """The verdict on a host, or on a wave. Only FAILED sends hosts back."""

    PASSED = "passed"
    FAILED = "failed"
    # Not enough is known to say.
    INCONCLUSIVE = "inconclusive"
    # It could not be looked at.
    ERROR = "error"


def divide(hosts: Sequence[Host], policy: RolloutPolicy) -> Waves:
    """The names of the hosts of each wave, of which none is empty; every host is in one."""
    canaries = [host for host in hosts if policy.canary and has_tags(host.tags, policy.canary)]
    rest = [host for host in hosts if host not in canaries]
    names = [host.name for group in (canaries, rest) for host in _spread(group, policy.spread_by)]
    return tuple(_slices(names, policy))


def _slices(names: Sequence[str], policy: RolloutPolicy) -> Iterator[tuple[str, ...]]:
    done = 0
    for share in policy.waves:
        # Of a few hosts, several shares come to as many.
        if (end := share.of(len(names))) > done:
            yield tuple(names[done:end])
            done = end


def _spread(hosts: Iterable[Host], by: str) -> Iterable[Host]:
    """The hosts in such an order that those which follow each other lie in as many zones as there are."""
    if by != "zone":
        return hosts
    zones = grouped((host.zone or host.region, host) for host in hosts)
    return (host for host in chain.from_iterable(zip_longest(*zones.values())) if host is not None)


def verdict(result: HostResult) -> Verdict:
    """The verdict on a host by the end of its change, or by a look while its wave bakes."""
    match result.outcome:
        case HostOutcome.VERIFIED | HostOutcome.UNCHANGED:
            return Verdict.PASSED
        case HostOutcome.UNPROVEN if result.is_unknown:
            return Verdict.INCONCLUSIVE
        case _:
            return Verdict.FAILED


def of_hosts(results: Mapping[str, HostResult], policy: RolloutPolicy) -> Verdict:
    """The verdict on all hosts that were touched: so many of them may fail as fleet.yml lets pass."""
    verdicts = [verdict(result) for result in results.values() if result.outcome not in HELD_UP]
    if policy.max_failures.is_passed(verdicts.count(Verdict.FAILED), len(verdicts)):
        return Verdict.FAILED
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in verdicts else Verdict.PASSED


def is_one(waves: Waves, policy: RolloutPolicy) -> bool:
    """True if all hosts are changed at once, without any bake: nothing is held against one that others failed."""
    return not waves or (len(waves) == 1 and not policy.final_bake_time)


def bake_seconds(waves: Waves, number: int, policy: RolloutPolicy) -> int:
    """The seconds that the wave of that number, from 0, bakes; alone, hosts have no bake unless one is asked for."""
    if number == len(waves) - 1:
        return policy.final_bake_time
    if number == 0 and policy.first_bake_time is not None:
        return policy.first_bake_time
    return policy.bake_time


def bakes(waves: Waves, policy: RolloutPolicy) -> tuple[int, ...]:
    """The seconds that each wave bakes; () for hosts that are changed all at once."""
    return () if is_one(waves, policy) else tuple(bake_seconds(waves, number, policy) for number in range(len(waves)))


def baking(waves: Waves, policy: RolloutPolicy) -> int:
    """The seconds that all bakes take together, if nothing has to be waited for."""
    return sum(bakes(waves, policy))


def in_words(fleet: str, waves: Waves, policy: RolloutPolicy) -> str:
    """The hosts that a rollout reaches as the plan tells it: in how many steps, and how long it takes at least."""
    if not waves:
        return ""
    hosts = f"{plural(sum(map(len, waves)), 'host')} of {fleet}"
    if is_one(waves, policy):
        return f"{hosts}, all at once" if len(waves[0]) > 1 else ""
    seconds = baking(waves, policy)
    sizes = ", ".join(str(len(wave)) for wave in waves)
    text = f"{hosts} in {plural(len(waves), 'wave')} of {sizes} ({named(waves[0])} first), "
    return text + (f"at least {told(seconds)} for their bakes" if seconds else "without a bake")
