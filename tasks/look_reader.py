"""The State that a look printed: frames read, typed and bounded. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from typing import Any

from jada import ModelCheck
from jada.tasks import operator_lock
from jada.tasks.asked import LONGEST_MODEL, read_answer
from jada.tasks.frames import Fields, LookError, read_frames, seconds, whole
from jada.tasks.paths import HOME, MANAGED, RELEASES
from jada.tasks.release import RELEASE_ID, Desired, Release, printable
from jada.tasks.served import COLUMNS, Served, tally
from jada.tasks.state import (
    INLINE,
    NO_LIMIT,
    USUAL_TIMEOUT,
    Agent,
    Capacity,
    File,
    Folder,
    HistoryEntry,
    Login,
    Member,
    ModelReport,
    OpenSession,
    Process,
    ProcessSpec,
    Settings,
    State,
    Unit,
    UnitSetting,
    Way,
)

# An id of EC2's.
INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
# Where variables come from, as a look says it: the unit's own, and those that systemd has for every service.
IN_UNIT = "Environment="
BEFORE_UNIT = ("systemctl show-environment", "PassEnvironment=")
# Clock ticks a second in /proc, whatever the kernel itself counts in (include/asm-generic/param.h).
USER_HZ = 100
# No user has it: (uid_t) -1.
NOBODY = 2**32 - 1
# Unix seconds, in the year 6325: every calendar can tell it.
LATEST = 2**37
# The lines of what a snapshot is bound to (files/change/host.sh).
PLACE = ("user id", "group id", "unit", "linked", "folder", "name")
# Seconds of systemd's words for times (systemd.time(7)).
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


def read(unit: str, output: Iterable[str], check: ModelCheck) -> State:
    """The State that a look printed. Raises LookError when root's half of it is not whole, or makes no sense.

    Without the half of the service's user there is still a way back, which asks that user for nothing.
    """
    root, user = read_frames(output)

    def state(user: Fields, unseen: str = "") -> State:
        try:
            return _state(unit, root, user, unseen, check)
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


def _state(name: str, root: Fields, user: Fields, unseen: str, check: ModelCheck) -> State:
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
        managed_changed=max((seconds(time, "managed.changed+") for time in root.all("managed.changed+")), default=0.0),
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
        next_start=_with_what_runs(fresh, process),
        process=process,
        login=_login(root),
        sessions=tuple(_open_session(root, row) for row in root.rows("session+", 5)),
        report=_report(root, "url" if check.url else "command" if check.command else ""),
        release=current,
        previous=previous,
        place=_place(root.get("release.place")),
        after={name: _after(rest) for name, *rest in map(str.split, root.get("release.after").splitlines()) if rest},
        result=tuple(root.get("release.result").split()),
        history=history,
        unfinished_transaction=root.get("transaction").strip(),
        operator_lock=operator_lock.read(root["held"], root.seconds("now")) if "held" in root else None,
        # Held, but not yet written to.
        running_transaction=root.get("lock").strip() or "somebody" if "lock" in root else "",
        boot=root["boot"],
        now=root.seconds("now"),
        reloaded=_fresh(unit, root, _reloaded(unit, rows)) if _waits_for_reload(unit, root) else None,
        unread=tuple(dict.fromkeys(map(printable, (*root.all("over+"), *user.all("over+"), *unreadable)))),
        instance=instance if INSTANCE.fullmatch(instance := root.get("instance")) else "",
        unseen=printable(unseen),
        damage=printable(damage),
        whole=frozenset(root.all("whole+")),
        asked=read_answer(root),
        served=_served(user, process),
        own_view=tuple(dict.fromkeys(map(printable, root.all("own_view+")))),
    )


def _served(user: Fields, process: Process | None) -> Served:
    """What came of the requests of the process that asks for a model, and of those that it has started."""
    rows = user.rows("transcript+", COLUMNS)
    return tally(rows, process.spoke or process.started) if process else Served()


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
            raise LookError(f"{HOME}/current does not hold the id of a release; {hint}") from None
        before = previous.desired if previous and previous.id != name else Desired("", 0)
        made = Release(name, "upgrade", Desired("", 0, edited=name), before)
        return made, f"{RELEASES}/{name}/manifest.json: {error}"


def _history(root: Fields) -> tuple[tuple[HistoryEntry, ...], tuple[str, ...]]:
    """The releases that the host remembers, and a word for each that can't be read."""
    found: list[HistoryEntry] = []
    unreadable: list[str] = []
    for key in root.numbered("history", ".manifest"):
        try:
            made, error = Release.from_json(root[f"{key}.manifest"]), _error(root.get(f"{key}.result"))
            found.append(HistoryEntry(made, error, _place(root.get(f"{key}.place"))))
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
        settings=_in_order(
            tuple(UnitSetting(*row) for row in root.rows("unit.sets+", 3)), root.get("unit.FragmentPath")
        ),
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


