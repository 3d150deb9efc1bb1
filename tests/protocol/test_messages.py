"""The stand-in for Anthropic's messages API speaks as the real one does, as far as the Claude CLI can tell."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jada.inventory.lab import messages

MODEL = "claude-sonnet-4.6"


class Client:
    """Asks the stand-in; `orders` is what it is told by."""

    def __init__(self, port: int, orders: Path) -> None:
        self._port = port
        self.orders = orders

    def ask(self, method: str, path: str, body: object = None) -> tuple[HTTPResponse, str]:
        connection = HTTPConnection("127.0.0.1", self._port)
        try:
            connection.request(method, path, body if isinstance(body, str) else json.dumps(body))
            response = connection.getresponse()
            return response, response.read().decode()
        finally:
            connection.close()

    def message(self, model: object = MODEL, **request: Any) -> tuple[int, dict[str, Any]]:
        response, text = self.ask("POST", "/v1/messages?beta=true", {"model": model, "messages": [], **request})
        return response.status, json.loads(text)

    def is_told(self, orders: object) -> None:
        self.orders.write_text(orders if isinstance(orders, str) else json.dumps(orders))


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(messages, "ORDERS", tmp_path / "orders.json")
    monkeypatch.setattr(messages.Api, "asked_last", "")
    with ThreadingHTTPServer(("127.0.0.1", 0), messages.Api) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield Client(server.server_port, tmp_path / "orders.json")
        server.shutdown()
        thread.join()


def test_a_message_is_answered_by_the_model_that_was_asked_for(api: Client) -> None:
    status, body = api.message()
    assert (status, body["model"], body["role"]) == (200, MODEL, "assistant")
    assert body["content"] == [{"type": "text", "text": "Yes."}]
    assert api.message()[1]["id"] != body["id"]


def test_a_stream_tells_the_same_message(api: Client) -> None:
    response, text = api.ask("POST", "/v1/messages?beta=true", {"model": MODEL, "stream": True})
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Request-Id"]
    names, data = zip(*(block.split("\n") for block in text.rstrip().split("\n\n")), strict=True)
    told = [json.loads(line.removeprefix("data: ")) for line in data]
    assert [line.removeprefix("event: ") for line in names] == [event["type"] for event in told]
    assert (told[0]["type"], told[0]["message"]["model"], told[-1]["type"]) == ("message_start", MODEL, "message_stop")


@pytest.mark.parametrize("stream", [False, True])
def test_another_model_answers_when_told_to(api: Client, stream: bool) -> None:
    api.is_told({MODEL: {"answered_by": "claude-haiku-4-5"}})
    _, text = api.ask("POST", "/v1/messages", {"model": MODEL, "stream": stream})
    assert '"model": "claude-haiku-4-5"' in text
    assert MODEL not in text


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, "invalid_request_error", "version 2.1.280 or newer is required"),
        (401, "authentication_error", "invalid x-api-key"),
        (404, "not_found_error", f"model: {MODEL}"),
        (429, "rate_limit_error", "rate limit"),
        (529, "overloaded_error", "Overloaded"),
    ],
)
def test_a_model_fails_as_told_and_others_do_not(api: Client, status: int, kind: str, words: str) -> None:
    api.is_told({MODEL: {"status": status}})
    told, body = api.message()
    assert (told, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert words in body["error"]["message"]
    assert api.message("claude-opus-5")[0] == 200
    assert api.ask("GET", f"/v1/models/{MODEL}")[0].status == status
    api.is_told({"*": {"status": status}, MODEL: {}})
    assert (api.message()[0], api.message("claude-opus-5")[0]) == (200, status)


def test_a_model_is_described_and_tokens_are_counted(api: Client) -> None:
    response, text = api.ask("GET", "/v1/models/claude-opus-5%5B1m%5D")
    assert (response.status, json.loads(text)["id"]) == (200, "claude-opus-5[1m]")
    assert json.loads(api.ask("POST", "/v1/messages/count_tokens", {"model": MODEL})[1]) == {"input_tokens": 10}
    assert api.ask("HEAD", "/api/hello")[0].status == 200


@pytest.mark.parametrize("path", ["/", "/v1/complete"])
def test_what_is_not_there_is_not_found(api: Client, path: str) -> None:
    assert api.ask("GET", path)[0].status == 404
    assert api.ask("POST", path, {"model": MODEL})[0].status == 404


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '"model"'])
def test_what_names_no_model_is_a_bad_request(api: Client, body: str) -> None:
    assert api.ask("POST", "/v1/messages", body)[0].status == 400


def test_its_health_is_the_model_that_was_asked_for_last(api: Client) -> None:
    assert api.ask("GET", "/healthz")[0].status == 503
    api.message()
    api.is_told({"*": {"status": 404}})
    api.message("claude-opus-5")
    api.ask("GET", "/v1/models/claude-haiku-4-5")
    response, text = api.ask("GET", "/healthz")
    assert (response.status, json.loads(text)) == (200, {"status": "ok", "model": "claude-opus-5"})


def test_each_request_is_a_line_without_what_was_said(api: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.is_told({"claude-opus-5": {"status": 529}})
    api.message(system="lab-secret")
    api.message("claude-opus-5")
    told = capsys.readouterr().out
    assert "lab-secret" not in told
    lines = [json.loads(line) for line in told.splitlines()]
    assert [(line["path"], line["model"], line["status"]) for line in lines] == [
        ("/v1/messages", MODEL, 200),
        ("/v1/messages", "claude-opus-5", 529),
    ]


@pytest.mark.parametrize(
    "orders", ["{", "[]", '{"*": 529}', '{"*": {"status": 200}}', '{"*": {"status": "404"}}', '{"*": {"swap": "x"}}']
)
def test_bad_orders_are_told_and_not_followed(api: Client, capsys: pytest.CaptureFixture[str], orders: str) -> None:
    api.is_told(orders)
    assert api.message()[0] == 200
    assert "bad orders" in capsys.readouterr().out
