"""One change of one host as a value: what files/transaction.sh is to do there, and how to read what it did. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

from jada.tasks import FILES, operator_lock, place, release
from jada.tasks.operator_lock import LockRequest
from jada.tasks.release import Release
from jada.tasks.settings import Splice, set_model
from jada.tasks.state import State

# Seconds `systemctl restart` may take before the change counts as failed; systemd's DefaultTimeoutStartSec= is 90 s.
RESTART_TIMEOUT = 100
# Characters of what a transaction says; and the steps that it has, with room for more.
LONGEST_REASON, LONGEST_STEP, MOST_STEPS = 1000, 40, 40


class Result(StrEnum):
    """How a transaction ended; all but DONE and BROKEN leave the host as it was."""

    DONE = "done"
    RESTORED = "restored"
    BROKEN = "broken"
    REFUSED = "refused"
    LOCKED = "locked"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction reported; `reason` is a sentence unless it is done, `steps` those that were begun.

    `seen` is what a look right after it saw, where it was done and that look was whole.
    """

    result: Result
    reason: str
    steps: tuple[str, ...]
    seen: State | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """The service of a fleet and how to know that it runs: `settle` seconds, `health` a URL on the host or "".

    `probe` is a command on the host, or ""; `projects` folders there. `keep` is how many releases a host remembers.
    """

    unit: str
    settings: str
    health: str = ""
    settle: int = 5
    keep: int = 10
    probe: str = ""
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A release for one host, bound to the state it was decided on: it refuses if the host has changed since."""

    release: Release
    state: State
    service: Service
    holder: str
    force: bool = False

    @property
    def splice(self) -> Splice:
        """The edit of settings.json; none for a rollback, which puts whole files back, whatever stands there now."""
        text = self.state.settings.text
        if self.release.kind == "rollback":
            return Splice(0, 0, "")
        if text is None:
            return Splice(0, 0, '{\n  "model": "' + self.release.wanted.model + '"\n}\n')
        return set_model(text, self.release.wanted.model) or Splice(0, 0, "")

    def script(self) -> str:
        """The script, as root. Holds no byte of the host's settings but the model."""
        state, wanted, splice = self.state, self.release.wanted, self.splice
        upgrade = self.release.kind == "upgrade"
        current = state.release
        limit = min(wanted.nofile, state.capacity.login)
        values = {
            "RELEASE": self.release.id,
            "CURRENT": current.id if current else "",
            "RESTORES": self.release.restores,
            "UNIT": self.service.unit,
            "SETTINGS": state.settings.path,
            **self._place(),
            "EXPECTED": state.settings.file.sha256,
            "OFFSET": str(splice.offset),
            "LENGTH": str(splice.length),
            "CUT": (state.settings.text or "")[splice.offset :][: splice.length],
            "INSERT": splice.insert,
            "SIZE": str(len(state.settings.text or "") - splice.length + len(splice.insert)),
            "DROPIN_TEXT": release.dropin(wanted) if upgrade else "",
            "LIMITS_TEXT": release.login_limits(state.user, limit) if upgrade else "",
            "MANIFEST": self.release.to_json(),
            "HOLDER": self.holder,
            # A rollback is judged by the look that follows: an incident is no time to refuse the way back.
            "MODEL": wanted.model if upgrade else "",
            "NOFILE": str(wanted.nofile) if upgrade else "",
            "HEALTH": self.service.health,
            "HEALTH_TOLD": without_secrets(self.service.health),
            "SETTLE": str(self.service.settle),
            "RESTART_TIMEOUT": str(RESTART_TIMEOUT),
            "KEEP": str(self.service.keep),
            "FORCE": "yes" if self.force else "",
            "RECOVER": self._recover(),
            "RECOVER_UNIT": _file("jada-recover.service").replace("{{ unit }}", self.service.unit),
        }
        return assignments(values) + _file("host.sh") + _file("transaction.sh")

    def _recover(self) -> str:
        """The script that jada-recover.service runs if the host goes down in the middle."""
        values = {"RELEASE": self.release.id, "UNIT": self.service.unit, **self._place()}
        return assignments(values) + _file("host.sh") + "recover_at_boot\n"

    def _place(self) -> dict[str, str]:
        """Whose settings.json it is and where, with what works on it."""
        folder, _, name = place.checked(self.state.settings.real).rpartition("/")
        return {
            "USER_ID": str(self.state.uid),
            "GROUP_ID": str(self.state.gid),
            "FOLDER": folder or "/",
            "NAME": name,
            "PLACED": "",
            "LINKED": "yes" if place.is_linked(self.state) else "",
            "SETTINGS_SH": _file("settings.sh"),
        }


