"""The fleet's vocabulary: plain frozen values every room of jada shares. No I/O, imports nothing of ours.

But for people's own programs, `from jada import Fleet` finds jada's API (cli/api) when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from jada.cli.api.fleet import Fleet as Fleet

__version__ = "0.1.0"
# The advice on a failure that nobody foresaw.
UNEXPECTED = "JADA_DEBUG=1 shows the traceback; please report it"

T = TypeVar("T")

# The shape of the vendor's ids, the gateways' and the clouds' (ARNs, @dates): nothing that a shell, JSON or a
# systemd unit reads as more than text. At its end may stand how the Claude CLI is asked for a context of a million
# tokens; what the CLI sends, and what answers, has the id without it.
LONG_CONTEXT = "[1m]"
EXACT_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/@-]{{0,499}}(?:{re.escape(LONG_CONTEXT)})?")

# Ends a line, moves a cursor, turns the reading direction or can't be written as UTF-8: C0 and C1 (with DEL), the line
# and paragraph separators, the bidi controls, and lone surrogates.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# A span of time as people write it, in options and in fleet.yml.
SPAN = "a span of time such as 30s, 15m, 6h or 7d"
_SPAN = re.compile(r"([1-9][0-9]{0,4})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_NUMBERS = re.compile("([0-9]+)")

# Open files that Linux gives a process that asks for nothing; root's own tools count on it.
LEAST_NOFILE = 1024


class Exit(IntEnum):
    """Exit codes of every jada command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DRIFT = 3
    ROLLED_BACK = 4
    LOCKED = 5
    # A person has to decide how it goes on.
    PAUSED = 6
    # By Ctrl-C, as shells count it.
    STOPPED = 130


class JadaError(Exception):
    """A failure told in one sentence to the person at the terminal; `hint` says what to do next."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(JadaError):
    """Something that a person wrote (fleet.yml, a flag, the catalogue) can't be used as it stands."""

    exit_code = Exit.USAGE
    # Lines of what goes there instead.
    example: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        """Everything that is wrong, each by itself."""
        return (self,)


class SeveralProblemsError(ConfigError):
    """Several things are wrong with what a person wrote; told as the first of them."""

    def __init__(self, problems: Sequence[ConfigError]) -> None:
        first, more = problems[0], f"`jada doctor` tells all {len(problems)} problems"
        super().__init__(first.message, f"{first.hint}; {more}" if first.hint else more)
        self._problems = tuple(problems)

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        return self._problems


class NotBegunError(JadaError):
    """A command surely did not run on any host; after most other errors it may have."""


class HostError(JadaError):
    """One host could not be reached, looked at or changed; the others go on."""


class UnforeseenError(HostError):
    """Trouble with one host that nobody foresaw, told without any value of it; how far things got is not known."""


class NoAnswerError(HostError):
    """A host gave no answer in the time it was given, for something that leaves it as it is; it may give one later."""


class HostKeyError(HostError):
    """A host showed another ssh host key than the known one; nothing was sent to it."""


class UnknownKeyError(HostError):
    """A host showed an ssh host key, and nothing is known of its keys; nothing was sent to it."""


class NoRootError(HostError):
    """A host was reached, and its ssh user may not become root there."""


class OtherMachineError(HostError):
    """Another EC2 instance answers at a host's address than the one that is meant; nothing was judged or changed."""


def reason(error: BaseException) -> str:
    """An exception in words that tell no value: these may be foreign, or secret."""
    kind = type(error).__name__
    return f"{error.strerror} ({kind})" if isinstance(error, OSError) and error.strerror else kind


def attempt(host: str, act: Callable[[], T], doing: str = "judge what it saw there") -> T | HostError:
    """Returns the result of `act`, or any trouble that it had with this host as a HostError: the others go on.

    Other errors of ours, which are of no one host, are raised.
    """
    try:
        return act()
    except HostError as error:
        return error
    except JadaError:
        raise
    except (Exception, SystemExit) as error:
        trouble = UnforeseenError(f"{host}: jada could not {doing} ({reason(error)})", UNEXPECTED)
        trouble.__cause__ = error
        return trouble


def span_seconds(text: str) -> int | None:
    """The seconds of a span of time such as 15m; None where it is none."""
    found = _SPAN.fullmatch(text)
    return int(found[1]) * SECONDS[found[2]] if found else None


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """The key that sorts names as people count them: web-2 before web-10."""
    # Every other part is a number; of two without leading zeros the longer one is the larger.
    parts = [part.lstrip("0") if at % 2 else part for at, part in enumerate(_NUMBERS.split(name))]
    return [(len(part) if at % 2 else 0, part) for at, part in enumerate(parts)], name


