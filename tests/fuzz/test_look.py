"""A look, as the root or the service's user of a host may have written it: a State that all of jada can be told, or one
error.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from jada import UNPRINTABLE, Host, ModelCheck, Service, Tiers
from jada.cli.commands import status
from jada.cli.drift import evaluate, formats
from jada.cli.records.model import HostOutcome
from jada.cli.report.html import html
from jada.cli.report.page import Page
from jada.cli.rollout import show
from jada.cli.rollout.outcome import HostResult, in_short
from jada.cli.ui import explanation
from jada.cli.ui.console import json_text, styled
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role
from jada.tasks import checks, effective, place, plan
from jada.tasks.asked import LONGEST_MODEL
from jada.tasks.frames import LookError, read_frames
from jada.tasks.look_reader import read
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Desired, Release
from jada.tasks.state import INLINE, State
from tests.frames import OF_ROOT, OF_USER, Pair, Values, framed, packed, pairs, row
from tests.fuzz.conftest import FEW, dear, mutated, numbers, regrafted, texts, values
from tests.unit.conftest import back_alone

ID, LATER, MODEL = "20261124-120000-aaaa", "20261125-120000-bbbb", "claude-opus-5"
UNIT = "jada-agent.service"
CHECK = ModelCheck(url="http://127.0.0.1:8787/healthz")
UP = Release(ID, "upgrade", Desired("claude-sonnet-4.6", 4096, 4096, ID), Desired("opus[1m]", 0), "", "f", "r",
             "ann@box", "2026-11-24T12:00:00+00:00")  # fmt: skip
SETTINGS = {
    "model": "claude-sonnet-4.6",
    "env": {"ANTHROPIC_MODEL": "x", "CLAUDE_CONFIG_DIR": "/home/agent/.claude", "HOME": "/"},
    "agent": "one",
    "availableModels": ["opus", "claude-sonnet-4.6"],
    "modelOverrides": {"claude-sonnet-4.6": "y"},
    "permissions": {},
}
DROPIN = f"/etc/systemd/system/{UNIT}.d/50-jada.conf"
LAYER = {"owner": "1000:1000", "mode": "600", "links": "1", "changed": "4000.5"}
MASKED = json.dumps(SETTINGS)


def layer(name: str, path: str, text: str = MASKED) -> dict[str, str]:
    about = {f"{name}.{key}": value for key, value in LAYER.items()}
    return {f"{name}.path": path, **about, f"{name}.size": str(len(text)), f"{name}.masked": f'{text}"'}


ROOT: Values = {
    **OF_ROOT,
    "unit.LoadState": "loaded",
    "unit.ActiveState": "active",
    "unit.SubState": "running",
    "unit.Result": "success",
    "unit.NRestarts": "1",
    "unit.NeedDaemonReload": "no",
    "unit.DropInPaths": DROPIN,
    "unit.LimitNOFILESoft": "4096",
    "unit.sets+": (row(f"{DROPIN} | LimitNOFILE | 4096"), row("/etc/x.conf | LimitNOFILE | 1024")),
    "status+": ("     Loaded: loaded", "     Active: active"),
    "next_start.cwd": "/srv",
    "next_start.unset+": ("HOME", "ANTHROPIC_MODEL=z"),
    "unit.lacks+": row("EnvironmentFile | /etc/x"),
    "running.wrapped": "yes",
    "speaker.pid": "301",
    "speaker.ticks": "90100",
    "main.env.HOME": "/home/agent",
    "next_start.env+": (
        row("Environment= | ANTHROPIC_MODEL | z"),
        row("/etc/e | HOME | /home/agent"),
        "/home/agent/e\n\n",
    ),
    "next_start.argv+": (row("model | $MODEL"), row("setting-sources | user,project")),
    "running.cwd": "/srv",
    "running.env.ANTHROPIC_MODEL": "m",
    "running.env.CLAUDE_CONFIG_DIR": "/home/agent/.claude",
    "running.argv+": (row("agent | one"), row(f"settings | {INLINE}"), row("model | m")),
    "inline.path": INLINE,
    "inline.size": str(len(MASKED)),
    "inline.masked": f'{MASKED}"',
    **layer("layer1", "/etc/claude-code/managed-settings.json"),
    "managed.changed+": "4100.25",
    "process.soft": "4096",
    "process.hard": "unlimited",
    "login.nofile": "4096",
    "login.env.ANTHROPIC_MODEL": "m",
    "dropin.owner": "0:0",
    "dropin.mode": "644",
    "dropin.sha256": "d" * 64,
    "limits.owner": "0:0",
    "limits.mode": "644",
    "limits.sha256": "e" * 64,
    "report.size": "14",
    "report.masked": '{"model": "m"}"',
    "report.code": "22",
    "session+": (row("77 | 95000 | 34816 | bob | m"), row("78 | 80000 | 0 | ann | ")),
    "release.id": ID,
    "release.manifest.json": UP.to_json(),
    "release.previous": replace(UP, id="20261123-120000-aaaa").to_json(),
    "release.result": "done 300 90000 b",
    "release.after": f"settings {'a' * 64} 1000:1000 600\ndropin {'d' * 64} 0:0 644\nlimits absent",
    "whole+": ID,
    "history1.id": ID,
    "history1.manifest": UP.to_json(),
    "history1.result": "done 300 90000 b",
    "history2.manifest": replace(UP, id="20261123-120000-aaaa").to_json(),
    "history2.result": "failed it",
    "over+": "sessions: more than 50",
}
USER: Values = {
    **OF_USER,
    **{name: text for name, text in layer("settings", "").items() if name != "settings.path"},
    "settings.sha256": "a" * 64,
    "link+": "/home/agent/.claude",
    "folder+": (row("0 | drwxr-xr-x | /"), row("1000 | drwxr-xr-x | /home/agent")),
    "agent+": (row("/home/agent/.claude/agents/a.md | one | m2"), row("/srv/.claude/agents/a.md | two | ")),
    "next_start.env+": row("/home/agent/e | CLAUDE_CONFIG_DIR | /home/agent/.claude"),
    **layer("layer1", "/srv/.claude/settings.json"),
    **layer("layer2", "/home/agent/repo/.claude/settings.local.json"),
    "over+": "agents: not all",
}
Halves = list[list[Pair]]
# A host where everything says something, and one that can be upgraded.
RICH: Halves = [[*pairs(ROOT)], [*pairs(USER)]]
OWN = '{"model": "claude-sonnet-4.6", "env": {"TOKEN": "****"}, "a": [1]}'
PLAIN: Halves = [
    [
        *pairs(OF_ROOT),
        ("unit.LoadState", "loaded"),
        ("unit.ActiveState", "active"),
        ("unit.DropInPaths", DROPIN),
        ("process.soft", "4096"),
        ("running.cwd", "/srv"),
        ("next_start.cwd", "/srv"),
        *((name, text) for name, text in RICH[0] if name.startswith(("release.", "history", "dropin."))),
    ],
    [
        *pairs(OF_USER),
        *((name, text) for name, text in layer("settings", "", OWN).items() if name != "settings.path"),
        ("settings.sha256", "a" * 64),
        *(("folder+", row(f"1000 | drwxr-xr-x | {path}")) for path in ("/", "/home/agent", "/home/agent/.claude")),
    ],
]
WHOLE = framed(RICH[0]) + framed(RICH[1])
NAMES = sorted({name for half in RICH for name, _ in half} | {"end", "lock", "held", "transaction", "login.error",
                "settings.dangling", "settings.problem", "layer1.problem", "report.code", "report.http"})  # fmt: skip
SERVICE = Service(unit=UNIT, model_check=ModelCheck(command="x"))
REQUEST = Request(LATER, "f", "ann@box", "2026-11-25T12:00:00+00:00", nofile=65536)
AT = datetime(2026, 11, 26, tzinfo=UTC)
FLEET = Fleet("f", Path("fleet.yml"), (), (Role("r", "sonnet-4.5"),))


def drawn(data: st.DataObject) -> Halves:
    return [[*half] for half in (RICH if data.draw(st.booleans()) else PLAIN)]


def looked(output: list[str]) -> State | None:
    with suppress(LookError):
        return read(UNIT, output, CHECK)
    return None


def exercise(state: State, is_whole_page: bool = False) -> None:
    """Does all that jada does with a look, without an error: a fault of a host is a finding or a refusal."""
    findings = (*checks.drift(state), *checks.findings(state, Desired(MODEL, 1024, 4096)))
    assert all(finding.fix_on("web-1") for finding in findings)
    for launch in (state.next_start, *([state.process.spec] if state.process else [])):
        assert effective.resolve(state, launch).model
    assert all(session.model for _, session in effective.of_open_sessions(state))
    place.unsafe(state)
    _change(plan.upgrade(REQUEST, "r", Tiers(MODEL), state, SERVICE))
    for to in ("", ID, "opus[1m]"):
        _change(back_alone(REQUEST, state, SERVICE, to))
    _show(state)
    _judge(state, is_whole_page)


def _change(planned: Plan) -> None:
    transaction = planned.transaction
    if transaction is None:
        assert planned.lock or planned.refusal or not planned.diff
        return
    assert Release.from_json(transaction.release.to_json()) == transaction.release
    assert "\0" not in transaction.script()
    show.show_plan("x", {"web-1": planned})


def _show(state: State) -> None:
    facts = status._facts(state, FLEET, "r", AT.date())
    json.loads(json_text([facts, explanation.explanation_dict("web-1", state)]))
    row = {"host": "web-1", "role": "r", "error": None, **facts}
    cells = (*status._cells(row, "s"), *status._about([row]), status.total([row]))
    report = HostResult(HostOutcome.VERIFIED, state=state, findings=checks.drift(state))
    ending = (show.host_line("web-1", True, in_short("web-1", report)), *show._more("web-1", report, True, ID))
    for line in (*cells, *explanation.lines("web-1", state), *ending):
        assert not UNPRINTABLE.search(styled(line).plain.replace("\n", ""))


def _judge(state: State, is_whole_page: bool) -> None:
    host = Host("web-1", "192.0.2.1", "static", role="r")
    models = evaluate._models_of_roles([host], {host.name: state})
    row = evaluate._host(host, state, ID, evaluate._Beside(FLEET, AT.date(), ID, models))
    assert row.status is not evaluate.Status.NOT_CHECKED
    drift = evaluate.DriftReport("f", AT, (evaluate._accepted(row, host, (), AT.date()),))
    json.loads(json_text(formats.as_json(drift)))
    assert all(line.startswith("::") for line in formats.github(drift).splitlines())
    if is_whole_page:
        ElementTree.fromstring(formats.junit(drift, {}))  # noqa: S314 - ours
        json.loads(formats.sarif(drift, Path("fleet.yml")))
        since = datetime(2026, 11, 1, tzinfo=UTC)
        text = html(Page(fleet=FLEET, drift=drift, states={"web-1": state}, since=since, who="ann@ops"))
        assert not UNPRINTABLE.search(text.replace("\n", ""))


def test_the_look_itself_is_whole() -> None:
    state = read(UNIT, packed(WHOLE), CHECK)
    assert (state.report.model, len(state.history), len(state.layers), len(state.unread)) == ("m", 2, 4, 2)
    exercise(state, is_whole_page=True)
    plain = read(UNIT, packed(framed(PLAIN[0]) + framed(PLAIN[1])), ModelCheck())
    assert plan.upgrade(REQUEST, "r", Tiers(MODEL), plain, SERVICE).transaction
    assert not [finding for finding in checks.drift(plain) if finding.is_error]


@given(st.data())
def test_bytes_that_something_was_done_to(data: st.DataObject) -> None:
    """Before they were packed: frames whose lengths are wrong, bytes that are no UTF-8, halves in one another."""
    whole = WHOLE
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(whole)))
        end = min(len(whole), start + data.draw(st.integers(0, 12)))
        new = data.draw(st.one_of(st.binary(max_size=12), st.just(whole[start:end] * 2), st.just(whole[:end])))
        whole = whole[:start] + new + whole[end:]
    if state := looked(packed(whole)):
        exercise(state)


@given(mutated([WHOLE.decode("latin-1")]))
def test_texts_among_the_bytes(text: str) -> None:
    if state := looked(packed(text.encode("utf-8", "surrogatepass"))):
        exercise(state)


def twice(text: bytes) -> bytes:
    return gzip.compress(text) * 2


PACKINGS: tuple[Callable[[bytes], bytes], ...] = (gzip.compress, zlib.compress, bytes, twice)


@given(st.data())
def test_what_is_packed_wrongly(data: st.DataObject) -> None:
    """Cut off, stuck together, another packing, or none."""
    whole = data.draw(st.sampled_from(PACKINGS))(
        data.draw(st.sampled_from([WHOLE, b"", WHOLE * 2, b"end 2\nok\nend 2\nok\n"]))
    )
    whole = whole[: data.draw(st.integers(0, len(whole)))] + data.draw(st.binary(max_size=8))
    line = base64.b64encode(whole).decode()
    at = data.draw(st.integers(0, len(line)))
    line = line[:at] + data.draw(st.one_of(st.just(""), texts)) + line[at:]
    if state := looked(data.draw(st.sampled_from([[line], [line, line], [line[:at], line[at:]], []]))):
        exercise(state)


@given(st.data())
def test_fields_that_are_gone_or_elsewhere_or_there_twice(data: st.DataObject) -> None:
    halves = drawn(data)
    for _ in range(data.draw(st.integers(1, 4))):
        half = halves[data.draw(st.integers(0, 1))]
        name, text = half.pop(data.draw(st.integers(0, len(half) - 1)))
        instead = st.sampled_from(
            [
                [],
                [(name, text)] * 2,
                [(data.draw(st.one_of(st.sampled_from(NAMES), texts)), text)],
                [(name, half[data.draw(st.integers(0, len(half) - 1))][1])],
            ]
        )
        place = halves[number] if (number := data.draw(st.integers(0, 3))) < len(halves) else half
        at = data.draw(st.integers(0, len(place)))
        place[at:at] = data.draw(instead)
    if state := looked(packed(framed(halves[0]) + framed(halves[1]))):
        exercise(state)


def with_values(data: st.DataObject, changes: st.SearchStrategy[str]) -> list[str]:
    """A whole look with other values of some fields, and fields that it had not."""
    halves = drawn(data)
    for _ in range(data.draw(st.integers(1, 3))):
        half = halves[data.draw(st.integers(0, 1))]
        at = data.draw(st.integers(0, len(half) - 1))
        name, old = half[at]
        half[at] = (name, data.draw(st.one_of(changes, _in_a_row(old, changes))))
    root, _ = halves
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from(["lock", "held", "transaction", "login.error"]))
        root.append((name, data.draw(changes)))
    return packed(framed(root) + framed(halves[1]))


def _in_a_row(old: str, changes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The value with another one in one of its columns or words."""

    def put(at: int, new: str) -> str:
        between = "\n" if "\n" in old else " "
        parts = old.split(between)
        parts[at % len(parts)] = new
        return between.join(parts)

    return st.builds(put, st.integers(0, 5), changes)


