"""The fence of a host: no change of a holder whose lease a later one has had (files/change/fence.sh)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jada import Fence, Service, Tiers
from jada.tasks import FILES, plan
from jada.tasks.plan import Request
from jada.tasks.state import State
from jada.tasks.transaction import assignments, fence_script
from tests.unit.files.look.conftest import SHELLS

HERE, ELSEWHERE = "5f0c", "77aa"
REQUEST = Request("20261124-130000-bbbb", "fleet", "carl@box", "2026-11-24T13:00:00+00:00", 1024)


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    words: tuple[str, ...] = request.param
    return words


def passes(
    shell: tuple[str, ...], home: Path, number: int | None, store: str = HERE, by: str = "ann@ops (run 1)"
) -> str:
    """The word of the fence on a change with that number: "" if it may come."""
    values = {"HOME_OF_JADA": str(home), "STORE": store if number else "", "NUMBER": str(number or ""), "HOLDER": by,
              "NL": "\n"}  # fmt: skip
    flush = 'flush() { sync "$@"; }\n'
    script = assignments(values) + flush + (FILES / "change/fence.sh").read_text() + 'pass_fence; echo "$?"\n'
    done = subprocess.run(shell, input=script, capture_output=True, text=True, check=True)
    assert not done.stderr
    *words, code = done.stdout.splitlines()
    assert (code == "0") == (not words)
    return f"{code} {' '.join(words)}" if words else ""


def test_a_later_holder_passes_and_an_earlier_one_does_not(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert passes(shell, tmp_path, 7) == ""
    assert passes(shell, tmp_path, 7) == ""
    assert passes(shell, tmp_path, 12, by="bob@ops (run 2) since noon") == ""
    refusal = "3 another rollout, number 12, has come to this host since: bob@ops (run 2) since noon"
    assert passes(shell, tmp_path, 7) == refusal
    assert passes(shell, tmp_path, 9) == refusal
    assert passes(shell, tmp_path, 12) == ""


def test_numbers_of_another_store_say_nothing_of_each_other(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert passes(shell, tmp_path, 40) == ""
    assert passes(shell, tmp_path, 1, ELSEWHERE) == ""
    assert passes(shell, tmp_path, 39).startswith("3 another rollout, number 40,")
    assert passes(shell, tmp_path, 41) == ""
    assert passes(shell, tmp_path, 1, ELSEWHERE) == ""


def test_a_change_without_a_number_always_passes_and_ends_the_numbers_before_it(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    assert passes(shell, tmp_path, None) == ""
    assert not (tmp_path / "fence").exists()
    assert passes(shell, tmp_path, 7) == ""
    assert passes(shell, tmp_path, None, by="bob@ops") == ""
    assert passes(shell, tmp_path, None, by="carl@ops") == ""
    assert passes(shell, tmp_path, 7) == "3 a change without a lease has come to this host since: bob@ops"
    assert passes(shell, tmp_path, 8) == ""
    assert passes(shell, tmp_path, 7) == "3 another rollout, number 8, has come to this host since: ann@ops (run 1)"


def test_what_is_no_line_of_it_counts_for_nothing_and_it_does_not_grow(shell: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "fence").write_text(f"nonsense\n{HERE} $(id) open x\n{HERE} 99999999999999999999 open x\n\n")
    assert passes(shell, tmp_path, 2) == ""
    for number in range(20):
        assert passes(shell, tmp_path, 1, f"store{number}") == ""
    assert len((tmp_path / "fence").read_text().splitlines()) == 10


def test_where_nothing_can_be_kept_it_says_so(shell: tuple[str, ...], tmp_path: Path) -> None:
    values = {"HOME_OF_JADA": f"{tmp_path}/none", "STORE": HERE, "NUMBER": "1", "HOLDER": "ann", "NL": "\n"}
    script = assignments(values) + (FILES / "change/fence.sh").read_text() + 'pass_fence; echo "$?"\n'
    done = subprocess.run(shell, input=script, capture_output=True, text=True, check=True)
    assert done.stdout.strip() not in ("0", "3")


def test_a_change_that_people_have_locked_out_ends_no_numbers(host: Callable[..., State], tmp_path: Path) -> None:
    """It changes nothing: the rollout that it meets goes on."""
    (tmp_path / "releases").mkdir()
    (tmp_path / "fence").write_text(f"{HERE} 7 open ann@ops\n")
    (tmp_path / "held").write_text("0\nbob@ops\nnoon\n-\nincident\n")
    transaction = plan.upgrade(REQUEST, "r", Tiers("m-2"), host(), Service()).transaction
    assert transaction
    script = transaction.script().replace("/var/lib/jada", str(tmp_path))
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (13, "result locked\nreason bob@ops since noon: incident\n")
    assert (tmp_path / "fence").read_text() == f"{HERE} 7 open ann@ops\n"


def test_of_many_at_once_the_latest_stays(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: passes(SHELLS[0], tmp_path, number), range(1, 25)))
    assert (tmp_path / "fence").read_text() == f"{HERE} 24 open ann@ops (run 1)\n"


def test_a_host_is_told_of_a_new_holder(tmp_path: Path) -> None:
    home = tmp_path / "jada"

    def raised(number: int) -> str:
        script = fence_script(Fence(HERE, number), "ann@ops").replace("/var/lib/jada", str(home))
        return subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=True).stdout

    assert raised(7) == "jada-fenced\n"
    # What comes there later is root's alone, as where a change is the first to come.
    assert home.stat().st_mode & 0o77 == 0
    assert raised(6) == "another rollout, number 7, has come to this host since: ann@ops\n"
    home.chmod(0o700)
    (home / "fence.lock").unlink()
    (home / "fence.lock").mkdir()
    assert "can't be written" in raised(9)
