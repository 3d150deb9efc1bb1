#!/usr/bin/env python3
"""A long-lived session of the Claude CLI; runs on the hosts of `jada lab up --claude` as /usr/local/bin/jada-agent.

Starts `claude -p`, with the arguments that it got itself, as its child, and asks it something every EVERY seconds. It
ends as the CLI does. Standard library only: this file is copied onto the host alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress

EVERY = 60
CLI = ("claude", "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose")
PROMPT = {"type": "user", "message": {"role": "user", "content": "Is all well?"}}


def main() -> int:
    line = json.dumps(PROMPT).encode() + b"\n"
    with subprocess.Popen([*CLI, *sys.argv[1:]], stdin=subprocess.PIPE, bufsize=0) as session:
        while session.stdin and session.poll() is None:
            with suppress(BrokenPipeError):
                session.stdin.write(line)
            with suppress(subprocess.TimeoutExpired):
                session.wait(EVERY)
    return session.returncode


if __name__ == "__main__":
    sys.exit(main())
