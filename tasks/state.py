"""What one look at a host saw, as plain values, and how to read it from the look's output. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from jada.tasks import operator_lock
from jada.tasks.frames import Fields, LookError, read_frames, whole
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.release import RELEASE_ID, RELEASES, Release, Wanted, told
from jada.tasks.settings import LARGE, LARGE_KEPT, SettingsError, parse

# An id of EC2's.
INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
# The folder of the settings an administrator sets for everybody.
MANAGED = "/etc/claude-code"
# The problem of a file that the Claude CLI can't read either; jada alone has the others (files/look-shared.sh).
UNREADABLE = "the service's user may not read it"
# Where variables come from, as a look says it: the unit's own, and those that systemd has for every service.
IN_UNIT = "Environment="
BEFORE_UNIT = ("systemctl show-environment", "PassEnvironment=")
# The path by which settings given on the command line itself are known.
INLINE = "(on the command line)"

# Clock ticks a second in /proc, whatever the kernel itself counts in (include/asm-generic/param.h).
USER_HZ = 100
NO_LIMIT = 2**63 - 1
# No user has it: (uid_t) -1.
NOBODY = 2**32 - 1
# Unix seconds, in the year 6325: every calendar can tell it.
LATEST = 2**37
# Seconds: DefaultTimeoutStopSec= and DefaultTimeoutStartSec= as systemd comes (systemd-system.conf(5)); for a restart
# whose unit sets no end; and those of systemd's words for times (systemd.time(7)).
USUAL_TIMEOUT = 90
LONGEST_RESTART = 3600
SECONDS = {
    "y": 31557600,
    "month": 2629800,
    "w": 604800,
    "d": 86400,
    "h": 3600,
    "min": 60,
    "s": 1,
    "ms": 1e-3,
    "us": 1e-6,
}
# The lines of what a snapshot is bound to (files/host.sh).
PLACE = ("user id", "group id", "unit", "linked", "folder", "name")
# Characters: an ARN of a cloud's inference profile has a hundred.
LONGEST_MODEL = 256

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
    """A settings file, masked (see files/mask.awk). `real` is where symlinks lead; `names` counts its hard links.

    `changed` is the file's ctime in Unix seconds: an mtime can be set back, as by `cp -a`. `problem` says why a file
    that is there could not be read; its text is "" then.
    """

    path: str
    real: str = ""
    file: File = field(default_factory=File)
    changed: float = 0.0
    text: str | None = None
    names: int = 1
    problem: str = ""

    @property
    def values(self) -> Mapping[str, object]:
        """The parsed file, {} when there is none. Raises SettingsError."""
        return parse(self.text) if self.text is not None else {}

    @property
    def error(self) -> str:
        """Why the file can't be used, or ""."""
        if self.problem or self.text is None:
            return self.problem
        return _judged(self.text, self.path.startswith(f"{MANAGED}/"))[1]

    @property
    def effect(self) -> str:
        """What the Claude CLI does about that error, as far as jada knows."""
        if self.problem not in ("", UNREADABLE):
            return "what the Claude CLI makes of it is not known"
        managed = self.path.startswith(f"{MANAGED}/")
        return f"the Claude CLI then {'refuses to start' if managed else 'ignores the whole file'}"

    @property
    def model(self) -> str:
        """The model on disk, "" when none is set or the file can't be read as settings."""
        model = self.read().get("model")
        return model if isinstance(model, str) else ""

    def read(self) -> Mapping[str, object]:
        """The values the Claude CLI takes from the file: none when something in it is wrong, for it drops it whole."""
        return {} if self.problem or self.text is None else _judged(self.text, self.path.startswith(f"{MANAGED}/"))[0]


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
    """What the service said when it was asked which model it uses: by a URL (`health`) or a command (`probe`).

    `unable` says that it could not even be asked, and why; `error` is then that too.
    """

    asked: bool = False
    model: str = ""
    error: str = ""
    unable: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """The service as systemd sees it (`systemctl show`).

    `load` is systemd's word for whether it could be loaded, and `error` its sentence where not; `user` is its User=,
    `kind` its Type=. `sets` has what its files say now, in the order in which systemd would read them; `dropins` are
    those that it has read. `lacks` are a setting and a path each: what a start needs and is not there. `stop` and
    `start` are the seconds that it gives each of them.
    """

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
    load: str = "loaded"
    error: str = ""
    user: str = ""
    kind: str = ""
    lacks: tuple[tuple[str, ...], ...] = ()
    stop: float = USUAL_TIMEOUT
    start: float = USUAL_TIMEOUT

    @property
    def restart(self) -> float:
        """Seconds that a restart may take: ExecStop= and the signal after it have the time to stop each, and as long.

        A unit without an end to it gets LONGEST_RESTART.
        """
        return min(2 * self.stop + 2 * self.start + 20, LONGEST_RESTART)


