"""Messages to a webhook in Slack's form."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping

from jada import JadaError, __version__
from jada.inventory.fleet.notify import Webhook

# Seconds without a byte.
TIMEOUT: float = 15


def post(webhook: Webhook, text: str, environ: Mapping[str, str] | None = None) -> None:
    """Sends a message; only a 2xx to this very request counts.

    Raises JadaError, which holds neither the URL, for it is a secret, nor anything of the answer.
    """
    body = json.dumps({"text": text}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"jada/{__version__}"}
    try:
        request = urllib.request.Request(url_of(webhook, os.environ if environ is None else environ), body, headers)  # noqa: S310
        _send(request)
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


def url_of(webhook: Webhook, environ: Mapping[str, str]) -> str:
    """The URL, from where fleet.yml says that it is. Raises JadaError, which does not hold it."""
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
    """The URL, if it is one of HTTP: urllib would open files too. Raises JadaError."""
    if not url.startswith(("https://", "http://")):
        raise JadaError("its URL does not begin with https:// or http://")
    return url
