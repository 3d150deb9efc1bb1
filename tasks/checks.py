"""The checks: does what a host runs equal what was asked for? Pure: a State goes in, findings come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from jada.tasks import effective
from jada.tasks.codes import CODES, ERROR, NOTE
from jada.tasks.release import Wanted
from jada.tasks.state import File, State

# A file written in the same instant as the process started is no news to it: ticks are 10 ms, the look samples twice.
SAME_INSTANT = 0.05
# A service that systemd started again less than a minute ago is not settled (Restart= with the usual RestartSec=).
JUST_RESTARTED = 60.0
LIMITS = "/etc/security/limits.d/50-jada.conf"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was asked for. `mend` is what an operator does about it; HOST in it is the host."""

    code: str
    expected: str
    seen: str
    mend: str

    @classmethod
    def of(cls, code: str, expected: str, seen: str, mend: str = "") -> Finding:
        """The finding with what the catalogue says mends it, unless `mend` says it better."""
        return cls(code, expected, seen, mend or CODES[code].mend)

    def mend_on(self, host: str) -> str:
        return self.mend.replace("HOST", host)

    @property
    def name(self) -> str:
        return CODES[self.code].name

    @property
    def severity(self) -> str:
        return CODES[self.code].severity

    @property
    def is_drift(self) -> bool:
        """Whether it makes the host one that drifted; a note does not."""
        return self.severity != NOTE

    @property
    def is_error(self) -> bool:
        """Whether the service itself does not run what was released."""
        return self.severity == ERROR


def findings(state: State, wanted: Wanted) -> tuple[Finding, ...]:
    """Everything in which the host differs from `wanted`, the gravest first."""
    return tuple(
        finding
        for check in (_interrupted, _service, _settings, _model, _shadow, _running, _limit, _files, _reload)
        for finding in check(state, wanted)
    )


def drift(state: State) -> tuple[Finding, ...]:
    """The findings against the host's current release; a host without one has drifted, for nobody released to it."""
    if state.release is not None:
        return findings(state, state.release.wanted)
    unreleased = Finding.of("J401", "a release made by jada", "none on this host")
    return (unreleased, *_interrupted(state, Wanted("", 0)), *_service(state, Wanted("", 0)))


def running_model(state: State) -> str:
    """The model the process really runs, as far as can be known; "" when it can't."""
    if state.process is None:
        return ""
    if state.health_model:
        return state.health_model
    first = next(iter(effective.chain(state)), None)
    return first.model if first and _started_after_change(state) else ""


def _interrupted(state: State, _: Wanted) -> Iterator[Finding]:
    if state.interrupted and not state.lock:
        yield Finding.of("J402", "no unfinished change", f"release {state.interrupted} was cut off half-way")


def _service(state: State, _: Wanted) -> Iterator[Finding]:
    unit = state.unit
    if not unit.loaded:
        yield Finding.of("J201", f"{unit.name} installed", "unknown to systemd")
    elif unit.active != "active":
        mend = CODES["J202"].mend.replace("UNIT", unit.name)
        yield Finding.of("J202", "active", f"{unit.active} ({unit.sub}, {unit.result})", mend)
    elif unit.restarts and state.process and state.now - state.process.started < JUST_RESTARTED:
        mend = CODES["J203"].mend.replace("UNIT", unit.name)
        yield Finding.of("J203", "settled", f"restarted {unit.restarts} times by systemd", mend)


def _settings(state: State, _: Wanted) -> Iterator[Finding]:
    if error := state.settings.error:
        seen = f"{state.settings.path}: {error}; the Claude CLI then ignores the whole file"
        yield Finding.of("J101", "a JSON object", seen)


def _model(state: State, wanted: Wanted) -> Iterator[Finding]:
    if wanted.model and not state.settings.error and state.settings.model != wanted.model:
        seen = state.settings.model or "no model"
        yield Finding.of("J102", wanted.model, f"{seen} in {state.settings.path}")


def _shadow(state: State, wanted: Wanted) -> Iterator[Finding]:
    origin = effective.shadow(state)
    if wanted.model and origin and origin.model != wanted.model:
        yield Finding.of("J103", wanted.model, f"{origin.model} from {origin.where}")
    moved = state.process.env.get("CLAUDE_CONFIG_DIR", "") if state.process else ""
    if moved and PurePosixPath(moved) != PurePosixPath(state.settings.path).parent:
        yield Finding.of(
            "J104",
            f"settings read from {state.settings.path}",
            f"CLAUDE_CONFIG_DIR={moved} in the process's environment",
        )


def _running(state: State, wanted: Wanted) -> Iterator[Finding]:
    if state.process is None or not wanted.model:
        return
    if state.health_asked and state.health_model != wanted.model:
        seen = state.health_model or state.health_error or "an answer without a model"
        yield Finding.of("J105", wanted.model, f"{seen} (health check)")
    elif not _started_after_change(state):
        yield Finding.of(
            "J106",
            "a process started after the settings changed",
            f"process {state.process.pid} is older than {state.settings.path}",
        )


def _started_after_change(state: State) -> bool:
    """Whether the process read the model that is on disk now.

    The CLI rewrites the file at times without changing the model, so a process that was started by or after the
    current release, whose model is still there, is as good as one that is younger than the file.
    """
    if state.process is None:
        return False
    if state.process.started + SAME_INSTANT >= state.settings.mtime:
        return True
    if state.release is None or len(state.result) != 4 or state.settings.model != state.release.wanted.model:
        return False
    _, _, ticks, boot = state.result
    return boot != state.boot or state.process.ticks >= int(ticks)


def _limit(state: State, wanted: Wanted) -> Iterator[Finding]:
    if wanted.nofile and state.process and state.process.soft != wanted.nofile:
        seen = f"{state.process.soft} in /proc/{state.process.pid}/limits"
        yield Finding.of("J301", f"{wanted.nofile} open files", seen)


def _files(state: State, wanted: Wanted) -> Iterator[Finding]:
    if state.release is None or state.release.wanted != wanted:
        return
    ours = {"dropin": f"/etc/systemd/system/{state.unit.name}.d/50-jada.conf", "limits": LIMITS}
    for (name, path), seen in zip(ours.items(), (state.dropin, state.limits), strict=True):
        expected = state.after.get(name)
        if expected is not None and expected != seen:
            yield Finding.of("J204", f"{path}: {_tell(expected)}", _tell(seen))
    settings = state.after.get("settings")
    if settings and (settings.owner, settings.mode) != (state.settings.file.owner, state.settings.file.mode):
        yield Finding.of(
            "J107",
            f"owner {settings.owner}, mode {settings.mode}",
            f"owner {state.settings.file.owner or 'none'}, mode {state.settings.file.mode or 'none'}",
            f"on HOST: chown {settings.owner} {state.settings.path}; chmod {settings.mode} {state.settings.path}",
        )


def _reload(state: State, _: Wanted) -> Iterator[Finding]:
    ours = f"/etc/systemd/system/{state.unit.name}.d/50-jada.conf"
    # systemd 252 does not notice a drop-in whose folder is new to it: what it has loaded is in DropInPaths.
    if state.unit.needs_reload or (state.dropin.sha256 == "absent") == (ours in state.unit.dropins):
        yield Finding.of("J205", f"the files of {state.unit.name} loaded", "changed on disk since systemd read them")


def _tell(file: File) -> str:
    return "no file" if file.sha256 == "absent" else f"sha256 {file.sha256[:12]}…, owner {file.owner}, mode {file.mode}"