@dataclass(frozen=True, slots=True)
class Process:
    """The service's main process, or the first of its control group where systemd knows none.

    `started` is Unix seconds, `ticks` its birth on the kernel's own clock. `launch` is that of the process that asks
    for a model: of `speaker`, begun at `spoke`, where the main one has started another for that (0: it is the same).
    `again` is how that one would be started again by what stands between it and systemd; None where nothing does.
    """

    pid: int
    started: float
    ticks: int
    soft: int
    hard: int
    launch: Launch = field(default_factory=Launch)
    speaker: int = 0
    spoke: float = 0.0
    again: Launch | None = None


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

    @property
    def bound(self) -> str:
        """What keeps a service from more."""
        return "the kernel's fs.nr_open" if self.can_raise or self.nr_open <= self.hard_pid1 else "systemd's hard limit"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on the way to settings.json, and who may put other things into it. `mode` is like drwxr-xr-x."""

    path: str
    uid: int
    mode: str


@dataclass(frozen=True, slots=True)
class Way:
    """The way to settings.json: the parts of its path that are `links`, and the folders above where they lead.

    `is_dangling` says that it is a link to nothing.
    """

    links: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()
    is_dangling: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """One entry of the history a host keeps itself. `error` is "" when the release was completed; `place` is what its
    snapshot was taken of, as Transaction.place has it.
    """

    release: Release
    error: str
    place: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """All that one look at a host saw; `history` only where it was asked for, oldest first.

    `layers` are the settings files other than the service's own, of which only some count for any one process, and
    `managed_changed` when a file was last put into or taken out of the folder of managed ones. `fresh` is how systemd
    would start the service now; `reloaded` how it would once it has read the unit's files anew, None where that is the
    same. `home_real` is where links lead from `home`. `way`, `settings` and what lies in other
    folders of the service's user is that user's word. `unread` says what was too large or too odd to be looked at.

    Where systemd could not load the unit, or the host does not know its user, `user` is "" and nothing of the service
    was looked at.

    `place` is what the snapshot of the current release was taken of, as Transaction.place has it. `lock` says whose
    transaction is running there just now, and `interrupted` is the release of a transaction that has not finished; each
    is "" when there is none. `held` is the lock that people have put on the host by `jada lock`. `instance` is the
    id of the EC2 instance that it was, "" where that is not known.

    `unseen` says why nothing is known of what the service's user says, "" where it is; and `damage` why the manifest of
    the current release can't be read: `release` is then made up from what else root has written there. `whole` are the
    ids of those releases whose snapshots are whole, with the history.
    """

    user: str
    uid: int
    gid: int
    home: str
    home_real: str
    unit: Unit
    settings: Settings
    layers: tuple[Settings, ...]
    managed_changed: float
    way: Way
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
    place: tuple[str, ...]
    after: Mapping[str, File]
    result: tuple[str, ...]
    history: tuple[Past, ...]
    interrupted: str
    held: OperatorLock | None
    lock: str
    boot: str
    now: float
    unread: tuple[str, ...]
    instance: str = ""
    reloaded: Launch | None = None
    unseen: str = ""
    damage: str = ""
    whole: Set[str] = frozenset()

    def other_than(self, meant: str) -> str:
        """The EC2 instance that was looked at, where it is clearly not the one that is meant, or ""."""
        return self.instance if self.instance and meant and self.instance != meant else ""

    @property
    def told(self) -> str:
        """The model that the service itself says it uses, "" when it was not asked or did not say."""
        return self.health.model or self.probe.model


def read(unit: str, output: Iterable[str], health_asked: bool, probe_asked: bool = False) -> State:
    """The State that files/look.sh printed. Raises LookError when root's half of it is not whole, or makes no sense.

    Without the half of the service's user there is still a way back, which asks that user for nothing.
    """
    root, user = read_frames(output)

    def state(user: Fields, unseen: str = "") -> State:
        try:
            return _state(unit, root, user, unseen, health_asked, probe_asked)
        except LookError:
            raise
        except (ValueError, OverflowError, RecursionError) as error:
            raise LookError(f"{type(error).__name__}: {error}") from None

    if isinstance(user, LookError):
        return state(Fields({}), str(user))
    try:
        return state(user)
    except LookError as error:
        # Root's own nonsense is none the less without the user's.
        return state(Fields({}), str(error))


def _state(name: str, root: Fields, user: Fields, unseen: str, health_asked: bool, probe_asked: bool) -> State:
    unit = _unit(name, root)
    rows = tuple(_environment(root, user))
    fresh = _fresh(unit, root, rows)
    process = _process(root, fresh)
    history, unreadable = _history(root)
    try:
        previous = _release(root, "release.previous")
    except (ValueError, RecursionError) as error:
        # Only open sessions are judged by it.
        previous, unreadable = None, (*unreadable, f"the release before the current one: {error}")
    current, damage = _current(root, previous)
    return State(
        **_whose(unit, root),
        unit=unit,
        settings=_settings(user, "settings", root["settings.path"]) if "user" in root else Settings(""),
        layers=tuple(_layers(root, user)),
        managed_changed=root.seconds("managed.changed"),
        way=_way(user),
        agents=tuple(sorted({Agent(*row) for row in user.rows("agent+", 3)}, key=lambda agent: agent.path)),
        dropin=_file(root, "dropin"),
        limits=_file(root, "limits"),
        capacity=Capacity(
            nr_open=root.number("nr_open"),
            can_raise=root["can_raise"] == "1",
            hard_pid1=_limit(root["hard_pid1"]),
            hard_login=_limit(root["hard_login"]),
        ),
        fresh=_with_what_runs(fresh, process),
        process=process,
        login=_login(root),
        sessions=tuple(_open_session(root, row) for row in root.rows("session+", 5)),
        health=_answer(root, "health", health_asked),
        probe=_answer(root, "probe", probe_asked),
        release=current,
        previous=previous,
        place=_place(root.get("release.place")),
        after={name: _after(rest) for name, *rest in map(str.split, root.get("release.after").splitlines()) if rest},
        result=tuple(root.get("release.result").split()),
        history=history,
        interrupted=root.get("transaction").strip(),
        held=operator_lock.read(root["held"], root.seconds("now")) if "held" in root else None,
        # Held, but not yet written to.
        lock=root.get("lock").strip() or "somebody" if "lock" in root else "",
        boot=root["boot"],
        now=root.seconds("now"),
        reloaded=_fresh(unit, root, _reloaded(unit, rows)) if _waits_for_reload(unit, root) else None,
        unread=tuple(dict.fromkeys(map(told, (*root.all("over+"), *user.all("over+"), *unreadable)))),
        instance=instance if INSTANCE.fullmatch(instance := root.get("instance")) else "",
        unseen=told(unseen),
        damage=told(damage),
        whole=frozenset(root.all("whole+")),
    )


def _whose(unit: Unit, root: Fields) -> dict[str, Any]:
    """The service's user; a look that says none has to say why."""
    if "user" not in root and root.get("unit.LoadState") in ("", "loaded") and not unit.user:
        raise LookError("systemctl tells nothing of the service there")
    known = "user" in root
    return {
        "user": root.get("user"),
        "uid": whole(root["uid"], "uid", 2**32) if known else NOBODY,
        "gid": whole(root["gid"], "gid", 2**32) if known else NOBODY,
        "home": root["home"] if known else "",
        "home_real": root["home.real"] if known else "",
    }


