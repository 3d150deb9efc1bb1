"""Measures jada against the floor and its peers on the rehearsal fleet, and writes RESULTS.md: `make bench`.

All in one run on one machine, the tools in turn, so that whatever else the machine does hits all of them alike. Every
figure is the wall time of a whole command, from the start of its process to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from jada import Tiers
from jada.inventory.fleet.limits import NOFILE
from jada.inventory.lab import fleet, machine
from jada.inventory.lab.machine import OLD_MODEL, Machine
from jada.inventory.lab.shell import run
from jada.tasks import plan
from jada.tasks.engines.look import read_look
from jada.tasks.plan import Plan, Request
from jada.tasks.release import new_id
from jada.tasks.state import State
from jada.tasks.transaction import look_script, on_stdin

from .report import (
    ANSIBLE,
    ANSIBLE_WHOLE,
    ASYNCSSH,
    CLICK,
    FLOOR,
    INVENTORY,
    MITOGEN,
    MITOGEN_WHOLE,
    PAGINATORS,
    READ_FLOOR,
    ROLLBACK,
    SCRIPTS,
    SCRIPTS_BACK,
    STOCK,
    UPGRADE,
    WAVES,
    Part,
    Results,
    Series,
    show,
    write,
)
from .tools import BIN, HERE, LAB, SERVICE, Endpoint, Setting, Tool

NEW = "claude-sonnet-4.6"
HOSTS = 10
# 500 endpoints are ten hosts with fifty addresses each.
ADDRESSES = 50
ONE_WAY = 0.04
PROXY_PORT = 2222
# Real hosts drop connections at random above 10 that are not yet logged in; each host here stands in for fifty.
SSHD = "MaxStartups 1000\nMaxSessions 1000\nUseDNS no\n"
# Back to where every round begins, without ssh: no drop-in of any tool, no release of jada, the old model in force.
RESET = f"""
set -e
rm -rf /etc/systemd/system/jada-agent.service.d /etc/security/limits.d/[56]0-*.conf /var/lib/jada /var/lib/bench
sed -i 's/\\("model" *: *"\\)claude-[^"]*/\\1{OLD_MODEL}/' /home/agent/.claude/settings.json
systemctl daemon-reload
systemctl restart jada-agent
until curl -fs http://127.0.0.1:{machine.PORT}/healthz | grep -q {OLD_MODEL}; do sleep 0.1; done
"""
REGIONS = ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1", "eu-west-1", "eu-west-2",
           "eu-west-3", "eu-central-1", "eu-north-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
           "ap-northeast-1", "ap-northeast-2"]  # fmt: skip

Job = Callable[[Series | None], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, 100 endpoints: for development")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--endpoints", type=int, default=HOSTS * ADDRESSES, help="how many to read (default: 500)")
    parser.add_argument("--only", default="", help="only the parts whose names begin so, such as reads")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder for RESULTS.md (without --only)")
    parser.add_argument("--keep", action="store_true", help="leave the lab up afterwards")
    options = parser.parse_args()
    began = time.monotonic()
    # The first host of a lab is Lightsail's, which only certificates open: not every peer has a word for that.
    hosts = fleet.up(LAB, HOSTS + 1, say)[1:]
    for host in hosts:
        prepare(host)
    results = Results(
        rounds=1 if options.quick else options.rounds, endpoints=100 if options.quick else options.endpoints
    )
    with tempfile.TemporaryDirectory(prefix="jada-bench-") as scratch:
        for name, part in PARTS.items():
            if name.startswith(options.only):
                load = os.getloadavg()[0]
                say(f"{name} (load {load:.1f})")
                folder = Path(scratch, name.replace(" ", "-"))
                folder.mkdir()
                series = part(results, folder, hosts)
                results.parts[name] = Part(series, (load, os.getloadavg()[0]))
    if not options.keep:
        fleet.down(LAB, say)
    results.took = time.monotonic() - began
    show(results)
    if not options.only:
        write(results, options.out)


def changes(
    results: Results, folder: Path, hosts: Sequence[Machine], delay: float = 0, peers: bool = True
) -> dict[str, Series]:
    """The same change of some hosts by every tool, each from the same beginning; jada's way back too."""
    near = [Endpoint(host.name, host.address, 22, tuple(host.host_keys())) for host in hosts]
    script = on_stdin(f"NEW={NEW}\n" + (HERE / "change.sh").read_text())
    with far_away(near, delay) as targets:
        setting = Setting(folder / "setting", targets)

        def job(make: Callable[[], Tool]) -> Job:
            def once(series: Series | None) -> None:
                reset(hosts)
                measure(make(), series)
                require(hosts, NEW)

            return once

        def back(make: Callable[[], Tool]) -> Job:
            """Undoes the upgrade just before it."""

            def once(series: Series | None) -> None:
                measure(make(), series)
                require(hosts, OLD_MODEL)

            return once

        # The first is the floor.
        jobs: dict[str, Job] = {
            FLOOR: job(lambda: setting.openssh([script] * len(hosts))),
            ASYNCSSH: job(lambda: setting.asyncssh(script, "changed")),
            SCRIPTS: job(lambda: setting.openssh([own_scripts(host, upgrade) for host in hosts])),
            SCRIPTS_BACK: back(lambda: setting.openssh([own_scripts(host, rollback) for host in hosts])),
            UPGRADE: job(lambda: setting.jada("upgrade", "--to", NEW, "--yes")),
            ROLLBACK: back(lambda: setting.jada("rollback", "--yes")),
            WAVES: job(lambda: setting.jada("upgrade", "--to", NEW, "--yes", "--waves", "1,100%", "--no-bake")),
        }
        peer_jobs: dict[str, Job] = {
            STOCK: job(lambda: setting.pyinfra(NEW)),
            MITOGEN: job(lambda: setting.ansible(NEW, mitogen=True)),
            ANSIBLE: job(lambda: setting.ansible(NEW)),
        }
        # Only far away, where the promises are for: they take half as long as all the others together.
        slowest: dict[str, Job] = {
            MITOGEN_WHOLE: job(lambda: setting.ansible(NEW, "playbook-whole.yml", mitogen=True)),
            ANSIBLE_WHOLE: job(lambda: setting.ansible(NEW, "playbook-whole.yml")),
        }
        return in_turn(results.rounds, jobs | (peer_jobs if peers else {}) | (slowest if peers and delay else {}))


