"""fleet.yml: where the hosts are, which role each one plays and how to reach it. Read, checked and frozen."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

from jada import LEAST_NOFILE, ConfigError, Model
from jada.inventory import models
from jada.inventory.suggest import did_you_mean
from jada.inventory.yaml_values import Readers, Value, read, shown

T = TypeVar("T")
# Told of what is wrong with a part of the file that the way back does not need; raises it, or lets it be left out.
Tell = Callable[[ConfigError], None]

# In place of a list of regions: all that the account has enabled.
ALL = ("all",)

# The most a limit in systemd or pam_limits is ever asked for: one below 2^31 - 1.
NOFILE = 2147483646

# A host's name ends up in file names, in pyinfra's inventory (where a leading @ chooses a connector) and in
# comma-separated lists.
HOST_NAME = re.compile(r"\w[\w .:+=-]{0,99}")

_ROLE_NAME = re.compile(r"[A-Za-z][\w-]{0,62}")
# systemctl reads what begins with - as an option, and so does ssh.
_UNIT = re.compile(r"[A-Za-z0-9_:@\\][A-Za-z0-9_:.@\\-]{0,246}\.service")
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}"
_ADDRESS = re.compile(rf"{_NAME}|(?=[^%]*:)[0-9A-Fa-f:][0-9A-Fa-f:.]*(?:%{_NAME})?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+\\-]{0,254}\$?")
_JUMP = re.compile(rf"(?:{_NAME}@)?{_NAME}(?::([1-9][0-9]{{0,4}}))?")
_CODE = re.compile(r"J[0-9]{3}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# A standard topic; a FIFO topic would want a group for each message.
_TOPIC = re.compile(r"arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+", re.ASCII)
# RFC 3986 without quotes; brackets only around an address, for curl reads others as a list of URLs to ask.
_IN_URL = r"A-Za-z0-9._~!$&()*+,;=:%\-"
_HEALTH = re.compile(
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
# ssh_config splits its values at blanks, takes quotes away, and reads % # ~ and patterns as more than text.
SSH_CONFIG_PATH = re.compile(r"/[\w./:@+,=-]*")


@dataclass(frozen=True, slots=True)
class Aws:
    """How boto3 finds credentials: a profile, and the config file that holds it instead of ~/.aws/config."""

    profile: str = ""
    config_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Ec2Source:
    """EC2 instances. `tags` (any of the values each) and `filters` are EC2's own; `regions` may be ALL, but for
    `not_regions`.
    """

    regions: tuple[str, ...]
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    running_only: bool = True
    address: str = "private"
    user: str = ""
    not_regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LightsailSource:
    """Lightsail instances, by shell patterns for their names and by tags; regions as for EC2."""

    regions: tuple[str, ...]
    names: tuple[str, ...] = ("*",)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    running_only: bool = True
    address: str = "public"
    not_regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StaticHost:
    name: str
    address: str
    user: str = ""
    port: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StaticSource:
    """Hosts written down by hand. A port of 0 and a user of "" mean those of the ssh section."""

    hosts: tuple[StaticHost, ...]


Cloud = Ec2Source | LightsailSource
Source = Cloud | StaticSource


@dataclass(frozen=True, slots=True)
class Role:
    """Hosts that all of `tags` or any of `names` (shell patterns) match; with neither, all that are left.

    `model` is a short name or an exact id of the catalogue, or "" where the role asks for none.
    """

    name: str
    model: str = ""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    nofile: int = NOFILE


@dataclass(frozen=True, slots=True)
class Ssh:
    """How to log in. `jump` is [user@]host[:port]; `host_keys` is strict or accept-new."""

    user: str = ""
    key: Path | None = None
    port: int = 22
    jump: str = ""
    known_hosts: Path = field(default_factory=lambda: Path("~/.ssh/known_hosts").expanduser())
    host_keys: str = "strict"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A finding that is to be lived with on the hosts of these names (shell patterns), through the day `until`, UTC."""

    code: str
    hosts: tuple[str, ...]
    reason: str
    until: date
    line: int


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the URL of a webhook is: it is a secret, so in an environment variable, in a file, or here as it is."""

    variable: str = ""
    file: Path | None = None
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told of drift that is new or resolved: an SNS topic's ARN, or "", and a Slack-compatible webhook."""

    sns: str = ""
    webhook: Webhook | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """One fleet.yml. `settle` and `deadline` are seconds, `keep` is a number of releases; `settings` is a path on the
    host; `models` maps short names to exact ids.
    """

    name: str
    path: Path
    sources: tuple[Source, ...]
    roles: tuple[Role, ...]
    aws: Aws = field(default_factory=Aws)
    models: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    service: str = "jada-agent.service"
    settings: str = "~/.claude/settings.json"
    health: str = ""
    probe: str = ""
    projects: tuple[str, ...] = ()
    settle: int = 5
    keep: int = 10
    deadline: int = 3600
    ssh: Ssh = field(default_factory=Ssh)
    accept: tuple[Acceptance, ...] = ()
    notify: Notify = field(default_factory=Notify)


