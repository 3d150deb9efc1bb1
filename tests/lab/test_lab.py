"""The rehearsal fleet itself: it comes up whatever was left behind, hosts are real, agents misbehave as told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada import JadaError
from jada.inventory.lab import cgroup, fleet, image, machine
from jada.inventory.lab.machine import OLD_MODEL
from jada.inventory.lab.shell import LAB, mounts_below, run
from tests.conftest import bring_up

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
HOST = "specialist-1"
DEFAULT_MODEL = "claude-built-in-default"


@pytest.fixture
def taken_down(lab: Lab) -> Iterator[Lab]:
    """A lab that a test may take down or break: for the tests after it there is one again."""
    yield lab
    bring_up(len(lab.hosts))


def test_up_again_leaves_a_healthy_lab_as_it_is(lab: Lab) -> None:
    leaders = [host.leader for host in lab.hosts]
    assert "The lab is up already" in lab.jada("lab", "up", "--hosts", str(len(lab.hosts)))
    assert [host.leader for host in lab.hosts] == leaders


def test_status_tells_what_runs(lab: Lab) -> None:
    told = lab.json("lab", "status")
    assert told["endpoint"] == fleet.endpoint()
    rows = told["hosts"]
    assert isinstance(rows, list)
    assert {(row["host"], row["power"], row["model"]) for row in rows} == {
        (host.name, "on", OLD_MODEL) for host in lab.hosts
    }


def test_settings_differ_and_belong_to_the_agents_user(lab: Lab) -> None:
    for host in lab.hosts:
        pid = machine.healthz(host)["pid"]
        assert lab.run(host.name, f"stat -c %U /proc/{pid}").strip() == (host.user or "root")
        assert lab.run(host.name, f"stat -c '%U %a' {host.settings}").strip() == f"{host.user or 'root'} 600"
        assert "lab-secret-" in lab.run(host.name, f"cat {host.settings}")
    assert {host.user for host in lab.hosts} == {"", "agent"}
    assert lab["orchestrator-1"].first_settings[-1] == "}"
    assert lab[HOST].first_settings.startswith("\ufeff{\r\n")


def test_each_host_has_a_systemd_of_its_own(lab: Lab) -> None:
    """Stopping a unit kills all its processes, on this host and on no other."""
    for host in lab.hosts:
        lab.run(host.name, "systemd-run --unit=stray sh -c 'setsid sleep 777 & exec sleep 888'")
        lab.run(host.name, "for i in $(seq 50); do pgrep -x -c sleep | grep -qx 2 && exit; sleep 0.1; done; exit 1")
    lab.run(HOST, "systemctl stop stray")
    counts = {host.name: lab.run(host.name, "pgrep -x -c sleep || true").strip() for host in lab.hosts}
    assert counts == {host.name: "0" if host.name == HOST else "2" for host in lab.hosts}
    for host in lab.hosts:
        lab.run(host.name, "systemctl stop stray || true")
        assert "Input/output error" not in lab.run(host.name, "journalctl --boot --no-pager")


def test_every_systemd_can_watch_its_files(lab: Lab) -> None:
    """Else a host hangs half-way through its boot, from the eleventh or so on."""
    assert int(Path("/proc/sys/fs/inotify/max_user_instances").read_text()) >= 128 + 20 * len(lab.hosts)
    for host in lab.hosts:
        assert lab.run(host.name, "systemctl is-active systemd-ask-password-wall.path") == "active\n"


def test_a_console_has_what_the_boot_said(lab: Lab) -> None:
    for host in lab.hosts:
        assert "graphical.target" in host.console.read_text()


@pytest.mark.parametrize("user", ["root", "agent", "bitnami"])
def test_the_labs_key_opens_only_the_login_user(lab: Lab, user: str) -> None:
    host = lab["orchestrator-1"]
    argv = fleet.login(host)
    assert subprocess.run([*argv, "sudo -n id -u"], capture_output=True, text=True, check=True).stdout == "0\n"
    refused = subprocess.run([*argv[:-1], f"{user}@{host.address}"], capture_output=True, text=True, check=False)
    assert "Permission denied (publickey)" in refused.stderr


def test_only_certificates_open_the_lightsail_host(lab: Lab) -> None:
    host = lab["jada-agent"]
    assert lab.jada("lab", "ssh", "jada-agent", "sudo", "-n", "id", "-un").strip() == "root"
    assert host.address not in (LAB / "known_hosts").read_text()
    argv = [*fleet.login(host)[:-1], "-i", str(fleet.KEY), "-o", "CertificateFile=none"]
    bare = [word.replace("login-", "none-") for word in argv]
    refused = subprocess.run([*bare, f"bitnami@{host.address}"], capture_output=True, text=True, check=False)
    assert "Permission denied (publickey)" in refused.stderr


def test_ssh_says_that_a_host_is_off_or_unknown(lab: Lab) -> None:
    machine.power_off(lab[HOST])
    assert f"The lab host {HOST} is off" in lab.jada("lab", "ssh", HOST, "true", exit_code=1)
    told = lab.jada("lab", "ssh", "nobody", exit_code=1)
    assert f"The lab has no host nobody{os.linesep}" in told.replace(".", "")
    assert HOST in told


def test_power_off_keeps_the_disk(lab: Lab) -> None:
    lab.run(HOST, "echo kept >/root/note")
    machine.power_off(lab[HOST])
    assert lab[HOST].leader is None
    assert machine.healthz(lab[HOST]) == {}
    with pytest.raises(JadaError, match=f"{HOST} is off"):
        lab.run(HOST, "true")
    fleet.power_on(lab[HOST])
    assert lab.run(HOST, "cat /root/note") == "kept\n"
    with pytest.raises(JadaError, match=f"{HOST} is on already"):
        fleet.power_on(lab[HOST])


def test_a_host_that_is_on_again_is_reached_at_once(lab: Lab) -> None:
    """Its network card is a new one: what this machine knew of the old one must not be believed."""
    # All that is known is forgotten when the bridge changes its own address, as it does with some of its ports.
    own = re.search("link/ether ([0-9a-f:]+)", run("ip", "link", "show", machine.BRIDGE))
    assert own
    run("ip", "link", "set", machine.BRIDGE, "address", own[1])
    lab.jada("status", "--limit", HOST)
    assert "lladdr" in run("ip", "neigh", "show", lab[HOST].address)
    machine.power_off(lab[HOST])
    assert "lladdr" not in run("ip", "neigh", "show", lab[HOST].address)
    fleet.power_on(lab[HOST])
    lab.jada("status", "--limit", HOST)


def test_pulling_the_plug_is_no_shutdown(lab: Lab) -> None:
    lab.run(HOST, "sync")
    # As a systemd-nspawn of 256 or newer leaves it.
    export = machine.EXPORTS / lab[HOST].namespace
    export.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", export)
    machine.pull_the_plug(lab[HOST])
    assert mounts_below(export) == []
    assert "Powering off" not in lab[HOST].console.read_text().rpartition("Welcome to")[2]
    fleet.power_on(lab[HOST])
    assert lab.model(HOST) == OLD_MODEL


def test_reset_gives_a_fresh_disk_with_the_same_host_keys(lab: Lab) -> None:
    lab.run(HOST, f"echo x >/root/note; echo x >{lab[HOST].settings}; rm /etc/systemd/system/jada-agent.service")
    keys = lab[HOST].host_keys()
    fleet.reset(lab[HOST])
    assert lab[HOST].host_keys() == keys
    assert lab.model(HOST) == OLD_MODEL
    assert "No such file" in machine.inside(lab[HOST], "ls /root/note", check=False).stderr
    lab.jada("lab", "ssh", HOST, "true")


def test_a_host_may_have_many_addresses(lab: Lab) -> None:
    addresses = machine.add_addresses(lab[HOST], 50)
    assert len(set(addresses)) == 50
    scanned = run("ssh-keyscan", "-t", "ed25519", addresses[0], addresses[-1])
    assert all(scanned.count(f"{address} {lab[HOST].host_keys()[1]}") == 1 for address in (addresses[0], addresses[-1]))


def restart(lab: Lab) -> None:
    lab.run(HOST, "systemctl restart jada-agent")


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 20 s"
        time.sleep(0.05)


def log(lab: Lab) -> str:
    return lab.run(HOST, "journalctl -u jada-agent --no-pager -o cat")


def restarts(lab: Lab) -> int:
    return int(lab.run(HOST, "systemctl show -P NRestarts jada-agent"))


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ({"crash_on_start": True}, "crashing on start, as told"),
        ({"refuse": True}, f"There's an issue with the selected model ({OLD_MODEL})"),
        ({"crash_after": 0.5}, '"event": "start"'),
    ],
    ids=["crash_on_start", "refuse", "crash_after"],
)
def test_an_agent_that_dies_goes_on_dying(lab: Lab, orders: dict[str, object], said: str) -> None:
    lab.misbehave(HOST, **orders)
    restart(lab)
    eventually(lambda: restarts(lab) >= 2)
    assert said in log(lab)


def test_a_slow_agent_answers_later(lab: Lab) -> None:
    lab.misbehave(HOST, slow=2)
    restart(lab)
    assert lab.run(HOST, "systemctl is-active jada-agent") == "active\n"
    assert lab.model(HOST) is None
    eventually(lambda: lab.model(HOST) == OLD_MODEL)
    assert restarts(lab) == 0


def test_orders_for_other_models_do_nothing(lab: Lab) -> None:
    lab.misbehave(HOST, crash_on_start=True, models=["claude-other"])
    restart(lab)
    eventually(lambda: lab.model(HOST) == OLD_MODEL)


@pytest.mark.parametrize(
    "text", ["nonsense", "[1]", '{"slow": "x"}', '{"crash_after": null}', '{"models": 3}', '{"crash_afer": 2}']
)
def test_bad_orders_are_an_error_in_the_log_and_no_crash(lab: Lab, text: str) -> None:
    machine.inside(lab[HOST], "cat >/etc/jada-agent.json", stdin=text)
    restart(lab)
    eventually(lambda: lab.model(HOST) == OLD_MODEL)
    errors = [json.loads(line) for line in log(lab).splitlines() if '"/etc/jada-agent.json"' in line]
    assert errors[-1]["event"] in ("unreadable", "bad orders")


@pytest.mark.parametrize(
    ("settings", "environ", "model"),
    [
        ('{"model": "a", "env": {"ANTHROPIC_MODEL": "b"}}', "ANTHROPIC_MODEL=c", "b"),
        ('{"model": "a"}', "ANTHROPIC_MODEL=c", "c"),
        ('{"model": "a", "model": "d"}', "", "d"),
        ("{}", "", DEFAULT_MODEL),
        ('{"model": "a",}', "", DEFAULT_MODEL),
        ('{"model": 5, "env": {"ANTHROPIC_MODEL": "b"}}', "", DEFAULT_MODEL),
        ('{"model": "a", "env": "x"}', "", DEFAULT_MODEL),
        ('{"model": "a"}', "CLAUDE_CONFIG_DIR=/nowhere", DEFAULT_MODEL),
    ],
)
def test_the_agent_chooses_its_model_as_the_claude_cli_does(lab: Lab, settings: str, environ: str, model: str) -> None:
    machine.inside(lab[HOST], f"cat >{lab[HOST].settings}", stdin=settings)
    machine.inside(lab[HOST], "cat >/etc/default/jada-agent", stdin=environ)
    restart(lab)
    eventually(lambda: lab.model(HOST) == model)


def test_a_changed_file_is_not_read_by_a_running_agent(lab: Lab) -> None:
    machine.inside(lab[HOST], f"cat >{lab[HOST].settings}", stdin='{"model": "a"}')
    assert lab.model(HOST) == OLD_MODEL


def test_the_lab_is_for_who_called_sudo_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is theirs then, and what root alone is to see stays root's."""
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    owner = fleet.KEY.stat().st_uid
    monkeypatch.setenv("SUDO_UID", "65534")
    try:
        fleet.up(len(lab.hosts), print)
        readable = f"cat {fleet.FLEET_FILE} {LAB}/aws-config {LAB}/known_hosts {fleet.KEY}"
        run(*nobody, "sh", "-c", readable)
        for other in (fleet.CA, lab[HOST].folder / "upper"):
            with pytest.raises(JadaError, match="Permission denied"):
                run(*nobody, "ls" if other.is_dir() else "cat", other)
    finally:
        os.chown(fleet.KEY, owner, -1)


