"""`jada upgrade`, from what is typed to what was changed."""

from __future__ import annotations

import pytest

from jada import Exit
from jada.tasks import checks
from jada.tasks.state import State
from tests.unit.cli.conftest import Jada

OPUS = "claude-opus-5"


def model(state: object) -> str:
    assert isinstance(state, State)
    return checks.running_model(state)


def test_every_host_is_changed_and_verified_and_it_is_on_record(jada: Jada) -> None:
    report = jada("upgrade", "--to", "opus-5", "--yes", "--json").json()
    assert {(row["host"], row["outcome"], row["model_after"]) for row in report["hosts"]} == {
        (name, "verified", OPUS) for name in ("web-1", "web-2", "db-1")
    }
    assert {model(state) for state in jada.states.values()} == {OPUS}
    (entry,) = jada("history", "--json").json()["releases"]
    assert entry["release"] == report["release"]


def test_without_a_model_each_role_gets_its_own(jada: Jada) -> None:
    assert jada("upgrade", "--yes").exit == Exit.OK
    assert {name: model(state) for name, state in jada.states.items()} == {
        "web-1": "claude-sonnet-4.6", "web-2": "claude-sonnet-4.6", "db-1": OPUS,
    }  # fmt: skip


def test_only_the_hosts_that_are_meant_are_changed(jada: Jada) -> None:
    assert jada("upgrade", "--to", "opus-5", "--limit", "web-*", "--yes").exit == Exit.OK
    assert jada.changed == ["web-1", "web-2"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--to", "opsu-5"), "opsu-5"),
        (("--to", ""), "--to"),
        (("--to", "claude-nosuch-9"), "--allow-unlisted"),
        (("--dry-run", "--to"), "--to"),
    ],
)
def test_wrong_models_end_before_anything_is_done(jada: Jada, argv: tuple[str, ...], message: str) -> None:
    done = jada("upgrade", "--yes", *argv)
    assert done.exit == Exit.USAGE
    assert message in done.err
    assert jada.changed == []
