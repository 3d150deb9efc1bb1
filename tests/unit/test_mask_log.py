"""files/mask-log.awk: a log tells why a start failed, and no secret."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import jada

MASK = Path(jada.__file__).parent / "files" / "mask-log.awk"
AWKS = [awk for awk in (["mawk"], ["gawk"], ["busybox", "awk"], ["original-awk"]) if shutil.which(awk[0])]
each_awk = pytest.mark.parametrize("awk", AWKS, ids=" ".join)
SETTINGS = json.dumps(
    {
        "model": "claude-opus-5",
        "env": {"MY_WORD": "swordfish", "TWO": 'leftmost"middle\\right-part', "OVER": "swordfish-and-chips"},
        "permissions": {"allow": ["Bash(deploy-it)"]},
    },
    indent=2,
)
ENVIRONMENT = "PATH=/usr/bin:/bin\nAPP_PASSWORD=correct horse\nHOME=/home/agent\n"


def mask(line: str, awk: list[str], settings: str = "", environment: str = "") -> str:
    env = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "KNOWN_SETTINGS": settings, "KNOWN_ENVIRONMENT": environment}
    done = subprocess.run([*awk, "-f", str(MASK)], input=line.encode(), capture_output=True, check=True, env=env)
    assert done.stderr == b""
    return done.stdout.decode().removesuffix("\n")


@each_awk
@pytest.mark.parametrize(
    "line",
    [
        "2026-11-25T19:20:11+0000 jada-agent[403]: crashing on start, as told",
        '2026-11-25T19:20:11+0000 jada-agent[403]: {"event": "start", "model": "claude-sonnet-4-5-20250929"}',
        "systemd[1]: jada-agent.service: Main process exited, code=exited, status=1/FAILURE",
        "There's an issue with the selected model (claude-x-9). It may not exist or you may not have access to it.",
        '  File "/usr/lib/python3/dist-packages/foo/__init__.py", line 12, in <module>',
        "Error: listen EADDRINUSE: address already in use 127.0.0.1:8787",
        "release 20261125-192636-fc57; the token expired; 401 Unauthorized from https://api.anthropic.com/v1/messages",
        "",
    ],
)
def test_what_people_need_stays(line: str, awk: list[str]) -> None:
    assert mask(line, awk, SETTINGS, ENVIRONMENT) == line


SECRET = "hunter2"
LONG = "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg"


@each_awk
@pytest.mark.parametrize(
    "line",
    [
        f"password={SECRET}",
        f"login failed, password: {SECRET}",
        f'{{"api_key": "{SECRET}", "x": 1}}',
        f"{{'db_password' : '{SECRET}'}}",
        f"Authorization: Bearer {SECRET}",
        f"authorization=Basic {SECRET}",
        f"export ANTHROPIC_API_KEY='{SECRET}'",
        f"GET https://ann:{SECRET}@example.org/x",
        f"GET https://example.org/x?sig={SECRET}&a=b",
        f"using {LONG}",
        f"using sk-ant-{LONG}",
        f"/var/keys/{LONG}",
        f"wJalrXUtnFEMI/K7MDENG/bPxRfiCY{SECRET}",
        "the word is swordfish",
        "swordfishswordfish-and-chipsswordfish",
        'leftmost"middle',
        "right-part of it",
        "run Bash(deploy-it)",
        "connect with correct horse",
    ],
)
def test_no_secret_stays(line: str, awk: list[str]) -> None:
    told = mask(line, awk, SETTINGS, ENVIRONMENT)
    assert "****" in told
    for secret in (
        SECRET,
        LONG,
        "swordfish",
        "chips",
        "right-part",
        "leftmost",
        "middle",
        "correct",
        "horse",
        "K7MDENG",
        "wJalr",
    ):
        assert secret not in told


@each_awk
def test_lines_stay_lines_and_have_an_end(awk: list[str]) -> None:
    assert len(mask("a " * 5000, awk)) == 2000
    assert mask("a\nb\n\nc", awk) == "a\nb\n\nc"
    assert mask("\udcff\x1b[2J ok".encode(errors="surrogateescape").decode("latin-1"), awk).endswith(" ok")


@each_awk
def test_settings_that_are_torn_hide_what_they_hold(awk: list[str]) -> None:
    for end in range(0, len(SETTINGS), 20):
        torn = SETTINGS[:end]
        if "swordfish" in torn.split('"MY_WORD"')[-1]:
            assert "swordfish" not in mask("it is swordfish", awk, torn)