def traces() -> list[str]:
    """What of a lab is on this machine."""
    links = [link for link in machine.links() if link == machine.BRIDGE or link.startswith("jl")]
    namespaces = [line for line in run("ip", "netns", "list").split() if line.startswith("jada-")]
    groups = [str(path) for path in cgroup.hierarchies() if (path / cgroup.PARENT).exists()]
    return [*links, *namespaces, *groups, *mounts_below(LAB), *([str(LAB)] if LAB.exists() else [])]


def test_down_leaves_nothing_and_down_on_nothing_says_so(taken_down: Lab) -> None:
    assert "The lab is down." in taken_down.jada("lab", "down")
    assert traces() == []
    assert "There is no lab to take down." in taken_down.jada("lab", "down")
    assert "The lab is not up" in taken_down.jada("lab", "status", exit_code=1)
    assert "The lab is not up" in taken_down.jada("lab", "ssh", HOST, exit_code=1)


def break_state_file() -> None:
    (LAB / "lab.json").write_text('{"hos')


def forget_everything() -> None:
    """As after somebody's `rm -rf /var/lib/jada-lab`, as far as that gets while hosts run."""
    for path in [*LAB.glob("*.*"), *LAB.glob("hosts/*/console.log")]:
        path.unlink()


def kill_all() -> None:
    """kill -9 for each systemd-nspawn: hosts run on without it, and veths, namespaces and mounts stay."""
    for host in fleet.current():
        for pid in cgroup.processes(f"{host.name}/supervisor"):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(cgroup.processes(f"{host.name}/supervisor") for host in fleet.current()))


