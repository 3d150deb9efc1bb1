"""fleet.yml about the service: its unit and settings on the host, how to know that it runs, and what a host keeps."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from jada import ASK, PROOF, ModelCheck, Service
from jada.inventory.fleet import telemetry
from jada.inventory.yaml_values import Readers, Value

# systemctl reads what begins with - as an option.
_UNIT = re.compile(r"[A-Za-z0-9_:@\\][A-Za-z0-9_:.@\\-]{0,246}\.service")
# RFC 3986 without quotes; brackets only around an address, for curl reads others as a list of URLs to ask.
_IN_URL = r"A-Za-z0-9._~!$&()*+,;=:%\-"
_URL = re.compile(
    rf"https?://(?:[{_IN_URL}]+@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?(?:[/?#][{_IN_URL}@/?#]*)?"
)
# Nothing there belongs to a service's user: jada would edit what root, and root's tools, read.
_ROOTS_OWN = (
    *(
        f"/{name}"
        for name in ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "usr")
    ),
    *("/var/lib/jada", "/var/run", "/var/spool/cron"),
)
_OUTSIDE = re.compile(rf"(?!(?:{'|'.join(_ROOTS_OWN)})(?:/|$)).*")
_PLAIN_PATH = re.compile(r"~?(?:/(?!\.{1,2}(?:/|$))[^/]{1,255})+")


def _unit(value: Value) -> str:
    return value.matching(_UNIT, "the full name of a systemd service, such as jada-agent.service")


def _settings(value: Value) -> str:
    _host_path(value)
    return value.matching(re.compile(r".*\.json"), "a .json file")


def _projects(value: Value) -> tuple[str, ...]:
    return tuple(value.listed(_host_path))


def _host_path(value: Value) -> str:
    """A path on a host where something of the service's user can be."""
    value.matching(re.compile(r"~?/.+"), "a path on the host that begins with ~/ or /")
    value.matching(_PLAIN_PATH, "a path without . and .. and with no / too many")
    return value.matching(_OUTSIDE, f"no path below {', '.join(_ROOTS_OWN)}, where root's own files are")


def _program(value: Value) -> str:
    return value.matching(re.compile(r"~?(/[^/\n]+)+"), "the path of a program on the host that begins with ~/ or /")


def _model_check(value: Value) -> ModelCheck:
    readers: Readers = {"url": url, "command": Value.text}
    hint = "keep the one that the service answers from itself; leave it out if the service can't say its model"
    return ModelCheck(**value.fields(readers, one_of=[tuple(readers)], hint=hint))


def _renamed(key: str) -> Callable[[Value], NoReturn]:
    """A reader for a key of an earlier fleet.yml."""

    def read(value: Value) -> NoReturn:
        raise value.error(f"is now a part of `model_check`: model_check: {{{key}: …}}")

    return read


def _ask(value: Value) -> str:
    if value.text() == "when-silent":
        raise value.error("is now on-change: its CLI is asked where something changed since its last answer")
    return value.choice(ASK)


def url(value: Value) -> str:
    """The URL itself, which may hold a password, never gets into an error."""
    return value.matching(
        _URL,
        "a URL that begins with http:// or https:// and holds no quotes, spaces or other signs",
        "write such signs as %XX; brackets stand only around an IPv6 address",
        is_secret=True,
    )


READERS: Readers = {
    "service": _unit,
    "settings": _settings,
    "model_check": _model_check,
    "projects": _projects,
    "cli": _program,
    "ask": _ask,
    "proof": lambda proof: proof.choice(PROOF),
    "settle": lambda settle: settle.integer(0, 600),
    "keep": lambda keep: keep.integer(2, 1000),
    "telemetry": telemetry.read,
}

# Keys of an earlier fleet.yml, which name the new one.
RENAMED: Readers = {"health": _renamed("url"), "probe": _renamed("command")}


def from_values(values: Mapping[str, Any]) -> Service:
    """The service by the values that these readers read, with defaults for what is not there."""
    own = {key: value for key, value in values.items() if key in READERS}
    unit = {"unit": own.pop("service")} if "service" in own else {}
    return Service(**unit, **own)
