"""jada for Python: `from jada import Fleet`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from jada import Host
from jada.cli.api.process import Answer, run
from jada.cli.api.results import DriftReport, HostStatus, Plan, Rollout, host


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet, by the `path` of its fleet.yml; without one, it is that which the `jada` command finds.

    Each method runs the command of its name in a process of its own, with its checks, locks and record, and gives what
    that reports. Trouble with one host is in the result of that host; where there is no result at all, as with a wrong
    fleet.yml, JadaError is raised (ConfigError for what somebody wrote). `role` and `limit` choose hosts as --role and
    --limit do. What the command tells meanwhile goes to the logger `jada` of Python's logging.

    Of the calling process nothing is patched, so that notebooks, event loops and threads are as before. Ctrl-C is for
    the command: it begins no other host and ends what it has begun, and then KeyboardInterrupt is raised. A call waits
    for its end; in an event loop, `await asyncio.to_thread(fleet.status)` does not keep others waiting.

    >>> from jada import Fleet
    >>> fleet = Fleet()
    """

    path: str | os.PathLike[str] | None = None

    def hosts(self, *, role: str | None = None, limit: str | None = None) -> tuple[Host, ...]:
        """Finds the hosts, and connects to none.

        >>> [host.name for host in fleet.hosts(role="orchestrator")]
        ['orchestrator-1']
        """
        report = self._run("hosts", *_chosen(role, limit)).report
        return tuple(map(host, report["hosts"]))

    def status(self, *, role: str | None = None, limit: str | None = None) -> tuple[HostStatus, ...]:
        """Looks at each host once: what it really runs.

        >>> {host.host: host.model_running for host in fleet.status(limit="*-1")}
        {'orchestrator-1': 'claude-opus-4-8', 'specialist-1': 'claude-opus-4-8'}
        """
        report = self._run("status", *_chosen(role, limit)).report
        return tuple(map(HostStatus.of, report["hosts"]))

    def drift(self, *, role: str | None = None, limit: str | None = None) -> DriftReport:
        """Checks that what runs is what was asked for, keeps the history, and tells whom fleet.yml names.

        >>> report = fleet.drift()
        >>> report.exit.name, {host.status for host in report}
        ('DRIFT', {'drifted'})
        >>> report.hosts[0].findings[0].name
        'no-release'
        """
        answer = self._run("drift", *_chosen(role, limit))
        return DriftReport.of(answer.report, answer.code)

    def plan(
        self,
        to: str | Mapping[str, str] | None = None,
        *,
        role: str | None = None,
        limit: str | None = None,
        reason: str = "",
        restart: bool = False,
        force: bool = False,
        allow_unlisted: bool = False,
    ) -> Plan:
        """Shows what an upgrade would do: to a model, to one for each of several roles, or by default to what fleet.yml
        asks for.

        >>> plan = fleet.plan(to="sonnet-4.6", reason="the new one")
        >>> [(host.host, host.model_before, host.model_desired) for host in plan if host.role == "orchestrator"]
        [('orchestrator-1', 'claude-opus-4-8', 'claude-sonnet-4.6')]
        """
        models = [f"{name}={model}" for name, model in to.items()] if isinstance(to, Mapping) else [to]
        # Of no roles at all jada takes an empty wish, which it refuses.
        wishes = [f"--to={model}" for model in models or [""] if model is not None]
        switches = (("--restart", restart), ("--force", force), ("--allow-unlisted", allow_unlisted))
        flags = [flag for flag, is_on in switches if is_on]
        with TemporaryDirectory(prefix="jada-") as folder:
            file = Path(folder, "plan")
            answer = self._run("plan", *wishes, *flags, f"--reason={reason}", f"--output={file}", *_chosen(role, limit))
            saved = file.read_text(encoding="utf-8") if file.exists() else ""
        return Plan(rollout=Rollout.of(answer.report, answer.code), saved=saved)

    def apply(
        self,
        plan: Plan | None = None,
        *,
        role: str | None = None,
        limit: str | None = None,
        reason: str = "",
        force: bool = False,
    ) -> Rollout:
        """Carries out a plan and nothing else, or without one brings the hosts to what fleet.yml asks for.

        A host that has changed since the plan was made is refused. Nobody is asked: to agree is up to who calls this.

        >>> rollout = fleet.apply(plan)
        >>> rollout.exit.name, {host.outcome.value for host in rollout}
        ('OK', {'verified'})
        """
        options = ["--yes", f"--reason={reason}", *(["--force"] if force else []), *_chosen(role, limit)]
        with TemporaryDirectory(prefix="jada-") as folder:
            file = Path(folder, "plan")
            if plan is not None:
                file.touch(mode=0o600)
                file.write_text(plan.saved, encoding="utf-8")
                options.append(str(file))
            answer = self._run("apply", *options)
        return Rollout.of(answer.report, answer.code)

    def rollback(
        self, *, to: str | None = None, role: str | None = None, limit: str | None = None, reason: str = ""
    ) -> Rollout:
        """Undoes the last change, byte for byte, or goes back to a release or to the last one with a model.

        >>> fleet.rollback(reason="it answers too slowly").exit.name
        'OK'
        """
        wish = [] if to is None else [f"--to={to}"]
        answer = self._run("rollback", "--yes", *wish, f"--reason={reason}", *_chosen(role, limit))
        return Rollout.of(answer.report, answer.code)

    def _run(self, command: str, *options: str) -> Answer:
        fleet = [] if self.path is None else [f"--fleet={os.fspath(self.path)}"]
        return run([command, "--json", *fleet, *options])


def _chosen(role: str | None, limit: str | None) -> list[str]:
    """The options that choose hosts. An empty one is passed on, for jada refuses it: a variable may not be set."""
    return [f"--{name}={value}" for name, value in (("role", role), ("limit", limit)) if value is not None]
