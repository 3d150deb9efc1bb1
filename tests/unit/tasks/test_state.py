"""Reading what one look at a host printed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jada import ModelCheck
from jada.tasks import frames as frames_module
from jada.tasks.frames import LookError
from jada.tasks.look_reader import read
from jada.tasks.release import TEXT, Desired, Release
from jada.tasks.state import INLINE, NO_LIMIT, ModelReport, OpenSession, State
from tests.frames import OF_ROOT, OF_USER, Values, frames, packed, row

UNIT = "jada-agent.service"
BY_COMMAND = ModelCheck(command="x")


ID = "20261124-120000-aaaa"
MADE = Release(ID, "upgrade", Desired("claude-sonnet-4.6", 4096, 4096, ID), Desired("claude-haiku-4.5", 0))
ONE, OTHER = "i-0af01c0123456789a", "i-0bf01c0123456789b"


def look(root: Values | None = None, user: Values | None = None, check: ModelCheck = BY_COMMAND) -> State:
    """A look that saw this too."""
    data = frames({**OF_ROOT, **(root or {})}) + frames({**OF_USER, **(user or {})})
    return read(UNIT, packed(data), check)


def test_a_look_that_was_cut_off_is_no_look() -> None:
    whole = frames(OF_ROOT)
    for size in range(len(whole)):
        with pytest.raises(LookError):
            read(UNIT, packed(whole[:size]), ModelCheck())
    (packed_whole,) = packed(whole + frames(OF_USER))
    with pytest.raises(LookError, match="cut off"):
        read(UNIT, [packed_whole[: len(packed_whole) // 8 * 4]], ModelCheck())


def test_a_users_half_that_is_not_whole_leaves_roots() -> None:
    """The user can stop, kill, flood and forge it: root's own is none the less so."""
    root, user = frames({**OF_ROOT, "release.manifest.json": MADE.to_json()}), frames(OF_USER)
    for half in (*(user[:size] for size in range(len(user))), user + b"x", user + user, b"\0" * 5000, b"x" * 5000):
        state = read(UNIT, packed(root + half), ModelCheck())
        assert state.unseen
        assert (state.release, state.user, state.settings.real, state.way.folders) == (MADE, "agent", "", ())
    assert read(UNIT, packed(root + user), ModelCheck()).unseen == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"settings.size": "many"}, {"settings.changed": "soon"}, {"folder+": row("x | drwx | /")},
        {"folder+": "one column"}, {"settings.links": "9" * 30}, {"layer1.path": "/etc/claude-code/managed.json"},
        {"user": "root"}, {"release.result": "done"}, {"next_start.argv+": row("model | x")},
    ],
    ids=str,
)  # fmt: skip
def test_what_the_user_says_that_makes_no_sense_is_not_known(fields: Values) -> None:
    state = look(user=fields)
    assert state.unseen
    assert (state.user, state.settings.text) == ("agent", None)


def test_a_manifest_that_cannot_be_read_leaves_the_host_usable() -> None:
    """The id comes from elsewhere, and so does what there was before."""
    older = replace(MADE, id="20261123-120000-aaaa", desired=Desired("claude-x", 4096, 4096, "20261123-120000-aaaa"))
    for text in ("", "{", "[]", MADE.to_json()[:40]):
        fields = {"release.id": ID, "release.manifest.json": text, "release.previous": older.to_json(), "whole+": ID}
        state = look(fields)
        assert state.damage.startswith(f"/var/lib/jada/releases/{ID}/manifest.json: the manifest ")
        assert state.release
        assert (state.release.id, state.release.change, state.release.before) == (ID, ID, older.desired)
        assert state.whole == {ID}
    with pytest.raises(LookError, match="/var/lib/jada/current does not hold the id of a release; put"):
        look({"release.id": "../x", "release.manifest.json": ""})
    assert look({"release.id": ID, "release.manifest.json": MADE.to_json()}).damage == ""


