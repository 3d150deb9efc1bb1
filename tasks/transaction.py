"""One change of one host as a value: the work for files/change/ there, and the reading of its output. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from itertools import islice
from urllib.parse import urlsplit, urlunsplit

from jada import Fence, Probe, Service
from jada.tasks import FILES, operator_lock, paths, place, release
from jada.tasks.dropin import dropin, login_limits
from jada.tasks.journal import NOT_WHOLE, JournalQuery
from jada.tasks.operator_lock import LockRequest
from jada.tasks.probe import Question
from jada.tasks.release import Release
from jada.tasks.settings import Splices, apply, set_models
from jada.tasks.state import State

# The steps of a transaction, in the order they come; at the end what undoes one, or one that was cut off.
STEPS = (
    "check", "snapshot", "settings", "dropin", "limits", "files", "reload", "restart", "settle", "verify", "commit",
    "tidy", "restore", "recover",
)  # fmt: skip
# Characters of what a transaction says; and the steps that it has, with room for more.
LONGEST_REASON, LONGEST_STEP, MOST_STEPS = 1000, 40, 40
# Lines and characters of a journal that are shown of a start that failed.
MOST_LOG, LONGEST_LOG = 20, 300
LOG = "log "
# Stands between the words of a process in a look: no white space, which shells fold, and no byte that one uses itself.
BETWEEN = "\x1e"
# Lines of an answer; a transaction has some twenty and the look behind it is one.
MOST_LINES = 1000


class Result(StrEnum):
    """The result of a transaction; all but DONE and BROKEN leave the host as it was."""

    DONE = "done"
    RESTORED = "restored"
    BROKEN = "broken"
    REFUSED = "refused"
    LOCKED = "locked"
    # The host has met a later rollout.
    FENCED = "fenced"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report of a transaction; `reason` is a sentence unless it is done, `steps` those that were begun.

    `log` is the end of the journal of a start that failed, masked there.
    `seen` is the state by a look right after it, where it was done and that look was whole.
    """

    result: Result
    reason: str
    steps: tuple[str, ...]
    seen: State | None = None
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A release for one host, bound to the state it was decided on: it refuses if the host has changed since.

    `kept` is what the snapshot that a rollback puts back is bound to, by root's own record: the service's user, who
    says where settings.json is and what is in it, decides nothing of a way back. `fence` is the number of the lease
    that it is made under, None where there is none.
    """

    release: Release
    state: State
    service: Service
    holder: str
    force: bool = False
    kept: tuple[str, ...] = ()
    fence: Fence | None = None

    @property
    def splices(self) -> Splices:
        """The edits of settings.json; none for a rollback, which puts whole files back, whatever stands there now."""
        if self.release.kind == "rollback":
            return ()
        return set_models(self.state.settings.text, self.release.desired.tiers)

    def script(self) -> str:
        """The script, as root. Holds no byte of the host's settings but the models."""
        state, desired, splices = self.state, self.release.desired, self.splices
        text = state.settings.text or ""
        upgrade = self.release.kind != "rollback"
        current = state.release
        limit = min(desired.nofile, state.capacity.login)
        values = {
            "RELEASE": self.release.id,
            "CURRENT": current.id if current else "",
            "RESTORES": self.release.restores,
            "UNIT": self.service.unit,
            **paths.assigned(self.service.unit),
            "SETTINGS": state.settings.path,
            **_place(self.place),
            "EXPECTED": state.settings.file.sha256 if upgrade else "",
            "EDITS": _words(splices),
            "MASKED_HASH": sha256(text.encode("latin-1")).hexdigest(),
            "SIZE": str(len(apply(text, splices))),
            "DROPIN_TEXT": dropin(desired, self.release.role) if upgrade else "",
            "LIMITS_TEXT": login_limits(state.user, limit) if upgrade else "",
            "MANIFEST": self.release.to_json(),
            "HOLDER": self.holder,
            **_numbered(self.fence),
            "JOURNAL_LINE": f"{self.release.kind} to {desired.model or 'what was there before'}, {self.holder}",
            # A rollback is judged by the look that follows: an incident is no time to refuse the way back.
            "MODEL": desired.model if upgrade else "",
            "NOFILE": str(desired.nofile) if upgrade else "",
            "CHECK_URL": self.service.model_check.url,
            "CHECK_URL_TOLD": without_secrets(self.service.model_check.url),
            "SETTLE": str(self.service.settle),
            "RESTART_TIMEOUT": str(round(state.unit.restart)),
            "KEEP": str(self.service.keep),
            "MOST_LOG": str(MOST_LOG),
            "MASK_LOG": _file("change/mask-log.awk"),
            "LIMITS_AWK": _code("look/proc.awk") + _code("change/limits.awk"),
            "FORCE": "yes" if self.force else "",
            "RECOVER": self._recover(),
            "RECOVER_UNIT": _file("units/jada-recover.service")
            .replace("{{ unit }}", self.service.unit)
            .replace("{{ home }}", paths.HOME),
        }
        names = ("change/host", "change/fence", "edit", "change/transaction")
        scripts = "".join(_file(f"{name}.sh") for name in names)
        return assignments(values) + _programs("mask", "mask-files") + scripts

    @property
    def longest(self) -> float:
        """Seconds that it can take: a restart, and a second one for the way back."""
        return self.service.settle + 2 * self.state.unit.restart + 60

    @property
    def place(self) -> tuple[str, ...]:
        """The owner, service and place of settings.json, to which a snapshot is bound.

        See `place` in files/change/host.sh.
        """
        return self.kept or place.by_look(self.state, self.service.unit)

    def _recover(self) -> str:
        """The script that jada-recover.service runs if the host goes down in the middle."""
        unit = self.service.unit
        values = {"RELEASE": self.release.id, "UNIT": unit, **paths.assigned(unit), **_place(self.place)}
        return assignments(values) + _file("change/host.sh") + "recover_at_boot\n"


