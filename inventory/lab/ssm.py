"""A stand-in for Systems Manager's Run Command, as far as jada uses it: JSON 1.1 over HTTP, commands that really run.

It is as strict as the real service (botocore's model of the API, the agent's own source), and as late: a command is
not in the lists at once, and an end is told some time after it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from jada.inventory.lab import cgroup

TARGET = "AmazonSSM."
DOCUMENT = "AWS-RunShellScript"
# Of one SendCommand: instances, characters of the document with its parameters and by itself, and of the comment.
MOST_INSTANCES, MOST_DOCUMENT, DOCUMENT_ALONE, MOST_COMMENT = 50, 65536, 1024, 100
# Characters that are told of what a command said: in the lists, where stderr is counted too, and to who asks for one.
MOST_LISTED, MOST_OUT, MOST_ERR = 2500, 24000, 8000
MOST_ON_PAGE = 50
# Seconds after which a command is in the lists, and its end known.
LISTED_AFTER, ENDED_AFTER = 0.3, 0.2
CONCURRENT = re.compile(r"[1-9][0-9]*|[1-9][0-9]?%|100%")
ERRORS = re.compile(r"[0-9]+|[1-9][0-9]?%|100%")
INSTANCE = re.compile(r"i-(\w{8}|\w{17})")
# The script of a command on a host lies where the agent puts it, for root alone, and runs as it runs it.
RUN = 'mkdir -p -m 700 "$1" && cat >"$1/_script.sh" && chmod 700 "$1/_script.sh" && sh -c "$1/_script.sh" </dev/null'
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

T = TypeVar("T")


class SsmError(Exception):
    """An error of the API: its exception code, HTTP status 400 and a message."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a command on an instance; a `code` of None: it was killed."""

    code: int | None
    out: str
    err: str = ""


class Agent(Protocol):
    """The agent on one instance."""

    def ping(self) -> str:
        """Its PingStatus."""

    def run(self, instance: str, command: str, text: str, seconds: int, cancelled: threading.Event) -> Ended:
        """Runs a command to its end, for so many seconds at most, or until it is cancelled."""