def own_scripts(host: Machine, decide: Callable[[State], Plan]) -> str:
    """All that jada runs on a host, in one exec: a look, the transaction decided on an earlier look, and a look."""
    look = look_script(SERVICE)
    decision = decide(read_look(SERVICE, machine.inside(host, look).stdout.splitlines()))
    if decision.transaction is None:
        sys.exit(f"nothing is to be done on {host.name}: {decision}")
    return on_stdin(f"(\n{look})\n(\n{decision.transaction.script()}) || exit\n(\n{look})\n")


def upgrade(state: State) -> Plan:
    return plan.upgrade(_request(), "agents", Tiers(NEW), state, SERVICE)


def rollback(state: State) -> Plan:
    return plan.rollback(_request(), "agents", "", state, SERVICE, state.release.change if state.release else "")


def _request() -> Request:
    now = datetime.now(UTC)
    return Request(new_id(now), "bench", "bench", now.isoformat(), NOFILE)


def reads(results: Results, folder: Path, hosts: Sequence[Machine], delay: float = 0) -> dict[str, Series]:
    """One look at every endpoint; the floor runs the very same script, and only sees whether it came to its end."""
    # Far away, a fifth of them: as many as are visited at once. With more, these few processors are busy all the time
    # with the hosts' side of it, and the distance is hidden.
    near = endpoints(hosts, results.endpoints // 5 if delay else results.endpoints)
    script = on_stdin(look_script(SERVICE))
    release(folder, hosts)
    with far_away(near, delay) as targets:
        setting = Setting(folder / "setting", targets)
        jobs: dict[str, Job] = {
            READ_FLOOR: lambda series: measure(setting.asyncssh(script, "end 2\nok", packed=True), series),
            "jada drift": lambda series: measure(setting.jada("drift"), series),
        }
        return in_turn(results.rounds, jobs)


def growth(results: Results, folder: Path, hosts: Sequence[Machine]) -> dict[str, Series]:
    """`jada drift` on more and more endpoints, to see whether twice as many take twice as long."""
    release(folder, hosts)
    jobs: dict[str, Job] = {}
    for count in (10, results.endpoints // 5, results.endpoints // 2):
        setting = Setting(folder / str(count), endpoints(hosts, count))
        jobs[str(count)] = lambda series, setting=setting: measure(setting.jada("drift"), series)  # type: ignore[misc]
    return in_turn(results.rounds, jobs)


def startup(results: Results, folder: Path, hosts: Sequence[Machine]) -> dict[str, Series]:
    """Measures the time to the first answer on the screen, against an empty click program."""

    def complete(words: str) -> Tool:
        env = {"_JADA_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        return Tool(f"complete `{words}`", (str(BIN / "jada"),), env=env)

    tools = {
        CLICK: Tool("click", (str(BIN / "python"), "-c", "import click")),
        "jada --help": Tool("help", (str(BIN / "jada"), "--help")),
        "complete `jada up`": complete("jada up"),
        "complete `jada upgrade --`": complete("jada upgrade --"),
    }
    return in_turn(3 * results.rounds, {name: lambda series, tool=tool: measure(tool, series)  # type: ignore[misc]
                                        for name, tool in tools.items()})  # fmt: skip


def discovery(results: Results, folder: Path, hosts: Sequence[Machine]) -> dict[str, Series]:
    """`jada hosts` over 16 regions that take 0.2 s each to answer, and one that takes a second; then without delays."""
    text = LAB.fleet_file.read_text().replace("[us-east-1, eu-west-1]", f"[{', '.join(REGIONS)}]")
    # Beside the lab's own, for its paths are relative to the file.
    (LAB.folder / "bench-fleet.yml").write_text(text)
    tool = Tool("jada hosts", (str(BIN / "jada"), "hosts"), env={"JADA_FLEET": str(LAB.folder / "bench-fleet.yml")})

    def with_faults(faults: Mapping[str, object]) -> Job:
        def once(series: Series | None) -> None:
            (LAB.folder / "faults.json").write_text(json.dumps({"DescribeInstances": faults}))
            try:
                measure(tool, series)
            finally:
                (LAB.folder / "faults.json").unlink()

        return once

    slow = {"*": {"delay": 0.2}, "ap-south-1": {"delay": 0.8}}
    return in_turn(results.rounds, {"no delay": with_faults({}), "0.2 s each, one 1 s": with_faults(slow)})


def inventory(results: Results, folder: Path, hosts: Sequence[Machine]) -> dict[str, Series]:
    """`jada hosts` on 10,000 instances in 16 regions, against boto3's paginators over the same ones."""
    argv = [sys.executable, "-m", "benchmarks.ec2", "10000", *REGIONS]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as endpoint:
        try:
            url = endpoint.stdout.readline().strip() if endpoint.stdout else ""
            profile = f"aws_access_key_id = a\naws_secret_access_key = b\nregion = us-east-1\nendpoint_url = {url}\n"
            (folder / "config").write_text(f"[profile bench]\n{profile}")
            (folder / "fleet.yml").write_text(
                "fleet: bench\naws: {profile: bench, config_file: config}\nroles: {agents: {}}\n"
                f"sources: [{{ec2: {{regions: [{', '.join(REGIONS)}], tags: {{jada: agent}}}}}}]\n"
            )
            env = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_PROFILE": "bench", "XDG_STATE_HOME": str(folder)}
            floor = Tool(PAGINATORS, (sys.executable, "-m", "benchmarks.paginators", *REGIONS), env=env)
            command = (str(BIN / "jada"), "hosts", "--fleet", str(folder / "fleet.yml"), "--json")
            tools = {PAGINATORS: floor, INVENTORY: Tool("jada hosts", command, env=env)}
            return in_turn(results.rounds, {name: lambda series, tool=tool: measure(tool, series)  # type: ignore[misc]
                                            for name, tool in tools.items()})  # fmt: skip
        finally:
            endpoint.terminate()


def arithmetic(results: Results, folder: Path, hosts: Sequence[Machine]) -> dict[str, Series]:
    """Plan and drift of 10,000 hosts, and a history of a million entries, each in a process of its own."""
    series: dict[str, Series] = {}
    for script, times in (("plans", results.rounds), ("history", 1)):
        for _ in range(times):
            argv = [sys.executable, "-m", f"benchmarks.{script}", str(folder)]
            process = subprocess.run(argv, capture_output=True, text=True, check=True)
            for name, (seconds, memory) in json.loads(process.stdout).items():
                runs = series.setdefault(name, Series())
                runs.seconds += seconds if isinstance(seconds, list) else [seconds]
                runs.memory.append(memory)
    return series


PARTS: dict[str, Callable[[Results, Path, Sequence[Machine]], dict[str, Series]]] = {
    "startup": startup,
    "arithmetic": arithmetic,
    "discovery": discovery,
    "inventory": inventory,
    "changes at 0 ms": changes,
    "changes at 80 ms": lambda results, folder, hosts: changes(results, folder, hosts, ONE_WAY),
    "changes of one host at 80 ms": lambda results, folder, hosts: changes(results, folder, hosts[:1], ONE_WAY, False),
    "reads at 0 ms": reads,
    # Next to it, for its last point is in there.
    "growth": growth,
    "reads at 80 ms": lambda results, folder, hosts: reads(results, folder, hosts, ONE_WAY),
}


def in_turn(rounds: int, jobs: Mapping[str, Job]) -> dict[str, Series]:
    """Does each job once a round, so that a busy minute hits all of them."""
    results = {name: Series() for name in jobs}
    for number in range(rounds):
        for name, job in jobs.items():
            job(results[name])
        figures = ", ".join(f"{name} {series.seconds[-1]:.2f}" for name, series in results.items())
        say(f"  {number + 1}/{rounds} (load {os.getloadavg()[0]:.1f}): {figures}")
    return results


def measure(tool: Tool, series: Series | None) -> None:
    """Runs a tool once. A run that fails ends the benchmark, for its time would mean nothing."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output:
        stdin.write(tool.stdin.encode())
        stdin.seek(0)
        began = time.monotonic()
        process = subprocess.Popen(
            tool.argv, stdin=stdin, stdout=output, stderr=output, env={**os.environ, **tool.env}, start_new_session=True
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")
            sys.exit(f"{tool.name} ended with {process.returncode}:\n{text[-4000:]}")
    if series is not None:
        series.seconds.append(took)
        series.memory.append(usage.ru_maxrss / 1024)


def prepare(host: Machine) -> None:
    """Fifty addresses, and an sshd that lets fifty log in at once."""
    if not run("ip", "-n", host.namespace, "addr", "show", "to", address(host, 1)):
        machine.add_addresses(host, ADDRESSES)
    machine.inside(host, "cat >/etc/ssh/sshd_config.d/bench.conf && systemctl reload ssh", stdin=SSHD)


def reset(hosts: Sequence[Machine]) -> None:
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(lambda host: machine.inside(host, RESET), hosts))


def require(hosts: Sequence[Machine], model: str) -> None:
    """Ends the benchmark unless every host's agent answers, without ssh, that it runs the model."""
    for host in hosts:
        if machine.healthz(host).get("model") != model:
            sys.exit(f"{host.name} does not run {model} after a tool said that it was done")


def release(folder: Path, hosts: Sequence[Machine]) -> None:
    """Brings the hosts on a release, so that there is something to check and nothing has drifted."""
    reset(hosts)
    near = [Endpoint(host.name, host.address, 22, tuple(host.host_keys())) for host in hosts]
    measure(Setting(folder / "release", near).jada("upgrade", "--to", NEW, "--restart", "--yes"), None)


def endpoints(hosts: Sequence[Machine], count: int) -> list[Endpoint]:
    """`count` addresses, spread evenly over the hosts."""
    keys = {host.name: tuple(host.host_keys()) for host in hosts}
    spread = [(host, last) for last in range(1, ADDRESSES + 1) for host in hosts]
    return [Endpoint(f"{host.name}-{last}", address(host, last), 22, keys[host.name]) for host, last in spread[:count]]


def address(host: Machine, last: int) -> str:
    return f"{host.network}.{100 + host.number}.{last}"


@contextmanager
def far_away(near: Sequence[Endpoint], one_way: float) -> Iterator[Sequence[Endpoint]]:
    """The same endpoints behind proxies that hold everything back for `one_way` seconds; 0: as they are."""
    if not one_way:
        yield near
        return
    far = [replace(endpoint, address=f"127.{endpoint.address.partition('.')[2]}", port=PROXY_PORT) for endpoint in near]
    job = [(endpoint.address, endpoint.port, real.address, real.port) for endpoint, real in zip(far, near, strict=True)]
    argv = [sys.executable, str(HERE / "delay.py"), str(one_way)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
        if proxy.stdin is None or proxy.stdout is None:
            raise AssertionError
        proxy.stdin.write(json.dumps(job))
        proxy.stdin.close()
        try:
            if proxy.stdout.readline() != "ready\n":
                sys.exit("the delaying proxy did not start")
            yield far
        finally:
            proxy.terminate()


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