# Ten thousand hosts that are looked at alike share it.
@cache
def look_script(service: Service, history: bool = False, status: bool = False, ask: bool = False) -> str:
    """The script of one look, as root; with the releases the host remembers, what systemctl says to people, and what
    the service's own CLI says, if asked.
    """
    values = {
        **_asked_for(service),
        "HISTORY": "yes" if history else "",
        "STATUS": "yes" if status else "",
        "ASK": "yes" if ask else "",
        "AS_USER": half_of_user() + 'look_as_user "$@"\n',
    }
    asking = question(service) if ask else ""
    return assignments(values) + half_of_root() + asking + "look | gzip -c | base64 -w0\n"


def ask_script(service: Service, splices: Splices = ()) -> str:
    """The script that asks the service's own CLI alone, as root, as if these edits of its settings had been made."""
    values = {**_asked_for(service), "STATUS": ""}
    return assignments(values) + half_of_root() + question(service, splices) + "ask_alone | gzip -c | base64 -w0\n"


def probe_script(service: Service, probed: Question) -> str:
    """The script that asks a host what a change would meet there, as root; nothing is changed."""
    values = {
        **_asked_for(service),
        "STATUS": "",
        "MODEL_ID": probed.model,
        "WHY_NOT": probed.why_not,
        "REQUEST": "yes" if probed.request else "",
        "HAS_HELPER": "yes" if probed.has_helper else "",
        "FILES_WITH_ENV": "\n".join(probed.files),
        "ENDPOINT_AS_SERVICE": endpoint_as_service() + 'endpoint_as_service "$@"\n',
    }
    return assignments(values) + probe_functions(service) + "probe | gzip -c | base64 -w0\n"


def measure_script(service: Service, probes: Sequence[Probe], requests: int, longest: int) -> str:
    """The script that measures what these probes ask of a host, as root, with so many requests for each of http; as the
    service's user, for `longest` s.

    There, a probe goes by its number.
    """
    numbered = [(str(number), each) for number, each in enumerate(probes)]
    kinds = {each.kind for each in probes}
    journals = [
        (number, "0" if each.measure == "count" else str(each.window), each.priority, each.pattern)
        for number, each in numbered
        if each.kind == "journal"
    ]
    urls = [(number, each.url) for number, each in numbered if each.kind == "http"]
    commands = [(number, each.command) for number, each in numbered if each.kind == "command"]
    values = {
        **_asked_for(service),
        "STATUS": "",
        "LONGEST_OF_MEASURE": str(longest),
        "CGROUP": "yes" if kinds & {"cpu", "memory"} else "",
        "JOURNALS": shlex.join(word for words in journals for word in words),
        "MEASURE_AS_USER": measure_as_user(requests, urls, commands) if urls or commands else "",
    }
    return assignments(values) + measure_functions() + "measure | gzip -c | base64 -w0\n"


def measure_functions() -> str:
    """What measures a host for probes: functions."""
    return half_of_root() + _code("look/measure.sh")


