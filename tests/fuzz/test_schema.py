"""The schema of fleet.yml and what reads it agree on files to which something was done.

All that the schema refuses, jada refuses. All that jada refuses, the schema refuses, but for what EXCUSED lists: that
depends on other values, on this machine or on a catalogue, or is the same for any YAML file. Files are values of JSON,
which every reader of YAML takes alike; of how a value is written in YAML (yes, 0x10, 1e9) a schema knows nothing.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, FormatChecker

from jada import ConfigError
from jada.inventory.fleet import config, shipped
from jada.inventory.yaml_values import of_text
from tests.fuzz.test_fleet_yml import FULL

SEED, COUNT = 15, 1000
LEAST = {
    "fleet": "f",
    "sources": [{"static": {"hosts": {"a": {"address": "192.0.2.1"}}}}],
    "roles": {"r": {}},
    "models": {"mine": "my/claude"},
}
MORE = """\
roles: {r: {model: opus-5, fallback: [haiku-4.5], subagent_model: haiku-4.5, rollout: {waves: [2, 100%], deadline: 1h}}}
models: {mine: {id: my/claude, cli: 2.1.0}, yours: your/claude}
model_check: {command: my-agent --which-model}
telemetry: {exporter: console}
cli: ~/.local/bin/claude
ssh: {port: 2222, jump: "j@bastion:222", host_keys: strict}
guard: {interval: 1m, looks: 2, to: opus-5, cool_down: 0, most_per_day: 2, half_open: true}
hooks: {on_done: [./tell, done], on_fail: ./tell, timeout: 30s}
probes:
  a: {kind: http, url: "http://a/", measure: p50, above: 800ms, min_sample: 100, window: 1h}
  b: {kind: cloudwatch, metric: {namespace: n, name: m, statistic: Sum, dimensions: {a: b}}, below: -1.5}
  c: {kind: memory, above: 2x, mode: observe, max_errors: 3}
