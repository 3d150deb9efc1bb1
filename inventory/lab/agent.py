#!/usr/bin/env python3
"""A stand-in for a long-lived Claude agent; runs on the lab's hosts as /usr/local/bin/jada-agent.

Reads settings.json once, when it starts, as the Claude CLI does, and holds that model for as long as it lives.
GET http://127.0.0.1:8787/healthz answers with the model it really runs. /etc/jada-agent.json makes it misbehave:
{"crash_on_start": true}, {"crash_after": 2}, {"refuse": true}, {"slow": 3}; {"delay": 0.2} waits with each answer;
{"requests": 20} has its transcript tell of so many requests a second, of which {"failing": 0.1} fail, and all others
are answered by {"fallback": "…"}. With "models": ["…"] only on those models; of a list, the first that fits counts.
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
NUMBERS = ("crash_after", "slow", "delay", "requests", "failing")
# Seconds from one piece of the transcript to the next.
PIECE = 0.5


def log(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)  # noqa: T201 - its log is journald


def read_json(path: Path) -> Any:
    """The JSON in `path`; {} with a line in the log when it can't be read, {} when there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        log("unreadable", path=str(path), error=type(error).__name__)
        return {}
    return data


def read_settings(path: Path) -> dict[str, Any]:
    """A settings file; as with the real CLI, one part of the wrong type makes it drop the file as a whole."""
    settings = read_json(path)
    if not isinstance(settings, dict):
        log("unreadable", path=str(path), error="not an object")
        return {}
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
    found = read_json(ORDERS)
    for orders in found if isinstance(found, list) else [found]:
        if bad := what_is_bad(orders):
            log("bad orders", path=str(ORDERS), keys=bad)
            return {}
        if not orders.get("models") or model in orders["models"]:
            return dict(orders)
    return {}


def what_is_bad(orders: Any) -> list[str]:
    """The keys of orders that nobody can follow."""
    if not isinstance(orders, dict):
        return ["not an object"]
    bad = [key for key in orders if key not in (*FLAGS, *NUMBERS, "fallback", "models")]
    bad += [key for key in FLAGS if not isinstance(orders.get(key, False), bool)]
    bad += [key for key in NUMBERS if type(orders.get(key, 0)) not in (int, float) or not 0 <= orders.get(key, 0) < 1e6]
    bad += ["fallback"] if not isinstance(orders.get("fallback", ""), str) else []
    return [*bad, "models"] if not isinstance(orders.get("models", []), list) else bad


def make_requests(model: str, rate: float, failing: float, fallback: str) -> None:
    """Writes a transcript, as the Claude CLI does, of so many requests a second; evenly, so many of them fail."""
    file = Path.home() / ".claude/projects/agent/session.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        time.sleep(PIECE)
        lines: list[dict[str, Any]] = []
        for _ in range(round(rate * PIECE)):
            number += 1
            now = time.time()
            at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03}Z"
            about = {"timestamp": at, "cwd": str(Path.cwd()), "requestId": f"{os.getpid()}-{number}"}
            if int(number * failing) > int((number - 1) * failing):
                gone = {"isApiErrorMessage": True, "apiErrorStatus": 529, "message": {"model": "<synthetic>"}}
                lines.append({"type": "assistant", **about, **gone})
                continue
            if fallback:
                swap = {"subtype": "model_fallback", "originalModel": model, "fallbackModel": fallback}
                lines.append({"type": "system", **about, **swap})
            by = fallback or model
            lines.append({"type": "assistant", **about, "requestedModel": by, "message": {"model": by, "usage": {}}})
        with file.open("a") as transcript:
            transcript.write("".join(json.dumps(line) + "\n" for line in lines))


def serve(model: str, started: float, delay: float) -> None:
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
            time.sleep(delay)
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
    if rate := orders.get("requests", 0):
        about = (model, rate, orders.get("failing", 0), orders.get("fallback", ""))
        threading.Thread(target=make_requests, args=about, daemon=True).start()
    serve(model, time.time(), orders.get("delay", 0))


if __name__ == "__main__":
    main()
