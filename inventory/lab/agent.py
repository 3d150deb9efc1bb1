#!/usr/bin/env python3
"""A stand-in for a long-lived Claude agent; runs on the lab's hosts as /usr/local/bin/jada-agent.

Reads settings.json once, when it starts, as the Claude CLI does, and holds that model for as long as it lives.
GET http://127.0.0.1:8787/healthz answers with the model it really runs. /etc/jada-agent.json makes it misbehave:
{"crash_on_start": true}, {"crash_after": 2}, {"refuse": true}, {"slow": 3}; with "models": ["…"] only on those models.
Standard library only: this file is copied onto the host alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

DEFAULT_MODEL = "claude-built-in-default"
ORDERS = Path("/etc/jada-agent.json")
FLAGS = ("crash_on_start", "refuse")
SECONDS = ("crash_after", "slow")


def log(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)  # noqa: T201 - its log is journald


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; {} with a line in the log when it can't be read, {} when there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        log("unreadable", path=str(path), error=type(error).__name__)
        return {}
    if not isinstance(data, dict):
        log("unreadable", path=str(path), error="not an object")
        return {}
    return data


def read_settings(path: Path) -> dict[str, Any]:
    """A settings file; as with the real CLI, one part of the wrong type makes it drop the file as a whole."""
    settings = read_json(path)
    if not isinstance(settings.get("env", {}), dict) or not isinstance(settings.get("model", ""), str):
        log("unreadable", path=str(path), error="env is not an object, or model not a string")
        return {}
    return settings


def choose_model() -> str:
    """The model by the CLI's precedence: an env block beats the environment, which beats the file's model."""
    folder = Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
    settings = read_settings(folder / "settings.json")
    managed = read_settings(Path("/etc/claude-code/managed-settings.json"))
    candidates = (
        managed.get("env", {}).get("ANTHROPIC_MODEL"),
        settings.get("env", {}).get("ANTHROPIC_MODEL"),
        os.environ.get("ANTHROPIC_MODEL"),
        managed.get("model"),
        settings.get("model"),
    )
    return next((model for model in candidates if isinstance(model, str) and model), DEFAULT_MODEL)


def read_orders(model: str) -> dict[str, Any]:
    """Reads the orders to misbehave on this model; {} for none, or with a line in the log when they are bad."""
    orders = read_json(ORDERS)
    models = orders.get("models", [])
    bad = [key for key in orders if key not in (*FLAGS, *SECONDS, "models")]
    bad += [key for key in FLAGS if not isinstance(orders.get(key, False), bool)]
    bad += [key for key in SECONDS if type(orders.get(key, 0)) not in (int, float) or not 0 <= orders.get(key, 0) < 1e6]
    if not isinstance(models, list):
        bad.append("models")
    if bad:
        log("bad orders", path=str(ORDERS), keys=bad)
        return {}
    return orders if not models or model in models else {}


def serve(model: str, started: float) -> None:
    body = json.dumps({"status": "ok", "model": model, "pid": os.getpid(), "started": started}).encode()
    found = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body
    # Without http.server, whose import takes longer than all else of the start.
    server = socket.create_server(("127.0.0.1", 8787))
    while True:
        client, _ = server.accept()
        # Who asks nothing, or goes away, keeps no other waiting for long.
        client.settimeout(1)
        with client, contextlib.suppress(OSError):
            asked = client.recv(4096).startswith(b"GET /healthz ")
            client.sendall(found if asked else b"HTTP/1.0 404 Not Found\r\n\r\n")


def main() -> None:
    model = choose_model()
    orders = read_orders(model)
    log("start", model=model, pid=os.getpid())
    if orders.get("crash_on_start"):
        sys.exit("crashing on start, as told")
    if orders.get("refuse"):
        sys.exit(
            f"There's an issue with the selected model ({model}). It may not exist or you may not have access to it."
        )
    if "crash_after" in orders:
        threading.Timer(orders["crash_after"], os._exit, (1,)).start()
    time.sleep(orders.get("slow", 0))
    serve(model, time.time())


if __name__ == "__main__":
    main()
