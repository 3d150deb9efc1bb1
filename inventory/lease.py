"""The rollout lease of a fleet in a team's store: one object that one jada at a time holds, and renews while it lives.

Nobody but its holder keeps it, so whoever dies, sleeps or is cut off loses it by doing nothing. How old it is, the
store's own clock says: it gives the time of the last renewal and its own time in one answer, so no two machines' clocks
are compared, and whoever comes long after a crash need not wait. That clock may be several machines', and differ by
seconds: for that, a holder relies on its lease for 15 s less than it lasts, by a clock that goes on while its machine
sleeps. Should all of that fail, the hosts themselves refuse the one whose number is lower (files/change/fence.sh).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from jada import Exit, Fence, JadaError

if TYPE_CHECKING:
    from jada.inventory.cloud.objects import Objects, Stored
    from jada.inventory.fleet.config import Fleet

# Seconds that a lease lasts after its last renewal; for which its holder relies on it; from one renewal to the next,
# and to the next try where one has failed.
LASTS, RELIED_ON, RENEWED, AGAIN = 60, 45, 15, 3
# Seconds for which it is tried to give a lease back: others wait for that. And for which whoever is about to begin a
# host waits for the store to tell whether a lease is held still.
GIVING_BACK, ASKED = 15, 5
# The trouble where a store says nothing at all.
NO_ANSWER = "its store gives no answer"
# How often something is tried against others who write the same.
TRIES = 20
# Characters of what a holder says, and of a number's store.
LONGEST = 200
# A number grows by one with each holder.
LARGEST = 10**15 - 1


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lease: a person on a machine, the process and run of jada, since when, and to do what."""

    who: str
    since: str = ""
    doing: str = ""
    pid: int = 0
    run: str = ""

    def __str__(self) -> str:
        runs = ", ".join(
            filter(None, (f"run {self.run}" if self.run else "", f"process {self.pid}" if self.pid else ""))
        )
        parts = (self.who, f"({runs})" if runs else "", f"since {self.since}" if self.since else "")
        return " ".join(filter(None, (*parts, f"for {self.doing}" if self.doing else "")))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Holder:
        """The holder that a text tells: what to_json() wrote, or words of whoever else wrote it. Foreign text."""
        try:
            values = json.loads(text)
            pid = values["pid"]
            return cls(
                **{key: str(values[key])[:LONGEST] for key in ("who", "since", "doing", "run")},
                pid=pid if isinstance(pid, int) and 0 <= pid < 2**31 else 0,
            )
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls(text[:LONGEST] or "somebody")


class TakenError(JadaError):
    """Another holds the lease."""

    exit_code = Exit.LOCKED

    def __init__(self, message: str, holder: Holder) -> None:
        super().__init__(message)
        self.holder = holder


class Lease(Protocol):
    """A rollout lease that is held; `fence` is its number, None where only this machine knows of it, and `took_over`
    the one who did not give it back.
    """

    @property
    def fence(self) -> Fence | None: ...

    @property
    def took_over(self) -> Holder | None: ...

    @property
    def is_lost(self) -> bool:
        """True once another has it, for sure."""

    def why_not(self) -> str:
        """The end of a sentence: why nothing is to be begun under it any more; "" while it is held."""


