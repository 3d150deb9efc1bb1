"""fleet.yml: its meaning, and errors with the line and key of whatever is wrong in it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest

import jada
from jada import Aws, ConfigError, ModelCheck, Probe, Service, Threshold
from jada.inventory.fleet import config
from jada.inventory.fleet.accept import Acceptance
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.guard import GuardPolicy
from jada.inventory.fleet.hooks import Hooks
from jada.inventory.fleet.limits import Limits
from jada.inventory.fleet.notify import Notify, Webhook
from jada.inventory.fleet.rollout import RolloutPolicy, Share
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.models import Override
from jada.inventory.roles import Role
from jada.inventory.sources.ansible import AnsibleSource
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource
from jada.inventory.sources.regions import ALL
from jada.inventory.sources.static import StaticHost, StaticSource

FULL = """\
fleet: agents
aws: {profile: lab, config_file: aws-config}
sources:
  - ec2:
      regions: [us-east-1, eu-west-1]
      tags: {jada: agent, env: [prod, "stag*"]}
      filters: {instance-type: [t3.small]}
      running_only: no
      address: public
      user: admin
      not_regions: [eu-west-1]
  - lightsail: {regions: all, names: [jada-*], tags: {a: b}, address: ipv6, not_regions: [eu-south-1, us-west-1]}
  - static:
      hosts:
        build-1: {address: 192.0.2.10, user: debian, port: 2222, tags: {role: specialist}}
        build-2: {address: build-2.example.com}
roles:
  orchestrator: {model: sonnet-4.6, tags: {role: orchestrator}, names: ["orch-*"]}
  specialist: {model: haiku-4.5}
