"""The record and heal, with what hosts say of themselves and of others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from jada import UNPRINTABLE, Host, JadaError
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.sqlite import Records, prepare
from jada.cli.records.store import LocalStore
from jada.cli.rollout.heal import desired_for
from jada.inventory import models
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role
from jada.tasks.release import Desired, Release, moment
from jada.tasks.state import State
from tests.fuzz.conftest import dear, numbers, texts

ID = "20261124-120000-aaaa"
ids = st.one_of(texts, st.sampled_from([ID, "20261124-120000-bbbb", "20991231-000000-ffff", "zzzz"]))
words = st.one_of(texts, st.sampled_from(["", "upgrade", "rollback", "heal", "f", "2026-11-24T12:00:00+00:00"]))
outcomes = st.one_of(words, st.sampled_from(HostOutcome))
entries = st.builds(Entry, id=ids, fleet=words, kind=words, at=words, who=words, reason=words, model=words)
host_entries = st.builds(
    HostEntry,
    release=ids,
    host=words,
    outcome=outcomes,
    detail=words,
    model_before=words,
    model_after=words,
    seconds=numbers,
)


@dear
@given(entries, st.lists(host_entries, max_size=3))
def test_what_is_recorded_can_be_shown(entry: Entry, hosts: list[HostEntry]) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        prepare(connection)
        records = Records(LocalStore(connection))
        try:
            records.add(entry, hosts)
        except JadaError:
            assert connection.execute("SELECT count(*) FROM release").fetchone()[0] == 0
            return
        recorded = records.entry(entry.id)
        assert recorded
        assert moment(recorded.at)
        texts = [recorded.who, recorded.reason, recorded.model, recorded.fleet, recorded.kind]
        texts += [text for host in records.hosts(recorded.id) for text in (host.host, host.detail, host.model_after)]
        assert not any(UNPRINTABLE.search(text) for text in texts)


FLEET = Fleet("f", Path("fleet.yml"), (), (Role("r", "haiku-4.5"), Role("s")))
MODELS = {model.id for model in models.catalogue(FLEET.models)}
STRANGER = cast(State, SimpleNamespace(release=None))
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
catalogued = st.one_of(texts, st.sampled_from(sorted(MODELS)))
peers = st.builds(
    lambda number, model, role, nofile: Release(
        number, "upgrade", Desired(model, nofile, nofile, number), Desired("", 0), role=role
    ),
    ids, catalogued, st.sampled_from("rs"), numbers,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["web-1", "web-2", "web-3"]), peers), st.sampled_from("rs"))
def test_no_host_decides_for_another(peers: dict[str, Release], role: str) -> None:
    desired = desired_for(Host("web-1", "192.0.2.1", "static", role=role), STRANGER, peers, {}, FLEET, NOW)
    if role == "r":
        assert desired
        assert desired.model == "claude-haiku-4.5"
    assert desired is None or (desired.model in MODELS and desired.nofile == FLEET.limits.nofile)
    models = {peer.desired.model for peer in peers.values() if peer.id < "20261126-13"}
    assert desired is None or role == "r" or desired.model in models
