"""Telling people: SNS through an emulator, a webhook through a real HTTP server, and what is said when it fails."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from jada import JadaError
from jada.cli.drift import notices
from jada.cli.drift.in_time import in_time
from jada.cli.drift.webhook import post
from jada.inventory.cloud.sns import publish
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.notify import Webhook

STATIC = "[{static: {hosts: {s: {address: 192.0.2.1}}}}]"


def client(aws: Any, service: str) -> Any:
    session = boto3.session.Session("a", "b", region_name="eu-west-1")
    return session.client(service, endpoint_url=aws.url)  # type: ignore[call-overload]


@pytest.fixture
def topic(aws: Any) -> tuple[str, str]:
    """The ARN of a new topic, and the URL of a queue that gets what is published there."""
    sns, sqs = client(aws, "sns"), client(aws, "sqs")
    name = f"jada-{uuid.uuid4().hex}"
    arn = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    target = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=target)
    return arn, queue


def received(aws: Any, queue: str) -> list[dict[str, Any]]:
    messages = client(aws, "sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_a_notice_arrives_at_an_sns_topic_of_another_region(
    aws: Any, fleet_of: Callable[..., Fleet], topic: tuple[str, str]
) -> None:
    arn, queue = topic
    fleet = fleet_of(STATIC, notify=f"{{sns: '{arn}'}}")
    (send,) = notices.channels(fleet).values()
    send("jada drift: Flotte für alle: 1 new\n" + "x" * 200, "NEW: web-1 … 世界")
    (message,) = received(aws, queue)
    assert message["Subject"].startswith("jada drift: Flotte f?r alle: 1 new")
    assert len(message["Subject"]) == 100
    assert "\n" not in message["Subject"]
    assert message["Message"] == "NEW: web-1 … 世界"


def test_a_topic_that_is_gone_is_told(aws: Any, fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(STATIC)
    with pytest.raises(JadaError, match=r"sns:Publish failed \(NotFound, the credentials of profile lab\)"):
        publish(fleet.aws, "arn:aws:sns:eu-west-1:123456789012:nope", "s", "t")


@pytest.mark.parametrize(("code", "message"), [("AuthorizationError", "lack the permission sns:Publish"),
                                            ("Throttling", "throttled sns:Publish")])  # fmt: skip
def test_a_refused_notice_is_told(
    aws: Any, fleet_of: Callable[..., Fleet], topic: tuple[str, str], code: str, message: str
) -> None:
    aws.fails({"Publish": {"*": {"code": code, "status": 403}}})
    with pytest.raises(JadaError, match=message):
        publish(fleet_of(STATIC).aws, topic[0], "s", "t")


@contextmanager
def server(status: int) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """An HTTP server that answers every POST with `status`, its URL, and what it was sent."""
    requests: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, dict(self.headers), body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/services/T0P/S3CRET", requests
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def test_a_webhook_gets_json_in_slacks_form(fleet_of: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch) -> None:
    with server(200) as (url, requests):
        monkeypatch.setenv("HOOK", url)
        (send,) = notices.channels(fleet_of(STATIC, notify='{webhook: "${HOOK}"}')).values()
        send("jada drift: f: 1 new", "NEW: a < b & c <!here> Grüße")
    ((path, headers, body),) = requests
    assert path == "/services/T0P/S3CRET"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"text": "jada drift: f: 1 new\nNEW: a &lt; b &amp; c &lt;!here&gt; Grüße"}


def test_a_webhooks_url_may_be_in_a_file(tmp_path: Path) -> None:
    with server(200) as (url, requests):
        (tmp_path / "hook").write_text(url + "\n")
        post(Webhook(file=tmp_path / "hook"), "t")
    assert len(requests) == 1


@pytest.mark.parametrize("status", [403, 410, 500])
def test_a_webhook_that_refuses_is_told_without_its_url(status: int) -> None:
    with server(status) as (url, _), pytest.raises(JadaError, match=f"HTTP {status}") as caught:
        post(Webhook(url=url), "t")
    assert "S3CRET" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/S3CRET",
        "http://no-such-host.invalid/S3CRET",
        "http://127.0.0.1:99999/S3CRET",
        "http://127.0.0.1:port/S3CRET",
        "http://[::1/S3CRET",
        "http://127.0.0.1/S3CRET with a space",
        "file:///etc/S3CRET",
    ],
)
def test_a_url_that_does_not_work_is_never_shown(url: str) -> None:
    with pytest.raises(JadaError) as caught:
        post(Webhook(variable="HOOK"), "t", {"HOOK": url})
    assert "S3CRET" not in caught.value.message + caught.value.hint


@contextmanager
def raw_server(*parts: bytes) -> Iterator[str]:
    """The URL of a server that answers one request with these parts, a moment between them, whatever it was asked."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):
                line, _ = listening.accept()
                with line:
                    line.recv(65536)
                    for part in parts:
                        line.sendall(part)
                        if over.wait(0.05):
                            break

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/S3CRET"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_alert_was_not_delivered_and_goes_nowhere_else(status: int) -> None:
    with server(200) as (elsewhere, requests):
        answer = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n".encode()
        with raw_server(answer) as url, pytest.raises(JadaError, match=f"HTTP {status}") as caught:
            post(Webhook(url=url), "t")
    assert requests == []
    assert "S3CRET" not in caught.value.message + caught.value.hint


