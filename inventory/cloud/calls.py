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
    # The record and the leases of a team.
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Call:
    """A call by its `service` and `operation`, as the API calls them, and the `resource` to allow it on.

    IAM calls most operations as the API does; `allowed_by` names the action where it does not.
    """

    service: str
    operation: str
    purpose: Purpose
    resource: str = "*"
    allowed_by: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def action(self) -> str:
        return f"{self.service}:{self.allowed_by or self.operation}"


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
    Call("s3", "GetObject", Purpose.STATE, "arn:aws:s3:::*/*"),
    Call("s3", "PutObject", Purpose.STATE, "arn:aws:s3:::*/*"),
    Call("s3", "DeleteObject", Purpose.STATE, "arn:aws:s3:::*/*"),
    Call("s3", "ListObjectsV2", Purpose.STATE, "arn:aws:s3:::*", allowed_by="ListBucket"),
    # boto3 asks so for the region of a bucket where an error does not tell it.
    Call("s3", "HeadBucket", Purpose.STATE, "arn:aws:s3:::*", allowed_by="ListBucket"),
)
BY_NAME = {call.name: call for call in CALLS}
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
