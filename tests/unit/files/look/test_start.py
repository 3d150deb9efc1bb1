"""The start that systemd would give a service now (files/look/start.sh, owner.sh)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree


# Nothing of these is there.
PLACES = {"DROPIN": "/none", "LIMITS": "/none", "MANAGED": "/none", "home": "", "uid": ""}


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("A=1 B=2", ["A=1", "B=2"]),
        ('"A=two words" B=2', ["A=two words", "B=2"]),
        (r'"A=a \"quote\" and \\ and \$" B', ['A=a "quote" and \\ and $', "B"]),
        ("  A=1   B=2 ", ["A=1", "B=2"]),
        ('"never closed', ["never closed"]),
    ],
)
def test_a_list_of_systemctl_in_words(tree: Tree, text: str, words: list[str]) -> None:
    assert lines(tree.run('unquote "$LIST"; printf "%s\\n" "$words"', LIST=text)) == words


def test_what_is_on_the_units_command_lines(tree: Tree) -> None:
    command = "{ path=/x ; argv[]=/x %s ; ignore_errors=no ; start_time=[n/a] }"
    commands = "\n".join(
        command % text
        for text in (
            "--model m --agent=a",
            "--model $MODEL",
            "--settings s.json",
            '--settings {"model":"m"}',
            "--other * x",
        )
    )
    values = tree.frames('next_command_lines; say over+ "$named"', commands=commands, start="/srv", named="")
    assert values == [
        ("next_start.argv+", "model\nm"),
        ("next_start.argv+", "agent\na"),
        ("next_start.argv+", "model\n$MODEL"),
        ("next_start.argv+", "settings\ns.json"),
        ("over+", "\n/srv/s.json"),
    ]


PROMPT = "Be nice. --model x"


@pytest.mark.parametrize(
    ("runs", "options"),
    [
        # What runs has its words apart.
        (["/x", "--system-prompt", PROMPT, "--model", "m"], ["model\nm"]),
        (["/bin/sh", "/x", "--system-prompt", PROMPT, "--model", "m"], ["model\nm"]),
        # Else nothing tells where the prompt ends.
        (["/x", "--model", "other"], []),
        ([], []),
    ],
)
def test_the_words_of_a_prompt_on_the_units_command_line_are_no_options(
    tree: Tree, runs: list[str], options: list[str]
) -> None:
    commands = f"{{ path=/x ; argv[]=/x --system-prompt {PROMPT} --model m ; ignore_errors=no ; start_time=[n/a] }}"
    words = "".join(f"{word}\x1e" for word in runs)
    values = tree.frames("next_command_lines", commands=commands, start="/srv", named="", of_main=words)
    assert [value for _, value in values] == options


def test_the_environment_of_a_start_weakest_first(tree: Tree) -> None:
    tree.file("/proc/1/environ", "ANTHROPIC_MODEL=passed\0TOKEN=secret\0")
    values = tree.frames(
        "next_environment",
        manager_environment="LANG=C HOME=/m",
        passed="TOKEN ANTHROPIC_MODEL",
        environment='"ANTHROPIC_MODEL=unit" TOKEN=secret',
        unset="HOME TOKEN ANTHROPIC_MODEL=x",
        configs="",
    )
    assert values == [
        ("next_start.env+", "systemctl show-environment\nHOME\n/m"),
        ("next_start.env+", "PassEnvironment=\nANTHROPIC_MODEL\npassed"),
        ("next_start.env+", "Environment=\nANTHROPIC_MODEL\nunit"),
        ("next_start.unset+", "HOME"),
        ("next_start.unset+", "ANTHROPIC_MODEL=x"),
    ]


def test_environment_files_may_be_patterns_and_may_be_missing(tree: Tree) -> None:
    for name in ("a.env", "b.env", "other"):
        tree.file(f"/etc/{name}")
    etc = tree.root / "etc"
    environment_files = f"{etc}/*.env (ignore_errors=no)\n{etc}/x (ignore_errors=yes)\n{etc}/y (ignore_errors=no)"
    values = tree.frames(
        'list_environment_files; say over+ "$environments"', environment_files=environment_files, pid="1"
    )
    assert values == [
        ("unit.lacks+", f"EnvironmentFile\n{etc}/y"),
        ("over+", f"\n{etc}/a.env\n{etc}/b.env"),
    ]


def test_what_a_start_lacks_is_looked_for_where_the_process_sees_it(tree: Tree) -> None:
    tree.file("/proc/1/root/srv/there")
    values = {"own_root": "", "pid": "1", "may_lack_start": "", "program": "/srv/gone"}
    fields = tree.frames("next_start_lacks", **values, start="/srv/nowhere")
    assert fields == [("unit.lacks+", "WorkingDirectory\n/srv/nowhere"), ("unit.lacks+", "ExecStart\n/srv/gone")]
    assert tree.frames("next_start_lacks", **{**values, "program": "/srv/there"}, start="/srv") == []
    assert tree.frames("next_start_lacks", **{**values, "own_root": "/image"}, start="/srv/nowhere") == []
    # Of what is in a folder that is not there, nothing is known.
    assert tree.frames("next_start_lacks", **{**values, "program": ""}, start="/no/where") == []


def test_the_administrators_settings(tree: Tree) -> None:
    etc = tree.file("/etc/claude-code/managed-settings.json").parent
    tree.file("/etc/claude-code/managed-settings.d/b.json")
    tree.file("/etc/claude-code/managed-settings.d/a.json")
    tree.file("/etc/claude-code/managed-settings.d/note.txt")
    output = tree.run('list_managed >/dev/null; printf "%s" "$managed"', MANAGED=str(etc))
    names = ("managed-settings.json", "managed-settings.d/a.json", "managed-settings.d/b.json")
    assert lines(output) == [f"{etc}/{name}" for name in names]
    assert tree.run('list_managed; printf "%s." "$managed"', MANAGED=str(etc / "none")) == "."


def test_of_drop_ins_with_one_name_that_of_the_first_folder_counts(tree: Tree) -> None:
    etc, run = tree.root / "etc", tree.root / "run"
    for path in ("etc/a-b.service", "etc/a-b.service.d/10.conf", "run/a-b.service.d/10.conf", "run/a-.service.d/5.conf",
                 "run/service.d/7.conf", "etc/a-b.service.d/not.txt"):  # fmt: skip
        tree.file(path)
    (etc / "a-b.service.d/20.conf").symlink_to("/dev/null")
    tree.file("run/a-b.service.d/20.conf")
    output = tree.run(
        'list_unit_files; printf "%s" "$unit_files"',
        UNIT="a-b.service",
        fragment=str(etc / "a-b.service"),
        unit_names="a-b.service",
        unit_path=f"{etc} {run}",
        dropins="",
    )
    assert lines(output) == [
        str(etc / "a-b.service"),
        str(etc / "a-b.service.d/10.conf"),
        str(run / "a-.service.d/5.conf"),
        str(run / "service.d/7.conf"),
    ]


def test_an_instance_has_the_drop_ins_of_its_template(tree: Tree) -> None:
    for path in ("etc/a@one.service.d/1.conf", "etc/a@.service.d/2.conf", "etc/a@two.service.d/3.conf"):
        tree.file(path)
    values = {"UNIT": "a@one.service", "unit_names": "a@one.service", "unit_path": str(tree.root / "etc")}
    output = tree.run('list_unit_files; printf "%s" "$unit_files"', fragment="", dropins="", **values)
    assert [line.rpartition("/")[2] for line in lines(output)] == ["1.conf", "2.conf"]


def test_the_way_to_a_file_has_every_link_in_it(tree: Tree) -> None:
    tree.file("/real/file")
    (tree.root / "link").symlink_to("real")
    (tree.root / "loop").symlink_to("loop")
    (tree.root / "odd").symlink_to("a\nb")
    walked = 'walk "$AT" && printf "%s\\n" $steps'
    ways = [
        line.removeprefix(str(tree.root)) for line in lines(tree.run(walked, AT=f"{tree.root}/link/../link//./file"))
    ]
    assert [way for way in ways if way.startswith(("/link", "/real"))] == [
        "/link",
        "/real",
        "/link",
        "/real",
        "/real/file",
    ]
    for name in ("loop", "odd"):
        assert tree.run(walked, AT=f"{tree.root}/{name}") == ""


def test_root_reads_no_file_that_others_can_change(tree: Tree) -> None:
    """The folder of the tests is root's or another's: then nothing in it is root's own."""
    file = tree.file("/file")
    file.chmod(0o666)
    assert tree.run(f'stat_files {file} >/dev/null; printf "%s" "$owned"', **PLACES) == ""
    assert tree.run('stat_files /etc/passwd >/dev/null; printf "%s" $owned', **PLACES) == "/etc/passwd"


