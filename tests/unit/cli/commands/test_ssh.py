"""`jada ssh` to a host: which ssh is run, and what it ends with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jada import Exit
from jada.cli.commands import ssh
from tests.unit.cli.conftest import Jada


def test_it_runs_ssh_with_the_words_behind_the_host_and_exits_as_ssh_does(
    jada: Jada, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[Any] = []

    def note(argv: list[str], **_: object) -> SimpleNamespace:
        run.append(argv)
        return SimpleNamespace(returncode=7)

    monkeypatch.setattr(ssh, "subprocess", SimpleNamespace(run=note))
    assert jada("ssh", "web-1", "uptime", "-p").exit == 7
    ((program, *argv),) = run
    assert program == "ssh"
    assert argv[-2:] == ["uptime", "-p"]
    assert "192.0.2.1" in " ".join(argv)


def test_without_an_ssh_client_it_says_so(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    def lack(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(ssh, "subprocess", SimpleNamespace(run=lack))
    done = jada("ssh", "web-1")
    assert (done.exit, "There is no ssh on this machine" in done.err) == (Exit.FAILED, True)


@pytest.mark.parametrize("argv", [(), ("nosuch",), ("web-*",), ("",)])
def test_one_host_is_meant(jada: Jada, argv: tuple[str, ...]) -> None:
    assert jada("ssh", *argv).exit == Exit.USAGE
