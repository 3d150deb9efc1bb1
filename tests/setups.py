"""What a page of docs/ needs of the lab before it is true: `python -m tests.setups WHAT …`, for JADA_LAB.

bucket NAME                             a bucket of S3
transcripts HOST MODEL ANSWERED FAILED  so many answers and failures of the host's agent, as the Claude CLI notes them
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from jada.inventory.lab import fleet, machine
from jada.inventory.lab.machine import Machine
from jada.inventory.lab.named import Lab


def bucket(lab: Lab, name: str) -> None:
    s3 = boto3.client(
        "s3", "us-east-1", endpoint_url=fleet.endpoint(lab), aws_access_key_id="a", aws_secret_access_key="b"
    )
    s3.create_bucket(Bucket=name)


def transcripts(host: Machine, model: str, answered: int, failed: int = 0) -> None:
    """Has the service's user write down so many answers and failures of the last half second."""
    folder = machine.inside(host, "readlink /proc/$(systemctl show -P MainPID jada-agent)/cwd").stdout.strip()
    first = datetime.now(UTC) - timedelta(seconds=0.5)

    def line(number: int) -> dict[str, Any]:
        at = (first + timedelta(milliseconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        about = {"type": "assistant", "timestamp": at, "cwd": folder, "requestId": f"{at}-{number}"}
        usage = {"input_tokens": 100, "output_tokens": 10}
        if number < failed:
            return {**about, "isApiErrorMessage": True, "apiErrorStatus": 529, "message": {"model": "<synthetic>"}}
        return {**about, "requestedModel": model, "message": {"model": model, "usage": usage}}

    text = "".join(json.dumps(line(number)) + "\n" for number in range(answered + failed))
    projects = f"{host.home}/.claude/projects/p"
    command = f"runuser -u {host.user or 'root'} -- sh -c 'mkdir -p {projects}; cat >>{projects}/s.jsonl'"
    machine.inside(host, command, stdin=text)


def main(what: str, *argv: str) -> None:
    lab = Lab(os.environ["JADA_LAB"])
    if what == "bucket":
        bucket(lab, *argv)
    else:
        name, model, answered, failed = argv
        host = next(host for host in fleet.current(lab) if host.name == name)
        transcripts(host, model, int(answered), int(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