def test_the_clock_is_told_with_the_owners(tree: Tree) -> None:
    before = time.time()
    said = dict(tree.frames("stat_files", **{**PLACES, "LIMITS": "/etc/passwd", "MANAGED": str(tree.root)}))
    # The kernel's clock for files goes by ticks, the longest of which are 10 ms.
    assert before - 0.01 <= float(said.pop("now")) <= time.time()
    changed = tree.root.stat().st_ctime_ns
    assert said == {
        "limits.owner": "0:0", "limits.mode": "644", "managed.changed+": f"{changed // 10**9}.{changed % 10**9:09}",
    }  # fmt: skip


def test_both_managed_folders_say_when_they_changed(tree: Tree) -> None:
    folder = tree.root / "managed-settings.d"
    folder.mkdir()
    values = {**PLACES, "MANAGED": str(tree.root)}
    # Once each, also where a file in them is on its way.
    said = tree.frames(f"stat_files {tree.file('managed-settings.d/a.json')}", **values)
    told = sorted(value.replace(".", "") for name, value in said if name == "managed.changed+")
    assert told == sorted(str(path.stat().st_ctime_ns) for path in (tree.root, folder))


def test_a_home_is_where_roots_own_links_lead_and_no_others(tree: Tree) -> None:
    """Root itself works in a home, where the file or its folder is root's."""

    def real(home: str) -> str:
        return dict(tree.frames("stat_files", **{**PLACES, "home": home, "uid": "1000"}))["home.real"]

    open_folder = tree.root / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    (open_folder / "agent").symlink_to("/etc")
    assert real(f"{open_folder}/agent") == f"{open_folder}/agent"
    assert real("/proc/self/../../etc") == "/etc"
    assert real("/etc") == "/etc"
    assert real("/") == "/"


