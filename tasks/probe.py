"""The questions to a host before a change, and its answers (files/look/probe.sh): does its endpoint know the model, is
there room on its disks? Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jada import EXACT_ID, LONG_CONTEXT
from jada.tasks import effective
from jada.tasks.asked import why_not
from jada.tasks.frames import OF_PROBE, Fields, LookError, read_frames, whole
from jada.tasks.state import INLINE, State

# Variables of a settings file that say which endpoint is asked, and as whom.
OF_ENDPOINT = re.compile(r"ANTHROPIC_|CLAUDE_CODE_USE_|CLAUDE_CODE_OAUTH_TOKEN|https?_proxy", re.IGNORECASE)
# Codes of files/look/probe.sh and endpoint-as-service.sh.
_WHY_NOT = {
    "54": "the service is not seen to run the Claude CLI, so whom it asks is not known",
    "80": "there is no curl on the host",
    "81": "its models are a cloud's (CLAUDE_CODE_USE_…), which is asked otherwise",
    "82": "its key comes from a command of its own (apiKeyHelper)",
    "83": "it is logged in at claude.ai, and has no key",
    "84": "neither its environment nor its settings have a key for it",
    "85": "a value of its own is none that curl can be given",
    "86": "what it answered is too long",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to a host: does the endpoint of its service know `model`?

    `files` are the settings files that the service reads, the weakest first, by path: their `env` counts there.
    `has_helper` says that one of them has a command that gives the key. `why_not` is why it can't be asked, or "". With
    `request`, the service's own CLI makes one real request for the model too.
    """

    model: str
    files: tuple[str, ...] = ()
    has_helper: bool = False
    why_not: str = ""
    request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The answer of a service's endpoint, by the word of the service's user.

    `status` is that of HTTP, 0 where there was no answer and curl ended with `curl`. `names` says that the text of the
    answer names the model. `why_not` is why it was not asked, or "".
    """

    status: int = 0
    curl: int = 0
    names: bool = False
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one real request: by which model it was `served`, or with which `status` of HTTP it was refused.

    `why_not` is why there is none, or "".
    """

    served: str = ""
    status: int = 0
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The free bytes and inodes below a path; -1 inodes where its file system counts none."""

    path: str
    free: int
    inodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The answer of a host to the questions before a change."""

    endpoint: Endpoint
    disks: tuple[Disk, ...] = ()
    request: Answer | None = None


def question(state: State, model: str, request: bool = False) -> Question:
    """The question to a host that was looked at. Which values its files have never left it: it takes them itself."""
    files = effective.files_of_process(state)
    inline = next((file for file in files if file.path == INLINE), None)
    env = inline.read().get("env") if inline else None
    is_inline = isinstance(env, dict) and any(OF_ENDPOINT.match(str(name)) for name in env)
    return Question(
        model=model.removesuffix(LONG_CONTEXT),
        files=tuple(file.path for file in reversed(files) if file is not inline),
        has_helper=any("apiKeyHelper" in file.read() for file in files),
        why_not="settings on its command line say which endpoint, or as whom" if is_inline else "",
        request=request,
    )


def read_probe(output: Iterable[str], asked: Question) -> Probe:
    """The answer that a host printed to this question. Raises LookError."""
    fields, _ = read_frames(output, OF_PROBE)
    disks = tuple(
        Disk(path=path, free=whole(free, "disk+"), inodes=whole(inodes, "disk+") if total != "0" else -1)
        for path, free, inodes, total in fields.rows("disk+", 4)
    )
    endpoint = Endpoint(why_not=asked.why_not) if asked.why_not else _endpoint(fields)
    return Probe(endpoint=endpoint, disks=disks, request=_request(fields) if asked.request else None)


def _endpoint(fields: Fields) -> Endpoint:
    code = fields.get("endpoint.code")
    if "endpoint.answer" not in fields:
        return Endpoint(why_not=_WHY_NOT.get(code) or why_not(code))
    match = re.fullmatch(r"(\d{3}) (\d{1,3}) (yes|no)", fields["endpoint.answer"].strip(), re.ASCII)
    if match is None:
        raise LookError("endpoint.answer is none that an endpoint has")
    return Endpoint(status=int(match[1]), curl=int(match[2]), names=match[3] == "yes")


def _request(fields: Fields) -> Answer:
    code = fields.get("request.code")
    if "request.answer" not in fields:
        return Answer(why_not=why_not(code))
    word, _, value = fields["request.answer"].strip().partition(" ")
    if word == "served" and EXACT_ID.fullmatch(value):
        return Answer(served=value)
    if word == "refused" and re.fullmatch(r"\d{3}", value, re.ASCII):
        return Answer(status=int(value))
    return Answer(why_not="what its CLI said is no answer")
