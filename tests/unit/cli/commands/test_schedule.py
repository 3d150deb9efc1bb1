"""Checks that run by themselves: what systemd, cron and GitHub are told, read back by tools that are not ours."""

from __future__ import annotations

import configparser
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from cronsim import CronSim

import jada
from jada import ConfigError, Exit, JadaError
from jada.cli import main
from jada.cli.commands import schedule
from jada.cli.commands.drift import drift
from jada.cli.commands.guard import guard
from jada.cli.commands.schedule import Job
from jada.cli.ui.duration import parse_duration

# Characters that a path may hold and a shell, cron or systemd would take for its own.
NASTY = "/srv/a b/$HOME/100%/'quoted' \"twice\"\\x"
JOB = Job(("/opt/jada", "drift", "--fleet", NASTY), "deploy", Path("/home/deploy"), (Path("/srv/50%"),))


@pytest.mark.parametrize(("every", "seconds"), [("1m", 60), ("15m", 900), ("90m", 5400), ("6h", 21600), ("1d", 86400)])
def test_a_span_is_minutes_hours_or_days(every: str, seconds: int) -> None:
    assert parse_duration(every) == seconds


@pytest.mark.parametrize("every", ["", "0m", "15", "15s", "-1h", "1w", "1h30m", "x"])
def test_a_span_is_nothing_else(every: str) -> None:
    result = CliRunner().invoke(schedule.schedule, ["--every", every, "--print", "cron"])
    assert result.exit_code == 2
    assert "such as 15m, 6h or 7d" in result.output


@pytest.mark.parametrize("every", ["1m", "10m", "15m", "30m", "60m", "1h", "6h", "12h", "24h", "1d"])
def test_cron_runs_it_just_as_often(every: str) -> None:
    times = CronSim(schedule.cron_time(parse_duration(every), every), datetime(2026, 11, 24, 12, 7, tzinfo=UTC))
    runs = [next(times) for _ in range(30)]
    assert {(after - before).total_seconds() for before, after in pairwise(runs)} == {parse_duration(every)}


@pytest.mark.parametrize("every", ["7m", "45m", "90m", "5h", "2d"])
def test_what_cron_can_not_say_is_refused(every: str) -> None:
    with pytest.raises(ConfigError, match=f"cron can't run something every {every}"):
        schedule.cron_time(parse_duration(every), every)


def by_cron(line: str) -> str:
    """The command that cron hands to the shell: the sixth field, where only \\% is a %."""
    command = line.split(maxsplit=5)[5]
    assert "%" not in command.replace("\\%", "")
    return command.replace("\\%", "%")


