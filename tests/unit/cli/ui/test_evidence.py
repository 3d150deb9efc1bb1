"""The evidence of a model, as scripts read it."""

from __future__ import annotations

from jada.cli.ui.evidence import evidence_as_json
from jada.tasks.evidence import Evidence, Kind


def test_pieces_keep_their_order_and_have_null_for_no_source() -> None:
    pieces = [
        Evidence(kind=Kind.REPORTED, model="claude-opus-5", source="url"),
        Evidence(kind=Kind.DERIVED, model="claude-sonnet-4.6"),
    ]
    assert evidence_as_json(pieces) == [
        {"kind": "reported", "model": "claude-opus-5", "source": "url"},
        {"kind": "derived", "model": "claude-sonnet-4.6", "source": None},
    ]