def test_an_older_manifest_that_cannot_be_read_is_named_by_its_path() -> None:
    state = look({"history1.id": ID, "history1.manifest": "", "history2.manifest": MADE.to_json()})
    assert [past.release for past in state.history] == [MADE]
    assert state.unread[0].startswith(f"/var/lib/jada/releases/{ID}/manifest.json: the manifest is not JSON")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"now 1\nx\n", "now comes too often"),
        (b"new 1\nx\n", "new is no field of a look"),
        (b"settings.real 1\n/\n", r"settings\.real is no field of a look"),
        (b"whole 1\n/\n", r"whole is no field of a look"),
        (b"user=root\n", "no value begins"),
        (b"held 9999\nx\n", "cut off in the middle of held"),
        (b"held 99999999\nx\n", "longer than any value"),
        (b"layer10000.path 1\n/\n", r"layer10000\.path is no field"),
    ],
)
def test_what_no_look_says_is_refused(frame: bytes, why: str) -> None:
    with pytest.raises(LookError, match=why):
        read(UNIT, packed(frames(OF_ROOT).replace(b"end 2", frame + b"end 2") + frames(OF_USER)), ModelCheck())


@pytest.mark.parametrize(
    "name", ["user", "uid", "home", "unit.sets+", "release.result", "next_start.argv+", "report.masked"]
)
def test_the_services_user_does_not_speak_for_root(name: str) -> None:
    assert "is no field of a look" in look(user={name: "x"}).unseen
    managed = look(user={"layer1.path": "/etc/claude-code/managed-settings.json"})
    assert "speaks for the administrator" in managed.unseen
    assert managed.layers == ()


def test_a_value_is_one_value_whatever_is_in_it() -> None:
    nasty = "x\nend 2\nok\nuser 4\nroot\n"
    state = look(user={"settings.real": nasty, "agent+": row("/a.md | one | m")}, root={"running.cwd": nasty})
    assert (state.user, state.settings.real) == ("agent", nasty)
    assert state.process is not None
    assert state.process.spec.cwd == nasty


def test_a_look_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = packed(b"\0" * (frames_module.MOST_UNPACKED + 1))
    with pytest.raises(LookError, match="unpacked, it is longer"):
        read(UNIT, bomb, ModelCheck())
    monkeypatch.setattr(frames_module, "MOST_PACKED", 10)
    with pytest.raises(LookError, match="longer than the 10 bytes"):
        look()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("now", "nan"), ("now", "inf"), ("now", "x"), ("now", "9" * 40), ("process.ticks", "inf"), ("uptime", "-1"),
        ("process.ticks", "9" * 30), ("process.ticks", str(2**62)), ("process.soft", "-1"), ("uid", "1e3"),
        ("uid", "\u0661"), ("hard_pid1", "9" * 5000), ("session+", row("1 | inf | 0 | bob | m")),
        ("session+", row("-1 | 1 | 0 | bob | m")), ("session+", row("1 | 1 | 0 | m")), ("hard_pid1", " 5"),
        ("hard_login", "1_0"), ("unit.sets+", row("a | b")),
        ("release.manifest.json", "[" * 100000), ("release.manifest.json", "[]"),
    ],
)  # fmt: skip
def test_nonsense_is_no_look(name: str, text: str) -> None:
    with pytest.raises(LookError):
        look({name: text})


