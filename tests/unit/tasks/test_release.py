"""A release's values, read from a host or written to one: the border between them and lines of root's files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from jada import Service, Telemetry, Tiers
from jada.tasks import plan
from jada.tasks.dropin import dropin, login_limits
from jada.tasks.plan import Request
from jada.tasks.release import Desired, Release, ReleaseError, present
from jada.tasks.state import State
from tests.unit.conftest import back_alone

ID = "20261124-120000-aaaa"
MADE = Release(ID, "upgrade", Desired("claude-opus-5", 1024, 4096, ID), Desired("opus[1m]", 0), fleet="f", role="r",
               who="ann@box", at="2026-11-24T12:00:00+00:00", reason="why")  # fmt: skip
SERVICE = Service()
LINES = "claude-x\nUser=root\nExecStartPre=/bin/sh"


def manifest(**changes: Any) -> str:
    """MADE as its manifest, with other values; a name with a dot reaches into wanted or before."""
    data = json.loads(MADE.to_json())
    for name, value in changes.items():
        part, _, key = name.partition("__")
        if key:
            data[part][key] = value
        else:
            data[part] = value
    return json.dumps(data)


def test_a_release_survives_its_manifest() -> None:
    assert Release.from_json(MADE.to_json()) == MADE


def test_keys_of_a_newer_jada_are_left_aside() -> None:
    text = manifest(evidence={"served": [1, {"deep": None}]}, desired__effort="high", before__x=2.5)
    assert Release.from_json(text) == MADE


def test_models_beside_the_own_one() -> None:
    desired = replace(MADE.desired, fallback=("claude-opus-5", "claude-haiku-4.5"), subagent_model="claude-haiku-4.5")
    asking = replace(MADE, desired=desired)
    assert Release.from_json(asking.to_json()) == asking
    assert not desired.is_like(MADE.desired)
    assert desired.is_like(replace(desired, release="", edited="x"))
    assert desired.tiers == Tiers(MADE.desired.model, desired.fallback, desired.subagent_model)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Tiers("a b", ("x", "y"), "z"), Tiers("a b", ("x", "y"), "z")),
        (Tiers("a\nb", ("x", "****"), "***"), Tiers("", (), "")),
        (Tiers("m", ("a", "b", "c", "d"), ""), Tiers("m", (), "")),
    ],
)
def test_models_of_files_that_can_not_be_told_stand_as_none(found: Tiers, expected: Tiers) -> None:
    assert present(None, found, {}).tiers == expected
    assert present(MADE, found, {"settings": True, "dropin": False, "limits": False}).tiers == expected
    assert present(MADE, found, {"settings": False, "dropin": True, "limits": False}).tiers == MADE.desired.tiers


OTLP = Telemetry(exporter="otlp", endpoint="https://c.example.com:4318/x", protocol="http/json")


def test_telemetry_is_lines_of_the_drop_in() -> None:
    desired = replace(MADE.desired, model="arn:aws:bedrock:x/y%z[1m]".replace("%", "@"), telemetry=OTLP)
    assert dropin(desired, "größe a,b=c").splitlines()[-6:] == [
        'Environment="CLAUDE_CODE_ENABLE_TELEMETRY=1"',
        'Environment="OTEL_METRICS_EXPORTER=otlp"',
        'Environment="OTEL_LOGS_EXPORTER=otlp"',
        'Environment="OTEL_EXPORTER_OTLP_PROTOCOL=http/json"',
        'Environment="OTEL_EXPORTER_OTLP_ENDPOINT=https://c.example.com:4318/x"',
        f'Environment="OTEL_RESOURCE_ATTRIBUTES=jada.release={desired.release},'
        "jada.role=gr%%C3%%B6%%C3%%9Fe%%20a%%2Cb%%3Dc,"
        'jada.model=arn%%3Aaws%%3Abedrock%%3Ax%%2Fy%%40z%%5B1m%%5D"',
    ]
    none = dropin(replace(desired, telemetry=Telemetry(exporter="none")))
    assert "OTLP" not in none
    assert "jada.role" not in none
    assert 'OTEL_LOGS_EXPORTER=none"' in none
    assert "Environment" not in dropin(MADE.desired, "r")


def test_telemetry_is_in_the_manifest() -> None:
    asking = replace(MADE, desired=replace(MADE.desired, telemetry=OTLP))
    assert Release.from_json(asking.to_json()) == asking
    assert not asking.desired.is_like(MADE.desired)
    edited = {"settings": False, "dropin": True, "limits": False}
    assert present(asking, Tiers(""), edited).telemetry == Telemetry()
    assert present(asking, Tiers(""), {**edited, "dropin": False, "limits": True}).telemetry == OTLP


WRONG: Mapping[str, str] = {
    "a telemetry that is a text": manifest(desired__telemetry="otlp"),
    "an exporter that there is not": manifest(desired__telemetry={"exporter": "prometheus"}),
    "an endpoint of none": manifest(desired__telemetry={"exporter": "none", "endpoint": "http://a"}),
    "no endpoint": manifest(desired__telemetry={"exporter": "otlp", "protocol": "grpc"}),
    "an endpoint of two values": manifest(
        desired__telemetry={"exporter": "otlp", "protocol": "grpc", "endpoint": 'http://a" "B=c'}
    ),
    "an endpoint with a specifier": manifest(
        before__telemetry={"exporter": "otlp", "protocol": "grpc", "endpoint": "http://a/%h"}
    ),
    "a fallback that is a text": manifest(desired__fallback="claude-haiku-4.5"),
    "a fallback with markup": manifest(desired__fallback=["[/x]"]),
    "a number as a fallback": manifest(before__fallback=[5]),
    "four fallbacks": manifest(desired__fallback=["a", "b", "c", "d"]),
    "lines in a model of subagents": manifest(desired__subagent_model=LINES),
    "lines in a model": manifest(desired__model=LINES),
    "a space in a model": manifest(desired__model="claude x"),
    "no model of a release": manifest(desired__model=""),
    "a model before, of a release": manifest(before__model=LINES, before__release=ID),
    "a long model": manifest(desired__model="c" * 501),
    "a model that is a list": manifest(desired__model=["claude-opus-5"]),
    "markup in an id": manifest(id="[/x]"),
    "a path in an id": manifest(id="../../etc"),
    "an id with a line": manifest(id=f"{ID}\n"),
    "an id of other digits": manifest(id=ID.replace("1", "\u0661")),
    "an id that is no time": manifest(id="99999999-999999-aaaa"),
    "an id of no day": manifest(id="20260231-120000-aaaa"),
    "no id": manifest(id=""),
    "an id that is a number": manifest(id=20261124),
    "a path to put back": manifest(restores="../x"),
    "a release wanted that is none": manifest(desired__release="x"),
    "another kind": manifest(kind="rm"),
    "a kind that is a list": manifest(kind=[]),
    "text for a number": manifest(desired__nofile="1024"),
    "yes for a number": manifest(desired__nofile=True),
    "a fraction": manifest(desired__nofile=1024.0),
    "below nothing": manifest(desired__nofile=-1),
    "too many": manifest(desired__nofile_requested=2**31 + 1),
    "digits without end": manifest().replace("4096", "9" * 5000),
    "not a number": manifest().replace("4096", "NaN"),
    "yesterday": manifest(at="yesterday"),
    "year 1": manifest(at="0001-01-01T00:00:00+00:00"),
    "year 9999": manifest(at="9999-12-31T23:59:59-23:59"),
    "no zone": manifest(at="2026-11-24T12:00:00"),
    "a line for a T": manifest(at="2026-11-24\n12:00:00+00:00"),
    "a day that is none": manifest(at="2026-02-30T12:00:00+00:00"),
    "a time that is a number": manifest(at=1_800_000_000),
    "a reason that is none": manifest(reason=None),
    "wanted is text": manifest(desired="claude-opus-5"),
    "wanted is a list": manifest(desired=[["model", "x"]]),
    "desired lacks its model": manifest(desired={"nofile": 1}),
    "before is missing": f'{{"id": "{ID}", "kind": "upgrade", "desired": {{"model": "x", "nofile": 1}}}}',
    "given twice": manifest().replace('"kind"', f'"id": "{ID}", "kind"'),
    "given twice within": manifest().replace('"model"', '"model": "x", "model"'),
    "a list": "[]",
    "a text": '"x"',
    "nothing": "",
    "cut off": manifest()[:-20],
    "nested without end": '{"x": ' + "[" * 100_000,
    "nested within bounds of size": '{"x": ' + "[" * 20_000 + "]" * 20_000 + "}",
    "too large": manifest(more="x" * 70_000),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_can_not_be_a_manifest_is_told_in_one_sentence(text: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        Release.from_json(text)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize(
    "moment", ["", "1970-01-02T00:00:00+00:00", "2026-11-24T12:00:00Z", "2026-11-24T12:00:00.5-03:30"]
)
def test_a_moment_has_a_zone_or_is_not_known(moment: str) -> None:
    assert Release.from_json(manifest(at=moment)).at == moment


def test_what_is_only_told_never_stands_in_the_way_back() -> None:
    """A reason with lines, a model from before jada of whatever form: no reason to lose a host."""
    read = Release.from_json(
        manifest(reason="a\nb\x1b[2J\u202e", who="\udcff" * 9, role="r" * 9999, before__model="\ud800\n")
    )
    assert (read.reason, read.before.model) == (r"a\nb\x1b[2J\u202e", r"\ud800\n")
    assert read.who == r"\udcff" * 9
    assert len(read.role) == 500
    assert Release.from_json(read.to_json()) == read


UNSAFE = [LINES, "", "claude x", "x\u2028y", "\ud800", "a%n", "x" * 501, "é"]


@pytest.mark.parametrize("model", UNSAFE)
def test_no_model_becomes_more_than_a_value_where_root_reads_it(model: str) -> None:
    desired = replace(MADE.desired, model=model)
    with pytest.raises(ReleaseError):
        dropin(desired)
    with pytest.raises(ReleaseError):
        replace(MADE, desired=desired).to_json()


@pytest.mark.parametrize(
    "changes",
    [
        {"release": f"{ID}\nUser=root"},
        {"release": ""},
        {"nofile": 0},
        {"nofile": 1023},
        {"nofile": 2**31 + 1},
        {"nofile_requested": -1},
    ],
    ids=str,
)
def test_no_id_and_no_number_does(changes: dict[str, Any]) -> None:
    with pytest.raises(ReleaseError):
        dropin(replace(MADE.desired, **changes))


@pytest.mark.parametrize("name", ["restores", "id", "kind", "at"])
def test_no_release_is_written_that_could_not_be_read(name: str) -> None:
    changes: dict[str, Any] = {name: "[/x]"}
    with pytest.raises(ReleaseError):
        replace(MADE, **changes).to_json()


@pytest.mark.parametrize("user", ["agent", "_svc", "Jo.Doe-2", "host$", "a" * 255])
def test_users_have_their_limits(user: str) -> None:
    assert f"\n{user} hard nofile 4096\n" in login_limits(user, 4096)


@pytest.mark.parametrize(
    "user",
    [
        "x\nroot hard nofile 1",
        "root hard",
        "*",
        "@wheel",
        "%all",
        "1000:",
        "#x",
        "a:b",
        "",
        "$",
        "é",
        "a" * 257,
        "\x00",
    ],
    ids=ascii,
)
def test_no_users_name_becomes_another_line_or_another_domain(user: str) -> None:
    with pytest.raises(ReleaseError, match="user"):
        login_limits(user, 4096)


@pytest.mark.parametrize("nofile", [0, -1, 10, 1023, 2**31 + 1])
def test_no_limit_locks_out(nofile: int) -> None:
    with pytest.raises(ReleaseError):
        login_limits("agent", nofile)


def test_the_way_back_builds_no_line_and_needs_no_settings(host: Callable[..., State]) -> None:
    """Neither the user's name, nor what stands in settings.json now, nor what it ran before has to be good."""
    request = Request("20261124-130000-bbbb", "f", "ann@box", "2026-11-24T13:00:00+00:00", 4096)
    current = replace(MADE, before=Desired('"]\nUser=root', 0))
    for settings in ("{", "", '{"model": [', None):
        state = host(user="DOM\\agent\nx", release=current, settings={"text": settings})
        back = back_alone(request, state, SERVICE).transaction
        assert back
        assert "User=root" not in back.script().splitlines()


def test_an_upgrade_from_what_was_before_jada_is_planned(host: Callable[..., State]) -> None:
    """Back on what it had before, with a drop-in of that name that somebody else has made."""
    request = Request("20261124-130000-bbbb", "f", "ann@box", "2026-11-24T13:00:00+00:00", 4096)
    state = host(release=replace(MADE, kind="rollback", desired=Desired("opus[1m]", 0)))
    planned = plan.upgrade(request, "r", Tiers("claude-opus-5"), state, SERVICE)
    assert planned.transaction
    assert "LimitNOFILE=4096" in planned.transaction.script()


def test_a_model_from_before_jada_is_kept_in_a_form_that_can_be_written(host: Callable[..., State]) -> None:
    request = Request("20261124-130000-bbbb", "f", "ann@box", "2026-11-24T13:00:00+00:00", 4096)
    state = host(release=None, settings={"text": r'{"model": "\ud800\n"}'})
    transaction = plan.upgrade(request, "r", Tiers("claude-opus-5"), state, SERVICE).transaction
    assert transaction
    assert Release.from_json(transaction.release.to_json()) == transaction.release
