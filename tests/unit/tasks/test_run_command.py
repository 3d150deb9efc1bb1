"""Scripts as they go through Systems Manager, and what a host makes of them: the real wrapper, run here."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from jada.inventory.lab.ssm import DOCUMENT_ALONE, MOST_DOCUMENT
from jada.tasks import run_command
from jada.tasks.frames import LookError
from jada.tasks.run_command import (
    MOST_INSTANCES,
    MOST_TEXT,
    Batch,
    Call,
    Head,
    batches,
    command_text,
    lines_of,
    part_script,
    read_head,
    unpacked,
)
from jada.tasks.transaction import look_script
from tests.recorded import SERVICE

TOKEN = "0123456789abcdef" * 2
MINE, OTHER = "i-0123456789abcdef0", "i-0123456789abcdef1"


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that can't be packed, always the same."""
    return b"".join(sha256(f"{seed} {at}".encode()).digest() for at in range(0, size, 32))[:size]


def tokens() -> Iterator[str]:
    return (f"{number:032x}" for number in count())


def batched(*calls: Call) -> list[Batch]:
    return list(batches(calls, tokens().__next__))


def run(text: str, spools: Path, instance: str = MINE) -> str:
    """What a host says to a command whose spools are in a folder here."""
    assert "/run/jada-ssm" in text
    env = {"PATH": os.environ["PATH"], "AWS_SSM_INSTANCE_ID": instance}
    process = subprocess.run(
        ["sh", "-c", text.replace("/run/jada-ssm", str(spools))], capture_output=True, text=True, env=env, check=True
    )
    assert process.stderr == ""
    return process.stdout


def answer(text: str, spools: Path, instance: str = MINE, token: str = TOKEN) -> list[str]:
    head = read_head(run(text, spools, instance), token)
    return lines_of(unpacked(head, head.begun))


def test_each_host_runs_its_own_script_of_a_common_text(tmp_path: Path) -> None:
    strange = "echo 'of the other: \"ü\" \\ $HOME'"
    text = command_text([Call(MINE, "a=1\necho mine $a", 9), Call(OTHER, f"a=1\n{strange}", 9)], TOKEN)
    assert answer(text, tmp_path / "a") == ["mine 1"]
    assert answer(text, tmp_path / "b", OTHER) == ['of the other: "ü" \\ $HOME']


@pytest.mark.parametrize("instance", ["i-0123456789abcdef2", ""])
def test_a_host_that_is_not_meant_runs_nothing(tmp_path: Path, instance: str) -> None:
    text = command_text([Call(MINE, f"touch {tmp_path}/ran", 9)], TOKEN)
    assert answer(text, tmp_path / "a", instance)[0].startswith("error=the agent of Systems Manager there does not say")
    assert not (tmp_path / "ran").exists()


def test_what_it_ended_with_is_told_and_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    assert read_head(run(command_text([Call(MINE, "exit 7", 9)], TOKEN), tmp_path / "a"), TOKEN).code == 7
    assert read_head(run(command_text([Call(MINE, "sleep 60", 1)], TOKEN), tmp_path / "b"), TOKEN).code == 124


def test_nothing_is_left_of_a_look_and_only_the_answer_of_a_change(tmp_path: Path) -> None:
    run(command_text([Call(MINE, "echo x", 9)], TOKEN), tmp_path)
    assert list(tmp_path.iterdir()) == []
    run(command_text([Call(MINE, "echo x", 9, changes=True)], TOKEN), tmp_path)
    (spool,) = tmp_path.iterdir()
    assert [file.name for file in spool.iterdir()] == ["answer"]
    assert (spool.stat().st_mode & 0o77, (spool / "answer").stat().st_mode & 0o77) == (0, 0)


def test_what_changes_a_host_runs_once_however_often_it_comes(tmp_path: Path) -> None:
    text = command_text([Call(MINE, f"echo ran >>{tmp_path}/log; sleep 1; echo done", 9, changes=True)], TOKEN)
    command = ["sh", "-c", text.replace("/run/jada-ssm", f"{tmp_path}/spools")]
    env = {"PATH": os.environ["PATH"], "AWS_SSM_INSTANCE_ID": MINE}
    twice = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in twice]
    assert said[0] == said[1] == run(text, tmp_path / "spools")
    assert (tmp_path / "log").read_text() == "ran\n"


def in_parts(head: Head, spools: Path) -> str:
    """All of an answer, packed: what its head came with, and the parts that are asked for."""
    packed = head.begun
    while len(packed) < head.length:
        script = part_script(TOKEN, len(packed), is_last=len(packed) + run_command.PART >= head.length)
        said = subprocess.run(
            ["sh", "-c", script.replace("/run/jada-ssm", str(spools))], capture_output=True, text=True, check=True
        )
        packed += said.stdout
    return packed


