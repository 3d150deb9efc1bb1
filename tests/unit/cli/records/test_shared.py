"""A team's record: machines that share a log see the same, in one order, whatever gets lost between them and S3."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import gevent
import pytest

from jada import JadaError
from jada.cli.drift.log import NEW, DriftLog
from jada.cli.records import shared
from jada.cli.records.changes import TABLES, ForeignError, Message, Put
from jada.cli.records.model import (
    AnswerEntry,
    ComparisonEntry,
    LockEntry,
    RolloutEntry,
    RolloutStatus,
    ServedEntry,
)
from jada.cli.records.shared import SharedStore, key_of
from jada.cli.records.sqlite import Records, prepare
from jada.inventory.cloud.objects import Stored
from jada.inventory.fleet.state import SharedState
from tests.unit.cli.drift.test_log import MODEL, check
from tests.unit.cli.records.test_records import ENTRY, HOST

PLACE = SharedState("team", "jada/")
ROLLOUT = RolloutEntry(
    release=ENTRY.id, fleet="f", status=RolloutStatus.RUNNING, why="", wave=0, baking=0, values_json="{}", asked="",
    asked_by="", updated="2026-11-24T12:00:00+00:00",
)  # fmt: skip


@dataclass
class Bucket:
    """The objects of a place. While it is `down` nothing gets there, and while it `hangs` nobody gets an answer. Of
    `lost` calls in a hundred the answer does not come back, which is how often boto3 has tried in vain by then.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    hangs: bool = False
    lost: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(4711))  # noqa: S311 - a test's
    before_create: Callable[[], None] | None = None

    def read(self, key: str) -> Stored | None:
        self._answer()
        body = self.objects.get(key)
        return None if body is None else Stored(body, self._etag(body))

    def create(self, key: str, body: bytes) -> str | None:
        if meanwhile := self.before_create:
            self.before_create = None
            meanwhile()
        if not self.down:
            self.objects.setdefault(key, body)
        self._answer()
        return self._etag(body) if self.objects[key] == body else None

    def etags(self, folder: str = "", after: str = "") -> Iterator[tuple[str, str]]:
        self._answer()
        for key in sorted(self.objects):
            if key.startswith(folder) and key > after:
                yield key, self._etag(self.objects[key])

    def _answer(self) -> None:
        if self.hangs:
            gevent.sleep(60)
            pytest.fail("S3 was waited for until boto3 gave up")
        if self.down or self.dice.randrange(100) < self.lost:
            raise JadaError("https://s3 can't be reached", "check the network")

    def _etag(self, body: bytes) -> str:
        return hashlib.md5(body, usedforsecurity=False).hexdigest()


