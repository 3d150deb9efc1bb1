"""Plan and drift of 10,000 hosts that have all been looked at: seconds of processor time and MB, as JSON. No I/O."""

from __future__ import annotations

import json
import resource
import runpy
import sys
import time
from dataclasses import replace
from pathlib import Path

from jada import ModelCheck, Service, Tiers
from jada.tasks import checks, plan
from jada.tasks.plan import Request
from jada.tasks.state import State

# By path: there are packages that bring a package `tests` of their own.
HEALTHY: State = runpy.run_path(str(Path(__file__).parents[1] / "tests/unit/conftest.py"))["HEALTHY"]
COUNT = 10_000
REQUEST = Request("20261124-130000-bbbb", "fleet", "ann@box", "2026-11-24T13:00:00+00:00", 2_147_483_646)
SERVICE = Service(model_check=ModelCheck(url="http://127.0.0.1:8787/healthz"), settle=5)

# Each host has a settings.json of its own.
STATES = [
    replace(
        HEALTHY,
        settings=replace(
            HEALTHY.settings, text=f'{{\n  "model": "claude-sonnet-4.6",\n  "n": {number},\n  "e": {{}}\n}}\n'
        ),
    )
    for number in range(COUNT)
]
began = time.process_time()
findings = [checks.drift(state) for state in STATES]
drifted = time.process_time()
plans = [plan.upgrade(REQUEST, "r", Tiers("claude-opus-5"), state, SERVICE) for state in STATES]
planned = time.process_time()
if any(findings) or not all(host_plan.transaction for host_plan in plans):
    sys.exit("the hosts should be healthy, and all of them should get a plan")
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
json.dump({"drift of 10,000 hosts": [drifted - began, memory], "plan of 10,000 hosts": [planned - drifted, memory]},
          sys.stdout)  # fmt: skip