@pytest.mark.parametrize(("code", "printed"), [(0, ""), (3, "said\nwarned\n")])
def test_a_line_for_cron_is_quiet_while_all_is_in_sync(tmp_path: Path, code: int, printed: str) -> None:
    tool = tmp_path / "it's 100% $HOME"
    tool.write_text(f'#!/bin/sh\necho said; echo warned >&2; test "$2" = 50% || echo "got $2"; exit {code}\n')
    tool.chmod(0o755)
    line = schedule.cron_line(900, "15m", (str(tool), "drift", "50%"))
    assert line.startswith("*/15 * * * * ")
    done = subprocess.run(["sh", "-c", by_cron(line)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (printed, "")


def unit(text: str) -> dict[str, str]:
    read = configparser.RawConfigParser(strict=False)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read_string(text)
    return {key: value for section in read.sections() for key, value in read[section].items()}


def test_a_unit_runs_the_command_as_its_user_and_writes_only_what_it_has_to() -> None:
    texts = schedule.units(JOB, 900, "15m")
    assert set(texts) == {"jada-drift.service", "jada-drift.timer"}
    assert "{{" not in "".join(texts.values())
    service = unit(texts["jada-drift.service"])
    assert service["User"] == "deploy"
    assert service["ExecStart"].startswith(':"/opt/jada" "drift" "--fleet" "/srv/a b/$HOME/100%%/')
    assert service["ReadWritePaths"] == '"-/home/deploy/.local/state/jada" "-/srv/50%%"'
    assert (service["ProtectSystem"], service["ProtectHome"], service["NoNewPrivileges"]) == (
        "strict", "read-only", "yes"
    )  # fmt: skip
    assert unit(texts["jada-drift.timer"])["OnUnitActiveSec"] == "900s"


FLEET = "fleet: f\nsources: [{static: {hosts: {a: {address: b}}}}]\nroles: {r: {}}\n"


def printed(tmp_path: Path, *argv: str, ssh: str = "{}") -> str:
    file = tmp_path / "fleet.yml"
    file.write_text(f"{FLEET}ssh: {ssh}\n")
    result = CliRunner().invoke(schedule.schedule, ["--fleet", str(file), *argv], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.output


def test_options_of_drift_are_handed_on_with_paths_that_hold_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--limit", "web-*", "--json", "--prometheus", "jada.prom"]
    line = printed(tmp_path, "--every", "1h", "--print", "cron", "--", *options)
    words = shlex.split(by_cron(line).partition("$(")[2].partition(" 2>&1)")[0])
    assert words[1:4] == ["drift", "--fleet", str(tmp_path / "fleet.yml")]
    context = drift.make_context("drift", words[2:])
    assert {name: value for name, value in context.params.items() if value} == {
        "as_json": True,
        "prometheus": tmp_path / "jada.prom",
        "limit": "web-*",
        "fleet_file": str(tmp_path / "fleet.yml"),
    }


def test_known_hosts_of_whoever_called_sudo_can_be_written_when_hosts_are_trusted_the_first_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = pwd.getpwall()[1]
    monkeypatch.setenv("SUDO_USER", user.pw_name)
    monkeypatch.setenv("HOME", "/root")
    text = printed(tmp_path, "--every", "1h", "--print", "systemd", ssh="{host_keys: accept-new}")
    service = unit(text.partition("# /etc/systemd/system/jada-drift.timer")[0])
    assert service["User"] == user.pw_name
    assert f'"-{user.pw_dir}/.ssh"' in service["ReadWritePaths"]
    text = printed(tmp_path, "--every", "1h", "--print", "systemd")
    assert "/.ssh" not in text


def test_a_guard_runs_for_good_as_well_protected_as_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = printed(tmp_path, "--guard", "--print", "systemd", "--", "--limit", "web-*", "--json")
    assert text.startswith("# /etc/systemd/system/jada-guard.service\n")
    service = unit(text)
    words = shlex.split(service["ExecStart"].removeprefix(":"))
    assert words[1:4] == ["guard", "--fleet", str(tmp_path / "fleet.yml")]
    context = guard.make_context("guard", words[2:])
    assert {name: context.params[name] for name in ("lasts", "limit", "as_json", "role")} == {
        "lasts": 86400, "limit": "web-*", "as_json": True, "role": None,
    }  # fmt: skip
    assert (service["Restart"], service["StartLimitIntervalSec"]) == ("always", "0")
    check = unit(schedule.units(JOB, 900, "15m")["jada-drift.service"])
    protected = {
        key for key in check if key.startswith(("Protect", "Private", "Restrict", "NoNew", "ReadWrite", "Cap"))
    }
    assert len(protected) > 12
    assert {key: service[key] for key in protected - {"ReadWritePaths"}} == {
        key: check[key] for key in protected - {"ReadWritePaths"}
    }


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
@pytest.mark.parametrize("argv", [["--guard"], ["--every", "15m"]])
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path, argv: list[str]) -> None:
    text = printed(tmp_path, *argv, "--print", "systemd")
    files = []
    for part in re.split(r"^# /etc/systemd/system/", text, flags=re.MULTILINE)[1:]:
        name, _, content = part.partition("\n")
        files.append(tmp_path / name)
        # The command of whoever runs the tests need not be one that systemd finds.
        files[-1].write_text(re.sub(r"^ExecStart=.*$", "ExecStart=:/bin/true", content, flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    about = [line for line in done.stderr.splitlines() if "jada-" in line]
    assert (done.returncode, about) == (0, [])


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--guard", "--every", "1h"],
        ["--guard", "--print", "cron"],
        ["--guard", "--", "--for", "2h"],
        ["--guard", "--", "--fleet", "x"],
        ["--guard", "--", "--prometheus", "x"],
    ],
)
def test_a_guard_that_can_not_be_scheduled_so_is_refused(tmp_path: Path, argv: list[str]) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text(FLEET)
    assert main.run(["schedule", "--print", "systemd", "--fleet", str(file), *argv]) == Exit.USAGE


@pytest.mark.parametrize("options", [["--nope"], ["--since", "7d"], ["--explain", "J101"], ["--fleet", "x"], ["x"]])
def test_what_is_no_check_is_refused(tmp_path: Path, options: list[str]) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text(FLEET)
    argv = ["schedule", "--every", "1h", "--print", "cron", "--fleet", str(file), "--", *options]
    assert main.run(argv) == Exit.USAGE


def test_a_workflow_is_one_by_githubs_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = printed(tmp_path, "--every", "6h", "--print", "github", "--", "--junit", "drift.xml")
    file = tmp_path / "jada-drift.yml"
    file.write_text(text)
    done = subprocess.run(
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", file],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(Path(sys.executable).parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    read = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - safer than the safe one: all is text, `on` too
    assert read["on"]["schedule"] == [{"cron": "0 */6 * * *"}]
    commands = [step["run"].strip() for step in read["jobs"]["drift"]["steps"] if "run" in step]
    assert commands == [
        "uv sync --frozen --no-dev",
        commands[1],
        "uv run --frozen --no-sync jada drift --fleet fleet.yml --github --junit drift.xml --markdown "
        '"$GITHUB_STEP_SUMMARY"',
    ]


def test_a_workflow_has_a_summary_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text(FLEET)
    argv = ["--every", "1h", "--print", "github", "--fleet", str(file), "--", "--markdown", "x.md"]
    assert CliRunner().invoke(schedule.schedule, argv).exit_code == 2


def test_github_runs_nothing_every_minute() -> None:
    with pytest.raises(ConfigError, match="GitHub can't run something every 1m"):
        schedule.workflow(60, "1m", ("jada", "drift"))


def test_the_templates_are_installed_with_jada() -> None:
    files = Path(jada.__file__).parent / "files" / "units"
    names = {"jada-drift.service", "jada-drift.timer", "jada-drift.github.yml", "jada-guard.service", "protected.conf"}
    assert names <= {file.name for file in files.iterdir()}


def test_a_workflow_runs_nobodys_newer_code_and_may_do_no_more_than_it_has_to() -> None:
    text = schedule.workflow(3600, "1h", ("jada", "drift"))
    for line in text.splitlines():
        if "uses:" in line:
            assert re.fullmatch(r" +(- )?uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    assert "pip install" not in text
    read = yaml.safe_load(text)
    assert read["permissions"] == {}
    assert read["jobs"]["drift"]["permissions"] == {"contents": "read", "id-token": "write"}
    steps = read["jobs"]["drift"]["steps"]
    assert steps[0]["with"] == {"persist-credentials": False}
    assert ["JADA_WEBHOOK" in step.get("env", {}) for step in steps].count(True) == 1


@pytest.mark.parametrize("word", ["a\nb", "x\r", "\x1b[2J", "a\u2028b", "\x00"])
def test_a_word_that_would_be_another_line_is_refused(word: str) -> None:
    command = ("jada", "drift", "--limit", word)
    for make in (
        lambda: schedule.workflow(3600, "1h", command),
        lambda: schedule.cron_line(3600, "1h", command),
        lambda: schedule.units(Job(command, "deploy", Path("/home/deploy"), ()), 3600, "1h"),
        lambda: schedule.units(Job(("jada",), "deploy", Path("/home/deploy"), (Path(f"/srv/{word}"),)), 3600, "1h"),
    ):
        with pytest.raises(ConfigError, match="can't be put into a schedule"):
            make()


@pytest.mark.parametrize("user", ["a\nExecStartPre=/bin/sh", "%h", "", "a b"])
def test_a_user_that_would_be_another_line_of_a_unit_is_refused(user: str) -> None:
    with pytest.raises(ConfigError, match="can't run as"):
        schedule.units(Job(("jada",), user, Path("/home/a"), ()), 3600, "1h")


def test_a_placeholder_in_a_path_stays_what_it_is() -> None:
    job = Job(("/opt/jada", "{{ user }}", "{{ writes }}"), "deploy", Path("/home/deploy"), ())
    assert '"{{ user }}" "{{ writes }}"' in schedule.units(job, 900, "15m")["jada-drift.service"]


def test_whoever_called_sudo_and_is_nobody_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "no-such-user")
    (tmp_path / "fleet.yml").write_text(FLEET)
    argv = ["--every", "1h", "--print", "cron", "--fleet", str(tmp_path / "fleet.yml")]
    result = CliRunner().invoke(schedule.schedule, argv, standalone_mode=False)
    assert isinstance(result.exception, JadaError)
    assert "no user no-such-user" in result.exception.message


def test_root_gives_away_no_folder_that_the_user_puts_in_the_way() -> None:
    """Where the history is to be, a link leads to a folder of root's: the user can't write there, so nor does jada."""
    if os.geteuid() != 0:
        pytest.skip("only root has something to give away")
    user = pwd.getpwnam("nobody")
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        home, target = Path(open_to_all, "home"), Path(open_to_all, "roots")
        target.mkdir(mode=0o755)
        home.mkdir()
        os.chown(home, user.pw_uid, user.pw_gid)
        job = Job(("jada",), "nobody", home, ())
        schedule._make_history(job)
        status = job.history.stat()
        assert (status.st_uid, status.st_mode & 0o777) == (user.pw_uid, 0o700)
        job.history.rmdir()
        job.history.parent.rmdir()
        job.history.parent.symlink_to(target)
        with pytest.raises(JadaError, match="nobody can't make the folder"):
            schedule._make_history(job)
        assert (list(target.iterdir()), target.stat().st_uid) == ([], 0)