@dataclass(frozen=True, slots=True)
class Aws:
    """Credentials to ask AWS with, as boto3 finds them: of a profile, in `config_file` or else ~/.aws/config; or of the
    role that they take on.
    """

    profile: str = ""
    config_file: Path | None = None
    role_arn: str = ""
    external_id: str = field(default="", repr=False)

    def __str__(self) -> str:
        """The profile and the role in words, "" where neither is named."""
        by = f" by profile {self.profile}" if self.profile else ""
        return f"role {self.role_arn}{by}" if self.role_arn else by.removeprefix(" by ")


# The ways to a host: an ssh connection, or AWS Systems Manager's Run Command.
ENGINES = ("ssh", "ssm")
# The keys that ssh logs in with: the operator's own, or one of this run that EC2 Instance Connect lets in.
LOGINS = ("keys", "instance-connect")
# The way of an ssh connection: straight to the address, or a tunnel through an EC2 Instance Connect Endpoint.
WAYS = ("address", "eice")


@dataclass(frozen=True, slots=True)
class Host:
    """One machine, as its inventory source described it.

    `user` is the ssh user ("" until fleet.yml or the cloud names one); `provider` is the source's key in fleet.yml
    (ec2, lightsail, static); `id` is the cloud's own id (i-0abc…, the Lightsail instance name), unique in `account` and
    `region`. `own_name` is the Name itself where `name` is another: one that is unique, or that can name a host.
    `uid` is the machine itself where its id is a name that another may get later, as on Lightsail.
    `instance` is the EC2 instance that has to answer. `zone` is the availability zone, "" where there is none.
    `engine` is one of ENGINES, `login` of LOGINS and `via` of WAYS; `vpc` and `subnet` are EC2's ids, or "". `aws` are
    the credentials that found it, with which AWS is asked of it. `trouble` is why jada does not even try to connect.
    """

    name: str
    address: str
    provider: str
    id: str = ""
    region: str = ""
    user: str = ""
    port: int = 22
    tags: Mapping[str, str] = field(default_factory=dict)
    role: str = ""
    account: str = ""
    own_name: str = ""
    instance: str = ""
    zone: str = ""
    engine: str = "ssh"
    login: str = "keys"
    via: str = "address"
    vpc: str = ""
    subnet: str = ""
    aws: Aws = Aws()
    trouble: HostError | None = None
    uid: str = ""

    @property
    def source(self) -> str:
        """The provider and the region as people read them: "ec2 us-east-1", or "static"."""
        return f"{self.provider} {self.region}".strip()

    def is_called(self, pattern: str) -> bool:
        """True if a shell pattern matches the Name itself or the cloud's id: no other host has a say in that."""
        return any(fnmatchcase(name, pattern) for name in (self.own_name or self.name, self.id) if name)


class SharedWay(NamedTuple):
    """A way to several hosts, by its `name`, on which at most so many may be connected at once, each for so many
    `seconds`.
    """

    name: str
    most: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Fence:
    """The fencing number of a rollout lease: it grows with each holder of the leases of one `store`, and a host that
    has met a later one refuses an earlier one's changes. Numbers of two stores say nothing of each other.
    """

    store: str
    number: int


@dataclass(frozen=True, slots=True)
class SsmAgent:
    """The agent of Systems Manager on an instance: whether it answers, and when it last did, as AWS says it."""

    is_online: bool
    last_ping: str


@dataclass(frozen=True, slots=True)
class SsmInvocation:
    """A command of Systems Manager on one instance: `status` in AWS's words (StatusDetails), and the first 2,500
    characters that it said.
    """

    instance: str
    status: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """The way a service reports its model: it answers at `url` on the host, or `command` there prints it; or ""."""

    url: str = ""
    command: str = ""


# When the service's own CLI is asked: in each look that judges a host; after changes, and in a check where something
# changed since its last answer, or that is old; or never.
ASK = ("always", "on-change", "never")
# What may stand for the model that runs: what was observed, or what jada's table of settings derives too.
PROOF = ("observed", "derived")
# What follows where more hosts of a rollout fail than may, beginning with what leaves the fewest changed: all go back,
# or those of the wave, or a person decides.
ON_FAILURE = ("rollback", "rollback_wave", "pause")


