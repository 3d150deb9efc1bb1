"""The state of a host by one look, as plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from jada import Tiers
from jada.tasks.asked import Asked
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.paths import MANAGED
from jada.tasks.release import Release
from jada.tasks.served import Served
from jada.tasks.settings import judged, models_in, parse

# The problem of a file that the Claude CLI can't read either; jada alone has the others (files/look/shared.sh).
UNREADABLE = "the service's user may not read it"
# The path by which settings given on the command line itself are known.
INLINE = "(on the command line)"
NO_LIMIT = 2**63 - 1
# Seconds: DefaultTimeoutStopSec= and DefaultTimeoutStartSec= as systemd comes (systemd-system.conf(5)); and for a
# restart whose unit sets no end.
USUAL_TIMEOUT = 90
LONGEST_RESTART = 3600


@dataclass(frozen=True, slots=True)
class File:
    """One file jada writes. `owner` is "uid:gid", `mode` octal like "600"; all empty when it does not exist."""

    owner: str = ""
    mode: str = ""
    sha256: str = "absent"


@dataclass(frozen=True, slots=True)
class Settings:
    """A settings file, masked (see files/look/mask.awk). `real` is where symlinks lead; `names` counts its hard links.

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
        """The reason that the file can't be used, or ""."""
        if self.problem or self.text is None:
            return self.problem
        return judged(self.text, self.path.startswith(f"{MANAGED}/"))[1]

    @property
    def effect(self) -> str:
        """The Claude CLI's way with that error, as far as jada knows."""
        if self.problem not in ("", UNREADABLE):
            return "what the Claude CLI makes of it is not known"
        managed = self.path.startswith(f"{MANAGED}/")
        return f"the Claude CLI then {'refuses to start' if managed else 'ignores the whole file'}"

    @property
    def tiers(self) -> Tiers:
        """The models on disk; none where the file can't be read as settings."""
        return models_in(self.read())

    @property
    def model(self) -> str:
        """The model on disk, "" when none is set or the file can't be read as settings."""
        return self.tiers.model

    def read(self) -> Mapping[str, object]:
        """The values the Claude CLI takes from the file: none when something in it is wrong, for it drops it whole."""
        return {} if self.problem or self.text is None else judged(self.text, self.path.startswith(f"{MANAGED}/"))[0]


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """The command line and environment that a process is started with, as far as they decide the model.

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
class UnitSetting:
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
    """A fresh login of the service's user. `error` says why nothing could be measured, or is ""."""

    nofile: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The answer of the service to its model check, asked `by` its url or its command; "" where it has none.

    `unable` says that it could not even be asked, and why; `error` is then that too.
    """

    by: str = ""
    model: str = ""
    error: str = ""
    unable: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """The service as systemd sees it (`systemctl show`).

    `load` is systemd's word for whether it could be loaded, and `error` its sentence where not; `user` is its User=,
    `kind` its Type=. `settings` has what its files say now, in the order in which systemd would read them; `dropins`
    are those that it has read. `lacks` are a setting and a path each: what a start needs and is not there. `stop` and
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
    settings: tuple[UnitSetting, ...] = ()
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
class Member:
    """A process of the unit's control group, with its soft limit of open files. `is_cli` says that it is called as the
    Claude CLI is; `is_left` that it began before the unit's present start, which has not ended it.
    """

    pid: int
    started: float
    soft: int
    is_cli: bool
    is_left: bool


@dataclass(frozen=True, slots=True)
class Process:
    """The service's main process, or the first of its control group where systemd knows none.

    `started` is Unix seconds, `ticks` its birth on the kernel's own clock. `spec` is that of the process that asks
    for a model: of `speaker`, begun at `spoke`, where the main one has started another for that (0: it is the same).
    `respawn` is how that one would be started again by what stands between it and systemd; None where nothing does.
    `spoke_ticks` is its birth on the kernel's own clock. `members` are all processes of the unit's control group.
    """

    pid: int
    started: float
    ticks: int
    soft: int
    hard: int
    spec: ProcessSpec = field(default_factory=ProcessSpec)
    speaker: int = 0
    spoke: float = 0.0
    respawn: ProcessSpec | None = None
    spoke_ticks: int = 0
    members: tuple[Member, ...] = ()

    @property
    def present(self) -> tuple[Member, ...]:
        """The processes of the service's present start."""
        return tuple(member for member in self.members if not member.is_left)

    @property
    def left(self) -> tuple[Member, ...]:
        """The processes that an earlier start of the service left behind, the oldest first."""
        return tuple(sorted((member for member in self.members if member.is_left), key=lambda member: member.started))

    @property
    def began(self) -> float:
        """The birth of the oldest process that asks for a model: each of the Claude CLI's may."""
        return min([self.spoke or self.started, *(member.started for member in self.present if member.is_cli)])


@dataclass(frozen=True, slots=True)
class Capacity:
    """The bounds of the file descriptor limit on this host."""

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
        """The bound that keeps a service from more."""
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
class HistoryEntry:
    """One entry of the history a host keeps itself. `error` is "" when the release was completed; `place` is what its
    snapshot was taken of, as Transaction.place has it.
    """

    release: Release
    error: str
    place: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """The state of a host by one look; `history` only where it was asked for, oldest first.

    `layers` are the settings files other than the service's own, of which only some count for any one process, and
    `managed_changed` when a file was last put into or taken out of the folder of managed ones. `next_start` is how
    systemd would start the service now; `reloaded` how it would once it has read the unit's files anew, None where that
    is the same. `home_real` is where links lead from `home`. `way`, `settings` and all that lies in folders of
    the service's user is that user's word. `unread` says what was too large or too odd to be looked at.

    Where systemd could not load the unit, or the host does not know its user, `user` is "" and nothing of the service
    was looked at.

    `place` is what the snapshot of the current release was taken of, as Transaction.place has it. `running_transaction`
    says whose transaction is running there just now, and `unfinished_transaction` is the release of a transaction that
    has not finished; each is "" when there is none. `operator_lock` is the lock that people have put on the host by
    `jada lock`. `instance` is the id of the EC2 instance that it was, "" where that is not known.

    `unseen` says why nothing is known of what the service's user says, "" where it is; and `damage` why the manifest of
    the current release can't be read: `release` is then made up from what else root has written there. `whole` are the
    ids of those releases whose snapshots are whole, with the history. `asked` is what the service's own CLI says, where
    it was asked; `served` what its transcripts tell. `own_view` are files that are other ones for the process than for
    the look, which is then no look at what decides its model.
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
    next_start: ProcessSpec
    process: Process | None
    login: Login
    sessions: tuple[OpenSession, ...]
    report: ModelReport
    release: Release | None
    previous: Release | None
    place: tuple[str, ...]
    after: Mapping[str, File]
    result: tuple[str, ...]
    history: tuple[HistoryEntry, ...]
    unfinished_transaction: str
    operator_lock: OperatorLock | None
    running_transaction: str
    boot: str
    now: float
    unread: tuple[str, ...]
    instance: str = ""
    reloaded: ProcessSpec | None = None
    unseen: str = ""
    damage: str = ""
    whole: Set[str] = frozenset()
    asked: Asked = field(default_factory=Asked)
    served: Served = field(default_factory=Served)
    own_view: tuple[str, ...] = ()

    def other_than(self, meant: str) -> str:
        """The EC2 instance that was looked at, where it is clearly not the one that is meant, or ""."""
        return self.instance if self.instance and meant and self.instance != meant else ""
