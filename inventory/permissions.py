"""The calls to AWS that a fleet needs, and the policy of IAM that allows them and no more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from jada import ENGINES
from jada.inventory.cloud.calls import CALLS, Call, Purpose, needed
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources.regions import ALL
from jada.inventory.sources.source import Source

# The providers of the hosts that are resources of IAM. By tags, IAM tells them apart as sources of fleet.yml do.
HOSTS = {"arn:aws:ec2:*:*:instance/*": "ec2", "arn:aws:lightsail:*:*:Instance/*": "lightsail"}


def clouds(fleet: Fleet) -> set[str]:
    """The providers of its sources that are services of AWS, by which IAM calls them too."""
    return {source.provider for source in fleet.sources} & {call.service for call in CALLS}


def calls_of(fleet: Fleet, purposes: Iterable[Purpose]) -> tuple[Call, ...]:
    """The calls that are made for these purposes, for the hosts of this fleet."""
    has = {
        Purpose.ALARMS: any(probe.alarm for probe in fleet.probes),
        Purpose.METRICS: any(probe.metric for probe in fleet.probes),
        Purpose.HOST_KEYS: fleet.ssh.pins_keys,
        Purpose.TUNNEL: any(_concerns(Purpose.TUNNEL, source, fleet) for source in fleet.sources),
    }
    purposes = {purpose for purpose in purposes if has.get(purpose, True)}
    topic = fleet.notify.sns
    engines = {fleet.engine or getattr(source, "engine", ENGINES[0]) for source in fleet.sources}
    in_aws = clouds(fleet)
    services = (
        in_aws
        | ({"elbv2"} if "ec2" in in_aws else set())
        | ({"sns"} if topic else set())
        | ({"s3"} if fleet.state else set())
        | {"cloudwatch", "sts", "ec2-instance-connect"}
        | (engines - {ENGINES[0]})
    )
    # A source may have no regions at all.
    searched = {source.provider for source in fleet.sources if getattr(source, "regions", ()) == ALL}
    return tuple(
        replace(narrowed, resource=resource)
        for call in needed(services, purposes)
        if call.purpose is not Purpose.REGIONS or call.service in searched
        for narrowed in _for_hosts(call, fleet)
        for resource in _own_resources(narrowed, fleet)
    )


def _own_resources(call: Call, fleet: Fleet) -> list[str]:
    """The resources of a call as this fleet has them; of what is not there, no call is needed."""
    if call.purpose is Purpose.NOTICES:
        return [fleet.notify.sns]
    if call.purpose is Purpose.ROLES:
        return [aws.role_arn for aws in fleet.accounts if aws.role_arn]
    if call.service == "s3" and fleet.state:
        bucket, prefix = fleet.state.bucket, fleet.state.prefix
        return [call.resource.replace(":::*/*", f":::{bucket}/{prefix}*").replace(":::*", f":::{bucket}")]
    return [call.resource]


def _for_hosts(call: Call, fleet: Fleet) -> Iterator[Call]:
    """The call for hosts with the tags of each source that it is made for; as it is, where one asks for no tags, and
    not at all where it is made for none.
    """
    if call.resource not in HOSTS:
        yield call
        return
    sources = [
        source
        for source in fleet.sources
        if source.provider == HOSTS[call.resource] and _concerns(call.purpose, source, fleet)
    ]
    if not sources:
        return
    tags = [tuple(getattr(source, "tags", {}).items()) for source in sources]
    if not all(tags):
        tags = [()]
    yield from (replace(call, tags=each) for each in dict.fromkeys(tags))


def _concerns(purpose: Purpose, source: Source, fleet: Fleet) -> bool:
    """True if calls of this purpose may be made for hosts of the source."""
    engine = fleet.engine or getattr(source, "engine", ENGINES[0])
    is_for = {
        Purpose.COMMANDS: engine == "ssm",
        Purpose.HOST_KEYS: engine == "ssh",
        Purpose.PUSHED_LOGIN: engine == "ssh" and getattr(source, "login", "") == "instance-connect",
        Purpose.TUNNEL: engine == "ssh" and getattr(source, "via", "") == "eice",
    }
    return is_for.get(purpose, True)


def policy(calls: Iterable[Call]) -> dict[str, Any]:
    """The policy that allows these calls, as IAM reads it; a statement on all resources is named by the reason."""
    statements: dict[tuple[object, ...], dict[str, Any]] = {}
    for call in calls:
        why_all = call.why_all if call.resource == "*" else ""
        statement = statements.setdefault(
            (call.resource, why_all, call.tags),
            {
                **({"Sid": why_all} if why_all else {}),
                "Effect": "Allow",
                "Action": [],
                "Resource": call.resource,
                **({"Condition": {"StringLike": _tagged(call)}} if call.tags else {}),
            },
        )
        statement["Action"] += [call.action] if call.action not in statement["Action"] else []
    return {"Version": "2012-10-17", "Statement": list(statements.values())}


def _tagged(call: Call) -> dict[str, list[str]]:
    return {f"aws:ResourceTag/{key}": list(values) for key, values in call.tags}