# The values of Claude Code's OTEL_METRICS_EXPORTER and OTEL_LOGS_EXPORTER that both take, and of
# OTEL_EXPORTER_OTLP_PROTOCOL, the first of which is OpenTelemetry's own default.
EXPORTERS = ("otlp", "console", "none")
OTLP_PROTOCOLS = ("http/protobuf", "http/json", "grpc")
# No user, password or query, which everybody on a host could read; and nothing that systemd reads as more than a value.
OTLP_ENDPOINT = re.compile(
    r"https?://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """The exporter of the Claude CLI's metrics and logs, one of EXPORTERS, and for otlp where to and how; "" where
    nobody asks for any.
    """

    exporter: str = ""
    endpoint: str = ""
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The bound of what a probe measures: `amount`, or, where it `is_relative`, so many times what was
    there before the change. A failure is more than that, or less where it `is_least`.
    """

    amount: float
    is_relative: bool = False
    is_least: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of CloudWatch, with its dimensions as pairs of name and value."""

    namespace: str
    name: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...] = ()


# Those that are measured on the host itself, by a question of its own.
ON_HOST = ("cpu", "memory", "journal", "http", "command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A probe of fleet.yml: what it `measure`s of which `kind` of thing, in which `unit` ("%", "s", "bytes", "/m", "").

    A verdict needs `min_sample` of what it counts in the last `window` seconds; it measures every `interval` seconds,
    and may come to nothing `max_errors` times in a row. Only one that `is_enforced` stops or undoes anything. Of the
    journal count entries of that `priority` or a graver one, and of that `pattern`; "" is for all.
    """

    name: str
    kind: str
    measure: str
    threshold: Threshold
    unit: str = ""
    min_sample: int = 1
    interval: int = 10
    window: int = 120
    is_enforced: bool = True
    max_errors: int = 4
    url: str = ""
    command: str = ""
    priority: str = ""
    pattern: str = ""
    alarm: str = ""
    metric: Metric | None = None
    region: str = ""

    @property
    def is_of_fleet(self) -> bool:
        """True if it measures one thing for all hosts."""
        return self.kind == "cloudwatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The service of a fleet and how to know that it runs: `settle` is in seconds, `settings` a path on the host.

    `projects` are folders there. `keep` is how many releases a host remembers. `cli` is the Claude CLI there, for a
    service that can't be seen to run it and does not find it in its PATH. `ask` is one of ASK, and `proof` of PROOF.
    """

    unit: str = "jada-agent.service"
    settings: str = "~/.claude/settings.json"
    model_check: ModelCheck = ModelCheck()
    settle: int = 5
    keep: int = 10
    projects: tuple[str, ...] = ()
    cli: str = ""
    ask: str = "on-change"
    proof: str = "observed"
    telemetry: Telemetry = Telemetry()

    @property
    def asks(self) -> bool:
        """True if the service's own CLI is asked at all which model it would ask for."""
        return self.ask != "never"

    @property
    def asks_first(self) -> bool:
        """True if it is asked before each change too: nothing else will prove the model, or it is asked always."""
        return self.ask == "always" or (self.asks and self.model_check == ModelCheck())

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Service:
        """The service of plain values, as dataclasses.asdict makes them."""
        nested = {"model_check": ModelCheck(**values["model_check"]), "telemetry": Telemetry(**values["telemetry"])}
        return cls(**{**values, **nested})


# The most fallback models that the Claude CLI tries; it reads no more of them.
MOST_FALLBACKS = 3


@dataclass(frozen=True, slots=True)
class Tiers:
    """The models of a role by their exact ids: its own, those that the Claude CLI falls back to, in that order, and
    that of its subagents; () and "" where nobody asks for one, and a host keeps what it has.
    """

    model: str
    fallback: tuple[str, ...] = ()
    subagent_model: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Tiers:
        """The models of plain values, as JSON has them."""
        return cls(**{**values, "fallback": tuple(values["fallback"])})


@dataclass(frozen=True, slots=True)
class Model:
    """One line of the model catalogue. Prices are USD per million tokens; `retires` is an ISO date or "".

    `cli` is the least version of the Claude CLI whose requests for it the vendor's API takes, "" where none is known.
    """

    name: str
    id: str
    input_price: float = 0.0
    output_price: float = 0.0
    retires: str = ""
    cli: str = ""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name != "Fleet":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return import_module("jada.cli.api.fleet").Fleet