def leave_parts() -> None:
    """What a start that was cut off in the middle leaves: some of a host, of a number that the next lab has not."""
    run("ip", "netns", "add", "jada-specialist-7")
    run("ip", "link", "add", "jl9", "type", "veth", "peer", "name", "eth0", "netns", "jada-specialist-7")


@pytest.mark.parametrize("accident", [break_state_file, forget_everything, kill_all, leave_parts])
def test_up_after_an_accident(taken_down: Lab, accident: Callable[[], None]) -> None:
    accident()
    if accident is leave_parts:
        kill_all()
    hosts = bring_up(len(taken_down.hosts))
    assert {machine.healthz(host).get("model") for host in hosts} == {OLD_MODEL}
    assert not Path("/run/netns/jada-specialist-7").exists()
    assert fleet.down(print)
    assert traces() == []


def test_ctrl_c_ends_up_at_once_and_down_clears_up(taken_down: Lab) -> None:
    fleet.down(print)
    jada = str(Path(sys.executable).with_name("jada"))
    process = subprocess.Popen([jada, "lab", "up"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    eventually(lambda: any(host.leader for host in fleet.current()))
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "Stopped." in told
    assert "Traceback" not in told
    assert fleet.down(print)
    assert traces() == []


def test_two_at_once_are_refused(lab: Lab) -> None:
    with fleet.LOCK.open("w") as lock:
        subprocess.run(["flock", "--nonblock", str(lock.fileno())], pass_fds=[lock.fileno()], check=True)
        assert "Another `jada lab`" in lab.jada("lab", "down", exit_code=1)
    assert lab.models() == {OLD_MODEL}


def test_a_host_that_cannot_boot_is_named_with_its_console(taken_down: Lab) -> None:
    host = taken_down[HOST]
    machine.power_off(host)
    (host.folder / "upper/usr/lib/systemd").mkdir(parents=True, exist_ok=True)
    (host.folder / "upper/usr/lib/systemd/systemd").write_text("no program")
    with pytest.raises(JadaError, match=f"{HOST} died while it booted") as raised:
        fleet.power_on(host)
    assert str(host.console) in raised.value.hint
    fleet.reset(host)
    assert taken_down.model(HOST) == OLD_MODEL


def test_a_process_id_from_before_a_reboot_is_never_taken_for_a_host(lab: Lab) -> None:
    """Somebody else's process, even in the host's group, is not the host's PID 1: nothing would be run in it."""
    machine.power_off(lab[HOST])
    group = cgroup.hierarchies()[0] / cgroup.PARENT / HOST / "payload/init.scope"
    group.mkdir(parents=True)
    sleep = subprocess.Popen(["sleep", "60"])
    (group / "cgroup.procs").write_text(str(sleep.pid))
    assert lab[HOST].leader is None
    machine.power_off(lab[HOST])
    assert sleep.wait(10) == -signal.SIGKILL


def test_a_build_of_the_image_that_was_killed_never_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    monkeypatch.setattr(image, "CACHE", tmp_path / "cache")
    leftover = tmp_path / "cache/building-killed"
    (leftover / "proc").mkdir(parents=True)
    run("mount", "-t", "proc", "proc", leftover / "proc")
    # Stands in for debootstrap, which would take a minute: it fails as a killed one does.
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "debootstrap").write_text("#!/bin/sh\necho 'E: no more' >&2\nexit 1\n")
    (tools / "debootstrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(JadaError, match="E: no more"):
        image.build()
    assert not leftover.exists()
    assert not image.path().exists()
    assert mounts_below(tmp_path) == []


@pytest.mark.parametrize("lacking", ["systemd-nspawn", "debootstrap"])
def test_a_missing_package_is_told_with_the_line_that_installs_it(tmp_path: Path, lacking: str) -> None:
    for folder in ("/usr/sbin", "/sbin", "/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            link = tmp_path / tool.name
            if tool.name != lacking and not link.is_symlink():
                link.symlink_to(tool)
    done = subprocess.run(
        [Path(sys.executable).with_name("jada"), "lab", "up"],
        env={**os.environ, "PATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if os.geteuid() == 0:
        package = {"systemd-nspawn": "systemd-container"}.get(lacking, lacking)
        assert f"apt-get install -y --no-install-recommends {package}" in done.stderr
    assert done.returncode == 1
