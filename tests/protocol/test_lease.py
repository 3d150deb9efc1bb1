"""The rollout lease in a bucket of the emulator: one holder at a time, whatever becomes of it and of answers."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jada import Exit, Fence, JadaError
from jada.inventory import lease as leases
from jada.inventory.cloud import objects
from jada.inventory.cloud.objects import Objects
from jada.inventory.fleet.config import Fleet
from jada.inventory.lease import HeldLease, Holder, Leases, TakenError
from tests.protocol.conftest import Emulator
from tests.protocol.lossy import lossy

FLEET = "[{static: {hosts: {s: {address: 192.0.2.1}}}}]"
ANN = Holder("ann@ops", "2026-11-26T11:00:00+00:00", "upgrade", 4711, "r1")
BOB = Holder("bob@laptop", "2026-11-26T11:05:00+00:00", "heal", 12, "r2")
SPAWN = multiprocessing.get_context("spawn")
OFTEN = 200 if os.environ.get("JADA_ALL_ROLLOUTS") else 4
KEY, NUMBER = "leases/f.json", "leases/f.number.json"


@pytest.fixture
def held(bucket: Objects) -> Iterator[Callable[..., HeldLease]]:
    """Takes the lease; at the end, all that are left are given back."""
    taken = []

    def take(holder: Holder = ANN, tell: Callable[[str], None] = print, by_force: bool = False) -> HeldLease:
        taken.append(Leases(bucket, "f").take(holder, tell, by_force=by_force))
        return taken[-1]

    yield take
    for lease in taken:
        lease.release()


def ages(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Lets all that is in the store be that much older."""
    read = Objects.read

    def older(self: Objects, key: str) -> objects.Stored | None:
        found = read(self, key)
        return replace(found, age=found.age + seconds) if found else None

    monkeypatch.setattr(Objects, "read", older)


def test_one_holds_it_until_it_is_given_back(bucket: Objects, held: Callable[..., HeldLease]) -> None:
    team = Leases(bucket, "f")
    assert team.holder() is None
    first = held()
    assert (team.holder(), first.took_over, first.is_lost, first.why_not()) == (ANN, None, False, "")
    with pytest.raises(
        TakenError, match=r"held by ann@ops \(run r1, process 4711\) since 2026.* for upgrade"
    ) as caught:
        held(BOB)
    assert (caught.value.exit_code, caught.value.holder) == (Exit.LOCKED, ANN)
    assert Leases(bucket, "g/h").holder() is None
    first.release()
    assert team.holder() is None
    assert bucket.read(KEY) is None
    second = held(BOB)
    assert (team.holder(), second.took_over) == (BOB, None)


def test_the_number_grows_with_each_holder_of_one_store(bucket: Objects, held: Callable[..., HeldLease]) -> None:
    fences = []
    for _ in range(3):
        lease = held()
        fences.append(lease.fence)
        lease.release()
    assert fences[0]
    store = fences[0].store
    assert fences == [Fence(store, 1), Fence(store, 2), Fence(store, 3)]
    found = bucket.read(NUMBER)
    assert found
    assert bucket.remove(NUMBER, found.etag)
    anew = held().fence
    assert anew
    assert anew.number == 1
    assert anew.store != store


@pytest.mark.parametrize("text", ["", "7", "{}", '{"store": "a b", "number": 1}', '{"store": "a", "number": -1}', "{"])
def test_a_number_that_can_not_be_read_is_told_and_leaves_no_lease(
    bucket: Objects, held: Callable[..., HeldLease], text: str
) -> None:
    bucket.create(NUMBER, text.encode())
    with pytest.raises(JadaError, match=r"number.json of the store can't be read"):
        held()
    assert bucket.read(KEY) is None


