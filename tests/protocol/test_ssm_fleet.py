"""Ten thousand instances through Systems Manager: what AWS is asked, and the memory it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import eventually

COUNT = 10_000
# Ten thousand changes take a minute of processor time.
VERBS = {"look": "active", "change": "done"} if os.environ.get("JADA_ALL_ROLLOUTS") else {"look": "active"}


@pytest.mark.parametrize("verb", VERBS)
def test_ten_thousand_instances(verb: str, tmp_path: Path) -> None:
    argv, place = [sys.executable, "-m", "tests.ssm_fleet"], [str(tmp_path), str(COUNT)]
    environ = {**os.environ, "AWS_EC2_METADATA_DISABLED": "true"}
    with (tmp_path / "log").open("w") as log, subprocess.Popen([*argv, "serve", *place], stderr=log) as server:
        try:
            eventually((tmp_path / "config").exists)
            figures = json.loads(subprocess.check_output([*argv, verb, *place], env=environ))
        finally:
            server.terminate()
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert figures["results"] == {VERBS[verb]: COUNT}
    assert figures["MB"] <= 300
    assert counts["SendCommand"] <= COUNT / 50
    assert counts["DescribeInstanceInformation"] <= COUNT / 50
    # A page for each command and poll, of which there were as many as the busiest of them had.
    assert counts["ListCommandInvocations"] <= COUNT / 50 * figures["polls"]
    assert set(counts) <= {"DescribeInstanceInformation", "SendCommand", "ListCommandInvocations"}
