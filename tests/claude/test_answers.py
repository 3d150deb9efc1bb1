"""The stand-in for the messages API, told to answer otherwise, as the real CLI writes it down in its transcripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import Machine
from tests.claude import hosts
from tests.claude.configurations import OTHER, with_model
from tests.claude.conftest import ClaudeLab
from tests.claude.hosts import DESIRED, Configuration
from tests.conftest import eventually

pytestmark = pytest.mark.claude
ORDERS = "/etc/jada-messages.json"
PLAIN = Configuration(name="plain", asks=DESIRED)
# It asks again and again otherwise, each time after a longer wait.
IMPATIENT = {"CLAUDE_CODE_MAX_RETRIES": "1"}


@pytest.fixture
def host(claude_lab: ClaudeLab) -> Iterator[Machine]:
    host = claude_lab.hosts[1]
    yield host
    machine.inside(host, f"rm -f {ORDERS}")
    hosts.put_back(host)


def answers(host: Machine) -> list[dict[str, Any]]:
    """The lines of the transcripts that tell of an answer or of its failure."""
    found = machine.inside(host, f"find {host.home}/.claude/projects -name '*.jsonl' -newer {ORDERS} -exec cat {{}} +")
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    return [line for line in lines if line.get("type") == "assistant" or line.get("subtype") == "model_fallback"]


def ask(host: Machine, orders: object, configuration: Configuration = PLAIN) -> list[dict[str, Any]]:
    """What the CLI writes down of its first prompt, with the stand-in told so."""
    machine.inside(host, f"cat >{ORDERS}", stdin=json.dumps(orders))
    hosts.lay(host, configuration)
    eventually(lambda: bool(answers(host)), "the CLI wrote no answer down")
    return answers(host)


def test_a_model_that_is_swapped_shows(host: Machine) -> None:
    (answer,) = ask(host, {DESIRED: {"answered_by": OTHER}})
    assert (answer["requestedModel"], answer["message"]["model"]) == (DESIRED, OTHER)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 529])
def test_a_model_that_fails_shows(host: Machine, status: int) -> None:
    configuration = Configuration(name="plain", asks=DESIRED, env=IMPATIENT)
    answer = ask(host, {DESIRED: {"status": status}}, configuration)[-1]
    assert (answer["isApiErrorMessage"], answer["apiErrorStatus"]) == (True, status)
    assert answer["message"]["model"] == "<synthetic>"


def test_a_model_that_is_fallen_back_to_shows(host: Machine) -> None:
    configuration = Configuration(name="fallback", asks=DESIRED, user=with_model(fallbackModel=[OTHER]), env=IMPATIENT)
    fallback, answer = ask(host, {DESIRED: {"status": 404}}, configuration)
    assert (fallback["originalModel"], fallback["fallbackModel"]) == (DESIRED, OTHER)
    assert answer["message"]["model"] == OTHER


def test_the_lab_tells_its_agent_and_what_it_asked_for(claude_lab: ClaudeLab, host: Machine) -> None:
    hosts.lay(host, Configuration(name="other", asks=OTHER, flags=f"--model {OTHER}"))
    told = json.loads(claude_lab.jada("lab", "status", "--json"))
    assert told["agent"].startswith("Claude CLI 2.")
    assert {row["model"] for row in told["hosts"] if row["host"] == host.name} == {OTHER}


def test_the_cli_is_no_copy_and_hosts_cannot_change_it(host: Machine) -> None:
    assert not (host.folder / "upper/usr/local/bin/claude").stat().st_size
    mounts = machine.inside(host, "cat /proc/mounts").stdout.splitlines()
    options = [line.split()[3].split(",") for line in mounts if line.split()[1] == "/usr/local/bin/claude"]
    assert [option for (option, *_) in options] == ["ro"]