def look_script(service: Service, history: bool = False, evidence: bool = False) -> str:
    """The script of one look, as root; with the releases the host remembers, and with what systemctl says to people, if
    asked.
    """
    mask = assignments({"MASK": _file("mask.awk")})
    shared = _file("look-shared.sh")
    values = {
        "UNIT": service.unit,
        "SETTINGS": service.settings,
        "HEALTH": service.health,
        "PROBE": service.probe,
        "PROJECTS": "\n".join(service.projects),
        "HISTORY": "yes" if history else "",
        "EVIDENCE": "yes" if evidence else "",
        "AS_USER": mask + shared + _file("look-user.sh"),
    }
    return assignments(values) + mask + shared + _file("look.sh")


def hold_script(request: LockRequest) -> str:
    """The script, as root, that locks a host or frees it, see files/hold.sh."""
    lock = request.lock
    values = {
        "WHO": lock.who,
        "SINCE": lock.since,
        "UNTIL": lock.until or operator_lock.NEVER,
        "WHY": lock.reason,
        "LASTS": str(request.seconds or ""),
        "FORCE": "yes" if request.force else "",
    }
    return assignments(values) + _file("hold.sh")


# Runs the script that comes on stdin. Nothing of it is on a command line, which everybody on the host can read in `ps`
# and which sudo writes to the journal: a script may hold a password of a URL, or why somebody does this.
_RUN = """sh -c 'eval "$(cat)"' jada"""


def as_root(refusal: str, longest: int = 0) -> str:
    """The command that runs a script as root, through `sudo -n` unless the ssh user is root already.

    The script comes on stdin, as `on_stdin` makes it. pyinfra's own _sudo is not used because it asks at the terminal
    when sudo wants a password; here `refusal` is printed instead, and the command succeeds. sudo ends with 1 then, and
    no script of jada does; 127: there is no sudo. After `longest` seconds, if given, all that it started is killed.
    """
    run = f"timeout -k 1 {longest} {_RUN}" if longest else _RUN
    return (
        f'[ "$(id -u)" != 0 ] || exec {run}; sudo -n {run}; C=$?; '
        f"case $C in 1 | 127) printf '%s\\n' {shlex.quote(refusal)}; exit 0 ;; esac; "
        'exit "$C"'
    )


def on_stdin(script: str, afterwards: str = "", longest: int = 0) -> str:
    """A script as it goes to `as_root`; if it succeeds, `afterwards` runs as a process of its own for `longest` s.

    A script that did not arrive whole, because the link died, has no closing brace: then nothing of it is run.
    """
    if afterwards:
        script = (
            f"printf %s {shlex.quote(_whole(script))} | {_RUN}; C=$?\n"
            f'[ "$C" != 0 ] || printf %s {shlex.quote(_whole(afterwards))} | timeout -k 1 {longest} {_RUN}\n'
            'exit "$C"\n'
        )
    return _whole(script)


def _whole(script: str) -> str:
    return "{\n" + script + "\n}\n"


def outcome(lines: Iterable[str]) -> Outcome | None:
    """What the transaction's output says, None when it ends before the result (the link died).

    Raises ValueError for a result that there is not. Nothing that comes after the first one counts.
    """
    steps: list[str] = []
    ended: Result | None = None
    for line in lines:
        word, _, rest = line.partition(" ")
        if ended:
            reason = release.told(rest, most=LONGEST_REASON) if word == "reason" else ""
            return Outcome(ended, reason, tuple(steps))
        if word == "step" and len(steps) < MOST_STEPS:
            steps.append(release.told(rest, most=LONGEST_STEP))
        elif word == "result":
            ended = Result(rest)
    return Outcome(ended, "", tuple(steps)) if ended else None


def without_secrets(url: str) -> str:
    """The URL as it may be told: who it is for and what it asks, both of which may be secrets, are cut out of it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="…" if parts.query else "", fragment=""))


def assignments(values: dict[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _file(name: str) -> str:
    return (FILES / name).read_text()
