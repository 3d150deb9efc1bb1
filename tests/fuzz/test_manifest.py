"""A manifest, as the root of a host may have written it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada import EXACT_ID, UNPRINTABLE, Telemetry
from jada.tasks import release
from jada.tasks.dropin import dropin, login_limits
from jada.tasks.release import Desired, Release, ReleaseError
from tests.fuzz.conftest import mutated, numbers, regrafted, texts

SENT = Telemetry(exporter="otlp", endpoint="http://127.0.0.1:4318", protocol="grpc")
ID = "20261124-120000-aaaa"
UP = Release(ID, "upgrade", Desired("claude-opus-5", 1024, 4096, ID), Desired("opus[1m]", 0), fleet="f", role="r",
             who="ann@box", at="2026-11-24T12:00:00+00:00", reason="why")  # fmt: skip
BACK = release.rollback("20261124-130000-bbbb", UP.desired, UP, who="bob@box")
TOLD = replace(UP, desired=replace(UP.desired, telemetry=SENT, fallback=("x",), subagent_model="y"))
DEEP = UP.to_json().replace('"reason"', f'"more": {"[" * 3000}{"]" * 3000}, "reason"')
LINES = len(dropin(UP.desired).splitlines())
VARIABLE = re.compile(r'Environment="[A-Z_]+=[A-Za-z0-9._:/=,%~\[\]-]+"')


def read(text: str) -> None:
    """A release that can be written again, of which no value is more than a value; or the one error."""
    try:
        release = Release.from_json(text)
    except ReleaseError as error:
        assert not UNPRINTABLE.search(str(error))
        return
    assert Release.from_json(release.to_json()) == release
    values = (asdict(release) | asdict(release.desired)).values()
    assert not any(UNPRINTABLE.search(value) or len(value) > 2000 for value in values if isinstance(value, str))
    for desired in (release.desired, release.before):
        assert not desired.release or EXACT_ID.fullmatch(desired.model)
        _write(desired, release.role)


def _write(desired: Desired, role: str = "") -> None:
    try:
        every = dropin(desired, role).splitlines()
    except ReleaseError:
        return
    lines = [line for line in every if not line.startswith("Environment=")]
    # A percent sign that stands alone would begin a specifier of systemd's.
    assert all(VARIABLE.fullmatch(line) and "%" not in line.replace("%%", "") for line in every if line not in lines)
    assert len(lines) in (LINES, LINES - 1)
    assert [line.partition("=")[0] for line in lines if not line.startswith(("#", "["))] == [
        "LimitNOFILE",
        "LogExtraFields",
    ]


@given(mutated([UP.to_json(), BACK.to_json(), TOLD.to_json(), DEEP]))
def test_a_manifest_that_something_was_done_to(text: str) -> None:
    read(text)


@given(st.sampled_from([UP, BACK, TOLD]).flatmap(lambda release: regrafted(json.loads(release.to_json()))))
def test_a_manifest_with_other_values(data: Any) -> None:
    read(json.dumps(data))


@given(texts, texts, numbers, numbers)
def test_what_is_written_is_one_value_a_line(model: str, number: str, nofile: Any, requested: Any) -> None:
    _write(Desired(model, nofile, requested, number))
    release = replace(UP, desired=Desired(model, nofile, requested, ID), who=number)
    try:
        written = release.to_json()
    except ReleaseError:
        return
    assert Release.from_json(written).desired == release.desired


@given(texts, texts, texts)
def test_a_role_is_one_value_and_a_telemetry_is_what_it_should_be(role: str, endpoint: str, exporter: str) -> None:
    _write(replace(UP.desired, telemetry=SENT), role)
    _write(replace(UP.desired, telemetry=replace(SENT, endpoint=endpoint)))
    _write(replace(UP.desired, telemetry=replace(SENT, exporter=exporter)))


@given(texts, numbers)
def test_limits_are_of_one_user(user: str, nofile: Any) -> None:
    try:
        lines = login_limits(user, nofile).splitlines()
    except ReleaseError:
        return
    assert [line.split() for line in lines[1:]] == [[user, kind, "nofile", str(nofile)] for kind in ("soft", "hard")]
    with pytest.raises(ReleaseError):
        login_limits(f"{user}\n", nofile)
