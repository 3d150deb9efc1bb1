"""What one look at a host saw, as plain values, and how to read it from the look's output. Pure."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from jada.tasks.release import Release
from jada.tasks.settings import SettingsError, parse

# The folder of the settings an administrator sets for everybody.
MANAGED = "/etc/claude-code"
# The path by which settings given on the command line itself are known.
INLINE = "(on the command line)"

# Clock ticks a second in /proc, whatever the kernel itself counts in (include/asm-generic/param.h).
USER_HZ = 100

# What the Claude CLI takes for a value of the wrong type: then it drops the file as a whole.
_TYPES = {"env": (dict, "an object"), "agent": (str, "a string"), "permissions": (dict, "an object")}


@dataclass(frozen=True, slots=True)
class File:
    """One file jada writes. `owner` is "uid:gid", `mode` octal like "600"; all empty when it does not exist."""

    owner: str = ""
    mode: str = ""
    sha256: str = "absent"


@dataclass(frozen=True, slots=True)
class Settings:
    """A settings file, masked (see files/mask.awk). `real` is where symlinks lead.

    `changed` is the file's ctime in Unix seconds: an mtime can be set back, as by `cp -a`.
    """

    path: str
    real: str = ""
    file: File = field(default_factory=File)
    changed: float = 0.0
    text: str | None = None

    @property
    def values(self) -> Mapping[str, object]:
        """The parsed file, {} when there is none. Raises SettingsError."""
        return parse(self.text) if self.text is not None else {}

    @property
    def error(self) -> str:
        """Why the file can't be used, or ""."""
        return "" if self.text is None else _judged(self.text, self.path.startswith(f"{MANAGED}/"))[1]

    @property
    def grep(self) -> list[str]:
        """What `grep -n '"model"'` says on the masked text, which has the lines of the real file."""
        lines = enumerate((self.text or "").split("\n"), 1)
        return [f"{number}:{line.strip()}"[:200] for number, line in lines if '"model"' in line]

    @property
    def model(self) -> str:
        """The model on disk, "" when none is set or the file can't be read as settings."""
        model = self.read().get("model")
        return model if isinstance(model, str) else ""

    def read(self) -> Mapping[str, object]:
        """The values the Claude CLI takes from the file: none when something in it is wrong, for it drops it whole."""
        return {} if self.text is None else _judged(self.text, self.path.startswith(f"{MANAGED}/"))[0]


@dataclass(frozen=True, slots=True)
class Launch:
    """What a process is started with, as far as it decides the model.

    `where` says where each variable of `env` is set; `argv` holds the options model, settings, agent and
    setting-sources that are on the command line; `cwd` is the folder it works in.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    argv: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"


@dataclass(frozen=True, slots=True)
class Agent:
    """A file of agents/ and what its frontmatter says; `model` is "" when it names none."""

    path: str
    name: str
    model: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A line of one of the unit's files, in the order systemd reads them: LimitNOFILE or a variable of Environment."""

    path: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A process of the Claude CLI that is not the service's. `tty` is "" when it has none; `model` its --model."""

    pid: int
    started: float
    ticks: int
    tty: str
    user: str
    model: str


@dataclass(frozen=True, slots=True)
class Login:
    """What a fresh login of the service's user gets. `error` says why nothing could be measured, or is ""."""

    nofile: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said when it was asked which model it uses: by a URL (`health`) or a command (`probe`)."""

    asked: bool = False
    model: str = ""
    error: str = ""


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
    needs_reload: bool
    dropins: tuple[str, ...]
    status: str = ""
    sets: tuple[Setting, ...] = ()
    nofile: int = 0


@dataclass(frozen=True, slots=True)
class Process:
    """The service's main process. `started` is Unix seconds, `ticks` its birth on the kernel's own clock."""

    pid: int
    started: float
    ticks: int
    soft: int
    hard: int
    launch: Launch = field(default_factory=Launch)


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

    `layers` are the settings files other than the service's own, of which only some count for any one process, and
    `managed_changed` when a file was last put into or taken out of the folder of managed ones. `fresh` is how systemd
    would start the service now. `denied` says that the service's user may not read the settings.

    `lock` says whose transaction is running there just now, `held` who has locked the host with `jada lock`, and
    `interrupted` is the release of a transaction that has not finished; each is "" when there is none.
    """

    user: str
    home: str
    unit: Unit
    settings: Settings
    layers: tuple[Settings, ...]
    managed_changed: float
    denied: bool
    agents: tuple[Agent, ...]
    dropin: File
    limits: File
    capacity: Capacity
    fresh: Launch
    process: Process | None
    login: Login
    sessions: tuple[OpenSession, ...]
    health: Answer
    probe: Answer
    release: Release | None
    previous: Release | None
    after: Mapping[str, File]
    result: tuple[str, ...]
    history: tuple[Past, ...]
    interrupted: str
    held: str
    lock: str
    boot: str
    now: float

    @property
    def told(self) -> str:
        """The model that the service itself says it uses, "" when it was not asked or did not say."""
        return self.health.model or self.probe.model