"""
# What no JSON Schema can say: the words in which jada says it, and a file of which it says it.
EXCUSED = {
    "a model that the catalogue lacks, or an alias in it": (
        "can't be used|or a model|the catalogue has no model",
        "roles: {r: {model: opsu-5}}",
    ),
    "a region that AWS lacks": ("is not an AWS region", "sources: [{ec2: {regions: [us-eat-1]}}]"),
    "roles by each other": (
        "is never reached|for the second time|the model of the role itself",
        "roles: {a: {}, b: {names: x}}",
    ),
    "waves by each other": ("should end with 100%|should grow from wave to wave", "rollout: {waves: [1, 50%]}"),
    "a probe by several of its keys": (
        "measures less often|measurements, and|requests, and|one measurement|no multiple",
        "probes: {a: {kind: cpu, above: 5%, interval: 2m, window: 1m}}",
    ),
    "an amount whose unit is not that of the measure": (
        "should be an amount such as",
        "probes: {a: {kind: http, url: 'http://a/', above: 1s}}",
    ),
    "a source by several of its keys": (
        "with `via: eice`|external_id and no role_arn|leaves out every region",
        "sources: [{ec2: {regions: all, via: eice, address: public}}]",
    ),
    "files by way of a jump host": ("with a jump host", "ssh: {jump: a, key: a b}"),
    "the five fields of cron": ("as cron has them", "freeze: [{cron: daily, for: 1h, reason: why}]"),
    "what this machine knows": ("this machine knows no|longer than 255 bytes", "ssh: {key: ~nobody-such/x}"),
    "the point of a whole number": (r"should be .*, not -?[0-9]+\.0$", "settle: 5.0"),
    "signs that no text of a file may hold": ("holds the control character", 'fleet: "a\\nb"'),
}
WORDS = ["", " ", "x", "all", "yes", "0", "1", "100%", "101%", "5%", "2x", "7d", "8d", "90s", "~", "~/a", "/etc/x.json"]
WORDS += ["a.service", "http://a/", "J302", "2026-02-30", "2027-01-31", "é", "a b", "a\nb", "-x", "${X}", "x" * 5000]
NUMBERS = [0, 1, -1, 5, 22, 99, 1023, 1024, 65536, 2**31, 2**63, 1.5, 5.0, -2.5]
OTHERS = [None, True, False, [], {}, [None], ["x"], [["x"]], {"a": "b"}, {"": 1}, [1, "100%"]]


def sections() -> Iterator[dict[str, Any]]:
    """A small file for every section of the shipped file, with each of its examples, and of others."""
    whole = "\n".join(line.plain for line in shipped.lines() if not line.is_prose)
    for text in (whole, FULL, MORE):
        for key, value in json.loads(json.dumps(yaml.safe_load(text), default=str)).items():
            yield {**LEAST, key: value}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def mutated(chance: random.Random, document: dict[str, Any]) -> dict[str, Any]:
    """The document with one thing done to it, or two."""
    document = deepcopy(document)
    for _ in range(chance.choice((1, 1, 1, 2))):
        holder, key = chance.choice(list(places(document)))
        act = chance.choice((0, 1, 2, 3, 3, 4, 4, 4, 5))
        if act == 0 and isinstance(holder, dict):
            holder[misspelt(chance, key)] = holder.pop(key)
        elif act == 1:
            del holder[key]
        elif act == 2 and isinstance(holder, dict):
            holder[chance.choice(("mode", "user", "x", "url", "é", " "))] = chance.choice(WORDS)
        elif act == 3 and isinstance(holder[key], int | float):
            holder[key] = chance.choice((holder[key] + 1, holder[key] - 1, -holder[key], holder[key] * 1000))
        elif act == 4 and isinstance(holder[key], str):
            holder[key] = misspelt(chance, holder[key])
        else:
            holder[key] = deepcopy(chance.choice(chance.choice((WORDS, NUMBERS, OTHERS))))
    return document


def misspelt(chance: random.Random, word: str) -> str:
    at = chance.randrange(len(word) + 1)
    return (
        word[:at] + chance.choice(("", "x", "é", "/", "%", "-", " ", "0", ".", "~")) + word[at + chance.randrange(2) :]
    )


def problems(document: dict[str, Any], file: Path) -> list[str]:
    """All that jada says of a file with these values."""
    try:
        config.parse_top(of_text(json.dumps(document), file))
    except ConfigError as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.fixture(scope="module")
def schema() -> Draft7Validator:
    read = json.loads(shipped.schema_file().read_text(encoding="utf-8"))
    Draft7Validator.check_schema(read)
    return Draft7Validator(read, format_checker=FormatChecker(["date"]))


def test_every_example_is_good_for_both(schema: Draft7Validator, tmp_path: Path) -> None:
    for document in sections():
        assert problems(document, tmp_path / "fleet.yml") == []
        assert [error.message for error in schema.iter_errors(document)] == []


@pytest.mark.parametrize(("words", "text"), EXCUSED.values(), ids=EXCUSED)
def test_nothing_is_excused_that_a_schema_could_say(
    schema: Draft7Validator, tmp_path: Path, words: str, text: str
) -> None:
    document = {**LEAST, **yaml.safe_load(text)}
    assert schema.is_valid(document)
    told = problems(document, tmp_path / "fleet.yml")
    assert told and all(re.search(words, line) for line in told)


def test_the_schema_and_jada_agree_on_a_thousand_mutated_files(schema: Draft7Validator, tmp_path: Path) -> None:
    chance, bases, seen = random.Random(SEED), list(sections()), Counter[str]()  # noqa: S311 - no secret
    for _ in range(COUNT):
        document = mutated(chance, chance.choice(bases))
        told, is_valid = problems(document, tmp_path / "fleet.yml"), schema.is_valid(document)
        if not is_valid:
            assert told, (
                f"the schema alone refuses {document}: {[error.message for error in schema.iter_errors(document)]}"
            )
        unexcused = [line for line in told if not any(re.search(words, line) for words, _ in EXCUSED.values())]
        if is_valid:
            assert not unexcused, f"jada alone refuses {document}"
        seen["good" if not told else "excused" if is_valid else "refused by both"] += 1
    # Neither of them says the same of all.
    assert seen["good"] > COUNT / 20 and seen["refused by both"] > COUNT / 20 and seen["excused"], seen
