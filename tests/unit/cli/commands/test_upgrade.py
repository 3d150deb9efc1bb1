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


def test_roles_get_the_models_that_are_said_for_them_and_no_other_role_is_touched(jada: Jada) -> None:
    done = jada("upgrade", "--to", "r=haiku-4.5", "--yes", "--json")
    assert done.exit == Exit.OK, done.err
    assert sorted(jada.changed) == ["web-1", "web-2"]
    assert [row["host"] for row in done.json()["hosts"]] == ["web-1", "web-2"]
    assert jada("upgrade", "--to", "keepers=opus-5", "--to", "r=claude-sonnet-4-6", "--yes").exit == Exit.OK
    assert {name: model(state) for name, state in jada.states.items()} == {
        "web-1": "claude-sonnet-4-6", "web-2": "claude-sonnet-4-6", "db-1": OPUS,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--to", "opsu-5"), "opsu-5"),
        (("--to", ""), "--to"),
        (("--to", "claude-nosuch-9"), "--allow-unlisted"),
        (("--dry-run", "--to"), "--to"),
        (("--to", "keeper=opus-5"), "fleet.yml names no role keeper; did you mean keepers?"),
        (("--to", "r=opus-5", "--to", "r=haiku-4.5"), "--to names the role r twice"),
        (("--to", "r=opus-5", "--to", "haiku-4.5"), "--to haiku-4.5 is one of 2, and names no role"),
        (("--to", "opus-5", "--to", "haiku-4.5"), "--to opus-5 is one of 2, and names no role"),
        (("--to", "r="), "can't be the id of a model"),
        (("--to", "r=opsu-5"), "There is no model opsu-5"),
        (("--to", "=opus-5"), "fleet.yml names no role"),
        (("--to", "keepers=opus-5", "--limit", "web-*"), "None of these hosts has the role keepers"),
        (("--to", "opus-5", "--max-failures", "101%"), "--max-failures 101% should be"),
        (("--to", "opus-5", "--on-failure", "shrug"), "--on-failure"),
    ],
)
def test_what_can_not_be_meant_ends_before_anything_is_done(jada: Jada, argv: tuple[str, ...], message: str) -> None:
    done = jada("upgrade", "--yes", *argv)
    assert done.exit == Exit.USAGE
    assert message in done.err
    assert jada.changed == []