def test_a_lease_that_has_ended_is_taken_over_and_its_holder_finds_out(
    bucket: Objects, held: Callable[..., HeldLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = held()
    with monkeypatch.context() as patched:
        ages(patched, leases.LASTS - 20)
        with pytest.raises(TakenError):
            held(BOB)
        ages(patched, 20)
        assert Leases(bucket, "f").holder() is None
        second = held(BOB)
    assert second.took_over == ANN
    assert first.fence
    assert second.fence == replace(first.fence, number=2)
    assert not first.renew()
    assert first.is_lost
    assert first.why_not() == f"was lost to {BOB}"
    # It takes nothing away that is another's.
    first.release()
    assert Leases(bucket, "f").holder() == BOB
    assert second.why_not() == ""


def test_by_force_it_is_taken_from_whoever_has_it(held: Callable[..., HeldLease]) -> None:
    first = held()
    second = held(BOB, by_force=True)
    assert second.took_over == ANN
    assert not first.renew()
    assert first.lost_to == BOB
    second.release()
    third = held(by_force=True)
    assert third.took_over is None
    assert not second.renew()
    assert not second.is_lost


def test_one_that_was_taken_and_given_back_again_is_lost_too(held: Callable[..., HeldLease]) -> None:
    first = held()
    held(BOB, by_force=True).release()
    assert not first.renew()
    assert first.why_not() == "was lost to another, who has given it back"


def test_who_was_stopped_for_long_asks_before_it_goes_on(
    bucket: Objects, held: Callable[..., HeldLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGSTOP or a laptop's sleep: nothing of its own has told it that time has passed, but the clock."""
    first = held()
    uptime = leases.uptime
    monkeypatch.setattr(leases, "uptime", lambda: uptime() + 300)
    assert first.why_not() == ""
    monkeypatch.setattr(leases, "uptime", lambda: uptime() + 600)
    held(BOB, by_force=True)
    assert first.why_not() == f"was lost to {BOB}"
    assert bucket.read(KEY)


def test_who_can_not_renew_relies_on_it_no_longer_than_is_safe(
    held: Callable[..., HeldLease], aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(leases, "RENEWED", 0.05)
    monkeypatch.setattr(leases, "AGAIN", 0.05)
    lease = held(tell=told.append)
    aws.fails({"PutObject": {"*": {"code": "AccessDenied", "status": 403}}})
    eventually(lambda: told)
    assert "can't be renewed: " in told[0]
    assert "s3:PutObject" in told[0]
    assert lease.why_not() == ""
    uptime = leases.uptime
    monkeypatch.setattr(leases, "uptime", lambda: uptime() + leases.RELIED_ON)
    assert "could not be renewed in time: " in lease.why_not()
    assert not lease.is_lost
    aws.fails({})
    eventually(lambda: lease.why_not() == "")
    assert len(told) == 1
    assert leases.RELIED_ON + 10 < leases.LASTS


def test_it_is_renewed_by_itself_and_tells_when_it_is_lost(
    bucket: Objects, held: Callable[..., HeldLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(leases, "RENEWED", 0.05)
    held(tell=told.append)
    etags = set()

    def renewed() -> bool:
        found = bucket.read(KEY)
        etags.add(found.etag if found else "")
        return len(etags) > 3

    eventually(renewed)
    held(BOB, by_force=True)
    eventually(lambda: told)
    assert told == [f"The rollout lease was lost to {BOB}: nothing more is changed here"]


@pytest.mark.parametrize("operation", ["PutObject", "DeleteObject", "GetObject"])
def test_an_answer_that_is_lost_orphans_no_lease(
    bucket: Objects, held: Callable[..., HeldLease], aws: Emulator, operation: str
) -> None:
    aws.fails({operation: {"*": {"lost": True, "times": 1}}})
    lease = held()
    assert Leases(bucket, "f").holder() == ANN
    aws.fails({operation: {"*": {"lost": True, "times": 1}}})
    assert lease.renew()
    aws.fails({operation: {"*": {"lost": True, "times": 1}}})
    lease.release()
    assert bucket.read(KEY) is None


def test_one_whose_every_answer_is_lost_is_given_back(
    bucket: Objects, held: Callable[..., HeldLease], aws: Emulator
) -> None:
    aws.fails({"PutObject": {"*": {"lost": True}}})
    with pytest.raises(JadaError):
        held()
    aws.fails({})
    assert bucket.read(KEY) is None


def test_a_renewal_whose_answers_are_all_lost_meets_itself_later(held: Callable[..., HeldLease], aws: Emulator) -> None:
    lease = held()
    aws.fails({"PutObject": {"*": {"lost": True}}})
    with pytest.raises(JadaError):
        lease.renew()
    aws.fails({})
    assert lease.renew()


def test_one_that_can_not_be_given_back_says_so(
    held: Callable[..., HeldLease], aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "GIVING_BACK", 0)
    told: list[str] = []
    lease = held(tell=told.append)
    aws.fails({"DeleteObject": {"*": {"code": "AccessDenied", "status": 403}}})
    lease.release()
    assert len(told) == 1
    assert "could not be given back, and ends in 60 s" in told[0]
    aws.fails({})
    lease.release()


def test_one_that_is_given_back_in_vain_many_times_in_a_moment_is_given_back(
    bucket: Objects, held: Callable[..., HeldLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 has a quota of retries: once it is used up, a call whose answer is lost fails at once."""
    lease, remove = held(), Objects.remove
    fails = [JadaError("https://s3 can't be reached")] * 9

    def failing(self: Objects, key: str, etag: str) -> bool:
        if fails:
            raise fails.pop()
        return remove(self, key, etag)

    monkeypatch.setattr(Objects, "remove", failing)
    lease.release()
    assert bucket.read(KEY) is None


def test_giving_back_ends_whatever_the_store_says(
    held: Callable[..., HeldLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "GIVING_BACK", 0.5)
    told: list[str] = []
    lease = held(tell=told.append)
    # To the end: the thread of the first try may be on its way still when the second begins.
    monkeypatch.setattr(Objects, "remove", lambda *_: False)
    lease.release()
    monkeypatch.setattr(Objects, "read", lambda *_: time.sleep(2))
    lease.release()
    assert told == [f"The rollout lease could not be given back, and ends in 60 s: {leases.NO_ANSWER}"] * 2


def test_nothing_is_given_back_that_was_never_asked_for(bucket: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def read(_: Objects, key: str) -> None:
        asked.append(key)
        raise JadaError("https://s3 can't be reached")

    monkeypatch.setattr(Objects, "read", read)
    with pytest.raises(JadaError, match="can't be reached"):
        Leases(bucket, "f").take(ANN, print)
    assert asked == [KEY]


def test_of_a_store_that_hangs_many_hosts_wait_for_one_answer(
    held: Callable[..., HeldLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEWED", 600)
    monkeypatch.setattr(leases, "ASKED", 0.2)
    lease, over, asked = held(), threading.Event(), []

    def hang(_: Objects, key: str, *__: object) -> None:
        asked.append(key)
        over.wait(60)
        raise JadaError("https://s3 can't be reached")

    uptime = leases.uptime
    with monkeypatch.context() as patched, ThreadPoolExecutor(8) as pool:
        patched.setattr(Objects, "replace", hang)
        patched.setattr(leases, "uptime", lambda: uptime() + leases.RELIED_ON + 1)
        told = {*pool.map(lambda _: lease.why_not(), range(20))}
        over.set()
    assert told == {f"could not be renewed in time: {leases.NO_ANSWER}"}
    assert asked == [KEY]
    assert not lease.is_lost


# As the CLI begins: gevent first.
ON_THE_WAY_BACK = """
from jada.cli.startup import patch_gevent

patch_gevent()
import sys
import time

from jada import JadaError
from jada.cli.records import shared
from jada.cli.records.sqlite import open_records
from jada.cli.rollout import exclusive
from jada.inventory.fleet import config
from jada.inventory.lease import Holder

shared.BACK = exclusive.WITHIN = 1
fleet = config.load(sys.argv[1])
exclusive.wait_until_free(fleet, time.monotonic() + 5, needed=False)
with open_records(fleet, needed=False), exclusive.exclusive_rollout(fleet, Holder("ann"), needed=False) as lease:
    print("goes on", lease.fence)
try:
    exclusive.holder_now(fleet)
except exclusive.NotKnownError as error:
    print(error.message)
"""


def test_a_way_back_does_not_wait_for_a_store_that_hangs(fleet_of: Callable[..., Fleet], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fleet = fleet_of(FLEET, f"http://127.0.0.1:{silent.getsockname()[1]}", state="s3://team/jada")
        done = subprocess.run(
            [sys.executable, "-c", ON_THE_WAY_BACK, fleet.path],
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}, check=False, capture_output=True, text=True,
            # boto3 gives up after four times 30 s.
            timeout=100,
        )  # fmt: skip
    assert done.stdout == "goes on None\ns3://team/jada gives no answer within 1 s\n", done.stderr
    told = " ".join(done.stderr.split())
    assert "The record in s3://team/jada can't be read within 1 s. This goes on with what is known of it here" in told
    assert told.count("Not locked here: s3://team/jada gives no answer within 1 s") == 2


def test_of_many_at_once_one_has_it(bucket: Objects) -> None:
    def attempt(number: int) -> int:
        try:
            lease = Leases(bucket, "f").take(replace(ANN, pid=number), print)
        except TakenError:
            return 0
        try:
            return lease.fence.number if lease.fence else -1
        finally:
            time.sleep(0.01)
            lease.release()

    with ThreadPoolExecutor(8) as pool:
        numbers = [number for number in pool.map(attempt, range(40)) if number]
    assert numbers
    assert len({*numbers}) == len(numbers)
    assert bucket.read(KEY) is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\xff", "somebody"),
        (b"[]", "somebody"),
        (json.dumps({"holder": "ann\x1b[2J"}).encode(), "ann\x1b[2J"),
        (json.dumps({"holder": '{"who": "ann", "since": "", "doing": "", "run": "", "pid": -5}'}).encode(), "ann"),
        (json.dumps({"holder": "x" * 900}).encode(), "x" * 200),
    ],
)
def test_a_lease_that_no_jada_wrote_is_held_by_whoever_it_says(
    bucket: Objects, held: Callable[..., HeldLease], body: bytes, told: str
) -> None:
    bucket.create(KEY, body)
    with pytest.raises(TakenError) as caught:
        held()
    assert str(caught.value.holder) == told


def hold_often(store: Objects, folder: Path, tries: int) -> None:
    """Takes the lease so often, and notes each time that another has it too; a process of its own."""
    had = 0
    for _ in range(tries):
        try:
            lease = Leases(store, "f").take(replace(ANN, pid=os.getpid()), lambda _: None)
        except JadaError:
            continue
        had += 1
        mark = folder / "inside"
        try:
            mark.touch(exist_ok=False)
            time.sleep(0.005)
            mark.unlink()
        except FileExistsError:
            (folder / f"twice-{os.getpid()}-{had}").touch()
        assert lease.fence
        (folder / f"number-{lease.fence.number}").touch(exist_ok=False)
        lease.release()
    (folder / f"had-{os.getpid()}-{had}").touch()


@pytest.fixture
def losing(aws: Emulator) -> Iterator[str]:
    with lossy(aws.url, 30) as (url, _):
        yield url


@pytest.mark.parametrize("is_losing", [False, True], ids=["all answers", "a third of them lost"])
def test_there_are_never_two_holders_and_no_orphan(
    bucket: Objects,
    losing: str,
    fleet_of: Callable[..., Fleet],
    tmp_path: Path,
    is_losing: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`make test-rollouts` has each of three processes try it two hundred times."""
    # The processes import this module by its name, wherever pytest was begun.
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    store = replace(bucket, aws=fleet_of(FLEET, losing).aws) if is_losing else bucket
    folder = tmp_path / "held"
    folder.mkdir()
    processes = [SPAWN.Process(target=hold_often, args=(store, folder, OFTEN)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    names = {path.name.partition("-")[0] for path in folder.iterdir()}
    assert names == {"had", "number"}
    had = sum(int(path.name.rpartition("-")[2]) for path in folder.glob("had-*"))
    assert had == len(list(folder.glob("number-*"))) > 0
    print(f"{had} of {3 * OFTEN} tries had it")  # noqa: T201 - a figure to report
    assert bucket.read(KEY) is None


def eventually(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)