class LookError(ValueError):
    """The look's output is not whole."""


def read(unit: str, output: Iterable[str], health_asked: bool, probe_asked: bool = False) -> State:
    """The State that files/look.sh printed. Raises LookError when it is not whole."""
    try:
        seen = _fields(_unpacked(output))
        if seen.get("end") != "ok":
            raise LookError("the look at the host was cut off")
        return _state(unit, seen, health_asked, probe_asked)
    except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
        raise LookError(f"the look at the host can't be read ({type(error).__name__}: {error})") from None


def _state(name: str, seen: Mapping[str, str], health_asked: bool, probe_asked: bool) -> State:
    unit = _unit(name, seen)
    process = _process(seen)
    return State(
        user=seen["user"],
        home=seen["home"],
        unit=unit,
        settings=_settings(seen, "settings"),
        layers=tuple(
            _settings(seen, layer)
            for layer in (*_numbered(seen, "layer", ".path"), "inline")
            if f"{layer}.path" in seen
        ),
        managed_changed=float(seen.get("managed.changed") or 0),
        denied=seen.get("settings.denied") == "yes",
        agents=tuple(Agent(*row) for row in sorted(set(_table(seen.get("agents", ""))))),
        dropin=_file(seen, "dropin"),
        limits=_file(seen, "limits"),
        capacity=Capacity(
            nr_open=int(seen["nr_open"]),
            can_raise=seen["can_raise"] == "1",
            hard_pid1=_limit(seen["hard_pid1"]),
            hard_login=_limit(seen["hard_login"]),
        ),
        fresh=_fresh(unit, process, seen),
        process=process,
        login=_login(seen),
        sessions=tuple(_open_session(seen, seen[key]) for key in _numbered(seen, "session")),
        health=_answer(seen, "health", health_asked),
        probe=_answer(seen, "probe", probe_asked),
        release=Release.from_json(seen["release.manifest.json"]) if "release.manifest.json" in seen else None,
        previous=Release.from_json(seen["release.previous"]) if "release.previous" in seen else None,
        after={name: _after(rest) for name, *rest in map(str.split, seen.get("release.after", "").splitlines())},
        result=tuple(seen.get("release.result", "").split()),
        history=_history(seen),
        interrupted=seen.get("transaction", ""),
        held=seen.get("held", "").strip(),
        lock=seen.get("lock", ""),
        boot=seen["boot"],
        now=float(seen["now"]),
    )


def _unpacked(output: Iterable[str]) -> list[bytes]:
    """The lines of a look, of which base64 of gzip is what crosses the link."""
    return gzip.decompress(base64.b64decode("".join(output))).split(b"\n")


def _fields(lines: Iterable[bytes]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.partition(b"=")
        if not equals:
            continue
        key = name.decode().removesuffix("+")
        # An offset in a masked text is a count of bytes.
        text = value.decode("latin-1") if key.endswith(".masked") else value.decode(errors="replace")
        more = name.endswith(b"+") and key in fields
        fields[key] = f"{fields[key]}\n{text}" if more else text
    return fields


def _history(seen: Mapping[str, str]) -> tuple[Past, ...]:
    return tuple(
        Past(Release.from_json(seen[f"{key}.manifest"]), _error(seen.get(f"{key}.result", "")))
        for key in _numbered(seen, "history", ".manifest")
    )


def _numbered(seen: Mapping[str, str], prefix: str, suffix: str = "") -> list[str]:
    """The keys such as layer1, layer2, … in their order, without the suffix that marks each."""
    found = (key.removeprefix(prefix) for key in seen if key.startswith(prefix) and key.endswith(suffix))
    numbers = (text.removesuffix(suffix) for text in found)
    return [f"{prefix}{number}" for number in sorted(int(text) for text in numbers if text.isdecimal())]


def _table(text: str) -> list[tuple[str, str, str]]:
    rows = (line.split("\t") for line in text.splitlines())
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3]


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
        needs_reload=seen.get("unit.NeedDaemonReload") == "yes",
        dropins=tuple(seen.get("unit.DropInPaths", "").split()),
        status=seen.get("status", "").rstrip(),
        sets=tuple(Setting(*row) for row in _table(seen.get("unit.sets", ""))),
        nofile=_limit(seen.get("unit.LimitNOFILESoft", "0")),
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


def _settings(seen: Mapping[str, str], name: str) -> Settings:
    size = seen.get(f"{name}.size")
    return Settings(
        path=seen[f"{name}.path"],
        real=seen.get(f"{name}.real", ""),
        file=_file(seen, name),
        changed=float(seen.get(f"{name}.changed") or 0),
        # awk ends its output with a quote of its own.
        text=None if size is None else seen[f"{name}.masked"][: int(size)] if int(size) else "",
    )