def _release(root: Fields, name: str) -> Release | None:
    return Release.from_json(root[name]) if name in root else None


def _current(root: Fields, previous: Release | None) -> tuple[Release | None, str]:
    """The current release, and why its manifest can't be read, or "".

    One that can't be read stands for its id alone; before it the host was on the previous one, as root wrote down too.
    """
    try:
        return _release(root, "release.manifest.json"), ""
    except (ValueError, RecursionError) as error:
        name = root.get("release.id")
        if not name:
            raise
        if not re.fullmatch(RELEASE_ID, name):
            hint = f"put the name of the newest folder in {RELEASES} into it, or take it away"
            raise LookError(f"/var/lib/jada/current does not hold the id of a release; {hint}") from None
        before = previous.wanted if previous and previous.id != name else Wanted("", 0)
        made = Release(name, "upgrade", Wanted("", 0, edited=name), before)
        return made, f"{RELEASES}/{name}/manifest.json: {error}"


def _history(root: Fields) -> tuple[tuple[Past, ...], tuple[str, ...]]:
    """The releases that the host remembers, and a word for each that can't be read."""
    found: list[Past] = []
    unreadable: list[str] = []
    for key in root.numbered("history", ".manifest"):
        try:
            made, error = Release.from_json(root[f"{key}.manifest"]), _error(root.get(f"{key}.result"))
            found.append(Past(made, error, _place(root.get(f"{key}.place"))))
        except (ValueError, RecursionError) as error:
            name = root.get(f"{key}.id")
            unreadable.append(f"{RELEASES}/{name}/manifest.json: {error}" if name else f"its history: {error}")
    return tuple(found), tuple(unreadable)


