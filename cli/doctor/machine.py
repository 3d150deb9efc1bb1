"""The doctor's checks of this machine and of fleet.yml. Nothing is made or written."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from jada import ConfigError, JadaError, __version__
from jada.cli.doctor.result import FLEET_YML, CheckResult, failed, passed, skipped, warned
from jada.cli.drift.webhook import url_of
from jada.cli.records.migrations import VERSION
from jada.cli.records.model import RolloutEntry, RolloutStatus
from jada.cli.records.sqlite import Records, open_unchanged, read_shared, state_path
from jada.cli.records.store import LocalStore
from jada.cli.rollout.exclusive import NotKnownError, holder_now
from jada.cli.rollout.freeze import freeze_notes, is_frozen
from jada.cli.rollout.next_steps import DECIDE
from jada.cli.ui.console import plural
from jada.inventory import models

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

# Packages whose versions a report of trouble wants; and one bound of a package that jada needs, as pip has it.
TOLD = ("boto3", "pyinfra", "paramiko")
BOUND = re.compile(r"(>=|<)([0-9.]+)")
# Free bytes below the record that are enough for months of it.
LEAST_BYTES = 16 * 2**20
AGAIN = "install jada anew, with what it needs: pip install --upgrade ."


def versions(requirements: Iterable[str], installed: Callable[[str], str] = metadata.version) -> CheckResult:
    """Checks that what jada needs is installed, as new as it needs it; tells the versions."""
    wrong = []
    for requirement in requirements:
        name = re.split(r"[<>=\[; ]", requirement, maxsplit=1)[0]
        # What only the rehearsal needs.
        if ";" in requirement:
            continue
        try:
            version = installed(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is not installed")
            continue
        wrong += [f"{name} is {version}, and jada needs {sign}{bound}" for sign, bound in BOUND.findall(requirement)
                  if (_numbers(version) >= _numbers(bound)) != (sign == ">=")]  # fmt: skip
    if wrong:
        return failed("versions", "; ".join(wrong), AGAIN)
    told = ", ".join(f"{name} {installed(name)}" for name in TOLD)
    return passed("versions", f"jada {__version__}, Python {platform.python_version()}, {told}")


def openssh(is_needed: bool) -> CheckResult:
    """Checks that OpenSSH's client is here; it `is_needed` for a jump host."""
    if where := shutil.which("ssh"):
        return passed("openssh", f"{where} is there, for `jada ssh`, jump hosts and ssh configurations")
    text, fix = "there is no ssh on this machine", "install the OpenSSH client"
    if is_needed:
        return failed("openssh", f"{text}, which ssh.jump in fleet.yml needs", fix)
    return warned("openssh", f"{text}: `jada ssh` and an ssh configuration need it", fix)


def record() -> CheckResult:
    """Checks that the record can be read and written, and that this jada knows its tables."""
    try:
        file = state_path() / "history.db"
        # The file itself, or where it would be made.
        there = next(path for path in (file, *file.parents) if path.exists())
        return _room(there, file) or _tables(file)
    except JadaError as error:
        return failed("record", error.message, error.hint)


def _room(there: Path, file: Path) -> CheckResult | None:
    """What stands in the way of writing the record, or that there is none yet; None where it can be looked into."""
    other = "set XDG_STATE_HOME to another folder"
    folder = there.parent if there == file else there
    if not (folder.is_dir() and os.access(folder, os.W_OK) and os.access(there, os.W_OK)):
        text = f"{there} can't be written, so no upgrade is begun here"
        return failed("record", text, f"see its owner and its mode, or {other}")
    if (free := shutil.disk_usage(there).free) < LEAST_BYTES:
        return warned("record", f"{free // 1024} KB are free below {there}", f"make room there, or {other}")
    return None if there == file else passed("record", f"none yet; it will be {file}")


def _tables(file: Path) -> CheckResult:
    with open_unchanged(file) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if version > VERSION:
        text = f"{file} has tables of version {version}; this jada knows {VERSION}"
        return failed("record", text, "update the jada of this machine")
    if damage != "ok":
        return failed("record", f"{file} is damaged", "move it away and read it back with: jada history --rebuild")
    older = f", which the next change brings to {VERSION}" if version < VERSION else ""
    return passed("record", f"{file} can be read and written; tables of version {version}{older}")


def fleet_yml(fleet: Fleet) -> CheckResult:
    roles = ", ".join(role.name for role in fleet.roles)
    return passed(FLEET_YML, f"{fleet.path}: fleet {fleet.name}, {plural(len(fleet.sources), 'source')}, roles {roles}")


