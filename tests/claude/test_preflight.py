"""What an upgrade would meet, asked of the real CLI and of the endpoint that it asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jada.inventory.lab import claude, machine
from jada.inventory.lab.machine import Machine
from tests.claude.conftest import ClaudeLab

pytestmark = pytest.mark.claude
OPUS = "claude-opus-5-5"
ORDERS = "/etc/jada-messages.json"


@pytest.fixture
def host(claude_lab: ClaudeLab) -> Iterator[Machine]:
    """The service runs as a user there, and with the key of its environment."""
    chosen = next(host for host in claude_lab.hosts if host.user)
    plain = '{"model": "claude-sonnet-4-6"}'
    machine.inside(chosen, f"cp -a {chosen.settings} /run/kept; cat >{chosen.settings}", stdin=plain)
    yield chosen
    machine.inside(chosen, f"cp -a /run/kept {chosen.settings}; rm -f {ORDERS}")


def preflight(lab: ClaudeLab, host: Machine, *argv: str) -> dict[str, tuple[str, str]]:
    """The verdict and text of each check."""
    output = lab.jada("upgrade", "--to", OPUS, "--limit", host.name, "--preflight-only", "--json", *argv)
    row: dict[str, Any] = json.loads(output)["hosts"][0]
    return {check["check"]: (check["verdict"], check["text"]) for check in row["preflight"]}


def order(host: Machine, **orders: object) -> None:
    machine.inside(host, f"cat >{ORDERS}; truncate -s 0 {claude.API_LOG}", stdin=json.dumps({OPUS: orders}))


def asked(host: Machine) -> list[tuple[str, str]]:
    lines = machine.inside(host, f"cat {claude.API_LOG}").stdout.splitlines()
    return [(line["method"], line["path"]) for line in map(json.loads, lines) if line["model"] == OPUS]


def test_an_endpoint_that_knows_the_model_costs_no_token(claude_lab: ClaudeLab, host: Machine) -> None:
    order(host)
    checks = preflight(claude_lab, host)
    assert checks["endpoint"] == ("passed", f"its endpoint knows {OPUS}")
    assert checks["cli"][0] == "passed"
    assert asked(host) == [("GET", f"/v1/models/{OPUS}")]


@pytest.mark.parametrize("status", [404, 401])
def test_an_endpoint_that_refuses(claude_lab: ClaudeLab, host: Machine, status: int) -> None:
    order(host, status=status)
    verdict, text = preflight(claude_lab, host)["endpoint"]
    assert (verdict, f"(HTTP {status})" in text) == ("failed", True)


def test_one_real_request_leaves_nothing_behind(claude_lab: ClaudeLab, host: Machine) -> None:
    order(host)
    seen = f"find {host.home} -type f -newer /run/before; ps -eo args | grep -c '[S]ay yes' || :"
    # The service itself writes now and then.
    machine.inside(host, "systemctl kill --signal=STOP jada-agent; sleep 0.2; touch /run/before")
    try:
        before = machine.inside(host, seen).stdout
        assert preflight(claude_lab, host, "--try-request")["request"][0] == "passed"
        assert ("POST", "/v1/messages") in asked(host)
        assert machine.inside(host, seen).stdout == before
    finally:
        machine.inside(host, "systemctl kill --signal=CONT jada-agent")


@pytest.mark.parametrize(
    ("orders", "verdict", "words"),
    [
        ({"answered_by": "claude-haiku-4-5"}, "failed", "answered by claude-haiku-4-5"),
        ({"status": 400}, "failed", "refused with HTTP 400"),
        ({"status": 401}, "failed", "refused with HTTP 401"),
        ({"status": 529}, "unknown", "put off with HTTP 529"),
    ],
)
def test_a_request_that_does_not_go_well(
    claude_lab: ClaudeLab, host: Machine, orders: dict[str, object], verdict: str, words: str
) -> None:
    order(host, **orders)
    found, text = preflight(claude_lab, host, "--try-request")["request"]
    assert (found, words in text) == (verdict, True)


def test_an_unreachable_endpoint_and_a_cloud(claude_lab: ClaudeLab, host: Machine) -> None:
    env = "ANTHROPIC_BASE_URL=http://127.0.0.1:9"
    try:
        machine.inside(host, f"echo {env} >/etc/default/jada-agent; systemctl restart jada-agent")
        assert "nothing answers at its address" in preflight(claude_lab, host)["endpoint"][1]
        machine.inside(host, "echo CLAUDE_CODE_USE_BEDROCK=1 >/etc/default/jada-agent; systemctl restart jada-agent")
        verdict, text = preflight(claude_lab, host)["endpoint"]
        assert (verdict, "a cloud's" in text) == ("unknown", True)
    finally:
        machine.inside(host, "rm /etc/default/jada-agent; systemctl restart jada-agent")