def _in_order(sets: tuple[UnitSetting, ...], fragment: str) -> tuple[UnitSetting, ...]:
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


def _process(root: Fields, fresh: ProcessSpec) -> Process | None:
    if not root.get("process.ticks") or "process.pid" not in root:
        return None
    ticks, pid = root.number("process.ticks"), root.number("process.pid")
    spoke = root.number("speaker.ticks")
    speaker = root.number("speaker.pid") if spoke else 0
    env, cwd = root.with_prefix("running.env."), root.get("running.cwd") or "/"
    is_wrapped = "running.wrapped" in root
    # What a script took away shows where it still runs; what systemd gave one that is gone is taken from the unit.
    given = {"HOME": root.get("home"), **(fresh.env if is_wrapped else root.with_prefix("main.env."))}
    taken = set() if is_wrapped else given.keys() - env.keys()
    added = {name for name in env if given.get(name) != env[name]} if is_wrapped or speaker else set()
    where = dict.fromkeys(env, f"the environment of process {speaker or pid}")
    where |= dict.fromkeys(added, f"the environment of process {speaker or pid}, which its unit does not set")
    launch = ProcessSpec(env, where, _options(root, "running.argv+"), cwd)
    return Process(
        pid=pid,
        started=_born(root, ticks),
        ticks=ticks,
        soft=_limit(root.get("process.soft", "0")),
        hard=_limit(root.get("process.hard", "0")),
        spec=launch,
        speaker=speaker,
        spoke=_born(root, spoke) if speaker else 0.0,
        respawn=_again(fresh, launch, added, taken) if is_wrapped or speaker else None,
        spoke_ticks=spoke if speaker else 0,
        members=tuple(_members(root)),
    )


def _members(root: Fields) -> Iterator[Member]:
    # An earlier start had ended by then, and the present one had not begun.
    stood_still = root.number("unit.InactiveEnterTimestampMonotonic") / 1e6
    for row in root.rows("member+", 4):
        pid, ticks = whole(row[0], "member+"), whole(row[1], "member+")
        # Ticks are rounded down.
        is_left = (ticks + 1) / USER_HZ < stood_still
        yield Member(pid, _born(root, ticks), _limit(row[2]), row[3] == "1", is_left)


def _again(fresh: ProcessSpec, launch: ProcessSpec, added: Set[str], taken: Set[str]) -> ProcessSpec:
    """A process started again by what is between it and systemd, which adds some variables and takes others away."""
    env = {name: value for name, value in fresh.env.items() if name not in taken}
    return ProcessSpec(
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
    """True if files of the unit are other ones than systemd has read; of a new folder it does not notice."""
    read = (root.get("unit.FragmentPath"), *unit.dropins)
    return unit.needs_reload or any(one.path not in read for one in unit.settings)


def _reloaded(unit: Unit, rows: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, ...]]:
    """The rows with Environment= as the unit's files have it now; a value with a specifier stays as systemd has it."""
    known = {name: value for place, name, value in rows if place == IN_UNIT}
    said: dict[str, str] = {}
    for one in unit.settings:
        if one.name == "Environment":
            said.clear()
        elif one.name != "LimitNOFILE" and "%" not in one.value:
            said[one.name] = one.value
        elif one.name in known:
            said[one.name] = known[one.name]
    yield from (row for row in rows if row[0] in BEFORE_UNIT)
    yield from ((IN_UNIT, name, value) for name, value in said.items())
    yield from (row for row in rows if row[0] not in (*BEFORE_UNIT, IN_UNIT))


