"""Ten thousand instances behind the stand-in for Systems Manager, with no hosts behind them, and jada looking at them.

python -m tests.ssm_fleet serve FOLDER COUNT      serves until SIGTERM; then counts.json tells what was asked
python -m tests.ssm_fleet look FOLDER COUNT       looks at all of them, and prints figures
python -m tests.ssm_fleet change FOLDER COUNT     changes all of them
"""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from jada.cli.startup import patch_gevent

REGION = "us-east-1"
CONFIG = "[default]\naws_access_key_id = a\naws_secret_access_key = b\nendpoint_url = {url}\n"


def instances(count: int) -> list[str]:
    return [f"i-{number:017x}" for number in range(count)]


def serve(folder: Path, count: int) -> None:
    from werkzeug.serving import make_server

    from jada.inventory.lab.aws import Endpoint
    from jada.inventory.lab.ssm import TARGET, Ended, Ssm
    from tests.recorded import LOOKS, Recorded
    from tests.unit.tasks.engines.test_ssm import packed

    look, counts, stop = Recorded.load(LOOKS / "two-releases.json").output(), Counter[str](), threading.Event()

    class Simulated:
        def ping(self) -> str:
            return "Online"

        def run(self, instance: str, command: str, text: str, seconds: int, cancelled: threading.Event) -> Ended:
            token = re.search("TOKEN=([0-9a-f]{32})", text)
            said = ["result done", *look] if "CHANGES=yes" in text else look
            return Ended(0, packed(token[1], said) if token else "")

    class Counting(Ssm):
        def answer(self, operation: str, region: str, body: bytes) -> dict[str, Any]:
            counts[operation] += 1
            return super().answer(operation, region, body)

    simulated = Simulated()
    ssm = Counting({(REGION, instance): simulated for instance in instances(count)})
    endpoint = Endpoint(lambda *_: [], {TARGET: ssm}, folder / "faults.json")
    server = make_server("127.0.0.1", 0, endpoint, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    (folder / "config.part").write_text(CONFIG.format(url=f"http://127.0.0.1:{server.port}"))
    (folder / "config.part").rename(folder / "config")
    stop.wait()
    (folder / "counts.json").write_text(json.dumps(counts))


def reach(folder: Path, count: int, changes: bool) -> None:
    patch_gevent()
    from jada import Aws, Service, SsmInvocation, Tiers
    from jada.inventory.cloud.ssm import RunCommand
    from jada.tasks import plan
    from jada.tasks.engines.ssm import SsmConnection, SsmEngine
    from tests.unit.conftest import HEALTHY

    region, ids, began = RunCommand(Aws(config_file=folder / "config"), REGION), instances(count), time.monotonic()
    engine = SsmEngine({instance: (instance, region) for instance in ids}, Service())
    request = plan.Request("20261124-130000-bbbb", "fleet", "ann@box", "2026-11-24T13:00:00+00:00", 1024)

    def act(name: str, host: SsmConnection) -> str:
        if not changes:
            return host.look().unit.active
        # As different as hosts are: each has a file of its own.
        own = replace(HEALTHY.settings.file, sha256=sha256(name.encode()).hexdigest())
        state = replace(HEALTHY, settings=replace(HEALTHY.settings, file=own))
        transaction = plan.upgrade(request, "r", Tiers("m-2"), state, Service()).transaction
        assert transaction
        return host.apply(transaction).result.value

    polls = Counter[str]()
    listed = RunCommand.invocations

    def counted(self: RunCommand, command: str) -> list[SsmInvocation]:
        polls[command] += 1
        return listed(self, command)

    RunCommand.invocations = counted  # type: ignore[method-assign]
    results = Counter(str(result) for _, result in engine.imap(ids, act))
    # Not of getrusage, which counts what the parent had.
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    figures = {
        "polls": max(polls.values()),
        "results": results,
        "seconds": round(time.monotonic() - began, 1),
        "MB": int(peak[1]) // 1024 if peak else 0,
    }
    print(json.dumps(figures))  # noqa: T201


if __name__ == "__main__":
    verb, place, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    serve(place, number) if verb == "serve" else reach(place, number, verb == "change")
