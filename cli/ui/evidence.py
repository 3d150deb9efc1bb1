"""The evidence of a model, as scripts and people read it."""

from __future__ import annotations

from collections.abc import Iterable

from jada.cli.ui.duration import iso
from jada.tasks.evidence import Evidence


def evidence_as_json(evidence: Iterable[Evidence]) -> list[dict[str, str | int | None]]:
    """The pieces of evidence as JSON objects, the strongest first."""
    return [
        {
            "kind": piece.kind,
            "model": piece.model,
            "count": piece.count or None,
            "answers": piece.answers or None,
            "since": iso(piece.since) if piece.since else None,
            "cli_version": piece.version or None,
            "by": piece.by or None,
            "asked_at": iso(piece.at) if piece.at else None,
        }
        for piece in evidence
    ]
