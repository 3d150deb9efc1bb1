"""The hosts as AWS listed them last, kept on this machine for reads, and for the way back while AWS can't be asked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jada import Aws, Host, JadaError, reason
from jada.inventory.discover import Searched
from jada.inventory.fleet.config import Fleet

FORM = "jada.inventory/1"
# Seconds after which an inventory is used no more: addresses get new owners.
LONGEST = 7 * 86400
# Bytes of a file that is read: those of a hundred thousand hosts.
SIZE = 100_000_000
# What fleet.yml says of a host anew, and what is not known of one that was not asked for.
_NOT_KEPT = {"aws", "role", "trouble"}
_TYPES: dict[object, type] = {"str": str, "int": int, "Mapping[str, str]": dict}
_KEPT = {field.name: _TYPES[field.type] for field in fields(Host) if field.name not in _NOT_KEPT}


@dataclass(frozen=True, slots=True)
class Inventory:
    """The regions that were searched, with their hosts, at a moment (seconds since 1970)."""

    at: float
    found: tuple[Searched, ...]


def write(fleet: Fleet, inventory: Inventory) -> None:
    """Keeps an inventory without failures in place of the one before, but for fleet.yml's own hosts. Raises OSError."""
    regions = [
        {"source": index, "region": searched.region, "hosts": [_row(host) for host in searched.hosts]}
        for index, source in enumerate(fleet.sources)
        if not source.is_own
        for searched in inventory.found
        if searched.source is source
    ]
    form = {"schema": FORM, "sources": _digest(fleet), "at": inventory.at, "regions": regions}
    file = _file(fleet)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as opened:
            json.dump(form, opened)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def read(fleet: Fleet, now: float) -> Inventory:
    """The inventory that was kept, with the hosts of fleet.yml itself. Raises JadaError where there is none to use."""
    try:
        form = json.loads(_text(_file(fleet)))
        digest, at, regions = form["sources"], form["at"], form["regions"]
        if form["schema"] != FORM or not isinstance(at, float):
            raise ValueError
        found = [_searched(fleet, region) for region in regions]
    except FileNotFoundError:
        raise _none("this machine has none of this fleet.yml yet") from None
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise _none(f"the file can't be used ({reason(error)})") from None
    if digest != _digest(fleet):
        raise _none("the `sources` or `aws` of fleet.yml have changed since")
    if not 0 <= now - at <= LONGEST:
        raise _none(f"it is older than {LONGEST // 86400} days, or of another time")
    return Inventory(at, (*found, *own(fleet)))


def own(fleet: Fleet) -> list[Searched]:
    """The hosts of fleet.yml itself, for which nobody has to be asked."""
    return [Searched(source, "", source.find(fleet.aws, "")) for source in fleet.sources
            if source.is_own]  # fmt: skip


def filled(found: Iterable[Searched], kept: Inventory) -> list[Searched]:
    """The regions that were searched, with those that could not be in place of them as they were kept."""
    result: list[Searched] = []
    for searched in found:
        if not isinstance(searched.result, JadaError):
            result.append(searched)
            continue
        # Where not even the regions could be listed, all of them.
        result += [each for each in kept.found
                   if each.source is searched.source and searched.region in ("", each.region)]  # fmt: skip
    return result


def _none(why: str) -> JadaError:
    return JadaError(
        f"There is no inventory to use without asking AWS: {why}",
        "any command that asks AWS, such as `jada hosts`, keeps one",
    )


def _file(fleet: Fleet) -> Path:
    """The file of a fleet.yml, beside the record. Raises OSError."""
    try:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    except RuntimeError:
        raise FileNotFoundError from None
    return state / "jada/inventory" / f"{hashlib.sha256(os.fsencode(fleet.path.absolute())).hexdigest()[:32]}.json"


def _digest(fleet: Fleet) -> str:
    """The sections that say which hosts there are."""
    return hashlib.sha256(repr((fleet.aws, fleet.sources)).encode(errors="surrogateescape")).hexdigest()


def _text(file: Path) -> bytes:
    """The file, if it is this user's own, and no other's. Raises OSError, ValueError."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
        about = os.fstat(opened.fileno())
        if about.st_uid != os.geteuid() or about.st_mode & 0o077 or about.st_size > SIZE:
            raise ValueError
        return opened.read(SIZE)


def _row(host: Host) -> dict[str, Any]:
    row = {name: getattr(host, name) for name in _KEPT}
    return {**row, "tags": dict(host.tags)}


def _searched(fleet: Fleet, region: dict[str, Any]) -> Searched:
    """A region as it was kept. Raises ValueError, TypeError and LookupError."""
    source = fleet.sources[region["source"]]
    if source.is_own or not isinstance(region["region"], str):
        raise ValueError
    for row in region["hosts"]:
        if row.keys() != _KEPT.keys() or not all(type(row[name]) is kind for name, kind in _KEPT.items()):
            raise ValueError
        if not all(isinstance(text, str) for pair in row["tags"].items() for text in pair):
            raise ValueError
    return Searched(
        source, region["region"], [Host(**row, aws=source.credentials(fleet.aws) or Aws()) for row in region["hosts"]]
    )
