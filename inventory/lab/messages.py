#!/usr/bin/env python3
"""A stand-in for Anthropic's messages API; runs on the hosts of `jada lab up --claude` as /usr/local/bin/jada-messages.

Takes any model at first, and writes a line of JSON to stdout for each request that names one, with the status it gave.
/etc/jada-messages.json, read again for each request, makes it answer otherwise, by model ("*" stands for any):

    {"claude-opus-5": {"answered_by": "claude-haiku-4-5"}, "claude-sonnet-4-6": {"status": 404}, "*": {"status": 529}}

GET http://127.0.0.1:8787/healthz answers with the model that it was asked for last, once it was asked for one.
Standard library only: this file is copied onto the host alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ADDRESS = ("127.0.0.1", 8787)
ORDERS = Path("/etc/jada-messages.json")
# What the API itself says with each status, in the same form.
ERRORS = {
    400: ("invalid_request_error", "This client does not support {model}; version 2.1.280 or newer is required"),
    401: ("authentication_error", "invalid x-api-key"),
    404: ("not_found_error", "model: {model}"),
    429: ("rate_limit_error", "This request would exceed your rate limit"),
    529: ("overloaded_error", "Overloaded"),
}


def read_orders(model: str) -> dict[str, Any]:
    """How to answer when this model is asked for; {} when not told to, or with a line in the log when told badly."""
    try:
        orders = json.loads(ORDERS.read_text())
        order = orders.get(model, orders.get("*", {}))
        if set(order) - {"status", "answered_by"} or order.get("status", 404) not in ERRORS:
            raise ValueError("neither a status that is known nor answered_by")
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError) as error:
        write_line(event="bad orders", path=str(ORDERS), error=str(error))
        return {}
    return dict(order)


def write_line(**fields: object) -> None:
    # In one piece: requests are answered side by side.
    sys.stdout.write(json.dumps({"at": time.time(), **fields}) + "\n")
    sys.stdout.flush()


def message(number: int, model: str) -> dict[str, Any]:
    """An answer of one word."""
    usage = {"input_tokens": 10, "output_tokens": 1}
    content = [{"type": "text", "text": "Yes."}]
    return {"id": f"msg_lab_{number}", "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}  # fmt: skip


def events(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same answer as the API streams it."""
    begun = {**whole, "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": begun}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "text_delta", "text": whole["content"][0]["text"]}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": whole["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    numbers = count(1)
    asked_last = ""

    def do_HEAD(self) -> None:
        # Before its first request, the CLI finds out whether there is a way at all.
        self._answer(200, "")

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/healthz":
            model = Api.asked_last
            self._answer(200 if model else 503, json.dumps({"status": "ok" if model else "waiting", "model": model}))
        elif path.startswith("/v1/models/"):
            model = unquote(path.removeprefix("/v1/models/"))
            self._answer_about(model, {"type": "model", "id": model, "display_name": model})
        else:
            self._answer(404, error(404, path))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            request = json.loads(body)
            model = str(request["model"])
        except (ValueError, KeyError, TypeError):
            self._answer(400, error(400, "what has no model"))
            return
        path = urlsplit(self.path).path
        if path == "/v1/messages":
            Api.asked_last = model
            self._answer_about(model, message(next(Api.numbers), model), bool(request.get("stream")))
        elif path == "/v1/messages/count_tokens":
            self._answer_about(model, {"input_tokens": 10})
        else:
            self._answer(404, error(404, path))

    def _answer_about(self, model: str, body: dict[str, Any], is_stream: bool = False) -> None:
        order = read_orders(model)
        status = order.get("status", 200)
        write_line(method=self.command, path=urlsplit(self.path).path, model=model, status=status)
        if status != 200:
            self._answer(status, error(status, model))
            return
        if "model" in body:
            body = {**body, "model": order.get("answered_by", model)}
        if is_stream:
            lines = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events(body))
            self._answer(200, "".join(lines), "text/event-stream")
        else:
            self._answer(200, json.dumps(body))

    def _answer(self, status: int, text: str, content_type: str = "application/json") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", f"req_lab_{next(Api.numbers)}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def error(status: int, model: str) -> str:
    kind, sentence = ERRORS[status]
    return json.dumps({"type": "error", "error": {"type": kind, "message": sentence.format(model=model)}})


def main() -> None:
    ThreadingHTTPServer.allow_reuse_address = True
    ThreadingHTTPServer(ADDRESS, Api).serve_forever()


if __name__ == "__main__":
    main()