UNIT = """[Unit]
Description=LimitNOFILE=1
[Service]
LimitNOFILE = 4096
# Environment=ANTHROPIC_MODEL=comment
Environment="ANTHROPIC_MODEL=two words" HOME=/h \\
  CLAUDE_CONFIG_DIR=/c 'NOTE=use ANTHROPIC_MODEL=x here'
Environment=
[Install]
LimitNOFILE=2
"""


def test_the_kernel_and_the_units_files_in_one_go(tree: Tree) -> None:
    tree.file("/proc/uptime", "1000.5 9\n")
    tree.file("/proc/sys/kernel/random/boot_id", "boot\n")
    tree.file("/proc/sys/fs/nr_open", "1048576\n")
    tree.file("/proc/1/status", "Name:\tsystemd\nCapEff:\t000001ffffffffff\n")
    limits = "Limit  Soft  Hard  Units\nMax open files            1024                 524288               files\n"
    tree.file("/proc/1/limits", limits)
    tree.file("/proc/7/limits", limits.replace("1024", "4096"))
    tree.file("/proc/7/stat", f"7 (a) b) S {' '.join(map(str, range(4, 53)))}\n")
    tree.file("/proc/8/stat", f"8 (c) S {' '.join(map(str, range(5, 54)))}\n")
    tree.file("/etc/environment", '# x\nexport ANTHROPIC_MODEL="m" # why\nTOKEN=secret\n')
    unit = tree.file("/etc/a.service", UNIT)
    variables = {"files_to_say": "", "CHECK_URL": "", "uid": ""}
    values = tree.frames("kernel_files_and_report", pid="7", speaker="8", units=f"\n{unit}", **variables)
    about = {name: value for name, value in values if not name.endswith("+")}
    assert about == {
        "uptime": "1000.5", "boot": "boot", "nr_open": "1048576", "can_raise": "1", "hard_pid1": "524288",
        "process.soft": "4096", "process.hard": "524288", "process.ticks": "22", "speaker.ticks": "23",
        "login.env.ANTHROPIC_MODEL": "m",
    }  # fmt: skip
    sets = [value.removeprefix(f"{unit}\n").replace("\n", " | ") for name, value in values if name == "unit.sets+"]
    assert sets == [
        "LimitNOFILE | 4096", "ANTHROPIC_MODEL | two words", "HOME | /h", "CLAUDE_CONFIG_DIR | /c", "Environment | ",
    ]  # fmt: skip
