"""What probes measured, as a hostile host tells it."""

from __future__ import annotations

from math import isfinite

from hypothesis import given
from hypothesis import strategies as st

from jada import Probe, Threshold
from jada.tasks.frames import OF_MEASURE, LookError
from jada.tasks.measure import judge
from jada.tasks.samples import read_samples
from tests.frames import Pair, framed, packed
from tests.fuzz.conftest import texts

PROBES = tuple(
    Probe(name=kind, kind=kind, measure=what, threshold=Threshold(1))
    for kind, what in (
        ("cpu", "share"),
        ("memory", "size"),
        ("journal", "rate"),
        ("http", "p95"),
        ("command", "number"),
    )
)
LINES = st.sampled_from(
    [
        "http 3 200 0.1 0",
        "http 3 999 99999.9 255",
        "command 4 0 1e99",
        "command 4 0 -1e99",
        "command 4 0 nan",
        "http 3 200 -1 0",
    ]
)
values = st.one_of(
    texts,
    LINES,
    st.lists(LINES).map("\n".join),
    st.sampled_from(["0", "1e999", "-1", "nan", "2\n5\n0", "9" * 19, "1000.5"]),
)
pairs = st.lists(st.tuples(st.sampled_from([name for name in OF_MEASURE if name != "end"]), values), max_size=12)


@given(pairs)
def test_no_host_can_make_a_verdict_out_of_nonsense(said: list[Pair]) -> None:
    try:
        samples = read_samples(packed(framed(said) + framed([])), PROBES, 10)
    except LookError:
        return
    for probe in PROBES:
        sample = samples[probe.name]
        assert all(isfinite(value) for value in sample.values)
        judgement = judge(probe, [sample, sample])
        assert judgement.value is None or isfinite(judgement.value)