models: {sonnet-4.6: claude-sonnet-4-6, opus-5.5: {cli: 2.1.300}, mine: {id: my/claude, cli: "2.1"}}
limits: {nofile: 65536}
service: agent@1.service
settings: /srv/settings.json
model_check: {url: http://127.0.0.1:8787/healthz}
settle: 9
ssh: {user: me, key: /keys/k, port: 2200, jump: "j@bastion:222", known_hosts: kh, host_keys: accept-new}
"""

LEAST = """\
fleet: agents
sources:
  - ec2: {regions: [us-east-1]}
roles:
  any: {}
"""


def load(tmp_path: Path, text: str) -> Fleet:
    file = tmp_path / "fleet.yml"
    file.write_text(dedent(text))
    return config.load(str(file))


def test_every_key_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, FULL) == Fleet(
        name="agents",
        path=tmp_path / "fleet.yml",
        aws=Aws("lab", tmp_path / "aws-config"),
        sources=(
            Ec2Source(
                regions=("us-east-1", "eu-west-1"),
                tags={"jada": ("agent",), "env": ("prod", "stag*")},
                filters={"instance-type": ("t3.small",)},
                running_only=False,
                address="public",
                user="admin",
                not_regions=("eu-west-1",),
            ),
            LightsailSource(ALL, ("jada-*",), {"a": ("b",)}, True, "ipv6", ("eu-south-1", "us-west-1")),
            StaticSource(
                (
                    StaticHost("build-1", "192.0.2.10", "debian", 2222, {"role": "specialist"}),
                    StaticHost("build-2", "build-2.example.com"),
                )
            ),
        ),
        roles=(
            Role("orchestrator", "sonnet-4.6", {"role": ("orchestrator",)}, ("orch-*",)),
            Role("specialist", "haiku-4.5"),
        ),
        models={
            "sonnet-4.6": Override("claude-sonnet-4-6"),
            "opus-5.5": Override(cli="2.1.300"),
            "mine": Override("my/claude", "2.1"),
        },
        limits=Limits(65536),
        service=Service(
            unit="agent@1.service",
            settings="/srv/settings.json",
            model_check=ModelCheck(url="http://127.0.0.1:8787/healthz"),
            settle=9,
        ),
        ssh=Ssh("me", Path("/keys/k"), 2200, "j@bastion:222", tmp_path / "kh", "accept-new"),
    )


@pytest.mark.parametrize(("old", "new"), [("health: http://a/", "url"), ("probe: my-agent", "command")])
def test_a_key_of_an_earlier_fleet_yml_names_the_new_one(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(ConfigError, match=f"is now a part of `model_check`: model_check: {{{new}: …}}"):
        load(tmp_path, f"{LEAST}{old}\n")


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    fleet = load(tmp_path, LEAST)
    assert fleet.sources == (Ec2Source(("us-east-1",), {}, {}, True, "private", ""),)
    assert fleet.limits.nofile == 2147483646
    assert fleet.service == Service()
    assert fleet.ssh == Ssh("", None, 22, "", Path.home() / ".ssh/known_hosts", "pinned")


def test_the_shipped_file_finds_this_systems_hosts() -> None:
    shipped = config.load(str(Path(jada.__file__).parent / "inventory" / "fleet.yml"))
    assert shipped.sources == (
        LightsailSource(("us-east-1",), ("jada-agent",)),
        Ec2Source(("us-east-1",), {"jada": ("agent",)}),
    )
    assert [(role.name, role.model) for role in shipped.roles] == [
        ("orchestrator", "sonnet-4.6"),
        ("specialist", "haiku-4.5"),
    ]


def test_the_shipped_files_examples_are_right_too(tmp_path: Path) -> None:
    """With every `# key:` uncommented, the file still loads, and each default it shows is the real one."""
    lines = (Path(jada.__file__).parent / "inventory" / "fleet.yml").read_text().splitlines()
    keys: tuple[str, ...] = ("tags", "running_only", "address", "filters", "user", "aws", "profile", "config_file")
    keys += ("models", "limits")
    keys += (
        "service",
        "settings",
        "model_check",
        "projects",
        "settle",
        "keep",
        "deadline",
        "ssh",
        "key",
        "port",
        "jump",
        "known_hosts",
        "host_keys",
    )
    keys += ("- static", "hosts", "build-1", "- ansible", "inventory", "group")
    keys += ("guard", "interval", "looks", "to", "cool_down", "most_per_day", "half_open")
    keys += ("hooks", "on_wave", "on_rollback", "on_pause", "on_done", "on_fail", "timeout")
    keys += ("production", "rollout", "waves", "canary", "spread_by", "max_parallel", "bake_time", "first_bake_time")
    keys += ("final_bake_time", "max_failures", "on_failure", "on_inconclusive")
    keys += ("role_arn", "external_id")
    keys += ("names", "not_regions", "accept", "- code", "reason", "until", "notify", "sns", "webhook")
    keys += ("probes", "failing", "slow", "errors", "busy", "grown", "backlog", "alarm", "throttled")
    keys += ("kind", "metric", "above", "min_sample", "window", "max_errors")
    session = []
    for line in lines:
        indent, hash_, rest = line.partition("# ")
        is_key = not indent.strip() and hash_ and rest.strip().startswith(tuple(f"{key}:" for key in keys))
        session.append(indent + rest if is_key else line)
    fleet = load(tmp_path, "\n".join(session))
    lightsail, ec2, static, ansible = fleet.sources
    assert ansible == AnsibleSource(tmp_path / "hosts.yml", "agents", {"role": "specialist"})
    near, out = ("us-east-1",), ("eu-south-1",)
    assert lightsail == LightsailSource(near, ("jada-agent",), not_regions=out)
    tags, filters = {"jada": ("agent",)}, {"instance-type": ("t3.small",)}
    assert ec2 == Ec2Source(
        near, tags, filters, user="admin", not_regions=out, profile="dev",
        role_arn="arn:aws:iam::222222222222:role/jada", external_id="jada-4711",
    )  # fmt: skip
    assert fleet.roles[0].names == ("orch-*",)
    assert isinstance(static, StaticSource)
    assert fleet.aws.profile == "production"
    assert fleet.service == Service(
        model_check=ModelCheck(url="http://127.0.0.1:8787/healthz"),
        projects=("~/Documents/repos",),
    )
    assert (fleet.limits, fleet.service.keep, fleet.deadline) == (Limits(), 10, 3600)
    assert (fleet.ssh.port, fleet.ssh.known_hosts, fleet.ssh.host_keys) == (22, Ssh().known_hosts, "pinned")

    assert [(acceptance.code, acceptance.hosts) for acceptance in fleet.accept] == [("J302", ("web-*",))]
    assert fleet.notify == Notify("arn:aws:sns:us-east-1:123456789012:jada", Webhook("JADA_WEBHOOK"))
    assert fleet.hooks.commands["on_wave"] == ("./announce.sh", "wave")
    assert fleet.hooks.commands["on_done"] == ("sh", "-c", "cat >> rollouts.jsonl")
    assert fleet.hooks.timeout == Hooks().timeout
    assert (fleet.guard, fleet.production) == (GuardPolicy(), False)
    assert len(fleet.probes) == 8
    throttled = fleet.probes[-1]
    defaults = Probe(name="p", kind="cpu", measure="share", threshold=Threshold(1))
    for name in ("min_sample", "interval", "window", "max_errors"):
        assert getattr(throttled, name) == getattr(defaults, name)
    assert fleet.rollout == RolloutPolicy(
        canary={"canary": ("yes",)}, max_parallel=10, first_bake_time=600, deadline=7200
    )
    assert fleet.policy_of("orchestrator") == replace(
        fleet.rollout, waves=(Share(1), Share(100, is_percent=True)), bake_time=600
    )
    assert fleet.policy_of("specialist") == fleet.policy_of("") == fleet.rollout


@pytest.mark.parametrize(
    ("written", "policy", "is_strict"),
    [("pinned", "pinned", True), ("known_hosts", "known_hosts", True), ("strict", "known_hosts", True),
     ("accept-new", "accept-new", False)],
)  # fmt: skip
def test_an_earlier_word_for_known_hosts_alone_is_read_too(
    tmp_path: Path, written: str, policy: str, is_strict: bool
) -> None:
    ssh = load(tmp_path, f"{LEAST}ssh: {{host_keys: {written}}}\n").ssh
    assert (ssh.host_keys, ssh.is_strict) == (policy, is_strict)


def test_a_guard_goes_to_a_model_by_its_exact_id(tmp_path: Path) -> None:
    assert load(tmp_path, LEAST + "guard: {to: opus-5}\n").guard == GuardPolicy(to="claude-opus-5")
    assert load(tmp_path, LEAST + "guard: {to: fallback}\n").guard.to == "fallback"


def with_line(replaced: str, by: str) -> str:
    assert replaced in LEAST
    return LEAST.replace(replaced, by)


EC2 = "- ec2: {regions: [us-east-1]}"
WRONG = {
    "unknown model to guard by": (
        LEAST + "guard: {to: opsu-5}\n",
        6,
        "guard.to",
        "should be previous, fallback or a model",
    ),
    "guard that is half open by halves": (LEAST + "guard: {half_open: maybe}\n", 6, "guard.half_open", "true or false"),
    "misspelt key": (with_line("regions", "regoins"), 3, "sources[0].ec2.regoins", "did you mean regions?"),
    "misspelt section": (LEAST + "modles: {}\n", 6, "modles", "did you mean models?"),
    "unlike any key": (LEAST + "xyzzy: 1\n", 6, "xyzzy", "is not a key jada knows"),
    "misspelt kind": (with_line("ec2", "ecs2"), 3, "sources[0].ecs2", "did you mean ec2?"),
    "duplicate key": (LEAST + "fleet: other\n", 6, "fleet", "given twice; first on line 1"),
    "duplicate host": (
        LEAST.replace(EC2, "- static:\n      hosts:\n        a: {address: x}\n        a: {address: y}"),
        6,
        "sources[0].static.hosts.a",
        "given twice; first on line 5",
    ),
    "two kinds": (
        with_line(EC2, EC2 + "\n    static: {hosts: {a: {address: b}}}"),
        3,
        "sources[0]",
        "exactly one of ec2, lightsail, static, ansible, not ec2 and static",
    ),
    "no kind": (with_line(EC2, "- {}"), 3, "sources[0]", "exactly one of"),
    "no sources": (with_line(f"\n  {EC2}", " []"), 2, "sources", "empty list"),
    "sources without a value": (with_line(f"\n  {EC2}", ""), 2, "sources", "has no value"),
    "no regions": (with_line("[us-east-1]", "[]"), 3, "sources[0].ec2.regions", "empty list"),
    "missing regions": (with_line("regions: [us-east-1]", ""), 3, "sources[0].ec2", "lacks the key regions"),
    "misspelt region": (
        with_line("us-east-1", "us-east-1, us-eat-1"),
        3,
        "sources[0].ec2.regions[1]",
        "us-eat-1; did you mean us-east-1?",
    ),
    "misspelt region to leave out": (
        with_line("[us-east-1]", "all, not_regions: [us-eat-1]"),
        3,
        "sources[0].ec2.not_regions[0]",
        "us-eat-1; did you mean us-east-1?",
    ),
    "all regions left out": (
        with_line("[us-east-1]", "all, not_regions: [all]"),
        3,
        "sources[0].ec2.not_regions[0]",
        "not an AWS region",
    ),
    "pseudo-region": (with_line("us-east-1", "aws-global"), 3, "sources[0].ec2.regions[0]", "not an AWS region"),
    "no as a tag": (
        with_line("regions: [us-east-1]", "regions: [us-east-1], tags: {prod: no}"),
        3,
        "sources[0].ec2.tags.prod",
        "YAML reads no as yes/no",
    ),
    "on as a key": (
        with_line("regions: [us-east-1]", "regions: [us-east-1], tags: {on: x}"),
        3,
        "a key of sources[0].ec2.tags",
        "YAML reads on as yes/no",
    ),
    "number as a model": (with_line("{}", "{model: 4.6}"), 5, "roles.any.model", "YAML reads 4.6 as a number"),
    "date as a tag": (
        with_line("{}", "{tags: {since: 2026-01-01}}"),
        5,
        "roles.any.tags.since",
        "YAML reads 2026-01-01 as a date",
    ),
    "quoted flag": (
        with_line("regions: [us-east-1]", 'regions: [us-east-1], running_only: "yes"'),
        3,
        "sources[0].ec2.running_only",
        "true or false, not yes",
    ),
    "wrong choice": (
        with_line("regions: [us-east-1]", "regions: [us-east-1], address: pubic"),
        3,
        "sources[0].ec2.address",
        "did you mean public?",
    ),
    "unknown model": (with_line("{}", "{model: sonet-4.6}"), 5, "roles.any.model", "no model sonet-4.6"),
    "moving alias": (with_line("{}", "{model: sonnet}"), 5, "roles.any.model", "another model after an update"),
    "moving id": (LEAST + "models: {mine: opus}\n", 6, "models.mine", "another model after an update"),
    "id with a quote": (LEAST + "models: {mine: 'a\"b'}\n", 6, "models.mine", "should be the exact id of a model"),
    "role never reached": (LEAST + "  late: {names: [x]}\n", 6, "roles.late", "is never reached: any, above it"),
    "role called all": (with_line("any", "all"), 5, "roles.all", "can not be called so: the name of a role"),
    "text as a number": (LEAST + "limits: {nofile: lots}\n", 6, "limits.nofile", "a whole number from 1"),
    "number too high": (LEAST + "limits: {nofile: 2147483648}\n", 6, "limits.nofile", "a whole number from 1"),
    "negative": (LEAST + "settle: -1\n", 6, "settle", "a whole number from 0"),
    "yes as a number": (LEAST + "settle: yes\n", 6, "settle", "a whole number from 0"),
    "list for a mapping": (LEAST + "ssh: [a]\n", 6, "ssh", "a mapping (key: value), not a list"),
    "not a service": (LEAST + "service: jada-agent\n", 6, "service", "full name of a systemd service"),
    "relative settings": (LEAST + "settings: .claude/x\n", 6, "settings", "begins with ~/ or /"),
    "two jump hosts": (LEAST + "ssh: {jump: 'a,b'}\n", 6, "ssh.jump", "one [user@]host[:port]"),
    "line in a jump host": (LEAST + 'ssh: {jump: "a\\n  ProxyCommand x"}\n', 6, "ssh.jump", "control character U+000A"),
    "a connector's name": (
        with_line(EC2, '- static: {hosts: {"@local": {address: b}}}'),
        3,
        "sources[0].static.hosts.@local",
        "can not be called so: the name of a host",
    ),
    "misspelt key of an acceptance": (
        LEAST + 'accept: [{code: J301, host: "*", reason: x, until: 2026-12-31}]\n',
        6,
        "accept[0].host",
        "did you mean hosts?",
    ),
    "acceptance without an end": (
        LEAST + "accept:\n  - {code: J301, hosts: a, reason: x}\n",
        7,
        "accept[0]",
        "lacks the key until",
    ),
    "acceptance without a reason": (
        LEAST + 'accept: [{code: J301, hosts: a, reason: "", until: 2026-12-31}]\n',
        6,
        "accept[0].reason",
        "should be a text",
    ),
    "no code": (
        LEAST + "accept: [{code: limits, hosts: a, reason: x, until: 2026-12-31}]\n",
        6,
        "accept[0].code",
        "one code of a finding, such as J102, not limits",
    ),
    "no day": (
        LEAST + "accept: [{code: J301, hosts: a, reason: x, until: 2026-02-30}]\n",
        6,
        "accept[0].until",
        "a date such as 2026-12-31, not 2026-02-30",
    ),
    "a time for a day": (
        LEAST + "accept: [{code: J301, hosts: a, reason: x, until: 2026-12-31 12:00:00}]\n",
        6,
        "accept[0].until",
        "a date such as 2026-12-31",
    ),
    "no topic": (LEAST + "notify: {sns: jada}\n", 6, "notify.sns", "the ARN of a standard SNS topic"),
    "a FIFO topic": (
        LEAST + "notify: {sns: 'arn:aws:sns:us-east-1:123456789012:jada.fifo'}\n",
        6,
        "notify.sns",
        "the ARN of a standard SNS topic",
    ),
    "a model without an id": (LEAST + "models: {mine: {cli: 2.1.0}}\n", 6, "models.mine", "lacks the key id"),
    "a number for a version": (LEAST + "models: {opus-5: {cli: 2.1}}\n", 6, "models.opus-5.cli", "should be a text"),
    "no version": (LEAST + "models: {opus-5: {cli: latest}}\n", 6, "models.opus-5.cli", "such as 2.1.280"),
    "few open files": (
        LEAST + "limits: {nofile: 10}\n",
        6,
        "limits.nofile",
        "a whole number from 1024 to 2147483647, not 10",
    ),
    "an infinite number": (LEAST + "settle: .inf\n", 6, "settle", "a whole number from 0"),
    "not a number": (LEAST + "settle: .nan\n", 6, "settle", "a whole number from 0"),
    "a large float": (LEAST + "settle: 1.0e+999\n", 6, "settle", "a whole number from 0"),
    "many digits": (LEAST + f"settle: {'9' * 4000}\n", 6, "settle", "a whole number from 0 to 600, not 999"),
    "more digits than Python reads": (LEAST + f"settle: 1{'_0' * 2000}\n", 6, "settle", "a whole number from 0"),
    "no digits": (LEAST + "settle: 0b_\n", 6, "settle", "a whole number from 0"),
    "tagged as a number": (LEAST + "settle: !!int x\n", 6, "settle", "a whole number from 0"),
    "tagged as an empty number": (LEAST + 'settle: !!int ""\n', 6, "settle", "a whole number from 0"),
    "tagged as a flag": (
        with_line("regions: [us-east-1]", "regions: [us-east-1], running_only: !!bool maybe"),
        3,
        "sources[0].ec2.running_only",
        "true or false, not maybe",
    ),
    "a unit that is an option": (LEAST + "service: --now.service\n", 6, "service", "full name of a systemd service"),
    "a unit with a path": (LEAST + "service: ../x.service\n", 6, "service", "full name of a systemd service"),
    "a long unit": (LEAST + f"service: {'a' * 250}.service\n", 6, "service", "full name of a systemd service"),
    "settings of root's": (LEAST + "settings: /etc/docker/daemon.json\n", 6, "settings", "/etc, /lib, /lib32"),
    "settings that are none": (LEAST + "settings: /srv/agent.conf\n", 6, "settings", "should be a .json file"),
    "settings by a detour": (LEAST + "settings: /srv/../etc/x.json\n", 6, "settings", "without . and .."),
    "settings by two slashes": (LEAST + "settings: //etc/x.json\n", 6, "settings", "no / too many"),
    "settings in jada's own": (LEAST + "settings: /var/lib/jada/x.json\n", 6, "settings", "root's own files"),
    "a folder for settings": (LEAST + "settings: ~/x.json/\n", 6, "settings", "no / too many"),
    "all as a project": (LEAST + "projects: [/.]\n", 6, "projects[0]", "without . and .."),
    "a word of an earlier jada": (LEAST + "ask: when-silent\n", 6, "ask", "is now on-change"),
    "no time to ask at": (LEAST + "ask: on-chance\n", 6, "ask", "should be always or on-change or never"),
    "processes as a project": (LEAST + "projects: [~/a, /proc]\n", 6, "projects[1]", "root's own files"),
    "a model check of neither": (
        LEAST + "model_check: {}\n",
        6,
        "model_check",
        "exactly one of url, command, not none",
    ),
    "a model check of both": (
        LEAST + "model_check: {url: 'http://a/', command: a}\n",
        6,
        "model_check",
        "exactly one of url, command, not url and command",
    ),
    "a quote in a URL": (LEAST + "model_check: {url: 'http://a/''x'}\n", 6, "model_check.url", "holds no quotes"),
    "a backslash in a URL": (LEAST + "model_check: {url: 'http://a/\\x'}\n", 6, "model_check.url", "holds no quotes"),
    "a file for a URL": (
        LEAST + "model_check: {url: 'file:///etc/shadow'}\n",
        6,
        "model_check.url",
        "begins with http:// or https://",
    ),
    "many URLs in one": (
        LEAST + "model_check: {url: 'http://a/[1-99999]'}\n",
        6,
        "model_check.url",
        "no quotes, spaces or other signs",
    ),
    "many hosts in one": (
        LEAST + "model_check: {url: 'http://{a,b}/'}\n",
        6,
        "model_check.url",
        "no quotes, spaces or other signs",
    ),
    "an address that is an option": (
        with_line(EC2, "- static: {hosts: {a: {address: -oProxyCommand=x}}}"),
        3,
        "sources[0].static.hosts.a.address",
        "a name of DNS or an IP address, not -oProxyCommand=x",
    ),
    "two addresses": (
        with_line(EC2, "- static: {hosts: {a: {address: 'x,y'}}}"),
        3,
        "sources[0].static.hosts.a.address",
        "one word",
    ),
    "a user that is an option": (LEAST + "ssh: {user: -l}\n", 6, "ssh.user", "the name of a user, not -l"),
    "a user with a command": (LEAST + "ssh: {user: '$(id)'}\n", 6, "ssh.user", "the name of a user"),
    "a jump host that is an option": (LEAST + "ssh: {jump: -x}\n", 6, "ssh.jump", "one [user@]host[:port]"),
    "a jump user that is an option": (LEAST + "ssh: {jump: -x@y}\n", 6, "ssh.jump", "one [user@]host[:port]"),
    "no port of a jump host": (LEAST + "ssh: {jump: 'a:65536'}\n", 6, "ssh.jump", "a port up to 65535"),
    "a line in known hosts": (
        LEAST + 'ssh: {known_hosts: "x\\n  ProxyCommand id"}\n',
        6,
        "ssh.known_hosts",
        "control character U+000A",
    ),
    "two files of known hosts": (
        LEAST + "ssh: {jump: a, known_hosts: 'x y'}\n",
        6,
        "ssh.known_hosts",
        "with a jump host: it goes into an ssh configuration",
    ),
    "a key that ssh expands": (LEAST + "ssh: {jump: a, key: /%h}\n", 6, "ssh.key", "with a jump host"),
    "the home of nobody": (LEAST + "ssh: {key: ~nobody-such/x}\n", 6, "ssh.key", "knows no such home"),
    "a path that no file has": (LEAST + f"ssh: {{key: {'k' * 256}}}\n", 6, "ssh.key", "longer than 255 bytes"),
    "a long name": (with_line("fleet: agents", f"fleet: {'a' * 81}"), 1, "fleet", "is longer than 80 characters"),
    "a long text": (LEAST + f"service: {'a' * 4097}\n", 6, "service", "is longer than 4096 characters"),
    "a block of lines": (LEAST + "service: |\n  a\n  b\n", 6, "service", "control character U+000A"),
    "a line in a key": (LEAST + '"x\\ny": 1\n', 6, "a key of the file", "control character U+000A"),
    "a line in a tag": (
        with_line("{}", '{tags: {role: ["a", "b\\r"]}}'),
        5,
        "roles.any.tags.role[1]",
        "control character U+000D",
    ),
    "half a character": (LEAST + 'service: "\\ud800"\n', 6, "service", "control character U+D800"),
    "text backwards": (LEAST + 'service: "a\u202eb"\n', 6, "service", "control character U+202E"),
    "nothing in a text": (LEAST + 'service: "\\0"\n', 6, "service", "control character U+0000"),
    "an escape that is none": (LEAST + 'service: "\\U00110000"\n', 6, "this is not YAML", ""),
    "a terminal's escape": (LEAST + "service: a\x1b[2J\n", 6, "this is not YAML: the character U+001B is in it", ""),
    "a raw end": (LEAST + "service: a\x00\n", 6, "this is not YAML: the character U+0000 is in it", ""),
    "nested lists": (LEAST + "service: " + "[" * 5000 + "\n", 6, "this is not YAML: it is nested too deeply", ""),
    "nested blocks": (LEAST + "service: " + "- " * 5000 + "a\n", 6, "this is not YAML", ""),
    "an alias of itself": (LEAST + "service: &a [*a]\n", 6, "service[0]", "holds more than a file can mean"),
    "a bomb of aliases": (
        LEAST + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else 'lol'] * 10)}]\n" for n in range(9)),
        6,
        "x4",
        "holds more than a file can mean",
    ),
    "an alias of nothing": (LEAST + "service: *a\n", 6, "this is not YAML", "undefined alias"),
    "several documents": (LEAST + "---\n" + LEAST, 6, "a second document begins here", "one file is one fleet"),
    "a document behind a comment": (LEAST + "#\n\n--- # of\n\nfleet: b\n", 8, "a second document begins here", ""),
    "a number of a version": (f"%YAML 1.{'9' * 5000}\n---\n" + LEAST, 1, "this is not YAML", ""),
    "a mapping for a key": (LEAST + "? {a: b}\n: c\n", 6, "a key of the file", "should be a text, not a mapping"),
    "a merge": (LEAST + "<<: {settle: 1}\n", 6, "the file", "is merged with another mapping (<<)"),
    "broken yaml": ("fleet: a\nsources: [\nroles: {}\n", 4, "this is not YAML", "flow sequence that begins on line 2"),
    "tab": ("fleet: a\n\tx: y\n", 2, "this is not YAML", ""),
    "waves of a role that leave hosts behind": (
        with_line("any: {}", "any: {rollout: {waves: [1]}}"),
        5,
        "roles.any.rollout.waves",
        "should end with 100%",
    ),
    "no time for a rollout": (LEAST + "rollout: {deadline: 0}\n", 6, "rollout.deadline", "from 1s to 7d"),
    "no fleet": ("sources: []\n", 1, "the file", "lacks the keys fleet, roles"),
}


@pytest.mark.parametrize(("text", "line", "key", "problem"), WRONG.values(), ids=WRONG.keys())
def test_whatever_is_wrong_is_told_with_line_and_key(
    tmp_path: Path, text: str, line: int, key: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith(f"{tmp_path / 'fleet.yml'}:{line}: {key}")
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"a: b\nfleet: \xff", ":2: this is not UTF-8"),
        (b"a: \x00", "not YAML"),
        (b"\xff\xfea\x00", ":1: this is not UTF-8"),
        (b"a: " + b"b" * 1_000_000, "larger than 1000000 bytes"),
    ],
)
def test_what_is_not_yaml_text_is_told(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "fleet.yml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=problem):
        config.load(str(file))


@pytest.mark.parametrize("name", ["~nobody-such/fleet.yml", "x" * 300, "a/" * 3000 + "x"])
def test_a_file_that_can_not_be_is_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        config.load(name, {}, tmp_path)


def test_a_pipe_is_read_as_a_file_and_what_it_names_lies_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--fleet <(sops -d fleet.yml)`."""
    monkeypatch.chdir(tmp_path)
    reader, writer = os.pipe()
    try:
        os.write(writer, (LEAST + "ssh: {key: id_fleet}\n").encode())
        os.close(writer)
        fleet = config.load(f"/dev/fd/{reader}", {})
    finally:
        os.close(reader)
    assert (fleet.name, fleet.ssh.key) == ("agents", tmp_path / "id_fleet")
    with pytest.raises(ConfigError, match=r"is a folder, and no fleet\.yml"):
        config.load(str(tmp_path), {})


def test_a_working_folder_that_is_gone_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fleet.yml").write_text(LEAST)
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert config.load(str(tmp_path / "fleet.yml"), {}).name == "agents"
    with pytest.raises(ConfigError, match="is not there"):
        config.load("fleet.yml", {})


@pytest.mark.parametrize(
    "line",
    [
        "model_check: {url: 'http://[::1]:8787/healthz?a=b%20c#d'}",
        "model_check: {url: 'https://user:pa%24s@agent.example.com/'}",
        "settings: /home/agent/My Files/settings.json",
        "projects: [~/Documents, '/srv/été']",
        "service: agent@a-b.service",
        "limits: {nofile: 1024}",
        "ssh: {user: 'DOM\\jo', known_hosts: 'a b'}",
        "ssh: {user: jo@example.com}",
        "ssh: {jump: jo@bastion.example.com:22}",
        "model_check: {command: /opt/agent/bin/model --json 2>/dev/null | head -n 1}",
        "accept:\n  - code: J301\n    hosts: a\n    until: 2026-12-31\n    reason: >-\n      two\n      lines",
    ],
)
def test_what_people_write_is_still_read(tmp_path: Path, line: str) -> None:
    assert load(tmp_path, LEAST + line + "\n")


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1%eth0", "::1", "a_b.example.com", "HOST"])
def test_addresses_of_every_kind_are_read(tmp_path: Path, address: str) -> None:
    fleet = load(tmp_path, with_line(EC2, f"- static: {{hosts: {{a: {{address: '{address}'}}}}}}"))
    assert fleet.sources == (StaticSource((StaticHost("a", address),)),)


def test_a_passworded_url_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, LEAST + 'model_check: {url: "http://me:s3cret@host/\'x"}\n')
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("secret", ["47114711", "47.11", "!!binary s3cret", "2026-01-01", "true", "'s3cret\"'"])
def test_no_secret_is_shown_whatever_yaml_reads_it_as(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            tmp_path,
            with_line(EC2, f"- ec2: {{regions: all, role_arn: x, external_id: {secret}}}")
            + f"model_check: {{url: {secret}}}\nnotify: {{webhook: {secret}}}\n",
        )
    told = [problem.message for problem in caught.value.problems if "role_arn" not in problem.message]
    assert len(told) == 3
    assert not any(part in line for line in told for part in ("4711", "47.11", "s3cret", "2026-01-01", "true"))