def measure_as_user(requests: int, urls: Iterable[tuple[str, str]], commands: Iterable[tuple[str, str]]) -> str:
    """What measures as the service's user: URLs that are asked and commands, each behind the number of its probe."""
    asked, run = (shlex.join(word for words in pairs for word in words) for pairs in (urls, commands))
    return _code("look/measure-as-user.sh") + f"ask_urls {requests} {asked}\nrun_commands {run}\n"


def probe_functions(service: Service) -> str:
    """What asks a host before a change: functions."""
    return half_of_root() + question(service) + _code("look/probe.sh")


def _asked_for(service: Service) -> dict[str, str]:
    return {
        "UNIT": service.unit,
        "SETTINGS": service.settings,
        "CHECK_URL": service.model_check.url,
        "CHECK_COMMAND": service.model_check.command,
        "PROJECTS": "\n".join(service.projects),
        **paths.assigned(service.unit),
        "ROOT": "",
    }


def half_of_root() -> str:
    """Returns the part of a look that runs as root: functions, which by themselves look at nothing."""
    names = ("shared", "instance", "look", "unit", "process", "start", "owner", "answers", "sessions", "releases")
    scripts = "".join(_code(f"look/{name}.sh") for name in names)
    programs = _programs(
        "say", "mask", "mask-files", "environment", "proc", "kernel", "view", "root-files", "report", "unit-sets"
    )
    return programs + assignments({"BETWEEN": BETWEEN}) + scripts


def question(service: Service, splices: Splices = ()) -> str:
    """What asks the CLI: functions, which go behind those of root's half."""
    values = {
        "CLI": service.cli,
        "EDITS": _words(splices),
        "IN_SANDBOX": _code("look/sandbox.sh") + 'in_sandbox "$@"\n',
        "AS_SERVICE": as_service() + 'ask_as_service "$@"\n',
    }
    return assignments(values) + _code("look/ask.sh")


def as_service() -> str:
    """What asks the CLI as the service's user: functions too."""
    names = ("look/shared", "look/owner", "edit", "look/ask-as-service")
    return assignments({"BETWEEN": BETWEEN}) + "".join(_code(f"{name}.sh") for name in names)


def _words(splices: Splices) -> str:
    """The edits as words of a shell: files/edit.sh."""
    words = ((str(splice.offset), str(splice.length), splice.insert) for splice in splices)
    return shlex.join(word for edit in words for word in edit)


def endpoint_as_service() -> str:
    """What asks the service's endpoint as the service's user: functions too."""
    programs = assignments({"BETWEEN": BETWEEN}) + _programs("env")
    return programs + "".join(_code(f"look/{name}.sh") for name in ("shared", "endpoint-as-service"))


def half_of_user() -> str:
    """Returns the part of a look that runs as the service's user: functions too."""
    programs = _programs("say", "mask", "mask-files", "environment", "agents", "transcripts")
    return programs + "".join(_code(f"look/{name}.sh") for name in ("shared", "user", "transcripts"))


def _programs(*names: str) -> str:
    """The awk programs, as the scripts know them."""
    return assignments({f"{name.replace('-', '_').upper()}_AWK": _code(f"look/{name}.awk") for name in names})


def _code(name: str) -> str:
    """A file without its comments, a third of what would be sent to each host for each look."""
    return re.sub(r"^[ \t]*#.*\n", "", _file(name), flags=re.M)


def journal_script(state: State, service: Service, query: JournalQuery, follow: bool = False) -> str:
    """The script, as root, that prints lines of the service's journal, masked there; those to come too, if it is to
    `follow`.
    """
    # Of a unit that systemd can't load, nobody knows where its settings are: masked by what secrets look like alone.
    nowhere = {"USER_ID": "0", "FOLDER": "/", "NAME": "none", "PLACED": "", "LINKED": "", "SETTINGS_SH": ":"}
    where = _place(place.by_look(state, service.unit)) if state.settings.real else nowhere
    values = {
        "RELEASE": "",
        "UNIT": service.unit,
        **paths.assigned(service.unit),
        **where,
        "MASK_LOG": _file("change/mask-log.awk"),
        "NOT_WHOLE": NOT_WHOLE,
    }
    look = "read_unit\nread_settings_facts\n" if state.settings.real else "read_unit\n"
    options = ["yes" if follow else "", "-n", str(query.count)]
    options += [f"--since=-{query.since}s"] if query.since else []
    options += [f"JADA_RELEASE={query.release}"] if query.release else []
    scripts = _file("change/host.sh") + _file("change/journal.sh")
    return assignments(values) + scripts + f"{look}entries {shlex.join(options)}\n"