def test_too_many_values_of_a_field_are_told_and_the_look_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's user makes them; a host that can't be looked at has no way back."""
    monkeypatch.setattr(frames_module, "MOST_VALUES", 3)
    options = tuple(row(f"model | {number}") for number in range(9))
    agents = tuple(row(f"/{number}.md | one | m") for number in range(9))
    state = look({"running.argv+": options, "over+": tuple("abcde")}, {"agent+": agents})
    assert len(state.agents) == 3
    assert state.unread == ("a", "b", "c", "running.argv: more than 3", "over: more than 3", "agent: more than 3")


def test_one_release_of_the_history_that_cannot_be_read_leaves_the_others() -> None:
    state = look({"history1.manifest": "{", "history2.manifest": '"x"', "history10.result": "done"})
    assert state.history == ()
    assert len(state.unread) == 2


def test_what_was_not_read_is_one_line_of_bounded_length() -> None:
    state = look({"over+": ("a\nb", "x" * 5000, "same")}, {"over+": "same"}).unread
    assert state[0] == "a\\nb"
    assert [len(text) for text in state] == [4, TEXT, 4]


def test_a_clock_that_was_set_back_is_no_reason_not_to_look() -> None:
    state = look({"now": "50.0", "session+": row("78 | 8000 | 0 | ann | ")})
    assert state.process is not None
    assert (state.process.started, state.sessions[0].started) == (0.0, 0.0)


def test_times_are_from_the_kernels_clock() -> None:
    state = look()
    assert state.process is not None
    assert state.process.started == 5000.0 - (1000.0 - 900.0)


def test_a_process_is_left_where_it_began_before_the_service_stood_still() -> None:
    """In the very tick of the kernel's clock, it may be either."""
    seen = {"unit.InactiveEnterTimestampMonotonic": "10005000", "process.pid": "7", "process.ticks": "1001"}
    rows = (row("7 | 1001 | 1024 | 0"), row("8 | 1000 | unlimited | 1"), row("9 | 999 | 4096 | 0"))
    process = look({**seen, "member+": rows}).process
    assert process
    assert [(member.pid, member.is_left, member.is_cli) for member in process.members] == [
        (7, False, False),
        (8, False, True),
        (9, True, False),
    ]
    assert [member.pid for member in process.left] == [9]
    assert [member.soft for member in process.present] == [1024, NO_LIMIT]
    assert process.began == process.members[1].started
    never = look({**seen, "unit.InactiveEnterTimestampMonotonic": "0", "member+": rows}).process
    assert never
    assert never.left == ()


def test_a_fresh_start_has_the_last_value_and_where_it_is_set() -> None:
    drop_in = "/etc/systemd/system/jada-agent.service.d/60-x.conf"
    rows = ("Environment= | ANTHROPIC_MODEL | a", "Environment= | HOME | /x", "/etc/default/x | HOME | /y")
    state = look(
        {"unit.sets+": row(f"{drop_in} | ANTHROPIC_MODEL | a"), "next_start.env+": tuple(row(text) for text in rows)}
    ).next_start
    assert state.env == {"ANTHROPIC_MODEL": "a", "HOME": "/y"}
    assert state.where == {"ANTHROPIC_MODEL": f"Environment= of {drop_in}", "HOME": "/etc/default/x"}


def test_a_reload_takes_up_what_systemd_has_not_read() -> None:
    ours, theirs, fragment = "/etc/a.d/50-jada.conf", "/etc/a.d/60-x.conf", "/etc/a.service"
    fields: Values = {
        "unit.FragmentPath": fragment,
        "unit.DropInPaths": ours,
        "next_start.env+": tuple(
            row(text)
            for text in (
                "systemctl show-environment | HOME | /s",
                "Environment= | HOME | /u",
                "/etc/e | ANTHROPIC_MODEL | e",
            )
        ),
    }
    read_already = (row(f"{fragment} | HOME | /u"), row(f"{ours} | LimitNOFILE | 5"))
    assert look({**fields, "unit.sets+": read_already}).reloaded is None
    anew = look({**fields, "unit.sets+": (*read_already, row(f"{theirs} | HOME | /x"))})
    assert anew.next_start.env == {"HOME": "/u", "ANTHROPIC_MODEL": "e"}
    assert anew.reloaded is not None
    assert anew.reloaded.env == {"HOME": "/x", "ANTHROPIC_MODEL": "e"}
    assert anew.reloaded.where == {"HOME": f"Environment= of {theirs}", "ANTHROPIC_MODEL": "/etc/e"}
    # One that takes all before it back, one with a specifier, one of which an EnvironmentFile has the last word.
    lines = (f"{theirs} | Environment | ", f"{theirs} | ANTHROPIC_MODEL | x", f"{theirs} | CLAUDE_CONFIG_DIR | %h/c")
    again = look({**fields, "unit.sets+": (*read_already, *map(row, lines))}).reloaded
    assert again is not None
    assert again.env == {"HOME": "/s", "ANTHROPIC_MODEL": "e"}


