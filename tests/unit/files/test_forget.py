"""files/forget.sh on a host whose folders are this test's: what goes, what stays, and what is refused."""

from __future__ import annotations

import fcntl
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from jada import Fence
from jada.tasks.forget import ForgetAnswer, ForgetRequest, Forgotten, forget_script, read_forgotten
from jada.tasks.frames import LookError

OURS = "# Written by jada; `jada rollback` takes it back.\n[Service]\n"


@dataclass(frozen=True)
class FakeHost:
    root: Path

    @property
    def home(self) -> Path:
        return self.root / "var/lib/jada"

    @property
    def units(self) -> Path:
        return self.root / "etc/systemd/system"

    @property
    def limits(self) -> Path:
        return self.root / "etc/security/limits.d/50-jada.conf"

    def forget(self, dry_run: bool = False, fence: Fence | None = None) -> ForgetAnswer:
        script = forget_script(ForgetRequest("jada-agent.service", "ann@ops", dry_run, fence))
        for path in ("/var/lib/jada", "/etc/systemd", "/etc/security", "/proc/self/mounts"):
            script = script.replace(path, f"{self.root}{path}")
        bin_first = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-s"], input=script, env=bin_first, capture_output=True, text=True, check=True)
        answer = read_forgotten(done.stdout.splitlines())
        strip = len(str(self.root))
        return ForgetAnswer(
            answer.result, tuple(path[strip:] for path in answer.traces), tuple(path[strip:] for path in answer.kept),
            answer.why.replace(str(self.root), ""),
        )  # fmt: skip

    def tree(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*"))


@pytest.fixture
def fresh(tmp_path: Path) -> FakeHost:
    """A host that jada has never changed."""
    host = FakeHost(tmp_path)
    for folder in (
        tmp_path / "proc/self",
        host.home.parent,
        host.units / "multi-user.target.wants",
        host.limits.parent,
        tmp_path / "bin",
    ):
        folder.mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text("/dev/vda1 / ext4 rw 0 0\n")
    for tool in ("systemctl", "logger", "sync"):
        (tmp_path / "bin" / tool).write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/bin/{tool}.log\n')
        (tmp_path / "bin" / tool).chmod(0o755)
        (tmp_path / "bin" / f"{tool}.log").touch()
    return host


def change(fresh: FakeHost) -> None:
    """Leaves there what releases of two services leave."""
    release = fresh.home / "releases/20261124-120000-aaaa"
    release.mkdir(parents=True)
    (release / "place").write_text("1000\n1000\nother@1.service\n\n/home/agent/.claude\nsettings.json\n")
    for name in ("lock", "held.lock", "fence", "fence.lock", "current"):
        (fresh.home / name).touch()
    for unit in ("jada-agent.service", "other@1.service"):
        (fresh.units / f"{unit}.d").mkdir()
        (fresh.units / f"{unit}.d/50-jada.conf").write_text(OURS)
    (fresh.units / "jada-agent.service.d/50-jada.conf.jada-new").touch()
    fresh.limits.write_text(OURS)
    (fresh.units / "jada-recover.service").write_text("# Written by jada: undoes a change\n")
    (fresh.units / "multi-user.target.wants/jada-recover.service").symlink_to("../jada-recover.service")


@pytest.fixture
def changed(fresh: FakeHost) -> FakeHost:
    change(fresh)
    return fresh


def test_nothing_is_left_and_all_that_goes_was_told_before(fresh: FakeHost) -> None:
    before = fresh.tree()
    change(fresh)
    told = fresh.forget(dry_run=True)
    assert told.result is Forgotten.FOUND
    assert fresh.tree() != before
    gone = fresh.forget()
    assert (gone.result, gone.traces) == (Forgotten.DONE, told.traces)
    assert fresh.tree() == before
    assert "daemon-reload" in (fresh.root / "bin/systemctl.log").read_text()
    assert fresh.forget() == ForgetAnswer(Forgotten.DONE)


def test_other_peoples_files_stay(changed: FakeHost) -> None:
    theirs = changed.units / "jada-agent.service.d/10-theirs.conf"
    theirs.write_text("[Service]\n")
    changed.limits.write_text("agent soft nofile 4096\n")
    answer = changed.forget()
    assert answer.kept == ("/etc/security/limits.d/50-jada.conf",)
    assert theirs.exists()
    assert changed.limits.exists()
    assert not (changed.units / "other@1.service.d").exists()


@pytest.mark.parametrize("place", ["../../../../tmp/x.service", "-rf.service", "a b.service", "x"])
def test_a_release_that_names_no_unit_leads_nowhere(changed: FakeHost, place: str) -> None:
    (changed.home / "releases/20261124-120000-aaaa/place").write_text(f"0\n0\n{place}\n")
    elsewhere = changed.root / "tmp/x.service.d"
    elsewhere.mkdir(parents=True)
    (elsewhere / "50-jada.conf").write_text(OURS)
    assert changed.forget().result is Forgotten.DONE
    assert (elsewhere / "50-jada.conf").exists()


def test_where_a_link_or_somebody_else_stands_nothing_is_touched(changed: FakeHost, tmp_path: Path) -> None:
    changed.home.rename(tmp_path / "elsewhere")
    changed.home.symlink_to(tmp_path / "elsewhere")
    before = changed.tree()
    assert changed.forget() == ForgetAnswer(Forgotten.REFUSED, why="/var/lib/jada is not a folder of root's")
    assert changed.tree() == before
    changed.home.unlink()
    changed.home.mkdir()
    os.chown(changed.home, 12345, 12345)
    assert changed.forget(dry_run=True).result is Forgotten.REFUSED


@pytest.mark.parametrize("place", ["", "/releases/x"])
def test_where_others_have_mounted_something_in_there_nothing_is_touched(changed: FakeHost, place: str) -> None:
    (changed.root / "proc/self/mounts").write_text(
        f"/dev/vda1 / ext4 rw 0 0\n/dev/vda1 {changed.home}{place} ext4 rw 0 0\n"
    )
    before = changed.tree()
    answer = changed.forget()
    assert (answer.result, answer.why) == (
        Forgotten.REFUSED, f"something is mounted at /var/lib/jada{place}",
    )  # fmt: skip
    assert changed.tree() == before


def test_a_link_in_the_place_of_a_file_is_not_followed_and_stays(changed: FakeHost, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text(OURS)
    changed.limits.unlink()
    changed.limits.symlink_to(target)
    assert changed.forget().kept == ("/etc/security/limits.d/50-jada.conf",)
    assert target.read_text() == OURS


@pytest.mark.parametrize(
    ("held", "result"),
    [
        ("0\nann@ops\n2026-11-25T10:00:00+00:00\n-\nwhy\n", Forgotten.LOCKED),
        ("99999999999\nann@ops\nthen\n-\nwhy\n", Forgotten.LOCKED),
        ("what is this", Forgotten.LOCKED),
        ("1000\nann@ops\nthen\n-\nit has ended\n", Forgotten.DONE),
    ],
)
def test_a_host_that_people_have_locked_is_left_alone(changed: FakeHost, held: str, result: Forgotten) -> None:
    (changed.home / "held").write_text(held)
    assert changed.forget().result is result
    assert changed.home.exists() == (result is Forgotten.LOCKED)


def test_a_host_that_is_being_changed_or_was_cut_off_is_left_alone(changed: FakeHost) -> None:
    (changed.home / "lock").write_text("bob@ops\nfor release r")
    with (changed.home / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = changed.forget()
    assert answer == ForgetAnswer(
        Forgotten.LOCKED, answer.traces, answer.kept, "being changed by bob@ops for release r"
    )
    (changed.home / "transaction").write_text("20261124-120000-aaaa\n")
    answer = changed.forget()
    assert answer.result is Forgotten.REFUSED
    assert "jada rollback" in answer.why
    assert changed.limits.exists()


def test_what_an_earlier_try_left_half_way_goes_too(fresh: FakeHost) -> None:
    left = fresh.home.with_name("jada.forgotten")
    (left / "releases").mkdir(parents=True)
    assert fresh.forget().traces == ("/var/lib/jada.forgotten",)
    assert not left.exists()


def fail(host: FakeHost, tool: str, words: str) -> None:
    """Has a tool of the host fail where its words match the shell's pattern, and else do as it does."""
    stub = host.root / "bin" / tool
    real = "exit 0" if tool == "systemctl" else f'exec /bin/{tool} "$@"'
    stub.write_text(f'#!/bin/sh\ncase "$*" in {words}) exit 1 ;; esac\n{real}\n')
    stub.chmod(0o755)


def test_a_file_that_cant_be_removed_is_told_with_what_is_gone_and_the_record_stays_for_another_try(
    changed: FakeHost,
) -> None:
    fail(changed, "rm", "*security*")
    answer = changed.forget()
    assert answer.result is Forgotten.FAILED
    assert answer.why == "/etc/security/limits.d/50-jada.conf can't be removed"
    assert "/etc/systemd/system/jada-agent.service.d/50-jada.conf" in answer.traces
    assert not {"/etc/security/limits.d/50-jada.conf", "/var/lib/jada"} & {*answer.traces}
    assert changed.home.is_dir()
    assert "daemon-reload" in (changed.root / "bin/systemctl.log").read_text()
    (changed.root / "bin/rm").unlink()
    assert changed.forget().result is Forgotten.DONE
    assert not changed.limits.exists()


@pytest.mark.parametrize(("tool", "words"), [("systemctl", "daemon-reload"), ("rm", "*jada.forgotten*"), ("mv", "*")])
def test_nothing_is_called_done_where_a_step_failed(changed: FakeHost, tool: str, words: str) -> None:
    changed.home.with_name("jada.forgotten").mkdir()
    fail(changed, tool, words)
    assert changed.forget().result is Forgotten.FAILED
    fail(changed, tool, "never")
    assert changed.forget().result is Forgotten.DONE


def test_a_lock_that_cant_be_opened_is_told(changed: FakeHost) -> None:
    (changed.home / "lock").unlink()
    (changed.home / "lock").mkdir()
    answer = changed.forget()
    assert (answer.result, answer.why) == (
        Forgotten.REFUSED, "/var/lib/jada can't be written: is the disk full or read-only?",
    )  # fmt: skip


@pytest.mark.parametrize("is_link", [True, False])
def test_a_folder_of_drop_ins_that_others_own_is_not_entered(changed: FakeHost, tmp_path: Path, is_link: bool) -> None:
    folder = changed.units / "other@1.service.d"
    if is_link:
        folder.rename(tmp_path / "theirs")
        folder.symlink_to(tmp_path / "theirs")
    else:
        os.chown(folder, 12345, 12345)
    before = changed.tree()
    answer = changed.forget()
    assert (answer.result, answer.why) == (
        Forgotten.REFUSED, "/etc/systemd/system/other@1.service.d is not a folder of root's",
    )  # fmt: skip
    assert changed.tree() == before


def test_a_change_that_begins_where_there_was_no_record_keeps_its_own(fresh: FakeHost) -> None:
    fresh.limits.write_text(OURS)
    (fresh.root / "bin/systemctl").write_text(f"#!/bin/sh\nmkdir {fresh.home}\n")
    assert fresh.forget().result is Forgotten.DONE
    assert fresh.home.is_dir()


def test_who_has_lost_the_rollout_lease_comes_too_late(changed: FakeHost) -> None:
    (changed.home / "fence").write_text("team 7 open bob@ops\n")
    answer = changed.forget(fence=Fence("team", 6))
    assert answer.result is Forgotten.LOCKED
    assert "bob@ops" in answer.why
    assert changed.limits.exists()
    assert changed.forget(dry_run=True, fence=Fence("team", 6)).result is Forgotten.FOUND
    assert changed.forget(fence=Fence("team", 8)).result is Forgotten.DONE


@pytest.mark.parametrize(
    "lines", [[], ["trace /a"], ["nonsense", "forgotten"], ["trace a", "forgotten"], ["forgotten", ""], ["x" * 9999]]
)
def test_what_is_no_answer_is_an_error(lines: list[str]) -> None:
    with pytest.raises(LookError):
        read_forgotten(lines)


def test_a_hostile_answer_is_cut_and_shown_as_one_line() -> None:
    answer = read_forgotten(["trace /a\x1b[2J" + "b" * 9999, "refused \x1b]0;x\x07" + "y" * 9999])
    assert answer.traces[0].isprintable()
    assert answer.why.isprintable()
    assert len(answer.traces[0]) < 5000
    assert len(answer.why) < 2000
