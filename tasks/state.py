"""What one look at a host saw, as plain values, and how to read it from the look's output. Pure."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jada.tasks.release import Release
from jada.tasks.settings import SettingsError, parse

ENV_NAMES = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_MODEL", "CLAUDE_CONFIG_DIR")


@dataclass(frozen=True, slots=True)
class File:
    """One file jada writes. `owner` is "uid:gid", `mode` octal like "600"; all empty when it does not exist."""

    owner: str = ""
    mode: str = ""
    sha256: str = "absent"


@dataclass(frozen=True, slots=True)
class Settings:
    """A settings file, masked (see files/mask.awk). `real` is where symlinks lead; `mtime` Unix seconds."""

    path: str
    real: str = ""
    file: File = field(default_factory=File)
    mtime: float = 0.0
    text: str | None = None
    grep: str = ""

    @property
    def exists(self) -> bool:
        return self.file.sha256 != "absent"

    @property
    def values(self) -> Mapping[str, object]:
        """The parsed file, {} when there is none. Raises SettingsError."""
        return parse(self.text) if self.text is not None else {}

    @property
    def error(self) -> str:
        """Why the file can't be used, or ""."""
        try:
            parse(self.text if self.text is not None else "{}")
        except SettingsError as error:
            return str(error)
        return ""

    @property
    def model(self) -> str:
        """The model on disk, "" when none is set or the file can't be read as settings."""
        try:
            model = self.values.get("model")
        except SettingsError:
            return ""
        return model if isinstance(model, str) else ""


@dataclass(frozen=True, slots=True)
class Unit:
    """The service as systemd sees it (`systemctl show`)."""

    name: str
    loaded: bool
    active: str
    sub: str
    result: str
    main_pid: int
    restarts: int
    working_directory: str
    needs_reload: bool
    dropins: tuple[str, ...]
    status: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """The service's main process. `started` is Unix seconds, `ticks` its birth on the kernel's own clock."""

    pid: int
    started: float
    ticks: int
    soft: int
    hard: int
    env: Mapping[str, str] = field(default_factory=dict)
    argv_model: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What bounds the file descriptor limit on this host."""

    nr_open: int
    can_raise: bool
    hard_pid1: int
    hard_login: int

    @property
    def service(self) -> int:
        """The most a service can get: PID 1 may go up to fs.nr_open, without CAP_SYS_RESOURCE up to its own limit."""
        return self.nr_open if self.can_raise else min(self.nr_open, self.hard_pid1)

    @property
    def login(self) -> int:
        """The most that pam_limits can set without locking users out: a value it can't set refuses the login."""
        return self.nr_open if self.can_raise else min(self.nr_open, self.hard_login)

    def why(self, asked: int) -> str:
        """Why `asked` is more than a service can get here; "" when it is not."""
        if asked <= self.service:
            return ""
        if self.can_raise or self.nr_open <= self.hard_pid1:
            return f"the kernel's fs.nr_open is {self.nr_open}"
        return f"systemd's own hard limit is {self.hard_pid1} here, and it may not raise it (no CAP_SYS_RESOURCE)"


@dataclass(frozen=True, slots=True)
class Past:
    """One entry of the history a host keeps itself. `error` is "" when the release was completed."""

    release: Release
    error: str


@dataclass(frozen=True, slots=True)
class State:
    """All that one look at a host saw; `history` only where it was asked for, oldest first.

    `lock` says whose transaction is running there just now, `held` who has locked the host with `jada lock`, and
    `interrupted` is the release of a transaction that has not finished; each is "" when there is none.
    """

    user: str
    unit: Unit
    settings: Settings
    layers: tuple[Settings, ...]
    dropin: File
    limits: File
    capacity: Capacity
    process: Process | None
    health_model: str
    health_error: str
    health_asked: bool
    release: Release | None
    previous: Release | None
    after: Mapping[str, File]
    result: tuple[str, ...]
    history: tuple[Past, ...]
    interrupted: str
    held: str
    lock: str
    free_kib: Mapping[str, int]
    boot: str
    now: float


class LookError(ValueError):
    """The look's output is not whole."""


def read(unit: str, lines: Iterable[str], health_asked: bool) -> State:
    """The State that files/look.sh printed. Raises LookError when it is not whole."""
    try:
        seen = _fields(lines)
        if seen.get("end") != "ok":
            raise LookError("the look at the host was cut off")
        return _state(unit, seen, health_asked)
    except (KeyError, OSError, EOFError) as error:
        raise LookError(f"the look at the host can't be read ({type(error).__name__}: {error})") from None


