"""The model that a process asks for, and what decides it, by the Claude CLI's own precedence. Pure.

Measured with Claude CLI 2.1.331; docs/model-precedence.md has the table, how it was measured and what is not seen.
Aliases such as `sonnet` are shown as they stand: they move to another model with the CLI's version.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import PurePosixPath
from typing import TypeVar

from jada import LONG_CONTEXT
from jada.tasks.paths import MANAGED
from jada.tasks.state import INLINE, UNREADABLE, Agent, ProcessSpec, Settings, State

T = TypeVar("T")

# In place of the model that the CLI uses when nothing names one: it depends on the CLI's version.
DEFAULT = "the Claude CLI's own default"
# In its place where the files that decide it could not be looked at.
UNKNOWN = "a model that is not known"

FAMILIES = ("opus", "sonnet", "haiku")
# An id of the vendor's own: `modelOverrides` has no effect on any other.
VENDOR_ID = re.compile(r"claude(-[a-z]+)?(-\d+)+(-[a-z]+)?(-\d+)*")


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that names a model. `rejected_because` says why it does not count; "" for the one that does."""

    model: str
    where: str
    rejected_because: str = ""


@dataclass(frozen=True, slots=True)
class Effective:
    """The model a process asks for, and how it came to it.

    `chain` has every place that names one, the highest first; `winner` is the one that counts. It `outranks` the
    service's settings.json if that can't decide. `pinned` says that the winner came with the process itself and not
    from a file that may have changed since. `changed` is when the files that count last changed, Unix seconds.
    """

    model: str
    winner: Origin
    chain: tuple[Origin, ...]
    outranks: bool
    pinned: bool
    blocked_by: str
    replaced_by: str
    relocated_by: str
    changed: float


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place that may name a model. In each group, the first that is set decides, even when it is set to ""."""

    group: int
    model: str
    where: str
    of_process: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """The files of a host by path, those of the administrator, and the agents by name, each with its path.

    Found once for all sessions of a host: its user may have laid thousands of each.
    """

    files: Mapping[str, Settings]
    managed: tuple[Settings, ...]
    agents: Mapping[str, list[tuple[str, Agent]]]


AT_ARGV, AT_AGENT, AT_ENV, AT_FILE, AT_DEFAULT, AT_END = range(6)


def _once(work: Callable[[State], T]) -> Callable[[State], T]:
    """The same function, which works nothing out again as long as it is asked about the very same look: to judge a host
    and to tell of it asks a dozen times.
    """
    last: tuple[State, T] | None = None

    @wraps(work)
    def ask(state: State) -> T:
        nonlocal last
        known = last
        if known is None or known[0] is not state:
            last = known = state, work(state)
        return known[1]

    return ask


def resolve(state: State, launch: ProcessSpec) -> Effective:
    """The model that a process with this launch asks for when it reads the files as they are now."""
    # No file outranks the command line.
    hidden = state.own_view[0] if state.own_view and "model" not in launch.argv else ""
    return _resolve(state, launch, _known(state), hidden)


def files_of_process(state: State) -> list[Settings]:
    """The settings files that the running process reads, the strongest first."""
    return _reads(state, state.process.spec, _known(state))[2] if state.process else []


@_once
def next_start(state: State) -> ProcessSpec:
    """Returns the next start of the service: by systemd, and by a script that stands between it and the CLI.

    The additions of a script show in the process that runs, as it is now; where the service itself reports another
    model than they would give, they count for nothing.
    """
    process = state.process
    if process is None or process.respawn is None:
        return state.next_start
    now = resolve(state, process.spec)
    is_denied = now.pinned and state.report.model not in ("", now.model, now.model.removesuffix(LONG_CONTEXT))
    return state.next_start if is_denied else process.respawn


def of_open_sessions(state: State) -> Iterator[tuple[ProcessSpec, Effective]]:
    """The `claude` sessions that the service's user may open by hand, at home and in every project looked at, each with
    what it would ask for.

    `projects:` of fleet.yml names folders; each of them and each folder right inside of them is a project, for that is
    how people keep their repositories. The CLI reads the project settings of the very folder it is started in, not
    those of its parents. A session gets the environment of a login, which is not that of the service.
    """
    known = _known(state)
    for launch in _sessions(state, known):
        yield launch, _resolve(state, launch, known)


@_once
def _known(state: State) -> _Known:
    agents: dict[str, list[tuple[str, Agent]]] = defaultdict(list)
    for agent in state.agents:
        agents[agent.name].append((_spelling(agent.path), agent))
    return _Known(
        {_spelling(file.path): file for file in (*state.layers, state.settings) if file.text is not None},
        tuple(file for file in state.layers if file.path.startswith(f"{MANAGED}/")),
        agents,
    )


def _resolve(state: State, launch: ProcessSpec, known: _Known, hidden: str = "") -> Effective:
    """The effect of a launch; `hidden` is a file that decides it and may be another one than the look saw, or ""."""
    config, relocated_by, files = _reads(state, launch, known)
    slots = list(_slots(known, launch, files, config))
    if state.unseen:
        slots[-1] = _Slot(AT_END, UNKNOWN, f"what {state.user} owns, which could not be looked at")
    if hidden:
        slots.insert(0, _Slot(AT_END, UNKNOWN, f"other files than the host's, such as {hidden}"))
    winner = next(slot for slot in slots if slot.model and _first_of_group(slots, slot) is slot)
    chain = [Origin(slot.model, slot.where, _rejected_because(slots, slot, winner)) for slot in slots if slot.model]
    chain += _unread(state, files, relocated_by)
    model = winner.model
    barred = "" if model in (DEFAULT, UNKNOWN) else _barred(model, files)
    override, replaced_by = ("", "") if barred else _override(model, files)
    named = [slot for slot in slots if slot.group == AT_FILE]
    return Effective(
        model=DEFAULT if barred else override or model,
        winner=Origin(winner.model, winner.where),
        chain=tuple(chain),
        outranks=not hidden
        and (winner.group < AT_FILE or (named != [] and named[0].where != f"model in {state.settings.path}")),
        pinned=winner.of_process,
        blocked_by=barred,
        replaced_by=replaced_by,
        relocated_by=relocated_by,
        changed=max([state.managed_changed, *(file.changed for file in files)]),
    )


def _sessions(state: State, known: _Known) -> Iterator[ProcessSpec]:
    configs = {_spelling(config) for config in _configs(state, known)} if state.layers else set()
    project_folders = {_folder_of(layer.path) for layer in state.layers} - configs
    folders = {state.home, *(_folder_of(folder) for folder in project_folders if folder.endswith("/.claude"))}
    works_in = {next_start(state).cwd, state.process.spec.cwd if state.process else ""}
    where = dict.fromkeys(state.login.env, f"the environment that {state.user} gets at login")
    for folder in sorted(folders - works_in):
        yield ProcessSpec(state.login.env, where, cwd=folder)


def _configs(state: State, known: _Known) -> Iterator[str]:
    yield f"{state.home}/.claude"
    for launch in (next_start(state), *([state.process.spec] if state.process else [])):
        yield _reads(state, launch, known)[0]


def _reads(state: State, launch: ProcessSpec, known: _Known) -> tuple[str, str, list[Settings]]:
    """The folder of the user's settings, what moved it there ("" if nothing did), and all files that are read."""
    usual = _folder_of(state.settings.path)
    folder, by = usual, ""
    if named := launch.env.get("CLAUDE_CONFIG_DIR"):
        folder, by = named, f"CLAUDE_CONFIG_DIR={named} in {launch.where['CLAUDE_CONFIG_DIR']}"
    elif (home := launch.env.get("HOME", state.home)) != state.home and usual == f"{state.home}/.claude":
        folder, by = f"{home}/.claude", f"HOME={home} in {launch.where['HOME']}"
    files = _files(state, launch, folder, known)
    for file in files:
        if named := _env(file, "CLAUDE_CONFIG_DIR"):
            folder, by = named, f"CLAUDE_CONFIG_DIR={named} in the env of {file.path}"
            files = _files(state, launch, folder, known)
            break
    same = _spelling(folder) == usual
    return (usual, "", files) if same else (folder, by, files)