def uptime() -> float:
    """Seconds of a clock that goes on while this machine sleeps, as time.monotonic() does not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Leases:
    """The leases of one fleet in a store: at most one is held at a time. Methods raise JadaError."""

    def __init__(self, objects: Objects, fleet: str) -> None:
        self._objects = objects
        name = quote(fleet, safe="", errors="backslashreplace")
        self._key, self._numbers = f"leases/{name}.json", f"leases/{name}.number.json"

    def holder(self) -> Holder | None:
        """Whoever holds the lease now."""
        found = self._objects.read(self._key)
        return _holder(found) if found and found.age < LASTS else None

    def take(self, holder: Holder, tell: Callable[[str], None], *, by_force: bool = False) -> HeldLease:
        """Takes the lease, and keeps it until release(); what comes of that is told. Raises TakenError.

        One that has ended is taken over, and `by_force` one that has not: its holder finds that out.
        """
        lease = HeldLease(self._objects, self._key, holder, tell)
        try:
            for _ in range(TRIES):
                found = self._objects.read(self._key)
                if found and found.age < LASTS and not by_force:
                    raise TakenError(f"the rollout lease is held by {_holder(found)}", _holder(found))
                if lease.write(found):
                    break
            else:
                raise JadaError("the rollout lease can't be had: others write it all the time", "try again")
            # Nobody else has the lease while its number is drawn, or else it is not confirmed.
            lease.fence = self._next()
            if not lease.renew():
                raise TakenError(f"the rollout lease {lease.why_not()}", lease.lost_to or Holder("another"))
        except BaseException as error:
            # It may have been written all the same: of a lost answer, nobody knows.
            lease.release(GIVING_BACK if isinstance(error, Exception) else ASKED)
            raise
        lease.keep()
        return lease

    def _next(self) -> Fence:
        """The number of a new holder."""
        for _ in range(TRIES):
            found = self._objects.read(self._numbers)
            store, last = _number(found, self._numbers) if found else (token_hex(8), 0)
            body = json.dumps({"store": store, "number": last + 1, "by": token_hex(8)}).encode()
            replaced = self._objects.replace(self._numbers, body, found.etag) if found else None
            if replaced or (not found and self._objects.create(self._numbers, body)):
                return Fence(store, last + 1)
        raise JadaError("the number of a rollout lease can't be had: others write it all the time", "try again")


def leases_of(fleet: Fleet) -> Leases | None:
    """The leases of a fleet that a team shares; None where its state is this machine's."""
    if fleet.state is None:
        return None
    from jada.inventory.cloud.objects import Objects

    return Leases(Objects(fleet.aws, fleet.state.bucket, fleet.state.prefix), fleet.name)


