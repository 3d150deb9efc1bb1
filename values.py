"""The values of the vocabulary: hosts, the service and its models, probes. `from jada import Host` finds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from jada import HostError


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