def test_a_windows_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_bytes(b"\xef\xbb\xbf" + LEAST.replace("\n", "\r\n").encode())
    assert config.load(str(file)).name == "agents"


def test_a_role_may_name_what_the_fleet_itself_adds(tmp_path: Path) -> None:
    fleet = load(tmp_path, with_line("{}", "{model: mine}") + "models: {mine: my-gateway/claude}\n")
    assert fleet.roles == (Role("any", "mine"),)


@pytest.mark.parametrize("until", ["2026-12-31", "'2026-12-31'"])
def test_an_acceptance_knows_its_line(tmp_path: Path, until: str) -> None:
    fleet = load(tmp_path, LEAST + f"accept:\n  - {{code: J301, hosts: [a, b-*], reason: why, until: {until}}}\n")
    assert fleet.accept == (Acceptance("J301", ("a", "b-*"), "why", date(2026, 12, 31), 7),)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${HOOK}", Webhook(variable="HOOK")),
        ("/etc/jada/hook", Webhook(file=Path("/etc/jada/hook"))),
        ("~/hook", Webhook(file=Path.home() / "hook")),
        ("https://example.com/x", Webhook(url="https://example.com/x")),
    ],
)
def test_a_webhook_may_be_kept_elsewhere(tmp_path: Path, written: str, expected: Webhook) -> None:
    assert load(tmp_path, LEAST + f"notify:\n  webhook: {written}\n").notify.webhook == expected


