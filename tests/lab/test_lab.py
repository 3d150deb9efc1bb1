"""The rehearsal fleet itself: it comes up whatever was left behind, hosts are real, agents misbehave as told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada import JadaError
from jada.inventory.lab import cgroup, fleet, image, machine, named
from jada.inventory.lab.machine import OLD_MODEL
from jada.inventory.lab.shell import mounts_below, run
from tests.conftest import HOSTS, JADA, LAB, SUITE, about_ssh, bring_up, eventually

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
HOST = "specialist-1"
OTHER = named.Lab(f"x{LAB.name[-8:]}")
DEFAULT_MODEL = "claude-built-in-default"


@pytest.fixture
def other(whole_lab: Lab) -> Iterator[named.Lab]:
    """A lab of one host beside the tests' own, which a test may break or take down."""
    fleet.down(OTHER, print)
    fleet.up(OTHER, 1, print, SUITE)
    yield OTHER
    fleet.down(OTHER, print)
    assert traces(OTHER) == []


def test_up_again_leaves_a_healthy_lab_as_it_is(lab: Lab) -> None:
    leaders = [host.leader for host in lab.hosts]
    assert f"{LAB.title} is up already" in lab.jada("lab", "up", "--hosts", str(len(lab.hosts)))
    assert [host.leader for host in lab.hosts] == leaders


def test_status_tells_what_runs(lab: Lab) -> None:
    report = lab.json("lab", "status")
    assert report["endpoint"] == fleet.endpoint(LAB)
    rows = report["hosts"]
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
        eventually(lambda name=host.name: lab.run(name, "pgrep -x -c sleep || true") == "2\n")  # type: ignore[misc]
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
    assert host.address not in (LAB.known_hosts).read_text()
    argv = [*fleet.login(host)[:-1], "-i", str(LAB.key), "-o", "CertificateFile=none"]
    bare = [word.replace("login-", "none-") for word in argv]
    refused = subprocess.run([*bare, f"bitnami@{host.address}"], capture_output=True, text=True, check=False)
    assert "Permission denied (publickey)" in refused.stderr


def test_ssh_says_that_a_host_is_off_or_unknown(lab: Lab) -> None:
    machine.power_off(lab[HOST])
    assert f"The lab host {HOST} is off" in lab.jada("lab", "ssh", HOST, "true", exit_code=1)
    output = lab.jada("lab", "ssh", "nobody", exit_code=1)
    assert f"{LAB.title} has no host nobody{os.linesep}" in output.replace(".", "")
    assert HOST in output


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


@about_ssh("the network to a host")
def test_a_host_that_is_on_again_is_reached_at_once(lab: Lab) -> None:
    """Its network card is a new one: what this machine knew of the old one must not be believed."""
    # All that is known is forgotten when the bridge changes its own address, as it does with some of its ports.
    own = re.search("link/ether ([0-9a-f:]+)", run("ip", "link", "show", LAB.prefix))
    assert own
    run("ip", "link", "set", LAB.prefix, "address", own[1])
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


def log(lab: Lab) -> str:
    return lab.run(HOST, "journalctl -u jada-agent --no-pager -o cat")


def restarts(lab: Lab) -> int:
    return int(lab.run(HOST, "systemctl show -P NRestarts jada-agent"))


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ({"crash_on_start": True}, "crashing on start, as told"),
        ({"refuse": True}, f"There's an issue with the selected model ({OLD_MODEL})"),
        ({"crash_after": 0.5}, '"event": "start"'),
    ],
    ids=["crash_on_start", "refuse", "crash_after"],
)
def test_an_agent_that_dies_goes_on_dying(lab: Lab, orders: dict[str, object], message: str) -> None:
    lab.misbehave(HOST, **orders)
    restart(lab)
    eventually(lambda: restarts(lab) >= 2)
    assert message in log(lab)


def test_a_slow_agent_answers_later(lab: Lab) -> None:
    lab.misbehave(HOST, slow=5)
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
    owner = LAB.key.stat().st_uid
    monkeypatch.setenv("SUDO_UID", "65534")
    try:
        bring_up()
        readable = f"cat {LAB.fleet_file} {LAB.aws_config} {LAB.known_hosts} {LAB.key}"
        run(*nobody, "sh", "-c", readable)
        for path in (LAB.ca, lab[HOST].folder / "upper"):
            with pytest.raises(JadaError, match="Permission denied"):
                run(*nobody, "ls" if path.is_dir() else "cat", path)
    finally:
        os.chown(LAB.key, owner, -1)


def traces(lab: named.Lab) -> list[str]:
    """All of a lab that is on this machine."""
    links = [link for link in machine.links() if link == lab.prefix or link.startswith(f"jl-{lab.name}-")]
    namespaces = [line for line in run("ip", "netns", "list").split() if line.startswith(f"{lab.prefix}-")]
    groups = [str(path) for path in cgroup.hierarchies() if (path / lab.prefix).exists()]
    folders = [str(lab.folder)] if lab.folder.exists() else []
    return [*links, *namespaces, *groups, *mounts_below(lab.folder), *folders]