def _process(seen: Mapping[str, str]) -> Process | None:
    if "process.ticks" not in seen or not seen["process.ticks"]:
        return None
    ticks, pid = int(seen["process.ticks"]), int(seen["unit.MainPID"])
    env = _with_prefix(seen, "running.env.")
    return Process(
        pid=pid,
        started=_born(seen, ticks),
        ticks=ticks,
        soft=_limit(seen.get("process.soft", "0")),
        hard=_limit(seen.get("process.hard", "0")),
        launch=Launch(
            env,
            dict.fromkeys(env, f"the environment of process {pid}"),
            _with_prefix(seen, "running.argv."),
            seen.get("running.cwd") or "/",
        ),
    )


def _born(seen: Mapping[str, str], ticks: int) -> float:
    return float(seen["now"]) - (float(seen["uptime"]) - ticks / USER_HZ)


def _fresh(unit: Unit, process: Process | None, seen: Mapping[str, str]) -> Launch:
    env, where = {}, {}
    for place, name, value in _table(seen.get("fresh.env", "")):
        env[name] = value
        where[name] = place
        if place == "Environment=":
            files = [one.path for one in unit.sets if (one.name, one.value) == (name, value)]
            where[name] = f"Environment= of {files[-1] if files else unit.name}"
    for entry in seen.get("fresh.unset", "").split():
        name, equals, value = entry.partition("=")
        if not equals or env.get(name) == value:
            env.pop(name, None)
    argv = _with_prefix(seen, "fresh.argv.")
    running = process.launch.argv if process else {}
    # A variable on the unit's command line, and settings in quotes, can be read only from what it became.
    known = {name: value for name, value in argv.items() if "$" not in value}
    for name in argv.keys() | ({"settings"} if running.get("settings") == INLINE else set()):
        if name not in known and name in running:
            known[name] = running[name]
    return Launch(env, where, known, seen.get("fresh.cwd") or "/")


def _with_prefix(seen: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in seen.items() if name.startswith(prefix)}


def _login(seen: Mapping[str, str]) -> Login:
    if "login.nofile" not in seen:
        return Login(error=seen.get("login.error") or "it gave no answer")
    return Login(_limit(seen["login.nofile"]), _with_prefix(seen, "login.env."))


def _open_session(seen: Mapping[str, str], line: str) -> OpenSession:
    pid, ticks, device, user, model = (*line.split(), "")[:5]
    return OpenSession(int(pid), _born(seen, int(ticks)), int(ticks), _tty(int(device)), user, model)


def _tty(device: int) -> str:
    """The name of a terminal from its device number (proc_pid_stat(5), devices.txt of the kernel)."""
    major, minor = device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00
    if 136 <= major <= 143:
        return f"pts/{(major - 136) * 256 + minor}"
    return f"tty{minor}" if major == 4 else ""


def _limit(text: str) -> int:
    # RLIM_INFINITY; NOFILE can't really be unlimited, but the file format allows the word.
    return 2**63 - 1 if text in ("unlimited", "infinity") else int(text or 0)


def _answer(seen: Mapping[str, str], kind: str, asked: bool) -> Answer:
    if f"{kind}.masked" not in seen:
        return Answer(asked, error=seen.get(f"{kind}.error", "").strip())
    try:
        answer = json.loads(seen[f"{kind}.masked"][: int(seen[f"{kind}.size"])])
    except json.JSONDecodeError:
        return Answer(asked)
    model = answer.get("model") if isinstance(answer, dict) else None
    return Answer(asked, model if isinstance(model, str) else "")


# A dozen checks of one host ask for its few files, one after the other.
@lru_cache(maxsize=64)
def _judged(text: str, managed: bool) -> tuple[Mapping[str, object], str]:
    """The values that the CLI takes from a settings file, and why it can't be used, or ""."""
    try:
        values = parse(text)
    except SettingsError as error:
        return {}, str(error)
    # Of the administrator's files the CLI leaves out only the part that is wrong.
    wrong = "" if managed else _wrong_type(values)
    return {} if wrong or not isinstance(values.get("model", ""), str) else values, wrong


def _wrong_type(values: Mapping[str, object]) -> str:
    for key, (kind, expected) in _TYPES.items():
        if key in values and not isinstance(values[key], kind):
            return f"{key} is not {expected}"
    available = values.get("availableModels", [])
    if not isinstance(available, list) or not all(isinstance(model, str) for model in available):
        return "availableModels is not a list of strings"
    overrides = values.get("modelOverrides", {})
    if not isinstance(overrides, dict) or not all(isinstance(model, str) for model in overrides.values()):
        return "modelOverrides is not an object of strings"
    return ""