def tasks_script(service: Service, since: float) -> str:
    """The script, as root, that prints the tasks that the service says it has done since then (Unix seconds)."""
    return assignments({"UNIT": service.unit}) + _programs("tasks") + _code("look/tasks.sh") + f"tasks {int(since)}\n"


def lock_script(request: LockRequest) -> str:
    """The script, as root, that locks a host or frees it, see files/lock.sh."""
    lock = request.lock
    values = {
        "HOME_OF_JADA": paths.HOME,
        "WHO": lock.who,
        "SINCE": lock.since,
        "UNTIL": lock.until or operator_lock.NEVER,
        "WHY": lock.reason,
        "LASTS": str(request.seconds or ""),
        "FORCE": "yes" if request.force else "",
    }
    return assignments(values) + _file("lock.sh")


def fence_script(fence: Fence, holder: str) -> str:
    """The script, as root, that has a host refuse the changes of earlier holders of the rollout lease from now on."""
    values = {"HOME_OF_JADA": paths.HOME, "HOLDER": holder}
    return assignments(values) + passes_fence(fence) + _file("raise-fence.sh")


def passes_fence(fence: Fence | None) -> str:
    """The function of files/change/fence.sh for that number, without the rest of a transaction."""
    # coreutils' sync takes files since 8.24, as in host.sh.
    flush = 'flush() { sync "$@" 2>/dev/null || sync; }\n'
    return assignments({"NL": "\n", **_numbered(fence)}) + flush + _file("change/fence.sh")


def only_on(instance: str, script: str) -> str:
    """The script, to be run on this EC2 instance ("" where none is known) and on no other."""
    return _file("look/instance.sh") + f"only_on {shlex.quote(instance)}\n" + script if instance else script


# Runs the script that comes on stdin. Nothing of it is on a command line, which everybody on the host can read in `ps`
# and which sudo writes to the journal: a script may hold a password of a URL, or why somebody does this.
_RUN = """sh -c 'eval "$(cat)"' jada"""
# The same in two parts: dd reads as many bytes as the first one has, and no more. The second may come late, or never.
_RUN_PARTS = """sh -c 'eval "$(dd bs={size} count=1 iflag=fullblock 2>/dev/null)"; eval "$(timeout {wait} cat)"' jada"""
# Seconds that a host waits for the second part: until all hosts of a fleet were looked at.
LONGEST_WAIT = 600


# The beginning of an error that a host gives in place of an answer.
ERROR = "error="
# Between these lines stands the output of a script. Lines before and after are the login shell's: a .bashrc that
# greets, a warning that the password expires.
BEGIN, END = "jada-begin", "jada-end"


class FirstPart(str):
    """A script on stdin that answers with one line; the next command's script then goes to the same process."""

    __slots__ = ()


def as_root(refusal: str, longest: int = 0, first: int = 0) -> str:
    """The command that runs a script as root, through `sudo -n` unless the ssh user is root already.

    The script comes on stdin, as `on_stdin` makes it; with `first`, in two parts of which the first has so many bytes.
    Its output is read with `answer`. pyinfra's own _sudo is not used because it asks at the terminal when sudo wants
    a password; here `refusal` and sudo's own words are printed instead, and the command succeeds. sudo ends with 1
    then, and no script of jada does; 127: there is no sudo. After `longest` seconds, if given, all that it started is
    killed. It is one line without a backslash but printf's and without the history's "!": the login shell, which hands
    it to sh, may be csh or fish.
    """
    run = _RUN_PARTS.format(size=first, wait=LONGEST_WAIT) if first else _RUN
    run = f"timeout -k 1 {longest} {run}" if longest else run
    *lines, last = (shlex.quote(line) for line in refusal.split("\n"))
    refused = "".join(f"printf '%s\\n' {line}; " for line in lines) + (
        "W=$(LC_ALL=C sudo -n sh -c : 2>&1 | tr -s '[:space:]' ' '); "
        f"printf '%s%s; jada needs sudo without a password or a terminal, or to log in as root\\n' {last} \"${{W% }}\""
    )
    return (
        f'echo; echo {BEGIN}; if [ "$(id -u)" = 0 ]; then {run}; C=$?; else sudo -n {run}; C=$?; '
        f"case $C in 1 | 127) {refused}; C=0 ;; esac; fi; "
        f'echo; echo {END}; exit "$C"'
    )