# A minute of it: a machine that is busy may come to the deadline late.
DRIP = [b"X"] * 1200


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_answer_that_drips_ends_at_the_deadline(start: bytes) -> None:
    with raw_server(start, *DRIP) as url, pytest.raises(JadaError, match=r"did not answer within 0\.5 s"):
        in_time(0.5, lambda: post(Webhook(url=url), "t"))


# As `jada drift` runs: with gevent's patches in place before anything is imported.
PATCHED = """
import sys
from pathlib import Path
from jada.cli.startup import patch_gevent
patch_gevent()
from jada import JadaError
from jada.cli.drift.in_time import in_time
from jada.cli.drift.webhook import post
from jada.inventory.fleet.notify import Webhook
try:
    in_time(float(sys.argv[2]), lambda: post(Webhook(url=sys.argv[1]), "t"))
    print("delivered")
except JadaError as error:
    print(error.message)
"""


@contextmanager
def flood(again: bytes) -> Iterator[str]:
    """The URL of a server that answers one request with this for ever, as fast as it is read, or not at all."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):
                line, _ = listening.accept()
                with line:
                    while again:
                        line.sendall(again)
                    while line.recv(65536):
                        pass

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/S3CRET"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("patched", [False, True], ids=["plain", "under gevent"])
@pytest.mark.parametrize("again", [b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, b""], ids=["a stream", "silence"])
def test_the_deadline_strikes_whatever_comes(patched: bool, again: bytes) -> None:
    """An answer that never pauses leaves other greenlets no turn. The newest Pythons end such a stream themselves."""
    program = PATCHED if patched else PATCHED.replace("\npatch()", "")
    with flood(again) as url:
        process = subprocess.run(
            [sys.executable, "-c", program, url, "0.5"], capture_output=True, text=True, timeout=60, check=False
        )
    ends = ["it did not answer within 0.5 s\n"]
    if again:
        ends.append("its URL or its answer can't be used (HTTPException)\n")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout in ends


def test_a_topic_is_told_under_gevent(aws: Any, fleet_of: Callable[..., Fleet], topic: tuple[str, str]) -> None:
    arn, queue = topic
    section = fleet_of(STATIC).aws
    program = (
        PATCHED.replace("float(sys.argv[2])", "15")
        .replace(
            'post(Webhook(url=sys.argv[1]), "t")', 'publish(Aws(sys.argv[1], Path(sys.argv[2])), sys.argv[3], "s", "t")'
        )
        .replace("try:", "from jada import Aws\nfrom jada.inventory.cloud.sns import publish\ntry:")
    )
    command = [sys.executable, "-c", program, section.profile, str(section.config_file), arn]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, "delivered\n", "")
    assert [message["Message"] for message in received(aws, queue)] == ["t"]


def test_a_webhook_is_told_under_gevent() -> None:
    with server(200) as (url, requests):
        process = subprocess.run(
            [sys.executable, "-c", PATCHED, url, "15"], capture_output=True, text=True, check=False
        )
    assert (process.returncode, process.stdout, process.stderr) == (0, "delivered\n", "")
    assert len(requests) == 1


def test_an_answer_without_end_is_not_read() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with raw_server(answer, *[b"1\r\nX\r\n"] * 40) as url:
        post(Webhook(url=url), "t")


@pytest.mark.parametrize("answer", [b"\xff\xfe\x00", b"HTTP/1.1 two hundred\r\n\r\n", b"HTTP/1.1 200 " + b"A" * 70000])
def test_nonsense_for_an_answer_was_not_delivered(answer: bytes) -> None:
    with raw_server(answer) as url, pytest.raises(JadaError) as caught:
        post(Webhook(url=url), "t")
    assert "S3CRET" not in caught.value.message + caught.value.hint
    assert "AAAA" not in caught.value.message


def test_a_proxys_refusal_shows_neither_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(b"HTTP/1.1 407 S3CRET words\r\n\r\n") as proxy:
        monkeypatch.setenv("https_proxy", proxy.replace("//", "//me:PASSW0RD@"))
        with pytest.raises(JadaError) as caught:
            post(Webhook(url="https://hooks.example/S3CRET"), "t")
    message = caught.value.message + caught.value.hint
    assert "S3CRET" not in message
    assert "PASSW0RD" not in message


def test_a_topic_that_never_answers_ends_at_the_deadline(
    fleet_of: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "TIMEOUT", 0.5)
    with raw_server(*DRIP) as url, pytest.raises(JadaError, match=r"did not answer within 0\.5 s"):
        fleet = fleet_of(STATIC, url=url, notify="{sns: 'arn:aws:sns:eu-west-1:123456789012:jada'}")
        (send,) = notices.channels(fleet).values()
        send("s", "t")


def test_a_link_in_what_a_host_says_is_none_in_slack(
    fleet_of: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(200) as (url, requests):
        monkeypatch.setenv("HOOK", url)
        (send,) = notices.channels(fleet_of(STATIC, notify='{webhook: "${HOOK}"}')).values()
        send("s", "saw <https://evil.example|log in> or HTTP://evil.example")
    assert json.loads(requests[0][2]) == {
        "text": "s\nsaw &lt;https[:]//evil.example|log in&gt; or HTTP[:]//evil.example"
    }


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JadaError, match="environment variable HOOK"):
        post(Webhook(variable="HOOK"), "t", {})
    with pytest.raises(JadaError, match="nope, which holds its URL, can't be read: No such file"):
        post(Webhook(file=tmp_path / "nope"), "t")


def test_a_fleet_without_notify_tells_nobody(fleet_of: Callable[..., Fleet]) -> None:
    assert notices.channels(fleet_of(STATIC)) == {}
