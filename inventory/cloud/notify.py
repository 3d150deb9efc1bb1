"""Telling people: one message to an SNS topic or to a webhook."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from gevent.monkey import get_original

from jada import JadaError, __version__
from jada.inventory.fleet.config import Aws, Webhook

# Seconds for a whole message, from the look-up of the name to the answer; chat services and SNS need one.
TIMEOUT: float = 15
# SNS takes a subject of one line of up to 100 characters of ASCII.
SUBJECT = 100


def publish(aws: Aws, topic: str, subject: str, text: str) -> None:
    """Sends a message to the SNS topic of an ARN, within TIMEOUT seconds. Raises JadaError."""
    # Here, because a webhook needs no boto3.
    from jada.inventory.cloud.session import Clients, failure

    region = topic.split(":")[3]
    plain = " ".join(subject.encode("ascii", "replace").decode().split())[:SUBJECT]
    try:
        _in_time(lambda: Clients(aws).client("sns", region).publish(TopicArn=topic, Subject=plain, Message=text))
    except JadaError:
        raise
    except Exception as error:
        # Whatever boto3 makes of it.
        told = failure(error, f"sns {region}")
        raise JadaError(told.message, told.hint) from error


def post(webhook: Webhook, text: str, environ: Mapping[str, str] | None = None) -> None:
    """Sends a message to a webhook in Slack's form, within TIMEOUT seconds; only a 2xx to this very request counts.

    Raises JadaError, which holds neither the URL, for it is a secret, nor anything of the answer.
    """
    body = json.dumps({"text": text}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"jada/{__version__}"}
    try:
        request = urllib.request.Request(_url(webhook, os.environ if environ is None else environ), body, headers)  # noqa: S310
        _in_time(lambda: _send(request))
    except urllib.error.HTTPError as error:
        raise JadaError(
            f"it answered HTTP {error.code}",
            "a webhook that was removed answers 403, 404 or 410; one that has moved answers 3xx, and needs its new URL",
        ) from None
    except urllib.error.URLError as error:
        why = error.reason.strerror if isinstance(error.reason, OSError) else ""
        raise JadaError(f"it can't be reached ({why or type(error.reason).__name__})") from None
    except OSError as error:
        raise JadaError(f"it did not answer ({error.strerror or type(error).__name__})") from None
    except (ValueError, http.client.HTTPException) as error:
        # Their texts quote the URL, or the answer.
        raise JadaError(f"its URL or its answer can't be used ({type(error).__name__})") from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would be asked for with a GET, without the message."""

    def redirect_request(self, *_: object) -> None:
        return None


def _send(request: urllib.request.Request) -> None:
    urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT).close()


def _in_time(act: Callable[[], object]) -> None:
    """Does it in a thread of its own, which is left behind when the time is up. Raises JadaError then, or what it does.

    The time-outs of sockets begin anew with each byte that comes. The thread is the system's: a greenlet, which gevent
    puts in its place, would keep all others waiting for as long as bytes come without a pause.
    """
    ended: list[Exception | None] = []
    running = get_original("_thread", "allocate_lock")()
    running.acquire()

    def run() -> None:
        try:
            act()
        except Exception as error:  # whatever it is, it is raised where it is waited for
            ended.append(error)
        else:
            ended.append(None)
        running.release()

    get_original("_thread", "start_new_thread")(run, ())
    if not running.acquire(timeout=TIMEOUT):
        raise JadaError(f"it did not answer within {TIMEOUT} s")
    if error := ended[0]:
        raise error


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