def test_a_webhooks_url_is_not_shown(tmp_path: Path) -> None:
    assert "T0P" not in repr(load(tmp_path, LEAST + "notify: {webhook: https://example.com/T0P}\n"))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, LEAST + "notify: {webhook: example.com/T0P}\n")
    assert "T0P" not in caught.value.message


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["named", "env", "work/inventory", "home/.config/jada"], "named"),
        (["env", "work/inventory", "home/.config/jada"], "env"),
        (["work/inventory", "home/.config/jada"], "work/inventory"),
        (["home/.config/jada"], "home/.config/jada"),
    ],
)
def test_the_first_file_wins(tmp_path: Path, files: list[str], expected: str) -> None:
    for folder in files:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "fleet.yml").write_text(LEAST)
    environ = {"HOME": str(tmp_path / "home")}
    if "env" in files:
        environ["JADA_FLEET"] = str(tmp_path / "env/fleet.yml")
    named = str(tmp_path / "named/fleet.yml") if "named" in files else None
    assert config.load(named, environ, tmp_path / "work").path == tmp_path / expected / "fleet.yml"


@pytest.mark.parametrize(
    ("named", "environ", "expected"),
    [
        ("nope.yml", {}, ["nope.yml, which --fleet names, is not there"]),
        (None, {"JADA_FLEET": "/x/nope.yml"}, ["/x/nope.yml, which $JADA_FLEET names, is not there"]),
        (None, {}, ["work/inventory/fleet.yml", "home/.config/jada/fleet.yml", "/etc/jada/fleet.yml"]),
    ],
)
def test_a_missing_file_is_told_with_where_it_was_looked_for(
    tmp_path: Path, named: str | None, environ: dict[str, str], expected: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(named, {"HOME": str(tmp_path / "home"), **environ}, tmp_path / "work")
    assert all(part in caught.value.message for part in expected), caught.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 3600 + 3 * 120),
        ("deadline: 60\nrollout: {waves: [100%]}\n", 60),
        ("deadline: 60\nrollout: {first_bake_time: 10m, final_bake_time: 1h, deadline: 5m}\n", 300 + 600 + 240 + 3600),
    ],
)
def test_a_rollout_ends_after_its_deadline_and_all_its_bakes(tmp_path: Path, text: str, seconds: int) -> None:
    assert load(tmp_path, LEAST + text).longest_rollout == seconds