def _files(state: State, launch: ProcessSpec, config: str, known: _Known) -> list[Settings]:
    """The settings files that such a process reads, the strongest first."""
    flag = launch.argv.get("settings", "")
    usual = _spelling(config) == _folder_of(state.settings.path)
    user = _spelling(state.settings.path) if usual else _spelling(config, "settings.json")
    sources = launch.argv.get("setting-sources", "user,project,local").split(",")
    named = {
        "local": _spelling(launch.cwd, ".claude/settings.local.json"),
        "project": _spelling(launch.cwd, ".claude/settings.json"),
        "user": user,
    }
    paths = [_spelling(INLINE) if flag == INLINE else _spelling(launch.cwd, flag)] if flag else []
    paths += [path for source, path in named.items() if source in sources]
    # The user's file is also the project's for a process that works at home: it counts as the user's.
    paths = [path for at, path in enumerate(paths) if path not in paths[at + 1 :]]
    return [*reversed(known.managed), *(known.files[path] for path in paths if path in known.files)]


def _slots(known: _Known, launch: ProcessSpec, files: list[Settings], config: str) -> Iterator[_Slot]:
    if "model" in launch.argv:
        yield _Slot(AT_ARGV, launch.argv["model"], "--model on the command line", of_process=True)
    yield from _agent(known, launch, files, config)
    yield from _variable(AT_ENV, "ANTHROPIC_MODEL", launch, files)
    for file in files:
        model = file.read().get("model")
        if isinstance(model, str):
            yield _Slot(AT_FILE, model, f"model in {file.path}")
    yield from _variable(AT_DEFAULT, "ANTHROPIC_DEFAULT_MODEL", launch, files)
    yield _Slot(AT_END, DEFAULT, "no place that names one")


