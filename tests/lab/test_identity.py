"""A host is one machine: the machine at its address is compared with the one that is meant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Lab

pytestmark = pytest.mark.lab

HOST, OTHER = "orchestrator-1", "i-0bf01c0123456789b"
# systemd says that a lab host is a container: only without that does it count what the machine is.
IS = """
[ ! -e /run/systemd/container ] || mv /run/systemd/container /run/container
mkdir -p /run/cloud-init; echo {} >/run/cloud-init/.instance-id
"""
IS_NOT = "mv /run/container /run/systemd/container; rm -r /run/cloud-init"


def unchecked(lab: Lab) -> dict[str, list[str]]:
    """The reasons that hosts were not checked."""
    rows: Any = lab.json("drift", exit_code=None)["hosts"]
    return {
        row["host"]: [finding["code"] for finding in row["findings"]] for row in rows if row["status"] == "not_checked"
    }


def test_another_instance_at_the_address_is_neither_judged_nor_changed(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "opus-5", "--yes")
    rows = lab.json("hosts")["hosts"]
    (instance,) = (row["id"] for row in rows if row["host"] == HOST)
    before, on_host = lab.model(HOST), "find /var/lib/jada | sort"
    files = lab.run(HOST, on_host)
    try:
        lab.run(HOST, IS.format(instance))
        assert unchecked(lab) == {}
        lab.run(HOST, IS.format(OTHER))
        assert unchecked(lab) == {HOST: ["J420"]}
        for command in (
            ("upgrade", "--to", "sonnet-4.6", "--yes"),
            ("rollback", "--yes"),
            ("heal", "--yes"),
            ("status",),
        ):
            output = lab.jada(*command, "--limit", HOST, exit_code=1)
            assert f"{HOST} is {instance}, but {OTHER} answers at its address" in " ".join(output.split())
        output = lab.jada("lock", "--limit", HOST, "--reason", "x", exit_code=1)
        assert f"this machine is {OTHER}, and {instance} was meant; nothing was touched" in " ".join(output.split())
        assert lab.run(HOST, on_host) == files
        assert lab.model(HOST) == before
    finally:
        lab.run(HOST, IS_NOT)