def _fresh(unit: Unit, root: Fields, rows: Iterable[tuple[str, ...]]) -> ProcessSpec:
    env, where = {}, {}
    for place, name, value in rows:
        env[name] = value
        where[name] = place
        if place == IN_UNIT:
            files = [one.path for one in unit.settings if (one.name, one.value) == (name, value)]
            where[name] = f"Environment= of {files[-1] if files else unit.name}"
    for entry in root.all("next_start.unset+"):
        name, equals, value = entry.partition("=")
        if not equals or env.get(name) == value:
            env.pop(name, None)
    return ProcessSpec(env, where, _options(root, "next_start.argv+"), root.get("next_start.cwd") or "/")


def _with_what_runs(fresh: ProcessSpec, process: Process | None) -> ProcessSpec:
    """A variable on the unit's command line, and settings in quotes, can be read only from what it became."""
    running = process.spec.argv if process else {}
    known = {name: value for name, value in fresh.argv.items() if "$" not in value}
    for name in fresh.argv.keys() | ({"settings"} if running.get("settings") == INLINE else set()):
        if name not in known and name in running:
            known[name] = running[name]
    return replace(fresh, argv=known)


def _environment(root: Fields, user: Fields) -> Iterator[tuple[str, ...]]:
    """Place, name and value of each variable, in the order they are set.

    Of an EnvironmentFile that is not root's alone, root says only where it stands; its lines are the user's word.
    """
    for place, name, value in root.rows("next_start.env+", 3):
        if name:
            yield place, name, value
        else:
            yield from (row for row in user.rows("next_start.env+", 3) if row[0] == place)


def _login(root: Fields) -> Login:
    if "login.nofile" not in root:
        return Login(error=root.get("login.error") or "it gave no answer")
    # A shell of the service's user says it, and may say anything.
    if not re.fullmatch(r"\d{1,19}|unlimited", root["login.nofile"], re.ASCII):
        return Login(error="it gave no answer that could be read")
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
    "url": {
        "1": "the curl there does not know the protocol of its URL",
        "3": "its URL is malformed",
        "126": "curl can't be run there",
        "127": "curl is not installed there",
    },
    "command": {"126": "its command can't be run there", "127": "its command is not found there"},
}


def _report(root: Fields, by: str) -> ModelReport:
    if not by:
        return ModelReport()
    if "report.masked" not in root:
        code = root.get("report.code")
        unable = _UNABLE[by].get(code, "")
        return ModelReport(by, error=unable or _no_answer(by, code, root.get("report.http")), unable=unable)
    try:
        answer = json.loads(root["report.masked"][: root.number("report.size")])
    except (ValueError, RecursionError):
        return ModelReport(by, error="an answer that is no JSON")
    model = answer.get("model") if isinstance(answer, dict) else None
    if not isinstance(model, str):
        return ModelReport(by)
    if not model.isprintable() or len(model) > LONGEST_MODEL:
        return ModelReport(by, error="an answer whose model can't be the id of one")
    return ModelReport(by, model)


def _no_answer(by: str, code: str, http: str) -> str:
    if not code:
        return ""
    if code == "long":
        return "an answer of more than 64 KB"
    if not re.fullmatch(r"\d{1,3}", code, re.ASCII):
        return "no answer that could be read"
    if by == "url":
        status = f"it answered HTTP {int(http)}" if code == "22" and http.isdecimal() else f"curl ended with {code}"
        return _CURL.get(code, status)
    return "it took longer than 20 s" if code == "124" else f"exit code {code}"
