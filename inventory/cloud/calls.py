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
    # Their network, before and after.
    NETWORK = "network"
    # A login to a host, by a key that its cloud gives; by one that is pushed there; and a tunnel to it.
    LOGIN = "login"
    PUSHED_LOGIN = "pushed login"
    TUNNEL = "tunnel"
    # The keys by which hosts themselves are known.
    HOST_KEYS = "host keys"
    # Commands through Systems Manager, in place of a login.
    COMMANDS = "commands"
    # Alarms and metrics of CloudWatch that watch a rollout.
    ALARMS = "alarms"
    METRICS = "metrics"
    NOTICES = "notices"
    # Who the credentials are.
    IDENTITY = "identity"
    # The roles that sources of fleet.yml name.
    ROLES = "roles"
    # The record and the leases of a team in S3: read, listed, written, and given back.
    STATE = "state"
    LISTING = "listing"
    RECORD = "record"
    LEASE = "lease"


# Why a call is allowed on all resources, as a policy may name a statement: IAM knows none for most that only read.
NO_RESOURCE = "NoResourceToName"
# CloudWatch tells of composite alarms only whoever may ask for all.
COMPOSITE_ALARMS = "CompositeAlarmsWantAll"
# The services that IAM calls otherwise than the API does.
IAM_NAMES = {"elbv2": "elasticloadbalancing"}


@dataclass(frozen=True, slots=True)
class Call:
    """A call by its `service` and `operation`, as the API calls them, and the `resource` to allow it on.

    IAM calls most operations as the API does; `allowed_by` names the action where it does not. `why_all` is why it is
    allowed on all resources, where it is; `tags` are those of the hosts that it is about, with any of the values each.
    """

    service: str
    operation: str
    purpose: Purpose
    resource: str = "*"
    allowed_by: str = ""
    why_all: str = NO_RESOURCE
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def action(self) -> str:
        return f"{IAM_NAMES.get(self.service, self.service)}:{self.allowed_by or self.operation}"


CALLS = (
    Call("ec2", "DescribeRegions", Purpose.REGIONS),
    Call("ec2", "DescribeInstances", Purpose.HOSTS),
    Call("ec2", "DescribeInstanceStatus", Purpose.CONDITIONS),
    Call("ec2", "DescribeSecurityGroups", Purpose.NETWORK),
    Call("elbv2", "DescribeTargetGroups", Purpose.NETWORK),
    Call("elbv2", "DescribeTargetHealth", Purpose.NETWORK),
    Call("ec2", "GetConsoleOutput", Purpose.HOST_KEYS, "arn:aws:ec2:*:*:instance/*"),
    Call("lightsail", "GetRegions", Purpose.REGIONS),
    Call("lightsail", "GetInstances", Purpose.HOSTS),
    Call("lightsail", "GetInstanceState", Purpose.CONDITIONS),
    Call("lightsail", "GetInstancePortStates", Purpose.NETWORK),
    Call("lightsail", "GetLoadBalancers", Purpose.NETWORK),
    Call("lightsail", "GetInstanceAccessDetails", Purpose.LOGIN, "arn:aws:lightsail:*:*:Instance/*"),
    Call("ec2-instance-connect", "SendSSHPublicKey", Purpose.PUSHED_LOGIN, "arn:aws:ec2:*:*:instance/*"),
    Call("ec2", "DescribeInstanceConnectEndpoints", Purpose.TUNNEL),
    Call("ec2-instance-connect", "OpenTunnel", Purpose.TUNNEL, "arn:aws:ec2:*:*:instance-connect-endpoint/*"),
    Call("ssm", "DescribeInstanceInformation", Purpose.COMMANDS),
    Call("ssm", "SendCommand", Purpose.COMMANDS, "arn:aws:ssm:*:*:document/AWS-RunShellScript"),
    Call("ssm", "SendCommand", Purpose.COMMANDS, "arn:aws:ec2:*:*:instance/*"),
    Call("ssm", "ListCommandInvocations", Purpose.COMMANDS),
    Call("ssm", "GetCommandInvocation", Purpose.COMMANDS),
    Call("ssm", "CancelCommand", Purpose.COMMANDS),
    Call("cloudwatch", "DescribeAlarms", Purpose.ALARMS, why_all=COMPOSITE_ALARMS),
    Call("cloudwatch", "GetMetricData", Purpose.METRICS),
    Call("sns", "Publish", Purpose.NOTICES, "arn:aws:sns:*:*:*"),
    Call("sts", "GetCallerIdentity", Purpose.IDENTITY),
    Call("sts", "AssumeRole", Purpose.ROLES, "arn:aws:iam::*:role/*"),
    Call("sts", "GetSessionToken", Purpose.ROLES),
    Call("s3", "GetObject", Purpose.STATE, "arn:aws:s3:::*/*"),
    Call("s3", "PutObject", Purpose.RECORD, "arn:aws:s3:::*/*"),
    Call("s3", "DeleteObject", Purpose.LEASE, "arn:aws:s3:::*/*"),
    Call("s3", "ListObjectsV2", Purpose.LISTING, "arn:aws:s3:::*", allowed_by="ListBucket"),
    # boto3 asks so for the region of a bucket where an error does not tell it.
    Call("s3", "HeadBucket", Purpose.LISTING, "arn:aws:s3:::*", allowed_by="ListBucket"),
)
BY_NAME = {call.name: call for call in CALLS}
BY_ACTION = {call.action: call for call in CALLS}
# The calls that AWS allows whatever a policy says.
ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})


def needed(services: Iterable[str], purposes: Iterable[Purpose]) -> tuple[Call, ...]:
    """The calls of these services for these purposes that a policy has to allow."""
    services, purposes = set(services), set(purposes)
    return tuple(
        call
        for call in CALLS
        if call.service in services and call.purpose in purposes and call.action not in ALWAYS_ALLOWED
    )
