"""The answer of the service's own Claude CLI, asked which model it would ask for (files/look/ask.sh). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from jada.tasks.frames import Fields, LookError, read_frames

# Characters: an ARN of a cloud's inference profile has a hundred.
LONGEST_MODEL = 256
# Of files/look/ask-as-service.sh.
OWN_BODY = "72"
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")
# Exit codes of files/look/ask.sh, sandbox.sh and ask-as-service.sh. The numbers alone cross: what the CLI or its user
# says in words is not told.
_WHY_NOT = {
    "50": "the service has no process to ask it as",
    "51": "its process has users of its own (a user namespace)",
    "52": "its process has a file system of its own, with other programs and libraries than the host's",
    "53": "its process has the rights of another user than the service's",
    "60": "the host's file systems can't be made read-only for it",
    "61": "no overlay can be laid over the home, the configuration or what is mounted below them",
    "62": "no /proc can be mounted for it",
    "70": "no Claude CLI was found: none runs, none is in the service's PATH, and `cli:` in fleet.yml names none",
    "71": "the service runs as root, and others than root can change the Claude CLI or lead it elsewhere",
    OWN_BODY: "CLAUDE_CODE_EXTRA_BODY names a model of its own, which the CLI does not tell",
    "73": "settings.json could not be changed as its user",
    "74": "the folder that it works in can't be entered",
    "75": "the Claude CLI ended without naming a model",
    "76": "the Claude CLI ended without an answer",
    "124": "it took longer than 30 s",
    "137": "it took longer than 30 s",
    "long": "it said more than 64 KB",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The model that the service's own CLI would ask for, and its version, by the word of its user; "" where unknown.

    `is_running` says that this CLI is a process of the service, so that its options are known; else it was only found.
    `error` says why there is no answer. All empty: it was not asked. `at` is when it was, Unix seconds, where that was
    before this look. `is_untold` says that the running CLI sends what it does not tell, or what is no id of a model, so
    that nothing but its answers shows it.
    """

    model: str = ""
    version: str = ""
    is_running: bool = False
    error: str = ""
    at: float = 0.0
    is_untold: bool = False


def read_answer(root: Fields) -> Asked:
    """The answer in root's half of a look."""
    if "asked.masked" not in root:
        if "asked.code" not in root:
            return Asked()
        return Asked(error=why_not(root["asked.code"]), is_untold=root["asked.code"] == OWN_BODY)
    is_running = root.get("asked.by") == "process"
    try:
        line = json.loads(root["asked.masked"][: root.number("asked.size")])
        model, version = line["model"], line["claude_code_version"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return Asked(error="its answer can't be read")
    if not (isinstance(model, str) and model and model.isprintable() and len(model) <= LONGEST_MODEL):
        return Asked(error="its answer names what can't be the id of a model", is_untold=is_running)
    if not (isinstance(version, str) and _VERSION.fullmatch(version)):
        return Asked(error="its answer names what can't be a version")
    return Asked(model=model, version=version, is_running=is_running)


def why_not(code: str) -> str:
    """Says in words why a question in the service's place was not answered."""
    return _WHY_NOT.get(code, f"asking it ended with {code}" if code.isdecimal() else "no answer that could be read")


def read_asked(output: Iterable[str]) -> Asked:
    """The answer to the question alone (ask_script). Raises LookError."""
    root, _ = read_frames(output)
    asked = read_answer(root)
    if asked == Asked():
        raise LookError("it does not say whether the Claude CLI was asked")
    return asked
