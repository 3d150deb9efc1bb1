"""fleet.yml's `notify`: who is told of drift."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from jada.inventory.yaml_readers import path
from jada.inventory.yaml_values import Value

_VARIABLE = re.compile(r"\$\{(\w+)\}")
# A file, where it is no URL and no variable.
_FILE = r"(?:/|~/|\./).*"
_URL = r"https?://\S+"
# A standard topic; a FIFO topic would want a group for each message.
_TOPIC = re.compile(r"arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Webhook:
    """The place of a webhook's URL, which is a secret: in an environment variable, in a file, or here as it is."""

    variable: str = ""
    file: Path | None = None
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Notify:
    """The receivers of drift that is new or resolved: an SNS topic's ARN, or "", and a Slack-compatible webhook."""

    sns: str = ""
    webhook: Webhook | None = None


def read(value: Value) -> Notify:
    return Notify(**value.fields({"sns": _topic, "webhook": _webhook}))


def _topic(value: Value) -> str:
    return value.matching(_TOPIC, "the ARN of a standard SNS topic, such as arn:aws:sns:us-east-1:123456789012:jada")


def _webhook(value: Value) -> Webhook:
    """The URL itself never gets into an error."""
    text = value.matching(
        re.compile("|".join((_VARIABLE.pattern, _FILE, _URL))),
        "a URL, the environment variable that holds it, such as ${JADA_WEBHOOK}, or the file that does",
        "a file is written with a path that begins with /, ~/ or ./",
        is_secret=True,
    )
    if match := _VARIABLE.fullmatch(text):
        return Webhook(variable=match.group(1))
    return Webhook(url=text) if re.fullmatch(_URL, text) else Webhook(file=path(value))