def test_a_long_answer_comes_in_parts_and_its_last_one_takes_it_away(tmp_path: Path) -> None:
    wanted = noise(60_000).hex()
    (tmp_path / "long").write_text(wanted)
    output = run(command_text([Call(MINE, f"cat {tmp_path}/long", 9)], TOKEN), tmp_path / "spools")
    head = read_head(output, TOKEN)
    assert (len(output), head.length > 3 * run_command.PART) == (run_command.MOST_SAID, True)
    assert unpacked(head, in_parts(head, tmp_path / "spools")) == wanted
    assert [file.stat().st_size for file in (tmp_path / "spools").rglob("answer")] == [0]


def test_what_changes_a_host_runs_once_though_all_of_its_long_answer_was_had(tmp_path: Path) -> None:
    """A command whose sending got no answer may come late, when the same one is through."""
    wanted, spools = noise(60_000).hex(), tmp_path / "spools"
    (tmp_path / "long").write_text(wanted)
    text = command_text([Call(MINE, f"echo ran >>{tmp_path}/log; cat {tmp_path}/long", 9, changes=True)], TOKEN)
    head = read_head(run(text, spools), TOKEN)
    assert unpacked(head, in_parts(head, spools)) == wanted
    run(text, spools)
    assert (tmp_path / "log").read_text() == "ran\n"


def test_a_part_fits_into_an_answer_when_it_is_packed_once_more(tmp_path: Path) -> None:
    part = base64.b64encode(noise(run_command.PART))[: run_command.PART].decode()
    (tmp_path / "part").write_text(part)
    head = read_head(run(command_text([Call(MINE, f"cat {tmp_path}/part", 9)], TOKEN), tmp_path / "spools"), TOKEN)
    assert len(head.begun) == head.length


