"""Telling people: one message to an SNS topic or to a webhook."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping

from jada import JadaError, __version__
from jada.inventory.fleet import Aws, Webhook

# Seconds for a webhook to answer; chat services do in one.
TIMEOUT = 10
# SNS takes a subject of one line of up to 100 characters of ASCII.
SUBJECT = 100


def publish(aws: Aws, topic: str, subject: str, text: str) -> None:
    """Sends a message to the SNS topic of an ARN. Raises JadaError."""
    # Here, because a webhook needs no boto3.
    from botocore.exceptions import BotoCoreError, ClientError

    from jada.inventory.aws_session import Clients, failure

    region = topic.split(":")[3]
    plain = " ".join(subject.encode("ascii", "replace").decode().split())[:SUBJECT]
    try:
        Clients(aws).client("sns", region).publish(TopicArn=topic, Subject=plain, Message=text)
    except (ClientError, BotoCoreError) as error:
        told = failure(error, f"sns {region}")
        raise JadaError(told.message, told.hint) from None


def post(webhook: Webhook, text: str, environ: Mapping[str, str] | None = None) -> None:
    """Sends a message to a webhook in Slack's form. Raises JadaError, which never holds the URL: it is a secret."""
    body = json.dumps({"text": text}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"jada/{__version__}"}
    try:
        request = urllib.request.Request(_url(webhook, os.environ if environ is None else environ), body, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        raise JadaError(
            f"it answered HTTP {error.code}", "a webhook that was removed answers 403, 404 or 410"
        ) from None
    except urllib.error.URLError as error:
        why = error.reason.strerror if isinstance(error.reason, OSError) else ""
        raise JadaError(f"it can't be reached ({why or type(error.reason).__name__})") from None
    except OSError as error:
        raise JadaError(f"it did not answer ({error.strerror or type(error).__name__})") from None
    except (ValueError, http.client.HTTPException) as error:
        # Their texts quote the URL.
        raise JadaError(f"its URL can't be used ({type(error).__name__})") from None


def _url(webhook: Webhook, environ: Mapping[str, str]) -> str:
    if webhook.variable:
        if url := environ.get(webhook.variable, "").strip():
            return _checked(url)
        raise JadaError(f"the environment variable {webhook.variable}, which holds its URL, is not set")
    if webhook.file:
        try:
            return _checked(webhook.file.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise JadaError(f"{webhook.file}, which holds its URL, can't be read: {why}") from None
    return webhook.url


def _checked(url: str) -> str:
    """urllib would open files too."""
    if not url.startswith(("https://", "http://")):
        raise JadaError("its URL does not begin with https:// or http://")
    return url
