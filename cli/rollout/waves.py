"""The waves of a rollout, and the verdict on each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from jada import ON_FAILURE, Host
from jada.cli.records.model import HostOutcome
from jada.cli.rollout.outcome import HostResult
from jada.cli.ui.console import grouped, named, plural
from jada.cli.ui.duration import told
from jada.inventory.fleet.rollout import ALL_AT_ONCE, RolloutPolicy
from jada.inventory.tags import has_tags
from jada.tasks.measure import Verdict

Waves = tuple[tuple[str, ...], ...]


# Outcomes of hosts that were left as they are, for a reason that has nothing to do with the change.
HELD_UP = (HostOutcome.NOT_STARTED, HostOutcome.LOCKED)


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts whose rollout goes by one policy, and their own waves, of which none is empty at first."""

    policy: RolloutPolicy
    waves: Waves


# Each host is in one of them.
Groups = tuple[Group, ...]
# Divides the hosts that are to be changed.
Division = Callable[[Sequence[Host]], Groups]


def divide(hosts: Sequence[Host], policies: Mapping[str, RolloutPolicy]) -> Groups:
    """The hosts under each of the `policies`, which are those of roles: where two are alike, their hosts are divided
    together.
    """
    distinct: list[RolloutPolicy] = []
    for host in hosts:
        if policies[host.role] not in distinct:
            distinct.append(policies[host.role])
    members = ([host for host in hosts if policies[host.role] == policy] for policy in distinct)
    return tuple(Group(policy, _waves(group, policy)) for policy, group in zip(distinct, members, strict=True))


def all_at_once(hosts: Sequence[Host]) -> Groups:
    """The hosts as one wave."""
    return divide(hosts, {host.role: ALL_AT_ONCE for host in hosts})


def only(groups: Groups, names: Collection[str]) -> Groups:
    """The groups without all other hosts; a wave keeps its number, whatever is left of it."""
    return tuple(
        Group(group.policy, tuple(tuple(name for name in wave if name in names) for wave in group.waves))
        for group in groups
    )


def together(groups: Groups) -> Waves:
    """The waves of a rollout: each has those of that number in the groups, as far as these go."""
    return tuple(tuple(chain(*parts)) for parts in zip_longest(*(group.waves for group in groups), fillvalue=()))


def _waves(hosts: Sequence[Host], policy: RolloutPolicy) -> Waves:
    canaries = [host for host in hosts if policy.canary and has_tags(host.tags, policy.canary)]
    rest = [host for host in hosts if host not in canaries]
    names = [host.name for group in (canaries, rest) for host in _spread(group, policy.spread_by)]
    return tuple(slices(names, policy))


def slices(names: Sequence[str], policy: RolloutPolicy) -> Iterator[tuple[str, ...]]:
    """The waves of hosts that are in their order."""
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
            # What can't be measured for a while is nothing that is known.
            return Verdict.INCONCLUSIVE if any(probe.counts for probe in result.probes) else Verdict.PASSED
        case HostOutcome.UNPROVEN if result.is_unknown:
            return Verdict.INCONCLUSIVE
        case _:
            return Verdict.FAILED


def of_hosts(results: Mapping[str, HostResult], groups: Groups) -> Verdict:
    """The verdict on all hosts that were touched: the worst on a group."""
    verdicts = {of_group(results, group) for group in groups}
    return next((each for each in (Verdict.FAILED, Verdict.INCONCLUSIVE) if each in verdicts), Verdict.PASSED)


def of_group(results: Mapping[str, HostResult], group: Group) -> Verdict:
    """The verdict on those hosts of a group that were touched: so many of them may fail as its policy says, but no
    alarm of theirs.
    """
    touched = [results[name] for name in chain(*group.waves) if name in results]
    alarms = (probe for result in touched for probe in result.probes if probe.counts and probe.is_of_fleet)
    if any(alarm.verdict is Verdict.FAILED for alarm in alarms):
        return Verdict.FAILED
    verdicts = [verdict(result) for result in touched if result.outcome not in HELD_UP]
    if group.policy.max_failures.is_passed(verdicts.count(Verdict.FAILED), len(verdicts)):
        return Verdict.FAILED
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in verdicts else Verdict.PASSED


def on_failure(results: Mapping[str, HostResult], groups: Groups) -> str:
    """The consequence where groups have failed: of several, that which leaves fewer hosts changed."""
    failed = {group.policy.on_failure for group in groups if of_group(results, group) is Verdict.FAILED}
    return next(consequence for consequence in ON_FAILURE if consequence in failed)


def waits(results: Mapping[str, HostResult], groups: Groups) -> bool:
    """True if each group of which not enough is known is to be watched until the deadline."""
    unknown = [group for group in groups if of_group(results, group) is Verdict.INCONCLUSIVE]
    return all(group.policy.on_inconclusive == "wait" for group in unknown)


def at_once(groups: Groups, number: int) -> int | None:
    """The most hosts of a wave that are changed at the same time; None for as many as the engine can."""
    most = [group.policy.max_parallel for group in _in_wave(groups, number) if group.policy.max_parallel]
    return min(most, default=None)


def is_one(groups: Groups) -> bool:
    """True if all hosts are changed at once, without any bake: nothing is held against one that others failed."""
    return len(together(groups)) <= 1 and not bake_seconds(groups, 0)


def bake_seconds(groups: Groups, number: int) -> int:
    """The seconds that the wave of that number, from 0, bakes: as long as the longest of its groups."""
    return max((group.policy.bake_after(number, len(group.waves)) for group in _in_wave(groups, number)), default=0)


def bakes(groups: Groups) -> tuple[int, ...]:
    """The seconds that each wave bakes; () for hosts that are changed all at once."""
    return () if is_one(groups) else tuple(bake_seconds(groups, number) for number in range(len(together(groups))))


def baking(groups: Groups) -> int:
    """The seconds that all bakes take together, if nothing has to be waited for."""
    return sum(bakes(groups))


def own_deadline(groups: Groups) -> int | None:
    """The seconds that a rollout has beside its bakes, which is the most of any group; None for those of a command."""
    return max((group.policy.deadline for group in groups if group.policy.deadline), default=None)


def in_words(fleet: str, groups: Groups) -> str:
    """The hosts that a rollout reaches as the plan tells it: in how many steps, and how long it takes at least."""
    waves = together(groups)
    if not waves:
        return ""
    hosts = f"{plural(sum(map(len, waves)), 'host')} of {fleet}"
    if is_one(groups):
        return f"{hosts}, all at once" if len(waves[0]) > 1 else ""
    seconds = baking(groups)
    sizes = ", ".join(str(len(wave)) for wave in waves)
    text = f"{hosts} in {plural(len(waves), 'wave')} of {sizes} ({named(waves[0])} first), "
    return text + (f"at least {told(seconds)} for their bakes" if seconds else "without a bake")


def _in_wave(groups: Groups, number: int) -> Iterator[Group]:
    return (group for group in groups if number < len(group.waves))