@pytest.mark.parametrize(
    ("unset", "expected"),
    [
        (("HOME", "ANTHROPIC_MODEL"), {}),
        (("ANTHROPIC_MODEL=a",), {}),
        (("ANTHROPIC_MODEL=b",), {"ANTHROPIC_MODEL": "a"}),
    ],
)
def test_unset_environment_takes_back(unset: tuple[str, ...], expected: dict[str, str]) -> None:
    rows = row("Environment= | ANTHROPIC_MODEL | a")
    assert look({"next_start.env+": rows, "next_start.unset+": unset}).next_start.env == expected


def test_a_file_of_variables_that_is_not_roots_stands_where_systemd_reads_it() -> None:
    theirs = row("/home/agent/env | HOME | /theirs")
    root: Values = {
        "next_start.env+": (row("/etc/a | HOME | /a"), "/home/agent/env\n\n", row("/etc/b | ANTHROPIC_MODEL | b"))
    }
    assert look(root, {"next_start.env+": theirs}).next_start.env == {"HOME": "/theirs", "ANTHROPIC_MODEL": "b"}
    # One that no unit names does not count.
    assert look({}, {"next_start.env+": theirs}).next_start.env == {}


WRAPPED: Values = {"running.wrapped": "yes", "running.env.HOME": "/home/agent"}


@pytest.mark.parametrize(
    ("fields", "again"),
    [
        ({}, None),
        (WRAPPED, {"ANTHROPIC_MODEL": "unit"}),
        ({**WRAPPED, "running.env.ANTHROPIC_MODEL": "unit"}, {"ANTHROPIC_MODEL": "unit"}),
        ({**WRAPPED, "running.env.ANTHROPIC_MODEL": "own"}, {"ANTHROPIC_MODEL": "own"}),
        ({**WRAPPED, "running.env.HOME": "/srv"}, {"ANTHROPIC_MODEL": "unit", "HOME": "/srv"}),
        # Another process than the main one: what that had and this has not was taken away.
        (
            {"speaker.pid": "301", "speaker.ticks": "90100", "running.env.HOME": "/home/agent"},
            {"ANTHROPIC_MODEL": "unit"},
        ),
        (
            {"speaker.pid": "301", "speaker.ticks": "90100", "main.env.ANTHROPIC_MODEL": "unit"},
            {},
        ),
    ],
)
def test_what_stands_between_systemd_and_the_process_does_it_again(
    fields: Values, again: dict[str, str] | None
) -> None:
    process = look({"next_start.env+": row("Environment= | ANTHROPIC_MODEL | unit"), **fields}).process
    assert process is not None
    assert (process.respawn.env if process.respawn else None) == again


def test_files_of_a_unit_are_read_in_the_order_of_their_names() -> None:
    rows = ("/etc/a.d/90.conf", "/run/service.d/10.conf", "/etc/a.service", "/etc/a.d/20.conf")
    sets = tuple(row(f"{path} | LimitNOFILE | 1") for path in rows)
    unit = look({"unit.sets+": sets, "unit.FragmentPath": "/etc/a.service"}).unit
    assert [file.path for file in unit.settings] == [rows[2], rows[1], rows[3], rows[0]]