@dear
@given(st.data())
def test_a_text_in_any_field(data: st.DataObject) -> None:
    if state := looked(with_values(data, texts)):
        exercise(state)


@dear
@given(st.data())
def test_a_number_in_any_field(data: st.DataObject) -> None:
    words = st.one_of(numbers.map(_digits), st.sampled_from(["0", "1", "9" * 9, "9" * 11, "253402300800", "infinity"]))
    if state := looked(with_values(data, words)):
        exercise(state)


def _digits(number: Any) -> str:
    return "1" + "0" * 400 if isinstance(number, int) and abs(number) > 2**70 else str(number)


@dear
@given(st.data())
def test_json_in_any_field(data: st.DataObject) -> None:
    if state := looked(with_values(data, st.one_of(values, regrafted(SETTINGS)).map(json.dumps))):
        exercise(state)


@dear
@given(st.data())
def test_settings_of_any_values(data: st.DataObject) -> None:
    """Every file of settings is a JSON object, in which anything may stand for anything."""
    halves = drawn(data)
    for half in halves:
        for at, (name, _) in enumerate(half):
            if name.endswith(".masked") and not name.startswith("report") and data.draw(st.booleans()):
                text = json.dumps(data.draw(regrafted(SETTINGS)))
                half[at] = (name, f'{text}"')
                size = name.replace(".masked", ".size")
                half[[field for field, _ in half].index(size)] = (size, str(len(text)))
    if state := looked(packed(framed(halves[0]) + framed(halves[1]))):
        exercise(state)


