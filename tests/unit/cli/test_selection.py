"""The hosts that --role and --limit leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from jada import ConfigError, Host, JadaError
from jada.cli.main import jada
from jada.cli.selection import choose
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role

HOSTS = tuple(Host(name, "192.0.2.1", "static", role=name[0]) for name in ("a-1", "a-2", "b-1"))
FLEET = Fleet("f", Path("fleet.yml"), (), tuple(Role(name) for name in "abc"))


@pytest.mark.parametrize(
    ("role", "limit", "expected"),
    [
        (None, None, "a-1 a-2 b-1"),
        ("a", None, "a-1 a-2"),
        (None, "b-1, a-*", "a-1 a-2 b-1"),
        ("a", "*-1", "a-1"),
    ],
)
def test_hosts_are_chosen_by_role_and_by_name(role: str | None, limit: str | None, expected: str) -> None:
    assert " ".join(host.name for host in choose(FLEET, HOSTS, role, limit)) == expected


@pytest.mark.parametrize(
    ("role", "limit", "message"),
    [
        (None, "a-1,typo", "None of the 3 hosts matches --limit typo"),
        (None, "a-1,", "None of the 3 hosts matches --limit ''"),
        ("a", "a-1,b-1", "None of the 2 hosts of role a matches --limit b-1"),
        ("d", None, "fleet.yml names no role d"),
    ],
)
def test_what_matches_nothing_is_wrong_usage_and_named(role: str | None, limit: str | None, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(FLEET, HOSTS, role, limit)
    assert caught.value.message == message
    assert caught.value.hint.startswith("one of: a")


@pytest.mark.parametrize("words", ["logs nosuch", "ssh nosuch", "explain nosuch"])
def test_an_argument_that_matches_nothing_is_named_as_that(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fleet.yml").write_text(
        "fleet: f\nsources: [{static: {hosts: {web-1: {address: 192.0.2.1}}}}]\nroles: {r: {}}\n"
    )
    monkeypatch.setenv("JADA_FLEET", str(tmp_path / "fleet.yml"))
    with pytest.raises(ConfigError, match=r"^None of the 1 host matches HOST nosuch$"):
        jada.main(words.split(), standalone_mode=False)


def test_a_role_without_hosts_is_no_wrong_usage() -> None:
    with pytest.raises(JadaError, match="None of the 3 hosts has the role c") as caught:
        choose(FLEET, HOSTS, "c", None)
    assert not isinstance(caught.value, ConfigError)