@dataclass
class Machines:
    """Machines that share a bucket: each has an index of its own, and is given its record opened."""

    bucket: Bucket
    folder: Path

    @contextmanager
    def __call__(self, name: str = "a", *, needed: bool = True) -> Iterator[Records]:
        with self.store(name, needed=needed) as store:
            yield Records(store)

    @contextmanager
    def store(self, name: str, *, needed: bool = True) -> Iterator[SharedStore]:
        file = self.folder / f"{name}.db"
        with closing(sqlite3.connect(file)) as index:
            prepare(index)
            store = SharedStore(index, self.bucket, PLACE, file, keeps=not needed)
            store.begin()
            try:
                yield store
            finally:
                store.end()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def machine(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machines:
    # What was read, or failed, is read again at once.
    monkeypatch.setattr(shared, "FRESH", -1.0)
    monkeypatch.setattr(shared, "LATER", -1.0)
    return Machines(bucket, tmp_path)


def messages(bucket: Bucket) -> list[str]:
    return [Message.from_bytes(body).id for _, body in sorted(bucket.objects.items())]


def test_what_one_machine_writes_another_reads(machine: Machines) -> None:
    lock = LockEntry(
        fleet="f", at="2026-11-24T12:00:00+00:00", host="a", kind="lock", who="ann@box", reason="x", until="", before=""
    )
    served = ServedEntry(
        fleet="f", subject="", host="a", process="boot:1", release=ENTRY.id, model="m", counted_until=1.25, requests=7
    )
    answer = AnswerEntry(
        fleet="f", host="a", at=1.5, fingerprint="x", model="m", version="2", is_running=True, error=""
    )
    comparison = ComparisonEntry(
        fleet="f", subject="canary", alpha=0.05, margin=0.02, since=1.5, at="2026-11-24T12:00:00+00:00", who="ann@box"
    )
    with machine("a") as records:
        records.add(ENTRY, [HOST])
        records.begin_rollout(ROLLOUT)
        records.add_locks([lock])
        records.add_served([served])
        records.add_answers([answer])
        records.begin_comparison(comparison)
    with machine("b") as records:
        assert records.entries("f", None, 9) == [ENTRY]
        assert records.hosts(ENTRY.id) == [HOST]
        assert records.released("f") == {"a": HOST}
        assert records.rollouts("f", 1) == [ROLLOUT]
        assert records.locks("f", None) == [lock]
        assert records.served("f", "") == [served]
        assert records.answers("f") == {"a": answer}
        assert records.comparisons("f") == [comparison]
        assert records.begin_comparison(replace(comparison, alpha=0.5)) == comparison


def test_rows_of_many_hosts_are_one_object(machine: Machines, bucket: Bucket) -> None:
    with machine() as records:
        records.add(ENTRY, [replace(HOST, host=f"h{number}") for number in range(1000)])
    assert len(bucket.objects) == 1
    with machine("b") as records:
        assert len(records.hosts(ENTRY.id)) == 1000


def test_machines_that_write_at_once_write_one_after_the_other(machine: Machines, bucket: Bucket) -> None:
    other = replace(ENTRY, id="20261124-120001-bbbb")
    with machine("a") as first, machine("b") as second:
        bucket.before_create = lambda: second.add(other, [])
        first.add(ENTRY, [])
        assert {entry.id for entry in first.entries("f", None, 9)} == {ENTRY.id, other.id}
    assert sorted(bucket.objects) == [key_of(1), key_of(2)]


def test_a_word_reaches_whoever_carries_the_rollout_out_and_its_end_the_other(machine: Machines) -> None:
    with machine("a") as here, machine("b") as there:
        here.begin_rollout(ROLLOUT)
        assert there.rollout(ENTRY.id) == ROLLOUT
        there.ask(ENTRY.id, "pause", "bob@box")
        word = here.word(ENTRY.id)
        assert word
        assert (word.asked, word.asked_by) == ("pause", "bob@box")
        there.end_rollouts("f", RolloutStatus.ROLLED_BACK, "by release x")
        # Written without a look at what the other did: it does not begin anew.
        here.advance(ENTRY.id, RolloutStatus.RUNNING, "", 1, is_baking=True)
        for records in (here, there):
            entry = records.rollout(ENTRY.id)
            assert entry
            assert (entry.status, entry.wave, entry.baking) == (RolloutStatus.ROLLED_BACK, 0, 0)


def test_nothing_is_lost_or_doubled_where_answers_get_lost(machine: Machines, bucket: Bucket) -> None:
    bucket.lost = 30
    entries = [replace(ENTRY, id=f"20261124-12{number:04}-aaaa") for number in range(50)]
    for number, entry in enumerate(entries):
        with machine("ab"[number % 2], needed=False) as records:
            records.add(entry, [])
    bucket.lost = 0
    for name in "ab":
        with machine(name) as records:
            pass
    with machine("c") as records:
        assert records.entries("f", None, 99) == entries[::-1]
    ids = messages(bucket)
    assert len(ids) == len(set(ids)) == len(entries)


def test_a_place_that_can_not_be_read_stops_what_needs_it(machine: Machines, bucket: Bucket) -> None:
    bucket.down = True
    with pytest.raises(JadaError, match=r"The record in s3://team/jada can't be read: https://s3") as error, machine():
        pass
    assert error.value.hint == "check the network"


def test_the_way_back_goes_on_and_its_record_comes_there_later(
    machine: Machines, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    with machine() as records:
        records.add(ENTRY, [HOST])
    bucket.down = True
    back = replace(ENTRY, id="20261124-120009-bbbb", kind="rollback")
    with machine(needed=False) as records:
        assert records.entries("f", None, 9) == [ENTRY]
        records.add(back, [])
        records.update([replace(HOST, release=back.id)])
        assert records.entries("f", None, 9) == [back, ENTRY]
    told = capsys.readouterr().err
    assert "This goes on with what is known of it here" in told
    assert "2 changes of the record are kept here" in told
    with machine(needed=False) as records:
        assert records.entries("f", None, 9) == [back, ENTRY]
    bucket.down = False
    assert len(bucket.objects) == 1
    with machine() as records:
        assert records.entries("f", None, 9) == [back, ENTRY]
    assert "2 changes that were kept here are in the record of s3://team/jada now" in capsys.readouterr().err
    with machine("b") as records:
        assert records.hosts(back.id) == [replace(HOST, release=back.id)]


def test_what_goes_on_is_kept_and_what_has_to_be_known_is_not(machine: Machines, bucket: Bucket) -> None:
    with machine() as records:
        records.begin_rollout(ROLLOUT)
        bucket.down = True
        with pytest.raises(JadaError, match=r"can't be written"):
            records.ask(ENTRY.id, "pause", "bob@box")
        with records.best_effort():
            records.advance(ENTRY.id, RolloutStatus.RUNNING, "", 1, is_baking=False)
        assert [entry.wave for entry in records.rollouts("f", 1)] == [1]
        bucket.down = False
        records.advance(ENTRY.id, RolloutStatus.DONE, "", None, is_baking=False)
        assert [(entry.status, entry.wave, entry.asked) for entry in records.rollouts("f", 1)] == [("done", 1, "")]
    with machine("b") as records:
        assert [(entry.status, entry.wave, entry.asked) for entry in records.rollouts("f", 1)] == [("done", 1, "")]


def test_a_rollout_waits_for_no_answer_of_a_place_that_hangs(
    machine: Machines, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shared, "BACK", 0.2)
    with machine() as records:
        records.begin_rollout(ROLLOUT)
        bucket.hangs = True
        with records.best_effort():
            records.advance(ENTRY.id, RolloutStatus.RUNNING, "", 1, is_baking=False)
        with pytest.raises(JadaError, match=r"can't be read within 0\.2 s"):
            records.word(ENTRY.id)
        with records.best_effort():
            records.advance(ENTRY.id, RolloutStatus.DONE, "", 2, is_baking=False)
        assert [(entry.status, entry.wave) for entry in records.rollouts("f", 1)] == [("done", 2)]
    assert "2 changes of the record are kept here" in capsys.readouterr().err
    bucket.hangs = False
    with machine() as records:
        assert [(entry.status, entry.wave) for entry in records.rollouts("f", 1)] == [("done", 2)]
    with machine("b") as records:
        assert [(entry.status, entry.wave) for entry in records.rollouts("f", 1)] == [("done", 2)]


def test_what_was_kept_is_written_once_by_two_jadas_of_a_machine(machine: Machines, bucket: Bucket) -> None:
    bucket.down = True
    with machine(needed=False) as records:
        records.add(ENTRY, [])
    bucket.down = False

    def meanwhile() -> None:
        with machine():
            pass

    bucket.before_create = meanwhile
    with machine() as records:
        assert records.entries("f", None, 9) == [ENTRY]
    assert len(messages(bucket)) == 1


def test_objects_of_others_are_left_out_and_told(
    machine: Machines, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = json.loads(gzip.decompress(Message("0" * 32, (Put("release", (ENTRY,)),)).to_bytes()))
    forged["changes"][0]["rows"][0][2] = "rm -rf"
    bucket.objects |= {
        key_of(1): b"no gzip",
        key_of(2): gzip.compress(json.dumps(forged).encode()),
        "log/": b"",
        "log/readme\x1b[2J": b"",
    }
    with machine() as records:
        records.add(ENTRY, [])
        assert records.entries("f", None, 9) == [ENTRY]
    told = capsys.readouterr().err.replace("\n", " ")
    assert told.count("is not what jada writes") == 2
    assert "is not jada's" in told
    assert "\x1b[2J" not in told
    assert key_of(3) in bucket.objects


def test_an_object_of_a_newer_jada_is_told_as_that(machine: Machines, bucket: Bucket) -> None:
    bucket.objects[key_of(1)] = gzip.compress(b'{"jada": 2, "id": 5}')
    with pytest.raises(JadaError, match=r"000000000001\.json\.gz was written by a newer jada") as error, machine():
        pass
    assert error.value.hint == "update the jada of this machine"


def test_a_place_that_was_emptied_is_read_anew(machine: Machines, bucket: Bucket) -> None:
    with machine() as records:
        records.add(ENTRY, [])
        records.add(replace(ENTRY, id="20261124-120001-aaaa"), [])
    bucket.objects.clear()
    other = replace(ENTRY, id="20261124-120002-bbbb")
    with machine("b") as records:
        records.add(other, [])
    with machine() as records:
        assert records.entries("f", None, 9) == [other]


def test_a_thing_that_two_checks_find_at_once_is_new_to_one(machine: Machines, bucket: Bucket) -> None:
    with machine.store("a") as first, machine.store("b") as second:
        here, there = DriftLog(first), DriftLog(second)
        bucket.before_create = lambda: there.add(check(0, MODEL), ["SNS topic"])
        here.add(check(1, MODEL), ["SNS topic"])
        assert [notice.event for notice in here.pending("f", "SNS topic")] == [NEW]
        here.delivered("SNS topic", here.pending("f", "SNS topic"))
    with machine.store("c") as third:
        assert DriftLog(third).pending("f", "SNS topic") == []


@pytest.mark.parametrize("kind", TABLES.values(), ids=TABLES)
def test_every_table_has_the_columns_of_its_values(kind: type) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        prepare(db)
        table = next(name for name, value in TABLES.items() if value is kind)
        columns = {row["name"] for row in db.execute(f"PRAGMA table_info({table})")}
    assert columns == set(kind.__dataclass_fields__)  # type: ignore[attr-defined]


def test_every_table_is_shared() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        prepare(db)
        names = {row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    # Which host keys are trusted is for each machine to say.
    assert names - {"pin"} == set(TABLES)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        gzip.compress(b""),
        gzip.compress(b"[" * 100000),
        gzip.compress(b'{"jada": 1, "id": "x", "changes": []}'),
        gzip.compress(b'{"jada": 1, "id": 7, "changes": []}'),
        gzip.compress(b"{}") + b"more",
        gzip.compress(b"{}")[:-4],
    ],
    # The bytes of gzip have the time in them.
    ids=[str(number) for number in range(8)],
)
def test_bytes_that_are_no_message_are_foreign(body: bytes) -> None:
    with pytest.raises(ForeignError):
        Message.from_bytes(body)


def test_a_message_is_not_unpacked_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message("0" * 32, (Put("result", (replace(HOST, detail="x" * 1000),)),))
    assert Message.from_bytes(message.to_bytes()) == message
    body = message.to_bytes()
    monkeypatch.setattr("jada.cli.records.changes.MOST", 1000)
    with pytest.raises(ForeignError):
        Message.from_bytes(body)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        message.to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "drop"},
        {"kind": "put", "table": "sqlite_master", "columns": [], "rows": [], "keeps": False},
        {"kind": "put", "table": "operator_lock", "columns": ["fleet"], "rows": [["f"]], "keeps": False},
        {"kind": "put", "table": "operator_lock", "columns": ["fleet"], "rows": [["f", "g"]], "keeps": False},
        {"kind": "ask", "release": ENTRY.id, "verb": "format", "by": "x"},
        {"kind": "ask", "release": ENTRY.id, "verb": "", "by": "\ud800"},
        {"kind": "end", "fleet": "f", "status": "over", "why": "", "updated": ""},
        {"kind": "advance", "release": ENTRY.id, "status": "done", "why": "", "wave": 2**70, "baking": 0,
         "updated": ""},
        {"kind": "advance", "release": ENTRY.id, "status": "done", "why": "", "wave": 0, "baking": 0, "updated": "",
         "measured_json": "["},
    ],
)  # fmt: skip
def test_a_change_whose_values_can_not_be_right_is_foreign(change: dict[str, object]) -> None:
    body = gzip.compress(json.dumps({"jada": 1, "id": "0" * 32, "changes": [change]}).encode())
    with pytest.raises(ForeignError):
        Message.from_bytes(body)


def test_columns_of_a_newer_jada_are_left_aside() -> None:
    form = json.loads(gzip.decompress(Message("0" * 32, (Put("release", (ENTRY,)),)).to_bytes()))
    form["changes"][0]["columns"].append("cost")
    form["changes"][0]["rows"][0].append(7)
    assert Message.from_bytes(gzip.compress(json.dumps(form).encode())).changes == (Put("release", (ENTRY,)),)
