"""The evidence of a model, as scripts read it."""

from __future__ import annotations

from jada.cli.ui.evidence import evidence_as_json
from jada.tasks.evidence import Evidence, Kind


def test_pieces_keep_their_order_and_have_null_for_what_they_do_not_say() -> None:
    pieces = [
        Evidence(kind=Kind.SERVED, model="claude-opus-5", count=3, answers=4, since=1_800_000_000.0),
        Evidence(kind=Kind.REPORTED, model="claude-opus-5", by="url"),
    ]
    pieces.append(Evidence(kind=Kind.ASKED, model="claude-opus-5", version="2.1.332", at=1_800_000_000.0))
    served, reported, asked = evidence_as_json(pieces)
    assert served == {
        "kind": "served",
        "model": "claude-opus-5",
        "count": 3,
        "answers": 4,
        "since": "2027-01-15T08:00:00+00:00",
        "cli_version": None,
        "by": None,
        "asked_at": None,
    }
    assert (reported["kind"], reported["by"], reported["count"]) == ("reported", "url", None)
    assert (asked["cli_version"], asked["asked_at"]) == ("2.1.332", "2027-01-15T08:00:00+00:00")
