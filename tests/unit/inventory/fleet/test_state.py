"""fleet.yml's `state`: a bucket, a prefix, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from jada import ConfigError
from jada.inventory.cloud.calls import Purpose
from jada.inventory.fleet import config
from jada.inventory.fleet.state import SharedState, parsed
from jada.inventory.permissions import calls_of, policy

FLEET = "fleet: f\nsources: [{static: {hosts: {a: {address: 192.0.2.1}}}}]\nroles: {any: {}}\n"


def fleet(tmp_path: Path, state: str) -> config.Fleet:
    file = tmp_path / "fleet.yml"
    file.write_text(f"{FLEET}state: {state}\n")
    return config.load(str(file))


@pytest.mark.parametrize(
    ("text", "state", "shown"),
    [
        ("s3://my-team", SharedState("my-team"), "s3://my-team"),
        ("s3://my-team/", SharedState("my-team"), "s3://my-team"),
        ("s3://my.team/jada/prod", SharedState("my.team", "jada/prod/"), "s3://my.team/jada/prod"),
        ("s3://my-team/jada/", SharedState("my-team", "jada/"), "s3://my-team/jada"),
    ],
)
def test_a_place_is_read_and_shown(tmp_path: Path, text: str, state: SharedState, shown: str) -> None:
    assert fleet(tmp_path, text).state == state
    assert str(state) == shown
    assert parsed(shown) == state


@pytest.mark.parametrize(
    "text", ["my-team", "s3://", "s3://My-Team/x", "s3://ab/a b", "s3://team//x", "https://team/x", "7"]
)
def test_another_place_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="state"):
        fleet(tmp_path, text)


def test_a_rollback_goes_on_without_a_place_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_text(f"{FLEET}state: nowhere\n")
    told: list[ConfigError] = []
    assert config.load(str(tmp_path / "fleet.yml"), tell=told.append).state is None
    assert "state" in str(told[0])


def test_the_policy_is_of_that_bucket_and_prefix_alone(tmp_path: Path) -> None:
    calls = calls_of(fleet(tmp_path, "s3://my-team/jada"), Purpose)
    assert policy(calls)["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::my-team/jada/*",
        },
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::my-team"},
    ]
