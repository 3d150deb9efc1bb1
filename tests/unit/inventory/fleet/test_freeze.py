"""fleet.yml's `freeze`: when it is on, to when, and when the next one is; by the clocks of its zone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jada import ConfigError
from jada.inventory.fleet import config
from jada.inventory.fleet.freeze import Freeze, Window, freeze_at, next_freeze

FLEET = "fleet: f\nsources: [{static: {hosts: {a: {address: 192.0.2.1}}}}]\nroles: {any: {}}\n"
WEEKEND = Window("0 18 * * 5", 62 * 3600, "Europe/Berlin", "weekend")
NIGHT = Window("0 22 * * *", 6 * 3600, "UTC", "night")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # 18:00 in Berlin is 17:00 UTC in winter, and 16:00 in summer.
        ("2026-11-27T16:59:59", None),
        ("2026-11-27T17:00:00", ("2026-11-27T17:00", "2026-11-30T07:00")),
        ("2026-11-30T06:59:59.9", ("2026-11-27T17:00", "2026-11-30T07:00")),
        ("2026-11-30T07:00:00", None),
        ("2026-07-03T15:59:59", None),
        ("2026-07-03T16:00:00", ("2026-07-03T16:00", "2026-07-06T06:00")),
    ],
)
def test_a_window_is_on_from_its_first_second_to_its_last(now: str, expected: tuple[str, str] | None) -> None:
    freeze = Freeze(at(expected[0]), at(expected[1]), "weekend") if expected else None
    assert freeze_at([WEEKEND], at(now)) == freeze


def test_it_lasts_as_long_where_the_clocks_change_meanwhile() -> None:
    """On 2026-10-25 Berlin's clocks went back an hour."""
    assert freeze_at([WEEKEND], at("2026-10-24T12:00")) == Freeze(
        at("2026-10-23T16:00"), at("2026-10-26T06:00"), "weekend"
    )


def test_windows_that_leave_no_moment_between_are_told_as_one() -> None:
    rest = Window("0 4 * * *", 3600, "UTC", "backup")
    assert freeze_at([NIGHT, rest], at("2026-11-25T23:00")) == Freeze(
        at("2026-11-25T22:00"), at("2026-11-26T05:00"), "night"
    )
    always = Window("0 * * * *", 3600, "UTC", "never")
    freeze = freeze_at([always], at("2026-11-25T23:30"))
    assert freeze
    assert freeze.ends > at("2026-11-27T00:00")


def test_the_next_one_begins_after_now() -> None:
    assert next_freeze([], at("2026-11-25T21:00")) is None
    assert next_freeze([WEEKEND, NIGHT], at("2026-11-25T21:59")) == Freeze(
        at("2026-11-25T22:00"), at("2026-11-26T04:00"), "night"
    )
    assert next_freeze([NIGHT], at("2026-11-25T22:00")) == Freeze(
        at("2026-11-26T22:00"), at("2026-11-27T04:00"), "night"
    )


def fleet(tmp_path: Path, freeze: str) -> config.Fleet:
    file = tmp_path / "fleet.yml"
    file.write_text(f"{FLEET}freeze: {freeze}\n")
    return config.load(str(file))


def test_windows_are_read(tmp_path: Path) -> None:
    weekend = '{cron: "0 18 * * 5", for: 62h, zone: Europe/Berlin, reason: weekend}'
    assert fleet(tmp_path, f"[{weekend}, {{cron: 0 22 * * *, for: 6h, reason: night}}]").freeze == (WEEKEND, NIGHT)
    assert fleet(tmp_path, '[{cron: "0 0 12 12 *", for: 28d, reason: x}]').freeze[0].seconds == 28 * 86400


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ('{cron: "0 18 * *", for: 1h, reason: x}', "should be minute, hour, day, month and weekday as cron has them"),
        ('{cron: "0 0 18 * * 5", for: 1h, reason: x}', "should be minute"),
        ('{cron: "0 25 * * *", for: 1h, reason: x}', "should be minute"),
        ('{cron: "0 0 30 2 *", for: 1h, reason: x}', "should be minute"),
        ('{cron: "@daily", for: 1h, reason: x}', "should be minute"),
        ('{cron: "0 0 * * *", for: 0, reason: x}', "from 60s to 60d"),
        ('{cron: "0 0 * * *", for: 61d, reason: x}', "from 60s to 60d"),
        ('{cron: "0 0 * * *", for: 1h, reason: "  "}', "should be a text, not empty"),
        (f'{{cron: "0 0 * * *", for: 1h, reason: {"x" * 201}}}', "is longer than 200 characters"),
        ('{cron: "0 0 * * *", for: 1h}', "reason"),
        ('{cron: "0 0 * * *", for: 1h, reason: x, zone: Mars/Base}', "this machine knows no such time zone"),
        ('{cron: "0 0 * * *", for: 1h, reason: x, zone: ../../etc/passwd}', "this machine knows no such time zone"),
        ('{cron: "0 0 * * *", for: 1h, reason: x, zone: Europe}', "this machine knows no such time zone"),
    ],
)
def test_what_is_no_window_is_told(tmp_path: Path, window: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        fleet(tmp_path, f"[{window}]")