def test_a_unit_that_is_none_has_no_user() -> None:
    fields_of_root = {
        name: text for name, text in OF_ROOT.items() if name not in ("user", "uid", "gid", "home", "home.real")
    }
    error = 'org.freedesktop.systemd1.UnitMasked "Unit a.service is masked."'
    data = frames({**fields_of_root, "unit.LoadState": "masked", "unit.LoadError": error}) + frames({})
    state = read(UNIT, packed(data), ModelCheck())
    assert (state.user, state.home, state.unit.load, state.unit.error) == (
        "",
        "",
        "masked",
        "Unit a.service is masked.",
    )
    with pytest.raises(LookError, match="systemctl tells nothing"):
        read(UNIT, packed(frames({**fields_of_root, "unit.LoadState": "loaded"}) + frames({})), ModelCheck())


def test_what_the_unit_only_hints_at_is_taken_from_the_process() -> None:
    hint: Values = {"next_start.argv+": "model\n$MODEL", "running.argv+": ("model\nclaude-x", f"settings\n{INLINE}")}
    assert look(hint).next_start.argv == {"model": "claude-x", "settings": INLINE}
    assert look({"next_start.argv+": "model\n$MODEL"}).next_start.argv == {}


@pytest.mark.parametrize(
    ("device", "tty"), [("34816", "pts/0"), ("34819", "pts/3"), ("35072", "pts/256"), ("1025", "tty1"), ("0", "")]
)
def test_open_sessions(device: str, tty: str) -> None:
    rows: tuple[str, ...] = (row(f"77 | 95000 | {device} | bob | claude-x"), row("78 | 95000 | 0 | ann | "))
    assert look({"session+": rows}).sessions == (
        OpenSession(77, 4950.0, 95000, tty, "bob", "claude-x"),
        OpenSession(78, 4950.0, 95000, "", "ann", ""),
    )


def test_what_a_probe_answers() -> None:
    def asked(answer: str) -> ModelReport:
        return look({"report.masked": f'{answer}"', "report.size": str(len(answer.encode()))}).report

    assert asked('{"model": "m"}') == ModelReport(by="command", model="m")
    assert look({"report.code": "3"}).report == ModelReport(by="command", error="exit code 3")
    assert look({"report.code": "long"}).report == ModelReport(by="command", error="an answer of more than 64 KB")
    for nonsense in ('{"model": "\\ud800"}', '{"model": "a\\nb"}', "[" * 50000, "9" * 5000, "{", '{"model": ["m"]}'):
        assert asked(nonsense).model == ""


@pytest.mark.parametrize(
    ("code", "http", "expected"),
    [
        ("7", "000", "nothing accepts connections there"),
        ("22", "503", "it answered HTTP 503"),
        ("99", "000", "curl ended with 99"),
        ("127", "", "curl is not installed there"),
    ],
)
def test_why_there_was_no_answer(code: str, http: str, expected: str) -> None:
    assert look({"report.code": code, "report.http": http}, check=ModelCheck(url="http://x/")).report.error == expected


def test_a_login_that_is_refused_says_why() -> None:
    assert look({"login.nofile": "512", "login.env.ANTHROPIC_MODEL": "x"}).login.env == {"ANTHROPIC_MODEL": "x"}
    assert look({"login.error": "su: Permission denied"}).login.error == "su: Permission denied"


@pytest.mark.parametrize("output", ["x", "", "-1", "9" * 30, "4096Killed"])
def test_a_users_shell_that_says_no_number_hides_nothing_else(output: str) -> None:
    state = look({"login.nofile": output})
    assert state.login.error == "it gave no answer that could be read"
    assert not state.unseen


@pytest.mark.parametrize(
    ("reported", "asked_for", "other"),
    [
        (ONE, ONE, ""), (OTHER, ONE, OTHER), ("", ONE, ""), (OTHER, "", ""),
        ("iid-datasource-none", ONE, ""), ("i-0", ONE, ""), (f"{OTHER}; x", ONE, ""), (OTHER.upper(), ONE, ""),
    ],
)  # fmt: skip
def test_only_an_id_that_is_clearly_anothers_makes_a_machine_another_one(
    reported: str, asked_for: str, other: str
) -> None:
    assert look({"instance": reported} if reported else {}).other_than(asked_for) == other