def regions_in_words(source: Cloud) -> str:
    """The regions of a source."""
    without = f" but {', '.join(source.not_regions)}" if source.not_regions else ""
    return f"{', '.join(source.regions)} regions{without}"


def _raise(error: ConfigError) -> None:
    raise error


def load(
    path: str | None = None, environ: Mapping[str, str] | None = None, cwd: Path | None = None, tell: Tell = _raise
) -> Fleet:
    """The fleet of `path`, or of the first file found: $JADA_FLEET, ./inventory/fleet.yml, the user's, the system's.

    Raises ConfigError with the line and the key of what is wrong; `tell` gets it where the way back does not need the
    section, and may leave that out.
    """
    return parse(find(path, os.environ if environ is None else environ, cwd or _here()), tell)


def find(path: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The fleet.yml to use. Raises ConfigError saying where it looked."""
    for named, how in ((path, "--fleet"), (environ.get("JADA_FLEET"), "$JADA_FLEET")):
        if named:
            file = cwd / _expanded(named, how)
            if not _is_there(file, unless_known=True):
                raise ConfigError(f"There is no file {file} ({how} names it)")
            return file
    home = Path(environ.get("HOME") or Path.home())
    places = [cwd / "inventory/fleet.yml", home / ".config/jada/fleet.yml", Path("/etc/jada/fleet.yml")]
    for file in places:
        if _is_there(file):
            return file
    raise ConfigError(
        "There is no fleet.yml: looked at " + ", ".join(str(file) for file in places),
        "write one there, or name it with --fleet FILE or JADA_FLEET=FILE; `jada lab up` makes one to practise on",
    )


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        # It was deleted: nothing is found there, and the other places are as good as ever.
        return Path()


def _expanded(path: str, how: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"{how} is {shown(path)}, and this machine knows no such home") from None


def _is_there(file: Path, unless_known: bool = False) -> bool:
    """True for a file or a pipe, as of `<(…)`; `unless_known` where this user can't tell, and reading it says why."""
    try:
        return not stat.S_ISDIR(file.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return unless_known


def parse(file: Path, tell: Tell = _raise) -> Fleet:
    """The fleet of one file. Raises ConfigError."""
    top = read(file)
    readable = _or_default(tell, _models, dict[str, str]())
    ids = readable(written) if (written := top.entries().get("models")) else {}
    readers: Readers = {
        "fleet": lambda name: _short(name, 80),
        "aws": _aws,
        "sources": _sources,
        "roles": partial(_roles, catalogue=models.merged(ids), tell=tell),
        "models": lambda _: ids,
        "limits": _or_default(tell, _limits, Limits()),
        "service": _service,
        "settings": _settings,
        "health": _health,
        "probe": Value.text,
        "projects": _projects,
        "settle": lambda settle: settle.whole(0, 600),
        "keep": lambda keep: keep.whole(2, 1000),
        "deadline": lambda deadline: deadline.whole(1, 86400),
        "ssh": _ssh,
        "accept": _or_default(tell, _accept, ()),
        "notify": _or_default(tell, _notify, Notify()),
    }
    found = top.fields(readers, required=("fleet", "sources", "roles"))
    return Fleet(name=found.pop("fleet"), path=file, **found)


def _or_default(tell: Tell, reader: Callable[[Value], T], default: T) -> Callable[[Value], T]:
    """A reader that gives the default for what is wrong, unless `tell` raises that."""

    def read(value: Value) -> T:
        try:
            return reader(value)
        except ConfigError as error:
            tell(error)
            return default

    return read


def _aws(value: Value) -> Aws:
    return Aws(**value.fields({"profile": Value.text, "config_file": _path}))


def _sources(value: Value) -> tuple[Source, ...]:
    return tuple(_source(item) for item in value.items())


def _source(value: Value) -> Source:
    kinds = {"ec2": _ec2, "lightsail": _lightsail, "static": _static}
    entry = value.fields(kinds)
    if len(entry) != 1:
        raise value.error(
            f"should have exactly one of {', '.join(kinds)}, not {' and '.join(entry) or 'none'}",
            "begin each source with its own dash",
        )
    source: Source = next(iter(entry.values()))
    return source


def _ec2(value: Value) -> Ec2Source:
    readers = {
        "regions": _regions,
        "not_regions": _known_regions,
        "tags": _patterns_by_tag,
        "filters": _patterns_by_tag,
        "running_only": Value.flag,
        "address": _address,
        "user": _user,
    }
    return Ec2Source(**value.fields(readers, required=("regions",)))


def _lightsail(value: Value) -> LightsailSource:
    readers = {
        "regions": _regions,
        "not_regions": _known_regions,
        "names": Value.texts,
        "tags": _patterns_by_tag,
        "running_only": Value.flag,
        "address": _address,
    }
    return LightsailSource(**value.fields(readers, required=("regions",)))


def _static(value: Value) -> StaticSource:
    hosts = value.fields({"hosts": Value.entries}, required=("hosts",))["hosts"]
    if not hosts:
        raise value.error("names no hosts")
    return StaticSource(tuple(_static_host(name, host) for name, host in hosts.items()))


def _static_host(name: str, value: Value) -> StaticHost:
    if not HOST_NAME.fullmatch(name):
        raise value.error("is not a name for a host: letters, digits and . : + = _ - only, a letter or digit first")
    readers = {"address": _host_address, "user": _user, "port": _port, "tags": _tags}
    return StaticHost(name, **value.fields(readers, required=("address",)))


def _roles(value: Value, catalogue: tuple[Model, ...], tell: Tell) -> tuple[Role, ...]:
    roles: list[Role] = []
    for name, entry in value.entries().items():
        if roles and not roles[-1].tags and not roles[-1].names:
            raise entry.error(
                f"is never reached: {roles[-1].name}, above it, has neither tags nor names and takes every host",
                f"move {roles[-1].name} to the end",
            )
        roles.append(_role(name, entry, catalogue, tell))
    if not roles:
        raise value.error("names no role")
    return tuple(roles)


def _role(name: str, value: Value, catalogue: tuple[Model, ...], tell: Tell) -> Role:
    if not _ROLE_NAME.fullmatch(name) or name == "all":
        raise value.error("is not a name for a role: letters, digits, _ and -, a letter first, and not `all`")

    def model(value: Value) -> str:
        try:
            return models.resolve(value.text(), catalogue).name
        except ConfigError as error:
            raise value.error(f"can't be used. {error.message}", error.hint) from None

    return Role(
        name, **value.fields({"model": _or_default(tell, model, ""), "tags": _patterns_by_tag, "names": Value.texts})
    )


def _models(value: Value) -> dict[str, str]:
    found = {name: (entry, entry.text()) for name, entry in value.entries().items()}
    for entry, exact in found.values():
        if problem := models.refusal(exact):
            raise entry.error(f"can't be used. {problem}")
    return {name: exact for name, (_, exact) in found.items()}


def _limits(value: Value) -> Limits:
    return Limits(**value.fields({"nofile": _nofile}))


def _nofile(value: Value) -> int:
    number = value.whole(1, NOFILE + 1)
    if number < LEAST_NOFILE:
        raise value.error(
            f"is {number}: with fewer than {LEAST_NOFILE} open files neither the service nor a login is sure to work",
            f"give at least {LEAST_NOFILE}, or leave it out: each host then gets the most that it has",
        )
    return number


def _service(value: Value) -> str:
    return _matching(value, _UNIT, "the full name of a systemd service, such as jada-agent.service")


def _settings(value: Value) -> str:
    path = _host_path(value)
    if not path.endswith(".json"):
        raise value.error(f"should be a .json file, not {shown(path)}")
    return path


def _projects(value: Value) -> tuple[str, ...]:
    return tuple(_host_path(item) for item in value.items())


def _host_path(value: Value) -> str:
    """A path on a host where something of the service's user can be."""
    path = _matching(value, re.compile(r"~?/.+"), "a path on the host that begins with ~/ or /")
    _, *names = path.split("/")
    if not {"", ".", ".."}.isdisjoint(names) or len(max(names, key=len)) > 255:
        raise value.error(f"should be a path without . and .. and with no / too many, not {shown(path)}")
    if owner := next((root for root in _ROOTS_OWN if f"{path}/".startswith(f"{root}/")), ""):
        raise value.error(f"can't be {shown(path)}: {owner} holds root's own files, not those of a service's user")
    return path


def _health(value: Value) -> str:
    """The URL itself, which may hold a password, never gets into an error."""
    if not _HEALTH.fullmatch(value.text()):
        raise value.error(
            "should be a URL that begins with http:// or https:// and holds no quotes, spaces or other signs",
            "write such signs as %XX; brackets stand only around an IPv6 address",
        )
    return value.text()


def _ssh(value: Value) -> Ssh:
    readers = {
        "user": _user,
        "key": _path,
        "port": _port,
        "jump": _jump,
        "known_hosts": _path,
        "host_keys": lambda policy: policy.one_of(("strict", "accept-new")),
    }
    ssh = Ssh(**value.fields(readers))
    for name, file in (("key", ssh.key), ("known_hosts", ssh.known_hosts)):
        if ssh.jump and file and not SSH_CONFIG_PATH.fullmatch(str(file)):
            written = value.entries().get(name, value)
            raise written.error(
                f"can't be {shown(str(file))} with a jump host: it goes into an ssh configuration",
                "a path of letters, digits and . _ - + = , : @ / only",
            )
    return ssh


def _accept(value: Value) -> tuple[Acceptance, ...]:
    readers: Readers = {
        "code": lambda code: _matching(code, _CODE, "one code of a finding, such as J102"),
        "hosts": Value.texts,
        "reason": Value.text,
        "until": Value.date,
    }
    return tuple(Acceptance(**item.fields(readers, required=tuple(readers)), line=item.line) for item in value.items())


def _notify(value: Value) -> Notify:
    def topic(value: Value) -> str:
        return _matching(
            value, _TOPIC, "the ARN of a standard SNS topic, such as arn:aws:sns:us-east-1:123456789012:jada"
        )

    return Notify(**value.fields({"sns": topic, "webhook": _webhook}))


def _webhook(value: Value) -> Webhook:
    """The URL itself never gets into an error."""
    text = value.text()
    if found := _VARIABLE.fullmatch(text):
        return Webhook(variable=found.group(1))
    if text.startswith(("/", "~/", "./")):
        return Webhook(file=_path(value))
    if re.fullmatch(r"https?://\S+", text):
        return Webhook(url=text)
    raise value.error(
        "should be a URL, the environment variable that holds it, such as ${JADA_WEBHOOK}, or the file that does",
        "a file is written with a path that begins with /, ~/ or ./",
    )


def _regions(value: Value) -> tuple[str, ...]:
    return ALL if value.texts() == ALL else _known_regions(value)


def _known_regions(value: Value) -> tuple[str, ...]:
    from jada.inventory.cloud.session import known_regions

    known = known_regions()
    for item in value.items():
        if item.text() not in known:
            raise item.error(
                f"is not an AWS region: {item.text()}{did_you_mean(item.text(), known)}",
                "name regions such as us-east-1; `regions: all` is every region the account has enabled",
            )
    return value.texts()


def _address(value: Value) -> str:
    return value.one_of(("private", "public", "ipv6"))


def _patterns_by_tag(value: Value) -> dict[str, tuple[str, ...]]:
    return {name: entry.texts() for name, entry in value.entries().items()}


def _tags(value: Value) -> dict[str, str]:
    return {name: entry.text() for name, entry in value.entries().items()}


def _port(value: Value) -> int:
    return value.whole(1, 65535)


def _short(value: Value, most: int) -> str:
    if len(value.text()) > most:
        raise value.error(f"is longer than {most} characters")
    return value.text()


def _host_address(value: Value) -> str:
    return _matching(value, _ADDRESS, "one word: a name of DNS or an IP address")


def _user(value: Value) -> str:
    return _matching(value, _USER, "one word: the name of a user")


def _jump(value: Value) -> str:
    expected = "one [user@]host[:port]"
    found = _JUMP.fullmatch(_matching(value, _JUMP, expected))
    if found and int(found[1] or 22) > 65535:
        raise value.error(f"should be {expected} with a port up to 65535, not {found[0]}")
    return value.text()


def _path(value: Value) -> Path:
    """A path on this machine: ~ is the user's home, relative to the folder of fleet.yml; a pipe lies in none."""
    path = _expanded(value.text(), f"{value.file}:{value.line}: {value.key}")
    if any(len(part.encode()) > 255 for part in path.parts):
        raise value.error("can't be the path of a file: a part of it is longer than 255 bytes")
    return (value.file.absolute().parent if value.file.is_file() else _here()) / path


def _matching(value: Value, pattern: re.Pattern[str], expected: str) -> str:
    text = value.text()
    if not pattern.fullmatch(text):
        raise value.error(f"should be {expected}, not {shown(text)}")
    return text