def _place(text: str) -> tuple[str, ...]:
    lines = tuple(text.split("\n"))
    return lines if len(lines) == len(PLACE) else ()


def _layers(root: Fields, user: Fields) -> Iterator[Settings]:
    """The administrator's files, which are root's word, then the user's own."""
    for name in root.numbered("layer", ".path"):
        yield _settings(root, name)
    for name in user.numbered("layer", ".path"):
        if user[f"{name}.path"].startswith(f"{MANAGED}/"):
            raise LookError("the service's user speaks for the administrator's settings")
        yield _settings(user, name)
    if "inline.path" in root:
        yield _settings(root, "inline")


def _way(user: Fields) -> Way:
    folders = tuple(Folder(path, whole(uid, "folder+", 2**32), mode) for uid, mode, path in user.rows("folder+", 3))
    return Way(user.all("link+"), folders, "settings.dangling" in user)


def _error(result: str) -> str:
    word, _, rest = result.strip().partition(" ")
    return "" if word == "done" else rest or "cut off"


def _unit(name: str, root: Fields) -> Unit:
    return Unit(
        name=name,
        loaded=root.get("unit.LoadState") == "loaded",
        active=root.get("unit.ActiveState"),
        sub=root.get("unit.SubState"),
        result=root.get("unit.Result"),
        main_pid=root.number("unit.MainPID"),
        restarts=root.number("unit.NRestarts"),
        needs_reload=root.get("unit.NeedDaemonReload") == "yes",
        dropins=tuple(root.get("unit.DropInPaths").split()),
        status="\n".join(root.all("status+")).rstrip(),
        sets=_in_order(tuple(Setting(*row) for row in root.rows("unit.sets+", 3)), root.get("unit.FragmentPath")),
        nofile=_limit(root.get("unit.LimitNOFILESoft", "0")),
        load=root.get("unit.LoadState"),
        error=root.get("unit.LoadError").partition(" ")[2].strip('"'),
        user=root.get("unit.User"),
        kind=root.get("unit.Type"),
        lacks=tuple(root.rows("unit.lacks+", 2)),
        stop=_duration(root.get("unit.TimeoutStopUSec")),
        start=_duration(root.get("unit.TimeoutStartUSec")),
    )


def _duration(text: str) -> float:
    """Seconds of a time as systemd tells it, such as 1min 30s (systemd.time(7)); its usual one where it tells none."""
    if text == "infinity":
        return math.inf
    parts = re.findall(r"(\d{1,9})(month|min|ms|us|y|w|d|h|s)", text, re.ASCII)
    return sum(int(number) * SECONDS[unit] for number, unit in parts) if parts or text == "0" else USUAL_TIMEOUT


def _in_order(sets: tuple[Setting, ...], fragment: str) -> tuple[Setting, ...]:
    """As systemd reads them: the unit's own file, then the drop-ins by their names, whichever folder they are in."""
    return tuple(sorted(sets, key=lambda one: (one.path != fragment, one.path.rpartition("/")[2])))


def _file(seen: Fields, name: str) -> File:
    return File(
        seen.get(f"{name}.owner"),
        seen.get(f"{name}.mode"),
        seen.get(f"{name}.sha256", "absent"),
    )


def _after(rest: list[str]) -> File:
    sha256, owner, mode = (*rest, "", "")[:3]
    return File(owner, mode, sha256)


def _settings(seen: Fields, name: str, path: str = "") -> Settings:
    problem = seen.get(f"{name}.problem")
    size = seen.number(f"{name}.size")
    text = None if f"{name}.size" not in seen else seen[f"{name}.masked"][:size] if size and not problem else ""
    return Settings(
        path=path or seen[f"{name}.path"],
        real=seen.get(f"{name}.real"),
        file=_file(seen, name),
        changed=seen.seconds(f"{name}.changed"),
        # awk ends its output with a quote of its own.
        text=text,
        names=seen.number(f"{name}.links") or 1,
        problem=problem,
    )