def test_a_role_differs_in_the_keys_alone_that_it_has(tmp_path: Path) -> None:
    text = with_line("any: {}", "one: {tags: {a: b}, rollout: {bake_time: 1h, deadline: 2h}}\n  any: {}")
    fleet = load(tmp_path, text + "rollout: {waves: [2, 100%], on_failure: pause}\n")
    assert fleet.policy_of("one") == replace(fleet.rollout, bake_time=3600, deadline=7200)
    assert fleet.policy_of("any") == replace(fleet.rollout, deadline=3600)
    # Longer than any wave of both can be watched.
    assert fleet.longest_rollout == 7200 + 3600 + 120


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    told = [problem.message.partition("fleet.yml:")[2].partition(" ")[2] for problem in caught.value.problems]
    return [text.partition(" ")[0] for text in told]


def test_all_that_is_wrong_is_known_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """
        fleet: f
        sources:
          - static: {hosts: {a: {address: "no address"}, b: {adress: 192.0.2.1}}}
          - ec2: {regions: [nowhere-1], nosuch: 1}
        roles:
          one: {model: nosuch, names: [a]}
          two: {model: nosuch}
        settle: soon
    """
    assert problems(tmp_path, dedent(text)) == [
        "sources[0].static.hosts.a.address", "sources[0].static.hosts.b.adress", "sources[0].static.hosts.b",
        "sources[1].ec2.nosuch", "sources[1].ec2.regions[0]", "roles.one.model", "roles.two.model", "settle",
    ]  # fmt: skip


def test_roles_are_not_blamed_for_models_that_can_not_be_read(tmp_path: Path) -> None:
    text = """
        fleet: f
        sources: [{static: {hosts: {a: {address: 192.0.2.1}}}}]
        roles: {one: {model: own}}
        models: {own: {nosuch: 1}}
    """
    assert problems(tmp_path, dedent(text)) == ["models.own.nosuch"]
