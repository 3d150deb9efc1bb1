"""The shipped fleet.yml by its keys, the schema beside it, and what errors show of both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jada import ConfigError
from jada.inventory.fleet import config, shipped

LEAST = "fleet: f\nsources: [{static: {hosts: {a: {address: 192.0.2.1}}}}]\nroles: {r: {}}\n"


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    """What a tool of other people says of a file by the schema."""
    argv = [str(Path(sys.executable).with_name("check-jsonschema")), "--schemafile", str(shipped.schema_file())]
    return subprocess.run([*argv, str(file)], capture_output=True, text=True, check=False)


def test_a_misspelt_key_is_found_by_other_tools_too(tmp_path: Path) -> None:
    assert checked(shipped.shipped_file()).returncode == 0
    (file := tmp_path / "fleet.yml").write_text(f"{LEAST}ssh: {{hostkeys: pinned}}\nservcie: a.service\n")
    done = checked(file)
    assert done.returncode == 1
    assert "'hostkeys' was unexpected" in done.stdout and "'servcie' was unexpected" in done.stdout


def test_the_sections_of_the_file_are_those_of_the_schema() -> None:
    sections = {line.keys[0] for line in shipped.lines() if line.keys}
    assert sections == {key for key in list(shipped.keys()) if "." not in key}


def test_every_key_has_a_part_and_most_have_a_word() -> None:
    keys = shipped.keys()
    for key in keys:
        assert shipped.part(key), key
    assert all(text for key, text in keys.items() if "." not in key)
    assert keys["rollout.bake_time"] == "how long hosts are watched after each wave but the last; 0: not at all"
    assert keys["ssh.user"].startswith("for hosts whose source names none")
    assert keys["ssh.host_keys"].endswith("trust a host the first time it is seen")


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("ssh", "ssh"),
        ("roles web rollout waves", "roles.rollout.waves"),
        ("sources static hosts web-1 address", "sources.static.hosts.address"),
        ("models sonnet-4 6 cli", "models.cli"),
        ("probes mine url", "probes.url"),
        ("sources ec2 regoins", "sources.ec2"),
        ("nosuch", ""),
    ],
)
def test_names_of_ones_own_are_no_part_of_a_key(path: str, key: str) -> None:
    assert shipped.key_of(path.split()) == key


def text_of(key: str) -> str:
    return "\n".join(line.written for line in shipped.part(key))


def test_a_part_is_what_the_file_says_of_a_key() -> None:
    text = shipped.shipped_file().read_text()
    section = text_of("notify")
    assert section in text
    assert section.startswith("# Who is told when") and section.endswith("(a path that begins with /, ~/ or ./)")
    assert text_of("guard.half_open").splitlines()[0] == "# guard:"
    assert text_of("guard.half_open").endswith("if it stays well as long as a canary bakes")
    assert text_of("sources.ec2.via").startswith("sources:\n  - ec2:\n      # via: address ")


def test_a_key_of_which_the_file_says_nothing_is_shown_with_what_it_is_in() -> None:
    assert text_of("probes.kind") == text_of("probes")
    assert text_of("roles.fallback") == text_of("roles")
    assert text_of("sources.ec2.running_only") == text_of("sources.ec2")


def problems(tmp_path: Path, text: str) -> list[ConfigError]:
    (file := tmp_path / "fleet.yml").write_text(LEAST + text)
    with pytest.raises(ConfigError) as caught:
        config.load(str(file))
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "key", "example"),
    [
        ("ssh: [a]", "ssh", ["ssh:", "  user: admin", "  key: ~/.ssh/id_ed25519"]),
        ("limits:", "limits", ["limits: {nofile: 2147483646}"]),
        ("accept: {}", "accept", ["accept:", "  - code: J302", '    hosts: "web-*"']),
        ("settle: soon", "settle", ["settle: 5"]),
        ("probes: {a: {kind: cpu, above: [1]}}", "probes.above", ["above: 10"]),
        ("projects: []", "projects", ["projects: [~/Documents/repos]"]),
        ("rollout: {waves: 5}", "rollout.waves", ["waves: [1, 10%, 50%, 100%]"]),
    ],
)
def test_what_is_of_another_form_is_told_with_an_example(
    tmp_path: Path, text: str, key: str, example: list[str]
) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.hint.endswith(f"`jada docs {key}` shows what goes there")
    assert list(problem.example) == example


def test_an_entry_of_sources_that_is_of_no_kind_is_told_with_an_example(tmp_path: Path) -> None:
    (file := tmp_path / "fleet.yml").write_text("fleet: f\nsources: [{}]\nroles: {r: {}}\n")
    with pytest.raises(ConfigError) as caught:
        config.load(str(file))
    assert list(caught.value.example) == ["sources:", "  - lightsail:", "      regions: [us-east-1]"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ssh: {usr: a}", "keys that go here: user, key, port, jump, known_hosts, host_keys; `jada docs ssh` shows"),
        ("nosuch: 1", "`jada docs` shows what goes there"),
        ("service: 5", "put it in quotes"),
        ("guard: {interval: 1}", "`jada docs guard.interval` shows what goes there"),
    ],
)
def test_other_problems_name_the_docs_where_they_have_no_better_hint(tmp_path: Path, text: str, hint: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert hint in problem.hint
    assert not problem.example


def test_a_misspelt_kind_of_source_is_one_problem(tmp_path: Path) -> None:
    (file := tmp_path / "fleet.yml").write_text("fleet: f\nsources: [{azure: {}}]\nroles: {r: {}}\n")
    with pytest.raises(ConfigError) as caught:
        config.load(str(file))
    assert [problem.message.partition(": ")[2] for problem in caught.value.problems] == [
        "sources[0].azure is not a key jada knows"
    ]


def test_all_problems_come_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = (
        "models: {a: opus, b: {nosuch: 1}, c: {cli: x}}\n"
        "accept: [{code: x, hosts: a, reason: x, until: 2027-01-31}, 5]\n"
        "accept: []\n"
        "ssh: {port: 0, usr: x}\n"
        "nosuch: 1\n"
    )
    found = problems(tmp_path, text)
    assert [" ".join(problem.message.partition("fleet.yml:")[2].split()[:2]) for problem in found] == [
        "4: models.a", "4: models.b.nosuch", "4: models.c.cli", "5: accept[0].code", "5: accept[1]", "6: accept",
        "7: ssh.usr", "7: ssh.port", "8: nosuch",
    ]  # fmt: skip


def test_the_schema_is_valid_and_says_what_a_key_is_for() -> None:
    schema = json.loads(shipped.schema_file().read_text(encoding="utf-8"))
    assert schema["properties"]["ssh"]["description"].startswith("How to log in to hosts. Without this section")
    assert schema["additionalProperties"] is False