class HeldLease:
    """A lease that is being held: see Lease. A thread of its own renews it."""

    def __init__(self, objects: Objects, key: str, holder: Holder, tell: Callable[[str], None]) -> None:
        self._objects, self._key, self._holder, self._tell = objects, key, holder, tell
        self._id, self._etag = token_hex(16), ""
        self._until = 0.0
        # Renewals are one after the other, and none comes after the release.
        self._writing = threading.Lock()
        self._over = threading.Event()
        # Whoever asks whether it is held waits for one answer to all, and not again for a while where there is none.
        self._asking = threading.Lock()
        self._not_known_until = 0.0
        self._trouble = ""
        self._may_be_there = False
        self._lost: Holder | None = None
        self.fence: Fence | None = None
        self.took_over: Holder | None = None

    @property
    def is_lost(self) -> bool:
        return self._lost is not None

    @property
    def lost_to(self) -> Holder | None:
        return self._lost

    def why_not(self) -> str:
        """The end of a sentence: why nothing is to be begun under it any more; "" while it is held."""
        if self._lost is None and uptime() >= self._until:
            self._ask()
        if self._lost is not None:
            return f"was lost to {self._lost}"
        return f"could not be renewed in time: {self._trouble or NO_ANSWER}" if uptime() >= self._until else ""

    def write(self, found: Stored | None) -> bool:
        """Writes the lease, in place of the one that was found. False where another was quicker."""
        began, body = uptime(), self._body()
        self._may_be_there = True
        etag = self._objects.replace(self._key, body, found.etag) if found else self._objects.create(self._key, body)
        if etag:
            self._hold(etag, began)
            self.took_over = _holder(found) if found else None
        return etag is not None

    def renew(self) -> bool:
        """Renews the lease. False once it is lost. Raises JadaError where nobody knows."""
        with self._writing:
            while not (self.is_lost or self._over.is_set()):
                began = uptime()
                try:
                    etag = self._objects.replace(self._key, self._body(), self._etag)
                    found = None if etag else self._objects.read(self._key)
                except JadaError as error:
                    self._trouble = error.message
                    raise
                if etag:
                    self._hold(etag, began)
                    return True
                if found and _is_of(found, self._id):
                    # A renewal that was written, and whose answer nobody got.
                    self._etag = found.etag
                else:
                    self._lost = _holder(found) if found else Holder("another, who has given it back")
            return False

    def keep(self) -> None:
        """Has a thread renew the lease from now on."""
        threading.Thread(target=self._keep, name="lease", daemon=True).start()

    def release(self, within: float | None = None) -> None:
        """Gives the lease back, so that the next need not wait; where that takes too long, it ends by its age."""
        self._over.set()
        if not self._may_be_there:
            return
        seconds = GIVING_BACK if within is None else within
        self._wait_for(lambda: self._give_back(uptime() + seconds), seconds)
        if self._may_be_there:
            why = self._trouble or NO_ANSWER
            self._tell(f"The rollout lease could not be given back, and ends in {LASTS} s: {why}")

    def _give_back(self, ends: float) -> None:
        with self._writing:
            # Not by how often: once many answers were lost, boto3 tries nothing again (its quota of retries), and all
            # tries fail within a moment.
            while uptime() < ends:
                try:
                    found = self._objects.read(self._key)
                    if not found or not _is_of(found, self._id) or self._objects.remove(self._key, found.etag):
                        self._may_be_there = False
                        return
                except JadaError as error:
                    self._trouble = error.message
                time.sleep(0.2)

    def _ask(self) -> None:
        """Asks the store whether it is held still: the machine may have slept, or jada been stopped. Of many hosts that
        wait for the answer none waits for long, and none after another.
        """
        with self._asking:
            if self._lost is None and uptime() >= max(self._until, self._not_known_until):
                self._wait_for(self._try_to_renew, ASKED)
                if uptime() >= self._until:
                    # The thread that renews it goes on asking.
                    self._not_known_until = uptime() + LASTS

    def _try_to_renew(self) -> None:
        with suppress(JadaError):
            self.renew()

    @staticmethod
    def _wait_for(act: Callable[[], None], seconds: float) -> None:
        """Does that beside, and waits for it so long: a store that hangs takes minutes to fail."""
        thread = threading.Thread(target=act, name="lease", daemon=True)
        thread.start()
        thread.join(seconds)

    def _keep(self) -> None:
        is_told = False
        while not self._over.wait(AGAIN if is_told else RENEWED):
            try:
                if not self.renew():
                    if self._lost is not None:
                        self._tell(f"The rollout lease was lost to {self._lost}: nothing more is changed here")
                    return
                is_told = False
            except JadaError as error:
                if not is_told:
                    self._tell(f"The rollout lease can't be renewed: {error.message}. Soon no other host is begun")
                is_told = True

    def _hold(self, etag: str, began: float) -> None:
        # From before it was asked for: the store may have written it at any moment since.
        self._etag, self._until, self._trouble = etag, began + RELIED_ON, ""

    def _body(self) -> bytes:
        values = {"id": self._id, "renewal": token_hex(4), "holder": self._holder.to_json()}
        return json.dumps(values).encode()


def _values(found: Stored) -> dict[str, Any]:
    try:
        values = json.loads(found.body)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _is_of(found: Stored, lease: str) -> bool:
    return _values(found).get("id") == lease


def _holder(found: Stored) -> Holder:
    return Holder.of(str(_values(found).get("holder", "somebody")))


def _number(found: Stored, key: str) -> tuple[str, int]:
    """The store and the number of its last holder. Raises JadaError."""
    values = _values(found)
    store, number = values.get("store"), values.get("number")
    is_store = isinstance(store, str) and store.isalnum() and store.isascii() and len(store) <= LONGEST
    if is_store and isinstance(number, int) and 0 <= number < LARGEST:
        return str(store), number
    raise JadaError(
        f"{key} of the store can't be read",
        "if nobody changes the fleet now, take that object away: the hosts take the numbers of a new one for another's",
    )