def _process(root: Fields, fresh: Launch) -> Process | None:
    if not root.get("process.ticks") or "process.pid" not in root:
        return None
    ticks, pid = root.number("process.ticks"), root.number("process.pid")
    speaker = root.number("speaker.pid") if root.get("speaker.ticks") else 0
    env, cwd = root.with_prefix("running.env."), root.get("running.cwd") or "/"
    is_wrapped = "running.wrapped" in root
    # What a script took away shows where it still runs; what systemd gave one that is gone is taken from the unit.
    given = {"HOME": root.get("home"), **(fresh.env if is_wrapped else root.with_prefix("main.env."))}
    taken = set() if is_wrapped else given.keys() - env.keys()
    added = {name for name in env if given.get(name) != env[name]} if is_wrapped or speaker else set()
    where = dict.fromkeys(env, f"the environment of process {speaker or pid}")
    where |= dict.fromkeys(added, f"the environment of process {speaker or pid}, which its unit does not set")
    launch = Launch(env, where, _options(root, "running.argv+"), cwd)
    return Process(
        pid=pid,
        started=_born(root, ticks),
        ticks=ticks,
        soft=_limit(root.get("process.soft", "0")),
        hard=_limit(root.get("process.hard", "0")),
        launch=launch,
        speaker=speaker,
        spoke=_born(root, root.number("speaker.ticks")) if speaker else 0.0,
        again=_again(fresh, launch, added, taken) if is_wrapped or speaker else None,
    )


def _again(fresh: Launch, launch: Launch, added: Set[str], taken: Set[str]) -> Launch:
    """A process started again by what is between it and systemd, which adds some variables and takes others away."""
    env = {name: value for name, value in fresh.env.items() if name not in taken}
    return Launch(
        env | {name: launch.env[name] for name in added},
        {**fresh.where, **{name: launch.where[name] for name in added}},
        {**fresh.argv, **launch.argv},
        launch.cwd,
    )


def _options(root: Fields, field: str) -> dict[str, str]:
    return {name: value for name, value in root.rows(field, 2)}  # noqa: C416 - for the type checker, a row has any length


def _born(root: Fields, ticks: int) -> float:
    born = root.seconds("now") - (root.seconds("uptime") - ticks / USER_HZ)
    if born >= LATEST:
        raise LookError("a process began at no time that there is")
    # A clock that was set back to where it began may put it before that.
    return max(born, 0.0)


def _waits_for_reload(unit: Unit, root: Fields) -> bool:
    """Whether files of the unit are other ones than systemd has read; of a new folder it does not notice."""
    read = (root.get("unit.FragmentPath"), *unit.dropins)
    return unit.needs_reload or any(one.path not in read for one in unit.sets)


def _reloaded(unit: Unit, rows: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, ...]]:
    """The rows with Environment= as the unit's files have it now; a value with a specifier stays as systemd has it."""
    known = {name: value for place, name, value in rows if place == IN_UNIT}
    said: dict[str, str] = {}
    for one in unit.sets:
        if one.name == "Environment":
            said.clear()
        elif one.name != "LimitNOFILE" and "%" not in one.value:
            said[one.name] = one.value
        elif one.name in known:
            said[one.name] = known[one.name]
    yield from (row for row in rows if row[0] in BEFORE_UNIT)
    yield from ((IN_UNIT, name, value) for name, value in said.items())
    yield from (row for row in rows if row[0] not in (*BEFORE_UNIT, IN_UNIT))


def _fresh(unit: Unit, root: Fields, rows: Iterable[tuple[str, ...]]) -> Launch:
    env, where = {}, {}
    for place, name, value in rows:
        env[name] = value
        where[name] = place
        if place == IN_UNIT:
            files = [one.path for one in unit.sets if (one.name, one.value) == (name, value)]
            where[name] = f"Environment= of {files[-1] if files else unit.name}"
    for entry in root.all("fresh.unset+"):
        name, equals, value = entry.partition("=")
        if not equals or env.get(name) == value:
            env.pop(name, None)
    return Launch(env, where, _options(root, "fresh.argv+"), root.get("fresh.cwd") or "/")


def _with_what_runs(fresh: Launch, process: Process | None) -> Launch:
    """A variable on the unit's command line, and settings in quotes, can be read only from what it became."""
    running = process.launch.argv if process else {}
    known = {name: value for name, value in fresh.argv.items() if "$" not in value}
    for name in fresh.argv.keys() | ({"settings"} if running.get("settings") == INLINE else set()):
        if name not in known and name in running:
            known[name] = running[name]
    return replace(fresh, argv=known)


