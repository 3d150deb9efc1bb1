"""A journal as a connection gives it: whole, or that host's error."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jada import HostError, Service
from jada.tasks.engines.ssh import SshConnection, SshEngine
from jada.tasks.journal import NOT_WHOLE, JournalQuery


def connection(monkeypatch: pytest.MonkeyPatch, *lines: str) -> SshConnection:
    """A connection to a host that says these lines of its journal."""
    monkeypatch.setattr(SshConnection, "look", lambda _: None)
    monkeypatch.setattr(SshConnection, "_run", lambda *_, **__: SimpleNamespace(stdout_lines=list(lines)))
    engine = SshEngine({"a": {"ssh_hostname": "192.0.2.1"}}, Service(), {})
    ((_, found),) = engine.imap(["a"], lambda _, connection: connection)
    assert isinstance(found, SshConnection)
    return found


def test_a_journal_that_was_not_read_to_its_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HostError, match="a can't tell its journal: it was not read to its end in time"):
        connection(monkeypatch, "1 - - x", NOT_WHOLE).journal(JournalQuery(count=5))


def test_a_line_that_is_none_takes_no_journal_away(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = connection(monkeypatch, "1 - - x", f"2 {'x' * 700} - y", "3 - - z").journal(JournalQuery(count=5))
    assert [line.text for line in lines][::2] == ["x", "z"]
