"""The real Claude CLI as the agent of a lab: where it is on this machine, and the units that run it on a host."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from jada import JadaError
from jada.inventory.lab.shell import run

# Its environment in a checkout (see Makefile).
CHECKOUT = Path(__file__).parents[2] / ".claude-cli"
IN_PACKAGE = "_bundled/claude"
# Where hosts have it.
PROGRAM = "/usr/local/bin/claude"
API_LOG = "/var/log/jada-messages.jsonl"
# The key opens nothing; tests look for "lab-secret" in all that is printed and logged.
SESSION_UNIT = """\
[Unit]
Description=Claude agent (jada lab)
After=network.target jada-messages.service
Wants=jada-messages.service
StartLimitIntervalSec=0

[Service]
Type=simple
{user}Environment=ANTHROPIC_BASE_URL=http://127.0.0.1:8787 ANTHROPIC_API_KEY=sk-ant-lab-secret
Environment=CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
EnvironmentFile=-/etc/default/jada-agent
ExecStart=/usr/bin/python3 /usr/local/bin/jada-agent
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
API_UNIT = f"""\
[Unit]
Description=Stand-in for Anthropic's messages API (jada lab)

[Service]
ExecStart=/usr/bin/python3 /usr/local/bin/jada-messages
StandardOutput=append:{API_LOG}
"""


def find_cli() -> Path:
    """The CLI of $JADA_CLAUDE, else of the package claude-agent-sdk, installed beside jada or in a checkout's own
    environment. Raises JadaError.
    """
    named = os.environ.get("JADA_CLAUDE")
    for path in [Path(named)] if named else _packaged():
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    raise JadaError(
        f"JADA_CLAUDE names {named}, which is no program" if named else "The Claude CLI is not installed for the lab",
        "pip install claude-agent-sdk, whose wheel carries it; in a checkout: make .claude-cli/ready",
    )


def version(cli: Path) -> str:
    """What it says of itself, such as 2.1.332. Raises JadaError."""
    return run(cli, "--version").split()[0]


def _packaged() -> Iterator[Path]:
    if (package := importlib.util.find_spec("claude_agent_sdk")) and package.origin:
        yield Path(package.origin).parent / IN_PACKAGE
    yield from CHECKOUT.glob(f"lib/python*/site-packages/claude_agent_sdk/{IN_PACKAGE}")