def _state(unit: str, seen: Mapping[str, str], health_asked: bool) -> State:
    return State(
        user=seen["user"],
        unit=_unit(unit, seen),
        settings=_settings(seen, "settings"),
        layers=tuple(_settings(seen, name) for name in _layer_names(seen)),
        dropin=_file(seen, "dropin"),
        limits=_file(seen, "limits"),
        capacity=Capacity(
            nr_open=int(seen["nr_open"]),
            can_raise=seen["can_raise"] == "1",
            hard_pid1=_limit(seen["hard_pid1"]),
            hard_login=_limit(seen["hard_login"]),
        ),
        process=_process(seen),
        health_model=_health_model(seen),
        health_error=seen.get("health.error", "").strip(),
        health_asked=health_asked,
        release=Release.from_json(seen["release.manifest.json"]) if "release.manifest.json" in seen else None,
        previous=Release.from_json(seen["release.previous"]) if "release.previous" in seen else None,
        after={name: _after(rest) for name, *rest in map(str.split, seen.get("release.after", "").splitlines())},
        result=tuple(seen.get("release.result", "").split()),
        history=_history(seen),
        interrupted=seen.get("transaction", ""),
        held=seen.get("held", "").strip(),
        lock=seen.get("lock", ""),
        free_kib={name: int(seen.get(f"free.{name}") or 0) for name in ("settings", "state", "etc")},
        boot=seen["boot"],
        now=float(seen["now"]),
    )


def _fields(lines: Iterable[str]) -> dict[str, str]:
    fields = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals:
            continue
        if name.endswith(":"):
            raw = base64.b64decode(value)
            masked = name.endswith(".masked:")
            fields[name[:-1]] = gzip.decompress(raw).decode("latin-1") if masked else raw.decode(errors="replace")
        else:
            fields[name] = value
    return fields


def _history(seen: Mapping[str, str]) -> tuple[Past, ...]:
    numbers = sorted(int(key[7:-9]) for key in seen if key.startswith("history") and key.endswith(".manifest"))
    return tuple(
        Past(
            Release.from_json(seen[f"history{number}.manifest"]),
            _error(seen.get(f"history{number}.result", "")),
        )
        for number in numbers
    )


def _error(result: str) -> str:
    word, _, rest = result.strip().partition(" ")
    return "" if word == "done" else rest or "cut off"


def _unit(name: str, seen: Mapping[str, str]) -> Unit:
    return Unit(
        name=name,
        loaded=seen.get("unit.LoadState") == "loaded",
        active=seen.get("unit.ActiveState", ""),
        sub=seen.get("unit.SubState", ""),
        result=seen.get("unit.Result", ""),
        main_pid=int(seen.get("unit.MainPID") or 0),
        restarts=int(seen.get("unit.NRestarts") or 0),
        working_directory=seen.get("unit.WorkingDirectory", ""),
        needs_reload=seen.get("unit.NeedDaemonReload") == "yes",
        dropins=tuple(seen.get("unit.DropInPaths", "").split()),
        status=seen.get("status", "").rstrip(),
    )


def _file(seen: Mapping[str, str], name: str) -> File:
    return File(
        seen.get(f"{name}.owner", ""),
        seen.get(f"{name}.mode", ""),
        seen.get(f"{name}.sha256", "absent"),
    )


def _after(rest: list[str]) -> File:
    sha256, owner, mode = (*rest, "", "")[:3]
    return File(owner, mode, sha256)


def _layer_names(seen: Mapping[str, str]) -> list[str]:
    numbers = sorted(int(key[5:-5]) for key in seen if key.startswith("layer") and key.endswith(".path"))
    return [f"layer{number}" for number in numbers]


def _settings(seen: Mapping[str, str], name: str) -> Settings:
    text = seen.get(f"{name}.masked")
    return Settings(
        path=seen[f"{name}.path"],
        real=seen.get(f"{name}.real", ""),
        file=_file(seen, name),
        mtime=float(seen.get(f"{name}.mtime") or 0),
        # awk ends its output with a quote of its own.
        text=None if text is None else text[: int(seen[f"{name}.size"])],
        grep="\n".join(line.strip()[:200] for line in seen.get(f"{name}.grep", "").splitlines()),
    )


def _process(seen: Mapping[str, str]) -> Process | None:
    if "process.ticks" not in seen or not seen["process.ticks"]:
        return None
    ticks = int(seen["process.ticks"])
    age = float(seen["uptime"]) - ticks / int(seen["process.hz"])
    return Process(
        pid=int(seen["unit.MainPID"]),
        started=float(seen["now"]) - age,
        ticks=ticks,
        soft=_limit(seen.get("process.soft", "0")),
        hard=_limit(seen.get("process.hard", "0")),
        env={name: seen[f"env.{name}"] for name in ENV_NAMES if f"env.{name}" in seen},
        argv_model=seen.get("argv.model", ""),
    )


def _limit(text: str) -> int:
    # RLIM_INFINITY; NOFILE can't really be unlimited, but the file format allows the word.
    return 2**63 - 1 if text == "unlimited" else int(text or 0)


def _health_model(seen: Mapping[str, str]) -> str:
    if "health.masked" not in seen:
        return ""
    try:
        answer = json.loads(seen["health.masked"][: int(seen["health.size"])])
    except json.JSONDecodeError:
        return ""
    model = answer.get("model") if isinstance(answer, dict) else None
    return model if isinstance(model, str) else ""