def problems(error: ConfigError) -> Iterator[CheckResult]:
    """All that is wrong with fleet.yml."""
    for problem in error.problems:
        hint = "docs/fleet.md has every key"
        yield failed(FLEET_YML, problem.message, problem.hint or hint)


def retiring(fleet: Fleet, today: date) -> CheckResult:
    """Checks that no model of a role retires soon."""
    listed = models.catalogue(fleet.models)
    tiers = [fleet.tiers_of(role.name) for role in fleet.roles]
    named = dict.fromkeys(
        model for each in tiers for model in (each.model, *each.fallback, each.subagent_model) if model
    )
    if not named:
        return skipped("models", "no role asks for a model")
    if soon := [f"{model} {when}" for model in named if (when := models.retirement(model, listed, today))]:
        return warned("models", "; ".join(soon), "choose another for its roles in fleet.yml, and then: jada upgrade")
    return passed("models", f"{', '.join(named)}: none retires within {models.NOTICE.days} days")


def notify(fleet: Fleet, environ: Mapping[str, str]) -> CheckResult:
    """Checks that the URL of the webhook can be had; nothing is sent."""
    webhook, topic = fleet.notify.webhook, fleet.notify.sns
    if not (webhook or topic):
        return skipped("notify", "fleet.yml has nobody told of drift")
    if webhook:
        try:
            url_of(webhook, environ)
        except JadaError as error:
            return failed(
                "notify",
                f"the webhook of fleet.yml can't be told: {error.message}",
                "set it where jada runs; without it nobody is told of drift",
            )
    told = " and ".join(
        [*(["the webhook's URL is there"] if webhook else []), *([f"the topic is {topic}"] if topic else [])]
    )
    return passed("notify", f"{told}; nothing was sent")


def shared(fleet: Fleet) -> tuple[CheckResult, CheckResult]:
    """Checks that the record of the team can be read and nothing waits to be written there; and, by it or by that of
    this machine, that no rollout waits for somebody.
    """
    if fleet.state is None:
        return skipped("state", "fleet.yml names no place of a team"), rollout(fleet.name)
    try:
        with read_shared(fleet.state, fleet.aws) as store:
            read, kept = f"{fleet.state}: {plural(store.last, 'object')}", store.unsent
            last = of_rollout(next(iter(Records(store).rollouts(fleet.name, 1)), None))
    except JadaError as error:
        return failed("state", error.message, error.hint), skipped("rollout", "the record can't be read")
    if kept:
        text = f"{read}; {plural(kept, 'change')} kept here could not be written there yet"
        return warned("state", text, "any command that uses the record tries it: jada history"), last
    return passed("state", f"{read} can be read; nothing was written"), last


def lease(fleet: Fleet) -> CheckResult:
    """Checks that nobody changes the fleet now, as far as its rollout lease tells."""
    where = str(fleet.state or "this machine")
    try:
        holder = holder_now(fleet)
    except NotKnownError as error:
        return failed("lease", error.message, error.hint)
    if holder:
        return warned("lease", f"held by {holder}", "an upgrade can wait for it: --lock-wait 15m; see jada locks")
    return passed("lease", f"nobody holds the rollout lease of {where}")


def freeze(fleet: Fleet) -> CheckResult:
    """Checks that no freeze of fleet.yml is on."""
    notes = list(freeze_notes(fleet))
    if is_frozen(fleet):
        return warned("freeze", "; ".join(notes), "in an emergency: jada upgrade --force --reason WHY")
    return passed("freeze", *notes) if notes else skipped("freeze", "fleet.yml has no freezes")


def rollout(fleet: str) -> CheckResult:
    """Checks that no rollout waits for somebody, by this machine's record."""
    try:
        file = state_path() / "history.db"
        if not file.exists():
            return passed("rollout", "none is open")
        with open_unchanged(file) as connection:
            entry = next(iter(Records(LocalStore(connection)).rollouts(fleet, 1)), None)
    except JadaError:
        return skipped("rollout", "the record can't be read")
    return of_rollout(entry)


def of_rollout(entry: RolloutEntry | None) -> CheckResult:
    """Checks the last rollout of the fleet. Pure."""
    if entry is None or not entry.is_open:
        return passed("rollout", "none is open")
    if entry.status == RolloutStatus.PAUSED:
        why = f": {entry.why}" if entry.why else ""
        return warned("rollout", f"release {entry.release} is paused in wave {entry.wave + 1}{why}", DECIDE)
    return warned(
        "rollout",
        f"release {entry.release} is under way in wave {entry.wave + 1}, or was cut off there",
        f"if no jada carries it out any more: {DECIDE}",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
