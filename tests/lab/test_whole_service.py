"""All processes of a service count, on real units: those a restart left, with lower limits, or a view of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from tests.conftest import LAB, eventually, short_fleet

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
HOST = "specialist-1"
DROPIN = "/etc/systemd/system/jada-agent.service.d/60-test.conf"
GROUP = "/sys/fs/cgroup$(systemctl show -p ControlGroup --value jada-agent)"
# More processes of the service, which do nothing; their numbers are in a file.
MORE = f"""
group={GROUP}; [ -d "$group" ] || group=/sys/fs/cgroup/systemd${{group#/sys/fs/cgroup}}
for i in $(seq %d); do
    setsid sh -c 'echo $$ >"$1/cgroup.procs"; exec sleep 10000' sh "$group" </dev/null >/dev/null 2>&1 &
    echo $! >>/run/more
done
"""
# A root of its own that has the host's programs, and none of its homes.
OWN_ROOT = "RootDirectory=/srv/root\nMountAPIVFS=yes\nBindReadOnlyPaths=/usr /bin /lib -/lib64 /etc /var\n"


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def env(lab: Lab, tmp_path: Path) -> dict[str, str]:
    """A fleet.yml whose service does not say its model, and whose CLI is not asked."""
    text = "".join(line for line in short_fleet().splitlines(keepends=True) if not line.startswith("model_check"))
    file = LAB.folder / f"{tmp_path.name}.yml"
    file.write_text(f"{text}\nask: never\nproof: derived\n")
    return {"JADA_FLEET": str(file)}


def dropin(lab: Lab, text: str, then: str = "systemctl restart jada-agent") -> None:
    machine.inside(lab[HOST], f"mkdir -p $(dirname {DROPIN}); cat >{DROPIN}; systemctl daemon-reload; {then}",
                   stdin=f"[Service]\n{text}")  # fmt: skip


def findings(lab: Lab, exit_code: int | None = None, **env: Any) -> dict[str, str]:
    """What was found on the host, by code, but for the one (J121) that depends on the day."""
    (row,) = lab.json("drift", "--limit", HOST, exit_code=exit_code, **env)["hosts"]
    return {finding["code"]: finding["actual"] for finding in row["findings"] if finding["code"] != "J121"}


def test_a_process_that_outlives_the_restart_is_told_and_nothing_is_verified(lab: Lab) -> None:
    lab.run(HOST, "rm -f /run/more; " + MORE % 2)
    dropin(lab, "KillMode=process\n", then="true")
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes", exit_code=1)
    assert "J118" in output
    assert "✓" not in output
    found = findings(lab, exit_code=3)
    assert found.keys() == {"J118"}
    assert found["J118"].startswith("2 of 3 began before it, ")
    lab.run(HOST, "kill $(cat /run/more)")
    eventually(lambda: findings(lab) == {})
    # Those that came with the present start are its own.
    lab.run(HOST, "rm /run/more; " + MORE % 1)
    assert findings(lab, exit_code=0) == {}
    lab.run(HOST, "kill $(cat /run/more)")


def test_a_worker_with_a_lower_limit_is_found_by_the_change_and_by_the_look(lab: Lab) -> None:
    """Both judge by the same, so that neither calls right what the other calls wrong."""
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes")
    agent = "/usr/bin/python3 /usr/local/bin/jada-agent"
    worker = f"ExecStart=\nExecStart=/bin/sh -c '(ulimit -Sn 100; exec sleep 10000) & exec {agent}'\n"
    dropin(lab, worker)
    eventually(lambda: "J301" in findings(lab))
    told = findings(lab)["J301"]
    assert told.startswith("100 in /proc/")
    assert told.endswith("; fewer than that in 1 of 2 processes")
    output = lab.jada("upgrade", "--to", "opus-5", "--limit", HOST, "--yes", exit_code=4)
    assert "1 of 2 processes of jada-agent.service may open fewer files than" in " ".join(output.split())


@pytest.mark.parametrize("lines", ["ProtectHome=yes\n", "TemporaryFileSystem=/home\n", OWN_ROOT])
def test_a_service_that_sees_other_files_is_not_in_sync_by_those_of_the_host(
    lab: Lab, env: dict[str, str], lines: str
) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes", env=env)
    assert findings(lab, exit_code=0, env=env) == {}
    lab.run(HOST, "mkdir -p /srv/root")
    dropin(lab, f"{lines}ExecStart=\nExecStart=/usr/bin/sleep infinity\n")
    found = findings(lab, env=env)
    assert lab[HOST].settings in found["J112"]
    # The same files by another mount are the same.
    dropin(lab, "ProtectHome=read-only\nPrivateTmp=yes\nExecStart=\nExecStart=/usr/bin/sleep infinity\n")
    assert "J112" not in findings(lab, env=env)


def test_a_unit_of_three_hundred_processes(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes")
    lab.run(HOST, "rm -f /run/more; " + MORE % 300)
    group = f"cat {GROUP}/cgroup.procs 2>/dev/null | wc -l"
    eventually(lambda: int(lab.run(HOST, group)) in (0, 301))
    assert findings(lab, exit_code=0) == {}
    lab.run(HOST, "prlimit --nofile=100: --pid $(tail -n 1 /run/more)")
    assert findings(lab, exit_code=3)["J301"].endswith("; fewer than that in 1 of 301 processes")
    lab.run(HOST, "kill $(cat /run/more)")