def test_labs_of_two_names_are_side_by_side_and_neither_touches_the_other(lab: Lab, other: named.Lab) -> None:
    leaders = [host.leader for host in lab.hosts]
    env = {"JADA_FLEET": str(other.fleet_file), "JADA_LAB": other.name}
    (host,) = fleet.current(other)
    assert host.network != lab.hosts[0].network
    assert other.name in lab.json("lab", "status")["other_labs"]
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", env=env)
    assert machine.healthz(host)["model"] == "claude-sonnet-4.6"
    assert lab.models() == {OLD_MODEL}
    for argv, address in ((["lab"], lab.hosts[0].address), (["lab", "--name", other.name], host.address)):
        assert lab.jada(*argv, "ssh", "jada-agent", "hostname", "-I").split() == [address]
    assert f"The lab {other.name} is down." in lab.jada("lab", "down", "--name", other.name)
    assert traces(other) == []
    assert [host.leader for host in lab.hosts] == leaders
    assert f"{LAB.title} is up already" in lab.jada("lab", "up", "--hosts", str(HOSTS))
    assert f"There is no lab {other.name} to take down." in lab.jada("lab", "down", env=env)
    assert f"The lab {other.name} is not up" in lab.jada("lab", "status", env=env, exit_code=1)
    assert f"The lab {other.name} is not up" in lab.jada("lab", "ssh", HOST, env=env, exit_code=1)


def break_state_file() -> None:
    OTHER.state.write_text('{"hos')


def forget_everything() -> None:
    """As after somebody's `rm -rf` of the lab's folder, as far as that gets while hosts run."""
    for path in [*OTHER.folder.glob("*.*"), *OTHER.folder.glob("hosts/*/console.log")]:
        path.unlink()


def kill_supervisor() -> None:
    """kill -9 for systemd-nspawn: the host runs on without it, and its veth, namespace and mounts stay."""
    group = f"{fleet.current(OTHER)[0].group}/supervisor"
    for pid in cgroup.processes(group):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not cgroup.processes(group))


def leave_parts() -> None:
    """Leaves, as a start that was cut off does, some of a host, of a number that the next lab has not."""
    space = f"{OTHER.prefix}-specialist-7"
    run("ip", "netns", "add", space)
    run("ip", "link", "add", OTHER.link(9), "type", "veth", "peer", "name", "eth0", "netns", space)
    kill_supervisor()


@pytest.mark.parametrize("accident", [break_state_file, forget_everything, kill_supervisor, leave_parts])
def test_up_after_an_accident(other: named.Lab, accident: Callable[[], None]) -> None:
    accident()
    (host,) = fleet.up(other, 1, print, SUITE)
    assert machine.healthz(host).get("model") == OLD_MODEL
    assert not Path(f"/run/netns/{other.prefix}-specialist-7").exists()


# In place of systemd-nspawn: one host never boots, so the lab is not up before the signal comes, whatever else runs.
NEVER_UP = """#!/bin/sh
case "$*" in *orchestrator-1*) exec sleep 600 ;; esac
PATH=${PATH#*:} exec systemd-nspawn "$@"
"""


def test_ctrl_c_ends_up_at_once_and_down_clears_up(other: named.Lab, tmp_path: Path) -> None:
    fleet.down(other, print)
    nspawn = tmp_path / "systemd-nspawn"
    nspawn.write_text(NEVER_UP)
    nspawn.chmod(0o755)
    argv = [str(JADA), "lab", "up", "--name", other.name, "--hosts", "2"]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=env)
    eventually(lambda: any(host.leader for host in fleet.current(other)))
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Stopped." in output
    assert "Traceback" not in output
    assert fleet.down(other, print)
    assert traces(other) == []


def test_two_at_once_are_refused(lab: Lab) -> None:
    with LAB.lock.open("w") as lock:
        subprocess.run(["flock", "--nonblock", str(lock.fileno())], pass_fds=[lock.fileno()], check=True)
        assert "Another `jada lab`" in lab.jada("lab", "down", exit_code=1)
    assert lab.models() == {OLD_MODEL}


def test_a_host_that_cannot_boot_is_named_with_its_console(other: named.Lab) -> None:
    (host,) = fleet.current(other)
    machine.power_off(host)
    (host.folder / "upper/usr/lib/systemd").mkdir(parents=True, exist_ok=True)
    (host.folder / "upper/usr/lib/systemd/systemd").write_text("no program")
    with pytest.raises(JadaError, match=f"{host.name} died while it booted") as raised:
        fleet.power_on(host)
    assert str(host.console) in raised.value.hint
    fleet.reset(host)
    assert machine.healthz(host)["model"] == OLD_MODEL


def test_a_process_id_from_before_a_reboot_is_never_taken_for_a_host(lab: Lab) -> None:
    """Somebody else's process, even in the host's group, is not the host's PID 1: nothing would be run in it."""
    machine.power_off(lab[HOST])
    group = cgroup.hierarchies()[0] / lab[HOST].group / "payload/init.scope"
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
    process = subprocess.run(
        [Path(sys.executable).with_name("jada"), "lab", "up"],
        env={**os.environ, "PATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if os.geteuid() == 0:
        package = {"systemd-nspawn": "systemd-container"}.get(lacking, lacking)
        assert f"apt-get install -y --no-install-recommends {package}" in process.stderr
    assert process.returncode == 1
