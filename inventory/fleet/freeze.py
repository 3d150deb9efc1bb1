"""fleet.yml's `freeze`: the times when nothing is changed, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from jada.inventory.yaml_readers import span
from jada.inventory.yaml_values import Value, shown

# Seconds, and characters.
LONGEST, LONGEST_REASON = 60 * 86400, 200
# Windows that follow each other without a moment between are one; so many of them.
MOST_IN_A_ROW = 50


@dataclass(frozen=True, slots=True)
class Window:
    """A window that begins whenever `cron` says, by the clocks of a `zone`, and lasts for so many seconds."""

    cron: str
    seconds: int
    zone: str
    reason: str

    def begun(self, now: datetime) -> Freeze | None:
        """The last one that has begun."""
        return self._as_freeze(next(CronSim(self.cron, self._there(now) + timedelta(seconds=1), reverse=True), None))

    def next(self, now: datetime) -> Freeze | None:
        """The next one that begins after now."""
        return self._as_freeze(next(CronSim(self.cron, self._there(now)), None))

    def _there(self, now: datetime) -> datetime:
        return now.replace(microsecond=0).astimezone(ZoneInfo(self.zone))

    def _as_freeze(self, begin: datetime | None) -> Freeze | None:
        if begin is None:
            return None
        begins = begin.astimezone(UTC)
        return Freeze(begins, begins + timedelta(seconds=self.seconds), self.reason)


@dataclass(frozen=True, slots=True, order=True)
class Freeze:
    """A time when nothing is to be changed, in UTC, and why."""

    begins: datetime
    ends: datetime
    reason: str


def freeze_at(windows: Iterable[Window], now: datetime) -> Freeze | None:
    """The freeze that is on, to the end of the last of several windows that leave no moment between. Pure."""
    windows = tuple(windows)
    found = _on(windows, now)
    freeze = found
    for _ in range(MOST_IN_A_ROW):
        if found is None or freeze is None:
            break
        freeze = Freeze(freeze.begins, max(freeze.ends, found.ends), freeze.reason)
        found = _on(windows, freeze.ends)
    return freeze


def next_freeze(windows: Iterable[Window], now: datetime) -> Freeze | None:
    """The next window that begins after now. Pure."""
    return min(filter(None, (window.next(now) for window in windows)), default=None)


def _on(windows: Iterable[Window], now: datetime) -> Freeze | None:
    """Of the windows that are on, the one that ends last."""
    begun = filter(None, (window.begun(now) for window in windows))
    return max((freeze for freeze in begun if now < freeze.ends), key=lambda freeze: freeze.ends, default=None)


def read(value: Value) -> tuple[Window, ...]:
    return tuple(value.listed(_window))


def _window(value: Value) -> Window:
    readers = {"cron": _cron, "for": lambda time: span(time, least=60, most=LONGEST), "zone": _zone, "reason": _reason}
    values = value.fields(readers, required=("cron", "for", "reason"))
    return Window(values["cron"], values["for"], values.get("zone", "UTC"), values["reason"])


def _cron(value: Value) -> str:
    text = value.text()
    try:
        if len(text.split()) != 5:
            raise CronSimError("five fields")
        CronSim(text, datetime.now(UTC))
    except CronSimError:
        raise value.error(
            f'should be minute, hour, day, month and weekday as cron has them, such as "0 18 * * 5", not {shown(text)}'
        ) from None
    return text


def _zone(value: Value) -> str:
    text = value.text()
    try:
        ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        problem = f"is {shown(text)}, and this machine knows no such time zone"
        raise value.error(problem, "such as Europe/Berlin, or UTC") from None
    return text


def _reason(value: Value) -> str:
    return " ".join(value.text(LONGEST_REASON).split())