@dataclass(frozen=True, slots=True)
class LabAgent:
    """The agent on a lab host, whose control group is `group`."""

    group: str

    def ping(self) -> str:
        return "Online" if cgroup.init(self.group) else "ConnectionLost"

    def run(self, instance: str, command: str, text: str, seconds: int, cancelled: threading.Event) -> Ended:
        folder = f"/var/lib/amazon/ssm/{instance}/document/orchestration/{command}/awsrunShellScript"
        argv = ["nsenter", "-t", str(cgroup.init(self.group)), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--",
                "env", "-i", f"PATH={PATH}", f"AWS_SSM_INSTANCE_ID={instance}", f"SSM_COMMAND_ID={command}",
                "sh", "-c", RUN, "sh", folder]  # fmt: skip
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        ) as process:
            began, given = time.monotonic(), text.encode() or None
            while True:
                try:
                    out, err = process.communicate(given, timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    given = None
                    if cancelled.is_set() or time.monotonic() - began > seconds:
                        with suppress(ProcessLookupError):
                            os.killpg(process.pid, signal.SIGKILL)
            code = None if process.returncode < 0 else process.returncode
        return Ended(code, out.decode(errors="replace"), err.decode(errors="replace"))


@dataclass(slots=True)
class Invocation:
    """A command on one instance."""

    instance: str
    status: str = "Pending"
    ended: Ended | None = None
    ended_at: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def told(self) -> str:
        """Its StatusDetails, as late as they are known."""
        is_known = self.ended_at and time.monotonic() >= self.ended_at + ENDED_AFTER
        return self.status if is_known or not self.ended_at else "InProgress"


@dataclass(frozen=True, slots=True)
class Command:
    id: str
    region: str
    request: Mapping[str, Any]
    invocations: tuple[Invocation, ...]
    sent: float = field(default_factory=time.monotonic)

    @property
    def is_listed(self) -> bool:
        return time.monotonic() >= self.sent + LISTED_AFTER


class Ssm:
    """Answers the API's operations. `agents` are those that are registered, by region and instance."""

    def __init__(self, agents: dict[tuple[str, str], Agent], at_once: int = 64) -> None:
        self.agents = agents
        self._commands: dict[str, Command] = {}
        self._pool = ThreadPoolExecutor(at_once, "ssm")
        self._operations: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
            "DescribeInstanceInformation": self._describe,
            "SendCommand": self._send,
            "ListCommandInvocations": self._list_invocations,
            "GetCommandInvocation": self._get_invocation,
            "ListCommands": self._list_commands,
            "CancelCommand": self._cancel,
        }

    def answer(self, operation: str, region: str, body: bytes) -> dict[str, Any]:
        """The result of one call. Raises SsmError."""
        if operation not in self._operations:
            raise SsmError("UnknownOperationException", f"The stand-in for Systems Manager has no {operation}.")
        return self._operations[operation](region, json.loads(body or b"{}"))

    def _describe(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        wanted = None
        for entry in request.get("Filters", ()):
            if entry["Key"] != "InstanceIds":
                raise SsmError("InvalidFilterKey")
            wanted = set(entry["Values"])
        if wanted is None:
            known = [instance for of_region, instance in self.agents if of_region == region]
        else:
            known = [instance for instance in wanted if (region, instance) in self.agents]
        entries = [
            {
                "InstanceId": instance,
                "PingStatus": self.agents[region, instance].ping(),
                "LastPingDateTime": time.time(),
                "PlatformType": "Linux",
                "ResourceType": "EC2Instance",
            }
            for instance in sorted(known)
        ]
        return _page(request, "InstanceInformationList", entries, 5)

    def _send(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        instances = request.get("InstanceIds", [])
        _checked(request, instances)
        if any((region, instance) not in self.agents for instance in instances):
            raise SsmError("InvalidInstanceId", "Instances not in a valid state for account")
        invocations = tuple(Invocation(instance) for instance in instances)
        command = Command(str(uuid.uuid4()), region, request, invocations)
        self._commands[command.id] = command
        for invocation in invocations:
            self._pool.submit(self._run, command, invocation)
        return {"Command": _described(command)}

    def _run(self, command: Command, invocation: Invocation) -> None:
        agent, parameters = self.agents[command.region, invocation.instance], command.request["Parameters"]
        while agent.ping() != "Online" and not invocation.cancelled.is_set():
            if time.monotonic() > command.sent + command.request.get("TimeoutSeconds", 3600):
                invocation.status, invocation.ended_at = "DeliveryTimedOut", time.monotonic()
                return
            time.sleep(0.1)
        if not invocation.cancelled.is_set():
            invocation.status = "InProgress"
            text, seconds = "\n".join(parameters["commands"]), int(parameters.get("executionTimeout", ["3600"])[0])
            try:
                invocation.ended = agent.run(invocation.instance, command.id, text, seconds, invocation.cancelled)
            except OSError as error:
                invocation.ended = Ended(1, "", str(error))
        if invocation.cancelled.is_set():
            invocation.status = "Cancelled"
        elif invocation.ended and invocation.ended.code is None:
            invocation.status = "ExecutionTimedOut"
        else:
            invocation.status = "Success" if invocation.ended and invocation.ended.code == 0 else "Failed"
        invocation.ended_at = time.monotonic()

    def _list_invocations(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        command = self._command(region, request)
        entries = [_entry(command, each, request.get("Details", False)) for each in command.invocations]
        return _page(request, "CommandInvocations", entries if command.is_listed else [], 1)

    def _get_invocation(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        command = self._command(region, request)
        invocation = next((each for each in command.invocations if each.instance == request["InstanceId"]), None)
        if invocation is None or not command.is_listed:
            raise SsmError("InvocationDoesNotExist")
        ended = invocation.ended if invocation.told == invocation.status else None
        return {
            "CommandId": command.id,
            "InstanceId": invocation.instance,
            "Status": _status(invocation.told),
            "StatusDetails": invocation.told,
            "StandardOutputContent": ended.out[:MOST_OUT] if ended else "",
            "StandardErrorContent": ended.err[:MOST_ERR] if ended else "",
            "ResponseCode": ended.code if ended and ended.code is not None else -1,
        }

    def _list_commands(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        commands = [each for each in self._commands.values() if each.region == region and each.is_listed]
        wanted = request.get("CommandId")
        return _page(request, "Commands", [_described(each) for each in commands if wanted in (None, each.id)], 1)

    def _cancel(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        command, only = self._command(region, request), request.get("InstanceIds")
        for invocation in command.invocations:
            if not only or invocation.instance in only:
                invocation.cancelled.set()
        return {}

    def _command(self, region: str, request: dict[str, Any]) -> Command:
        command = self._commands.get(request.get("CommandId", ""))
        if command is None or command.region != region:
            raise SsmError("InvalidCommandId")
        return command


def _checked(request: Mapping[str, Any], instances: Sequence[str]) -> None:
    """Raises SsmError for a request to send that the service would not take."""
    parameters = request.get("Parameters", {})
    if request.get("DocumentName") != DOCUMENT:
        raise SsmError("InvalidDocument")
    if not 1 <= len(instances) <= MOST_INSTANCES or not all(INSTANCE.fullmatch(instance) for instance in instances):
        raise SsmError("ValidationException", "instanceIds")
    if len(set(instances)) < len(instances):
        raise SsmError("DuplicateInstanceId")
    if set(parameters) - {"commands", "executionTimeout", "workingDirectory"} or not parameters.get("commands"):
        raise SsmError("InvalidParameters")
    if "{{" in json.dumps(parameters):
        raise SsmError("InvalidParameters", "It would be taken for a parameter of a document.")
    if len(json.dumps(parameters)) + DOCUMENT_ALONE > MOST_DOCUMENT:
        raise SsmError("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB.")
    is_valid = (
        30 <= request.get("TimeoutSeconds", 3600) <= 2592000
        and len(request.get("Comment", "")) <= MOST_COMMENT
        and CONCURRENT.fullmatch(request.get("MaxConcurrency", "50"))
        and ERRORS.fullmatch(request.get("MaxErrors", "0"))
        and 1 <= int(parameters.get("executionTimeout", ["3600"])[0]) <= 172800
    )
    if not is_valid:
        raise SsmError("ValidationException", "A value is outside its limits.")


def _page(request: Mapping[str, Any], name: str, entries: Sequence[T], least: int) -> dict[str, Any]:
    """A page of entries, and the token of the next one. Raises SsmError."""
    size = request.get("MaxResults", MOST_ON_PAGE)
    if not least <= size <= MOST_ON_PAGE:
        raise SsmError("ValidationException", "maxResults")
    try:
        start = int(base64.b64decode(request.get("NextToken", ""), validate=True) or 0)
    except ValueError:
        raise SsmError("InvalidNextToken") from None
    page: dict[str, Any] = {name: entries[start : start + size]}
    if start + size < len(entries):
        page["NextToken"] = base64.b64encode(str(start + size).encode()).decode()
    return page


def _entry(command: Command, invocation: Invocation, has_details: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "CommandId": command.id,
        "InstanceId": invocation.instance,
        "DocumentName": DOCUMENT,
        "Status": _status(invocation.told),
        "StatusDetails": invocation.told,
    }
    if has_details:
        ended = invocation.ended if invocation.told == invocation.status else None
        output = ended.out + (f"\n----------ERROR-------\n{ended.err}" if ended.err else "") if ended else ""
        entry["CommandPlugins"] = [{"Name": "aws:runShellScript", "Output": output[:MOST_LISTED]}]
    return entry


def _described(command: Command) -> dict[str, Any]:
    request = command.request
    return {
        "CommandId": command.id,
        "DocumentName": DOCUMENT,
        "Comment": request.get("Comment", ""),
        "InstanceIds": list(request["InstanceIds"]),
        "Parameters": request["Parameters"],
        "Status": "InProgress",
        "TargetCount": len(command.invocations),
    }


def _status(details: str) -> str:
    return "TimedOut" if details.endswith("TimedOut") else details
