"""Systems Manager's Run Command: the calls of its API, and nothing of what is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from jada import Aws, JadaError, NotBegunError, SsmAgent, SsmInvocation
from jada.inventory.cloud.client import client
from jada.inventory.cloud.errors import DeniedError

DOCUMENT = "AWS-RunShellScript"
# Hosts on a page; AWS gives no more.
PAGE = 50


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run Command in one region. Every method raises JadaError."""

    aws: Aws
    region: str

    def to_json(self) -> str:
        """pyinfra shows all data of a host as JSON (`debug-inventory`)."""
        return f"Run Command in {self.region}"

    def agents(self, instances: Sequence[str]) -> dict[str, SsmAgent]:
        """The agents of those of up to 50 instances that Systems Manager knows."""
        filters = [{"Key": "InstanceIds", "Values": list(instances)}]
        with client(self.aws, "ssm", self.region) as ssm:
            pages = ssm.get_paginator("describe_instance_information").paginate(
                Filters=filters, PaginationConfig={"PageSize": PAGE}
            )
            return {
                entry["InstanceId"]: SsmAgent(entry["PingStatus"] == "Online", f"{entry.get('LastPingDateTime', '')}")
                for page in pages
                for entry in page["InstanceInformationList"]
            }

    def send(self, instances: Sequence[str], text: str, token: str, delivery: int, longest: int) -> str | None:
        """Sends a command that waits `delivery` seconds for an agent and may run `longest`: its id, or None where AWS
        takes none for one of the instances. Raises NotBegunError where AWS has surely taken none at all.
        """
        try:
            with client(self.aws, "ssm", self.region) as ssm:
                answer = ssm.send_command(
                    DocumentName=DOCUMENT,
                    InstanceIds=list(instances),
                    Parameters={"commands": [text], "executionTimeout": [str(longest)]},
                    Comment=f"jada {token}",
                    TimeoutSeconds=delivery,
                    # Whether one host's trouble stops a wave is not for AWS to decide.
                    MaxConcurrency=str(len(instances)),
                    MaxErrors="100%",
                )
        except JadaError as error:
            refusal = error.__cause__
            if isinstance(refusal, ClientError) and _was_sent_once(refusal):
                if refusal.response["Error"]["Code"] == "InvalidInstanceId":
                    return None
            elif not isinstance(error, DeniedError):
                raise
            raise NotBegunError(error.message, error.hint) from error
        return str(answer["Command"]["CommandId"])

    def invocations(self, command: str) -> list[SsmInvocation]:
        """The states of a command on its instances, those that the lists have yet."""
        with client(self.aws, "ssm", self.region) as ssm:
            pages = ssm.get_paginator("list_command_invocations").paginate(
                CommandId=command, Details=True, PaginationConfig={"PageSize": PAGE}
            )
            return [
                SsmInvocation(
                    entry["InstanceId"],
                    entry.get("StatusDetails") or entry["Status"],
                    "".join(plugin.get("Output") or "" for plugin in entry.get("CommandPlugins", ())),
                )
                for page in pages
                for entry in page["CommandInvocations"]
            ]

    def output(self, command: str, instance: str) -> str | None:
        """The first 24,000 characters that a command said, or None while nobody knows them yet."""
        with client(self.aws, "ssm", self.region) as ssm:
            try:
                answer = ssm.get_command_invocation(CommandId=command, InstanceId=instance)
            except ClientError as error:
                if error.response["Error"]["Code"] == "InvocationDoesNotExist":
                    return None
                raise
            return str(answer["StandardOutputContent"]) or None

    def cancel(self, command: str) -> None:
        with client(self.aws, "ssm", self.region) as ssm:
            ssm.cancel_command(CommandId=command)


def _was_sent_once(refusal: ClientError) -> bool:
    """True if the request that was refused was the only one: the answer to another may have been lost, and it taken."""
    answer = refusal.response.get("ResponseMetadata", {})
    return answer.get("RetryAttempts") == 0 and 400 <= answer.get("HTTPStatusCode", 0) < 500
