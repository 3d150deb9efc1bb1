"""fleet.yml, as anybody may have written it: a fleet of which no value is more than one, or one error with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jada import UNPRINTABLE, ConfigError
from jada.inventory.access import login
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources.static import StaticSource
from tests.fuzz.conftest import dear, mutated, regrafted, texts

FULL = """\
fleet: agents
aws: {profile: lab, config_file: aws-config}
sources:
  - ec2: {regions: [us-east-1], tags: {env: [prod, "stag*"]}, running_only: no, address: public, user: admin}
  - lightsail: {regions: all, names: [jada-*]}
  - static:
      hosts:
        build-1: {address: 192.0.2.10, user: debian, port: 2222, tags: {role: specialist}}
roles:
  orchestrator: {model: sonnet-4.6, tags: {role: orchestrator}, names: ["orch-*"]}
  specialist: {model: mine}
models: {mine: gateway/claude-x}
limits: {nofile: 65536}
service: agent@1.service
settings: /srv/settings.json
model_check: {url: http://127.0.0.1:8787/healthz}
projects: [~/repos]
settle: 9
ssh: {user: me, key: /keys/k, port: 2200, jump: "j@bastion:222", known_hosts: kh, host_keys: accept-new}
accept: [{code: J302, hosts: "web-*", reason: why, until: 2027-01-31}]
notify: {sns: "arn:aws:sns:us-east-1:123456789012:jada", webhook: "${HOOK}"}
"""
DATA = json.loads(json.dumps(yaml.safe_load(FULL), default=str))
PLACES = (
    *((key,) for key in ("fleet", "service", "settings")),
    *(("ssh", key) for key in DATA["ssh"]),
    *(("sources", 2, "static", "hosts", "build-1", key) for key in ("address", "user")),
    ("projects", 0),
    ("roles", "orchestrator", "names", 0),
    ("models", "mine"),
    ("notify", "webhook"),
)
SSH_CONFIG = re.compile(
    r"Host \S+\n  Port \d+\n(  User \S+\n)?  UserKnownHostsFile \S+\n  StrictHostKeyChecking \S+\n"
    r"  KexAlgorithms \S+\n(  IdentityFile \S+\n  IdentitiesOnly yes\n)?"
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet") / "fleet.yml"


def read(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        fleet = config.load(str(file), {}, file.parent)
    except ConfigError as error:
        assert re.match(rf"{re.escape(str(file))}(:\d+: | is empty| is larger)", error.message)
        assert not UNPRINTABLE.search(error.message + error.hint)
        return
    assert not any(UNPRINTABLE.search(str(value)) for value in _leaves(asdict(fleet)))
    _is_harmless(fleet)


def _is_harmless(fleet: Fleet) -> None:
    hosts = [host for source in fleet.sources if isinstance(source, StaticSource) for host in source.hosts]
    words = [
        fleet.service.unit,
        fleet.ssh.user,
        fleet.ssh.jump,
        *(word for host in hosts for word in (host.address, host.user)),
    ]
    assert not any(word.startswith("-") or re.search(r"\s", word) for word in words)
    assert not fleet.ssh.jump or SSH_CONFIG.fullmatch(login.jump_config(fleet.ssh))
    assert not re.search(r"""['"\\\s]""", fleet.service.model_check.url)
    for path in (fleet.service.settings, *fleet.service.projects):
        assert not path.startswith(("/etc", "/usr", "/proc", "/dev")) and "/../" not in f"{path}/"
    assert 1024 <= fleet.limits.nofile < 2**31


def _leaves(value: Any) -> Iterator[Any]:
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    if isinstance(parts, list | tuple):
        for part in parts:
            yield from _leaves(part)
    else:
        yield value


@dear
@given(text=mutated([FULL]))
def test_a_file_that_something_was_done_to(file: Path, text: str) -> None:
    read(file, text.encode("utf-8", "surrogatepass"))


@dear
@given(data=regrafted(DATA))
def test_a_file_with_other_values(file: Path, data: Any) -> None:
    """JSON, nearly all of which is YAML: so every character comes through, as an escape."""
    read(file, json.dumps(data).encode())


@dear
@given(place=st.sampled_from([*PLACES]), text=texts)
def test_a_text_in_any_place(file: Path, place: tuple[str | int, ...], text: str) -> None:
    data = json.loads(json.dumps(DATA))
    *above, last = place
    holder = reduce(getitem, above, data)
    holder[last] = text
    read(file, json.dumps(data).encode())


@dear
@given(place=st.sampled_from([*PLACES]), before=texts, after=texts)
def test_a_text_around_what_stands_there(file: Path, place: tuple[str | int, ...], before: str, after: str) -> None:
    data = json.loads(json.dumps(DATA))
    *above, last = place
    holder = reduce(getitem, above, data)
    holder[last] = f"{before}{holder[last]}{after}"
    read(file, json.dumps(data).encode())


@dear
@given(place=st.sampled_from(["settle: ", "nofile: ", "port: ", "running_only: ", "until: "]), word=texts)
def test_a_word_without_quotes(file: Path, place: str, word: str) -> None:
    text = re.sub(rf"{place}[^,}}\n]+", lambda _: place + word, FULL)
    read(file, text.encode("utf-8", "surrogatepass"))


def test_the_file_itself_is_right(file: Path) -> None:
    for text in (FULL, json.dumps(DATA)):
        file.write_text(text)
        assert config.load(str(file), {}).ssh.jump == "j@bastion:222"
