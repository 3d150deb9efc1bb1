"""Moments as people read them: in the zone of their machine, with its offset."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from jada.cli.ui.duration import local, local_times


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_kolkata")
def test_a_moment_has_the_time_of_the_machine_and_its_offset() -> None:
    assert local("2026-11-26T14:09:36+00:00") == "2026-11-26 19:39:36+05:30"
    assert local("2026-11-26T23:09:36.123Z") == "2026-11-27 04:39:36+05:30"


@pytest.mark.usefixtures("in_kolkata")
def test_each_moment_within_a_text_is_told_so() -> None:
    text = "ann@box since 2026-11-26T14:09:36+00:00 until 2026-11-26T16:09:36+00:00: incident 2026-11-26T1"
    assert local_times(text) == (
        "ann@box since 2026-11-26 19:39:36+05:30 until 2026-11-26 21:39:36+05:30: incident 2026-11-26T1"
    )


@pytest.mark.parametrize("text", ["", "-", "yesterday", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_moment_stays_as_it_is(text: str) -> None:
    assert local(text) in (text, text.replace("T", " "))
    assert local_times(f"since {text}.").startswith("since ")