def test_what_nobody_came_for_is_gone_after_an_hour(tmp_path: Path) -> None:
    for name, minutes in (("old", 61), ("young", 59), ("running", 2879), ("killed", 2881)):
        (tmp_path / name).mkdir()
        if minutes < 100:
            (tmp_path / name / "answer").touch()
        subprocess.run(["touch", "-d", f"{minutes} minutes ago", tmp_path / name], check=True)
    run(command_text([Call(MINE, "echo x", 9)], TOKEN), tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["running", "young"]


def test_a_change_that_takes_longer_than_an_hour_runs_once_whatever_comes_meanwhile(tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    other = tmp_path / "other.sh"
    other.write_text(command_text([Call(MINE, "echo x", 9)], TOKEN[::-1]).replace("/run/jada-ssm", str(spools)))
    script = f"echo ran >>{tmp_path}/log; touch -d '61 minutes ago' {spools}/{TOKEN}; sh {other} >/dev/null; echo done"
    assert answer(command_text([Call(MINE, script, 9, changes=True)], TOKEN), spools) == ["done"]
    assert (tmp_path / "log").read_text() == "ran\n"


def test_an_answer_that_can_not_be_kept_is_not_waited_for(tmp_path: Path) -> None:
    """On a full disk, say; here somebody took its folder away."""
    script = f"echo ran >>{tmp_path}/log; rm -rf {tmp_path}/spools/{TOKEN}"
    text = command_text([Call(MINE, script, 9, changes=True)], TOKEN).replace("/run/jada-ssm", f"{tmp_path}/spools")
    env = {"PATH": os.environ["PATH"], "AWS_SSM_INSTANCE_ID": MINE}
    process = subprocess.run(["sh", "-c", text], env=env, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, (tmp_path / "log").read_text()) == (1, "", "ran\n")


@pytest.mark.parametrize(
    "output",
    [
        "",
        "jada-answer",
        f"jada-answer {TOKEN[::-1]} 0 3 {'0' * 64}\nabc",
        f"jada-answer {TOKEN} 0 3 {'0' * 63}\nabc",
        f"jada-answer {TOKEN} x 3 {'0' * 64}\nabc",
        f" jada-answer {TOKEN} 0 3 {'0' * 64}\nabc",
        f"jada-answer {TOKEN} 0 999999999 {'0' * 64}\nabc",
    ],
)
def test_what_is_no_answer_is_an_error(output: str) -> None:
    with pytest.raises(LookError):
        read_head(output, TOKEN)


def test_an_answer_that_is_not_whole_is_an_error(tmp_path: Path) -> None:
    head = read_head(run(command_text([Call(MINE, "echo whole", 9)], TOKEN), tmp_path), TOKEN)
    for wrong in (head.begun[:-1], head.begun[:-1] + "A", ""):
        with pytest.raises(LookError, match="did not come whole"):
            unpacked(head, wrong)
    with pytest.raises(LookError, match="not packed as one is"):
        unpacked(replace(head, checksum=sha256(b"####").hexdigest(), length=4), "####")


def test_fifty_at_most_and_only_what_is_alike_go_together() -> None:
    calls = [Call(f"i-{number:017x}", "echo x", 9) for number in range(101)]
    assert [len(batch.instances) for batch in batched(*calls)] == [50, 50, 1]
    others = (Call(MINE, "a", 9), Call(MINE, "a\nb", 9), Call(MINE, "a", 8), Call(MINE, "a", 9, changes=True))
    assert [batch.instances for batch in batched(*others)] == [(MINE,)] * 4
    changes = (Call(MINE, "a", 9, changes=True), Call(OTHER, "b", 99, changes=True))
    (batch,) = batched(*changes)
    assert (batch.instances, batch.longest, batch.changes) == ((MINE, OTHER), 99, True)


def test_no_script_is_kept_that_has_gone() -> None:
    taken = 0

    def calls() -> Iterator[Call]:
        nonlocal taken
        for number in range(200):
            taken += 1
            yield Call(f"i-{number:017x}", "echo x", 9)

    next(batches(calls(), tokens().__next__))
    assert taken == MOST_INSTANCES


def test_what_does_not_fit_into_a_document_goes_in_more_of_them() -> None:
    calls = [Call(f"i-{number:017x}", noise(2000, number).hex(), 9) for number in range(50)]
    found = batched(*calls)
    assert [name for batch in found for name in batch.instances] == [call.instance for call in calls]
    assert all(len(batch.text) <= MOST_TEXT and not batch.is_too_long for batch in found)
    (too_long,) = batched(Call(MINE, noise(run_command.MOST_SCRIPT).hex(), 9))
    assert (too_long.is_too_long, too_long.parts) == (True, ())


def lay_down(batch: Batch, spools: Path) -> None:
    for number, script in enumerate(batch.parts):
        token = f"f{number:031x}"
        text = command_text([Call(MINE, script.replace("/run/jada-ssm", str(spools)), 30)], token)
        assert len(text) <= MOST_TEXT
        assert answer(text, spools, token=token) == []


def test_a_script_that_fits_into_no_document_comes_in_parts(tmp_path: Path) -> None:
    wanted, spools = noise(60_000).hex(), tmp_path / "spools"
    (batch,) = batched(Call(MINE, f"echo {wanted} >{tmp_path}/it; wc -c <{tmp_path}/it", 9, changes=True))
    assert (len(batch.parts), batch.is_too_long) == (2, False)
    lay_down(batch, spools)
    assert answer(batch.text, spools, token=batch.token) == [f"{len(wanted) + 1}"]
    assert (tmp_path / "it").read_text() == f"{wanted}\n"
    # The parts are gone, and it has run: once, however often it comes.
    assert not list(spools.glob("*.parts"))
    (tmp_path / "it").unlink()
    assert answer(batch.text, spools, token=batch.token) == [f"{len(wanted) + 1}"]
    assert not (tmp_path / "it").exists()


@pytest.mark.parametrize("harm", ["rm {}/001", "truncate -s -1 {}/000", "cp {}/001 {}/002", "rm -r {}"])
def test_of_a_script_whose_parts_are_not_whole_nothing_runs(tmp_path: Path, harm: str) -> None:
    (batch,) = batched(Call(MINE, f"touch {tmp_path}/ran; : {noise(60_000).hex()}", 9, changes=True))
    lay_down(batch, tmp_path / "spools")
    folder = f"{tmp_path}/spools/{batch.token}.parts"
    subprocess.run(["sh", "-c", harm.replace("{}", folder)], check=True)
    (line,) = answer(batch.text, tmp_path / "spools", token=batch.token)
    assert line.startswith("error=the parts of its script are not all there")
    assert not (tmp_path / "ran").exists()


def test_a_part_that_comes_twice_is_one(tmp_path: Path) -> None:
    (batch,) = batched(Call(MINE, f"printf {noise(60_000).hex()} | wc -c", 9))
    lay_down(batch, tmp_path)
    lay_down(batch, tmp_path)
    assert answer(batch.text, tmp_path, token=batch.token) == ["120000"]


def test_a_look_at_fifty_hosts_is_one_document() -> None:
    script = look_script(SERVICE, history=True, status=True, ask=True)
    (batch,) = batched(*(Call(f"i-{noise(9, number).hex()[:17]}", script, 100) for number in range(50)))
    assert len(json.dumps({"commands": [batch.text]})) + DOCUMENT_ALONE < MOST_DOCUMENT
    # AWS would look for a parameter of the document there.
    assert "{{" not in batch.text
