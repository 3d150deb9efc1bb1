"""A proxy between boto3 and the emulator that carries each request there, and loses some of the answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit


@contextmanager
def lossy(url: str, percent: int) -> Iterator[tuple[str, list[str]]]:
    """The proxy's URL, and the methods of requests whose answers were lost so far, of so many in a hundred."""
    lost: list[str] = []
    dice = random.Random(4711)  # noqa: S311 - a test's

    class Handler(BaseHTTPRequestHandler):
        # Only so it tells boto3 to go on with a body.
        protocol_version = "HTTP/1.1"

        def _carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            there = HTTPConnection(urlsplit(url).netloc)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            there.request(self.command, self.path, body, headers)
            answer = there.getresponse()
            text = answer.read()
            there.close()
            if dice.randrange(100) < percent:
                lost.append(self.command)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "content-length", "date", "server", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_DELETE = do_HEAD = _carry  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", lost
    finally:
        server.shutdown()
        server.server_close()