def _variable(group: int, name: str, launch: ProcessSpec, files: list[Settings]) -> Iterator[_Slot]:
    for file in files:
        if (model := _env(file, name)) is not None:
            yield _Slot(group, model, f"{name} in the env of {file.path}")
    if name in launch.env:
        yield _Slot(group, launch.env[name], f"{name} in {launch.where[name]}", of_process=True)


def _agent(known: _Known, launch: ProcessSpec, files: list[Settings], config: str) -> Iterator[_Slot]:
    """The model of the agent that the process plays; its name is in the frontmatter, not in the name of its file."""
    chosen = [(launch.argv["agent"], "--agent on the command line")] if "agent" in launch.argv else []
    chosen += [
        (str(values["agent"]), f"agent in {file.path}") for file in files if (values := file.read()).get("agent")
    ]
    if not chosen:
        return
    name, where = chosen[0]
    for folder in (f"{MANAGED}/.claude/agents", f"{launch.cwd.rstrip('/')}/.claude/agents", f"{config}/agents"):
        within = f"{_spelling(folder)}/"
        for path, agent in known.agents.get(name, ()):
            if path.startswith(within):
                if agent.model not in ("", "inherit"):
                    yield _Slot(AT_AGENT, agent.model, f"{where}: {name}, whose model is in {agent.path}")
                return


def _env(file: Settings, name: str) -> str | None:
    env = file.read().get("env")
    return str(env[name]) if isinstance(env, dict) and name in env else None


def _first_of_group(slots: list[_Slot], slot: _Slot) -> _Slot:
    return next(candidate for candidate in slots if candidate.group == slot.group)


def _rejected_because(slots: list[_Slot], slot: _Slot, winner: _Slot) -> str:
    if slot is winner:
        return ""
    before = slots.index(slot) < slots.index(winner)
    return f"hidden by the empty {_first_of_group(slots, slot).where}" if before else "outranked"


def _unread(state: State, files: list[Settings], relocated_by: str) -> Iterator[Origin]:
    """The service's settings.json where it names a model and yet does not count at all."""
    own = state.settings
    if own not in files and own.model:
        yield Origin(
            own.model, f"model in {own.path}", f"not read: {relocated_by or '--setting-sources on the command line'}"
        )
    for file in files:
        if not file.read() and (file.error or not isinstance(file.values.get("model", ""), str)):
            fate = "not known" if file.problem not in ("", UNREADABLE) else "dropped whole"
            yield Origin("?", f"anything in {file.path}", f"{fate}: {file.error or 'model is not a string'}")


def _barred(model: str, files: list[Settings]) -> str:
    """The file whose `availableModels` leave the model out; "" when it may be used."""
    lists = [(file, file.read()["availableModels"]) for file in files if "availableModels" in file.read()]
    # A list of the administrator's stands alone; the others are put together.
    if managed := [pair for pair in lists if pair[0].path.startswith(f"{MANAGED}/")]:
        lists = managed
    # Each once: with thousands of one family, each would be compared with all the others.
    entries = list({str(entry).lower(): None for _, listed in lists if isinstance(listed, list) for entry in listed})
    return "" if not lists or _listed(model.lower(), entries) else lists[0][0].path


def _listed(model: str, entries: list[str]) -> bool:
    short = model.removesuffix("[1m]").removeprefix("claude-")
    for entry in entries:
        name = entry.removeprefix("claude-")
        if name in FAMILIES and entry == name:
            # A family stands for all of it, unless the list also names one of its members.
            members = [
                member for member in entries if member != name and member.removeprefix("claude-").startswith(f"{name}-")
            ]
            if name in model and not members:
                return True
        elif short == name or short.startswith(f"{name}-"):
            return True
    return False


def _override(model: str, files: list[Settings]) -> tuple[str, str]:
    if VENDOR_ID.fullmatch(model):
        for file in files:
            overrides = file.read().get("modelOverrides")
            if isinstance(overrides, dict) and overrides.get(model, model) != model:
                return str(overrides[model]), file.path
    return "", ""


# The same few paths on every host of a fleet: taking them apart anew took most of the time of judging ten thousand.
@lru_cache(maxsize=4096)
def _spelling(*parts: str) -> str:
    """One spelling of a path, for comparing."""
    return str(PurePosixPath(*parts))


@lru_cache(maxsize=4096)
def _folder_of(path: str) -> str:
    return str(PurePosixPath(path).parent)
