"""What a host says that its probes measured: read, and none of it believed that can't be."""

from __future__ import annotations

import pytest

from jada import Probe, Threshold
from jada.tasks.frames import OF_MEASURE, Fields, LookError
from jada.tasks.measure import LONGEST_OF_REQUEST, Sample
from jada.tasks.samples import read_samples
from tests.frames import Values, frames, packed

KINDS = ("cpu", "memory", "journal", "http", "command")
PROBES = tuple(
    Probe(name=kind, kind=kind, measure={"http": "p95", "journal": "rate"}.get(kind, ""), threshold=Threshold(1))
    for kind in KINDS
)
SAID: Values = {
    "at": "1000.25",
    "start": "0123456789abcdef0123456789abcdef",
    "active": "900250000",
    "cpu": "2500000",
    "memory": "104857600",
    "journal+": "2\n17\n0",
    "of_user": "http 3 200 0.012345 0\nhttp 3 503 0.5 0\nhttp 3 000 0.000200 7\ncommand 4 0 12.5e1\n",
}


def read(**changed: str) -> dict[str, Sample]:
    said = {**SAID, **{name.replace("journal", "journal+"): value for name, value in changed.items()}}
    return read_samples(packed(frames(said) + frames({})), PROBES, requests=10)


def test_what_a_host_measured() -> None:
    samples = read()
    assert {sample.at for sample in samples.values()} == {1000.25}
    assert {sample.start for sample in samples.values()} == {SAID["start"]}
    assert samples["cpu"].values == (2.5, 100.0)
    assert samples["memory"].values == (104857600.0,)
    assert samples["journal"].values == (17.0,)
    # Who did not answer is as slow as can be.
    assert samples["http"].values == (0.012345, 0.5, LONGEST_OF_REQUEST)
    assert (samples["http"].count, samples["http"].failed) == (3, 2)
    assert samples["command"].values == (125.0,)


def test_every_field_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    known = set[str]()
    for method in ("__contains__", "__getitem__", "get", "all"):
        real = getattr(Fields, method)

        def ask(self: Fields, name: str, *rest: str, real: object = real) -> object:
            known.add(name)
            return real(self, name, *rest)  # type: ignore[operator]

        monkeypatch.setattr(Fields, method, ask)
    read(of_user="")
    assert {*OF_MEASURE} - known == {"end", "over+"}


@pytest.mark.parametrize(
    "number",
    ["nan", "NaN", "inf", "-inf", "1e999", "1e-999", "0x10", "", "1 2", "1_000", "٣", "1" * 16, "\x1b[31m1", "9" * 40],
)
def test_what_is_no_number_is_an_error(number: str) -> None:
    sample = read(of_user=f"command 4 0 {number}\n")["command"]
    assert sample.values == ()
    assert sample.error


@pytest.mark.parametrize("number", ["-3", "+0.5", "1e9", "12", "0"])
def test_a_number(number: str) -> None:
    assert read(of_user=f"command 4 0 {number}\n")["command"].values == (float(number),)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("command 4 3 ", "its command ended with 3"),
        ("command 4 124 ", "its command took longer than 5 s"),
        ("command 4 long 1", "its command printed more than a number"),
        ("command 9 0 1", "the service's user could not be asked there"),
        ("", "the service's user could not be asked there"),
    ],
)
def test_why_a_command_gave_none(said: str, error: str) -> None:
    assert read(of_user=said)["command"].error == error


def test_what_took_too_long_is_told() -> None:
    assert read(of_user="", **{"of_user.code": "124"})["http"].error == "it took too long there"


@pytest.mark.parametrize(
    "line",
    ["http 3 200 -1.5 0", "http 3 200 nan 0", "http 3 200 1e9 0", "http 3 20 0.1 0", "http 3 200 0.1",
     "http 3 200 999999.1 0", "http x 200 0.1 0", " http 3 200 0.1 0", "http 3 200 0.1 0 more"],
)  # fmt: skip
def test_a_line_that_is_none_counts_for_nothing(line: str) -> None:
    sample = read(of_user=f"{line}\nhttp 3 200 0.1 0\n")["http"]
    assert (sample.count, sample.values) == (1, (0.1,))


def test_no_more_lines_count_than_were_asked_for() -> None:
    assert read(of_user="http 3 200 0.1 0\n" * 2000)["http"].count == 10


def test_a_host_without_curl_is_no_slow_one() -> None:
    assert read(of_user="http 3 000 0.0 127\n" * 3)["http"].error == "there is no curl on the host"


@pytest.mark.parametrize(
    ("code", "words"), [("124", "in time"), ("odd", "could not be read"), ("1", "could not be read")]
)
def test_why_a_journal_was_not_counted(code: str, words: str) -> None:
    assert words in read(journal=f"2\n0\n{code}")["journal"].error


def test_a_host_that_does_not_count_says_so() -> None:
    said = {name: value for name, value in SAID.items() if name not in ("cpu", "memory")}
    samples = read_samples(packed(frames(said) + frames({})), PROBES, 10)
    assert "control groups" in samples["cpu"].error
    assert "control groups" in samples["memory"].error


def test_a_service_that_is_younger_than_the_clock_says_is_new() -> None:
    assert read(active="2000000000")["cpu"].values == (2.5, 0.0)


@pytest.mark.parametrize(
    "changed",
    [{"at": "-1"}, {"at": "nan"}, {"at": "1e9"}, {"start": "../x"}, {"start": "\x1b[2J"}, {"cpu": "-5"},
     {"cpu": "1e99"}, {"memory": "inf"}, {"active": "x"}, {"journal": "2\n-1\n0"}, {"journal": "2\n0"}],
)  # fmt: skip
def test_what_root_can_not_have_said_is_not_taken(changed: dict[str, str]) -> None:
    with pytest.raises(LookError):
        read(**changed)


def test_a_flood_is_cut_off() -> None:
    with pytest.raises(LookError):
        read(of_user="x" * 10_000_000)