def _environment(root: Fields, user: Fields) -> Iterator[tuple[str, ...]]:
    """Place, name and value of each variable, in the order they are set.

    Of an EnvironmentFile that is not root's alone, root says only where it stands; its lines are the user's word.
    """
    for place, name, value in root.rows("fresh.env+", 3):
        if name:
            yield place, name, value
        else:
            yield from (row for row in user.rows("fresh.env+", 3) if row[0] == place)


def _login(root: Fields) -> Login:
    if "login.nofile" not in root:
        return Login(error=root.get("login.error") or "it gave no answer")
    return Login(_limit(root["login.nofile"]), root.with_prefix("login.env."))


def _open_session(root: Fields, row: tuple[str, ...]) -> OpenSession:
    *numbers, user, model = row
    pid, ticks, device = (whole(text, "session+") for text in numbers)
    return OpenSession(pid, _born(root, ticks), ticks, _tty(device), user, model)


def _tty(device: int) -> str:
    """The name of a terminal from its device number (proc_pid_stat(5), devices.txt of the kernel)."""
    major, minor = device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00
    if 136 <= major <= 143:
        return f"pts/{(major - 136) * 256 + minor}"
    return f"tty{minor}" if major == 4 else ""


def _limit(text: str) -> int:
    # RLIM_INFINITY; NOFILE can't really be unlimited, but the file format allows the word.
    if text in ("unlimited", "infinity"):
        return NO_LIMIT
    return min(whole(text or "0", "a limit of open files", 2**64), NO_LIMIT)


# curl(1), EXIT CODES; the numbers alone cross, so that nothing of an answer can be taken for curl's own words.
_CURL = {
    "6": "its host's name could not be resolved",
    "7": "nothing accepts connections there",
    "28": "it did not answer within 3 s",
    "35": "the TLS handshake failed",
    "52": "it answered with nothing",
    "56": "the connection broke in the middle of its answer",
    "60": "its certificate could not be verified",
}
# No restart of the service makes these go away.
_UNABLE = {
    "health": {
        "1": "the curl there does not know the protocol of its URL",
        "3": "its URL is malformed",
        "126": "curl can't be run there",
        "127": "curl is not installed there",
    },
    "probe": {"126": "its command can't be run there", "127": "its command is not found there"},
}


def _answer(root: Fields, kind: str, asked: bool) -> Answer:
    if f"{kind}.masked" not in root:
        code = root.get(f"{kind}.code")
        unable = _UNABLE[kind].get(code, "")
        return Answer(asked, error=unable or _no_answer(kind, code, root.get(f"{kind}.http")), unable=unable)
    try:
        answer = json.loads(root[f"{kind}.masked"][: root.number(f"{kind}.size")])
    except (ValueError, RecursionError):
        return Answer(asked, error="an answer that is no JSON")
    model = answer.get("model") if isinstance(answer, dict) else None
    if not isinstance(model, str):
        return Answer(asked)
    if not model.isprintable() or len(model) > LONGEST_MODEL:
        return Answer(asked, error="an answer whose model can't be the id of one")
    return Answer(asked, model)


def _no_answer(kind: str, code: str, http: str) -> str:
    if not code:
        return ""
    if code == "long":
        return "an answer of more than 64 KB"
    if not re.fullmatch(r"\d{1,3}", code, re.ASCII):
        return "no answer that could be read"
    if kind == "health":
        status = f"it answered HTTP {int(http)}" if code == "22" and http.isdecimal() else f"curl ended with {code}"
        return _CURL.get(code, status)
    return "it took longer than 20 s" if code == "124" else f"exit code {code}"


def _judged(text: str, managed: bool) -> tuple[Mapping[str, object], str]:
    """The values that the CLI takes from a settings file, and why it can't be used, or ""."""
    return (_kept if len(text) < LARGE else _large_kept)(text, managed)


def _judgement(text: str, managed: bool) -> tuple[Mapping[str, object], str]:
    try:
        values = parse(text)
    except SettingsError as error:
        return {}, str(error)
    # Of the administrator's files the CLI leaves out only the part that is wrong.
    wrong = "" if managed else _wrong_type(values)
    return {} if wrong or not isinstance(values.get("model", ""), str) else values, wrong


# A dozen checks of one host ask for its few files, one after the other.
_kept, _large_kept = lru_cache(maxsize=64)(_judgement), lru_cache(maxsize=LARGE_KEPT)(_judgement)


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