@dear
@given(st.sampled_from(["release.manifest.json", "release.previous", "history1.manifest"]),
       regrafted(json.loads(UP.to_json())))  # fmt: skip
def test_manifests_of_any_values(name: str, manifest: Any) -> None:
    fields = [(field, json.dumps(manifest) if field == name else text) for field, text in PLAIN[0]]
    if state := looked(packed(framed(fields) + framed(PLAIN[1]))):
        exercise(state)


@dear
@given(st.one_of(texts, values.map(json.dumps), mutated(['{"model": "m"}', '{"model": {"id": "m"}}']),
                 st.one_of(texts, values).map(lambda model: json.dumps({"model": model}))),
       st.one_of(st.none(), numbers.map(_digits), texts))  # fmt: skip
def test_an_answer_of_the_service(answer: str, size: str | None) -> None:
    """Nothing but the id of a model is taken from it."""
    count = str(len(answer.encode("utf-8", "surrogatepass"))) if size is None else size
    about = {"report.masked": f'{answer}"', "report.size": count}
    fields = [(name, about.get(name, text)) for name, text in RICH[0]]
    if state := looked(packed(framed(fields) + framed(RICH[1]))):
        assert state.report.model.isprintable()
        assert len(state.report.model) <= LONGEST_MODEL
        assert not UNPRINTABLE.search(state.report.error)
        exercise(state)


@settings(max_examples=FEW // 4)
@given(st.data())
def test_the_page_of_any_host(data: st.DataObject) -> None:
    if state := looked(with_values(data, st.one_of(texts, regrafted(SETTINGS).map(json.dumps)))):
        exercise(state, is_whole_page=True)


def test_the_half_of_the_user_says_nothing_for_root() -> None:
    """Whatever it says, no field of root's half is another one by it."""
    root, _ = read_frames(packed(WHOLE))
    for name, text in RICH[0]:
        with suppress(LookError):
            again, _ = read_frames(packed(framed(RICH[0]) + framed([*RICH[1], (name, text)])))
            assert again == root