def answer(said: str) -> list[str] | None:
    """The lines that the script of `as_root` said, all there are yet; None when it was not begun."""
    _, begun, rest = f"\n{said}".partition(f"\n{BEGIN}\n")
    lines = f"\n{rest}".partition(f"\n{END}\n")[0].removeprefix("\n").split("\n", MOST_LINES)
    return (lines if lines[-1] else lines[:-1]) if begun else None


def not_begun(said: str) -> str:
    """The answer of a host on which the script was not begun: the login shell's words, if it has any."""
    words = " ".join(said[:LONGEST_REASON].split())
    return ERROR + "the login shell there ran nothing" + (f", and said: {words}" if words else "")


def failure(lines: Sequence[str]) -> str:
    """The error that a host said in place of an answer, "" when there is none."""
    is_error = len(lines) == 1 and lines[0].startswith(ERROR)
    return release.printable(lines[0].removeprefix(ERROR), most=LONGEST_REASON) if is_error else ""


def on_stdin(script: str, afterwards: str = "", longest: int = 0) -> str:
    """A script as it goes to `as_root`; if it succeeds, `afterwards` runs as a process of its own for `longest` s.

    A script that did not arrive whole, because the link died, has no closing brace: then nothing of it is run.
    """
    if afterwards:
        script = (
            f"printf %s {shlex.quote(_whole(script))} | {_RUN}; C=$?\n"
            f'[ "$C" != 0 ] || {_apart(afterwards, longest)}\n'
            'exit "$C"\n'
        )
    return _whole(script)


def first_part(script: str, longest: int) -> FirstPart:
    """A script that prints one line in at most `longest` s, as it goes to `as_root` with its number of bytes."""
    return FirstPart(_whole(f"{_apart(script, longest)}; echo"))


def _apart(script: str, longest: int) -> str:
    return f"printf %s {shlex.quote(_whole(script))} | timeout -k 1 {longest} {_RUN}"


def _whole(script: str) -> str:
    return "{\n" + script + "\n}\n"


def outcome(lines: Iterable[str]) -> Outcome | None:
    """Reads a transaction's output; None when it ends before the result (the link died).

    Raises ValueError for a result that there is not. Nothing that comes after the first one counts but its reason and
    a log.
    """
    said = iter(lines)
    steps: list[str] = []
    for line in said:
        word, _, rest = line.partition(" ")
        if word == "result":
            ended = Result(rest)
            break
        if word == "step" and len(steps) < MOST_STEPS:
            steps.append(release.printable(rest, most=LONGEST_STEP))
    else:
        return None
    word, _, why = next(said, "").partition(" ")
    reason = release.printable(why, most=LONGEST_REASON) if word == "reason" else ""
    log = (line.removeprefix(LOG) for line in said if line.startswith(LOG))
    kept = tuple(release.printable(line, most=LONGEST_LOG) for line in islice(log, MOST_LOG))
    return Outcome(ended, reason, tuple(steps), log=kept)


class StepReader:
    """Tells the steps of a transaction while its output still comes, as the names of STEPS and no others."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._line = b""
        self._is_begun = False
        self._left = MOST_STEPS

    def feed(self, received: bytes) -> None:
        """Takes the next part of the output; all behind the result, where the look begins, is passed over."""
        if not self._left:
            return
        *lines, rest = (self._line + received).split(b"\n")
        # Of a line that long, nothing is a step.
        self._line = rest[: LONGEST_STEP + 10]
        for line in lines:
            word, _, name = line.decode(errors="replace").partition(" ")
            if not self._is_begun:
                self._is_begun = line == BEGIN.encode()
            elif word == "result" or not self._left:
                self._left = 0
                return
            elif word == "step" and name in STEPS:
                self._left -= 1
                self._tell(name)


def _numbered(fence: Fence | None) -> dict[str, str]:
    """The variables of files/change/fence.sh."""
    return {"STORE": fence.store if fence else "", "NUMBER": str(fence.number) if fence else ""}


def without_secrets(url: str) -> str:
    """The URL as it may be told: who it is for and what it asks, both of which may be secrets, are cut out of it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="…" if parts.query else "", fragment=""))


def _place(at: tuple[str, ...]) -> dict[str, str]:
    """The variables of the owner and place of settings.json, and of the script that works on it."""
    user, group, _, linked, folder, name = at
    place.checked(f"{folder.rstrip('/')}/{name}")
    return {
        "USER_ID": user,
        "GROUP_ID": group,
        "FOLDER": folder,
        "NAME": name,
        "PLACED": "",
        "LINKED": linked,
        "SETTINGS_SH": _file("change/settings.sh"),
    }


def assignments(values: dict[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _file(name: str) -> str:
    return (FILES / name).read_text()
