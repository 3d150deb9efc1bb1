"""All regions of all services are asked at once: finding the fleet costs the slowest region, not the sum of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.forms import checked

REGIONS = ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1", "eu-west-1", "eu-west-2",
           "eu-west-3", "eu-central-1", "eu-north-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
           "ap-northeast-1", "ap-northeast-2"]  # fmt: skip
# jada's own limit for an answer; the server gives up before that.
PATIENCE = 25
EMPTY_EC2 = '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet/>' + (
    "</DescribeInstancesResponse>"
)


@contextmanager
def aws_that_answers_only_when_asked_by(count: int) -> Iterator[str]:
    """An endpoint that holds every answer back until `count` requests are there at the same time."""
    together = threading.Barrier(count, timeout=PATIENCE)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                together.wait()
            except threading.BrokenBarrierError:
                # AccessDenied is not tried again.
                self._answer(403, "<Response><Errors><Error><Code>AccessDenied</Code></Error></Errors></Response>")
                return
            lightsail = self.headers.get("X-Amz-Target", "").startswith("Lightsail")
            self._answer(200, json.dumps({"instances": []}) if lightsail else EMPTY_EC2)

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_sixteen_regions_of_two_services_are_asked_at_once(tmp_path: Path) -> None:
    with aws_that_answers_only_when_asked_by(2 * len(REGIONS)) as url:
        (tmp_path / "aws-config").write_text(
            f"[profile p]\naws_access_key_id = a\naws_secret_access_key = b\nendpoint_url = {url}\n"
        )
        (tmp_path / "fleet.yml").write_text(
            f"fleet: f\naws: {{profile: p, config_file: aws-config}}\nroles: {{all-of-them: {{}}}}\nsources:\n"
            f"  - ec2: {{regions: [{', '.join(REGIONS)}]}}\n"
            f"  - lightsail: {{regions: [{', '.join(REGIONS)}]}}\n"
            "  - static: {hosts: {a: {address: 192.0.2.1}}}\n"
        )
        process = subprocess.run(
            [Path(sys.executable).with_name("jada"), "hosts", "--json"],
            env={**os.environ, "JADA_FLEET": str(tmp_path / "fleet.yml"), "AWS_EC2_METADATA_DISABLED": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert process.returncode == 0, process.stderr
    assert [host["host"] for host in checked(process.stdout)["hosts"]] == ["a"]
