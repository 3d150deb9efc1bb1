"""The calls that jada makes to AWS, in one list: a client refuses any other (session.py), and `jada iam` prints it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """The purpose of a call: which commands make it, and for which fleets."""

    # The regions of a source that says `regions: all`.
    REGIONS = "regions"
    HOSTS = "hosts"
    # The condition of machines before they are changed.
    CONDITIONS = "conditions"
    # A login to a host, by a key that its cloud gives.
    LOGIN = "login"
    # Commands through Systems Manager, in place of a login.
    COMMANDS = "commands"
    # Alarms and metrics of CloudWatch that watch a rollout.
    ALARMS = "alarms"
    METRICS = "metrics"
    NOTICES = "notices"
    # Who the credentials are.
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Call:
    """A call by its `service` and `operation`, as the API and IAM both call them, and the `resource` to allow it on."""

    service: str
    operation: str
    purpose: Purpose
    resource: str = "*"

    @property
    def action(self) -> str:
        return f"{self.service}:{self.operation}"


CALLS = (
    Call("ec2", "DescribeRegions", Purpose.REGIONS),
    Call("ec2", "DescribeInstances", Purpose.HOSTS),
    Call("ec2", "DescribeInstanceStatus", Purpose.CONDITIONS),
    Call("lightsail", "GetRegions", Purpose.REGIONS),
    Call("lightsail", "GetInstances", Purpose.HOSTS),
    Call("lightsail", "GetInstanceState", Purpose.CONDITIONS),
    Call("lightsail", "GetInstanceAccessDetails", Purpose.LOGIN, "arn:aws:lightsail:*:*:Instance/*"),
    Call("ssm", "DescribeInstanceInformation", Purpose.COMMANDS),
    Call("ssm", "SendCommand", Purpose.COMMANDS, "arn:aws:ssm:*:*:document/AWS-RunShellScript"),
    Call("ssm", "SendCommand", Purpose.COMMANDS, "arn:aws:ec2:*:*:instance/*"),
    Call("ssm", "ListCommandInvocations", Purpose.COMMANDS),
    Call("ssm", "GetCommandInvocation", Purpose.COMMANDS),
    Call("ssm", "CancelCommand", Purpose.COMMANDS),
    Call("cloudwatch", "DescribeAlarms", Purpose.ALARMS),
    Call("cloudwatch", "GetMetricData", Purpose.METRICS),
    Call("sns", "Publish", Purpose.NOTICES, "arn:aws:sns:*:*:*"),
    Call("sts", "GetCallerIdentity", Purpose.IDENTITY),
)
BY_ACTION = {call.action: call for call in CALLS}
# The one call that AWS allows whatever a policy says.
ALWAYS_ALLOWED = "sts:GetCallerIdentity"


def needed(services: Iterable[str], purposes: Iterable[Purpose]) -> tuple[Call, ...]:
    """The calls of these services for these purposes that a policy has to allow."""
    services, purposes = set(services), set(purposes)
    return tuple(
        call
        for call in CALLS
        if call.service in services and call.purpose in purposes and call.action != ALWAYS_ALLOWED
    )
