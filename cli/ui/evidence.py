"""The evidence of a model, as scripts and people read it."""

from __future__ import annotations

from collections.abc import Iterable

from jada.tasks.evidence import Evidence


def evidence_as_json(evidence: Iterable[Evidence]) -> list[dict[str, str | None]]:
    """The pieces of evidence as JSON objects, the strongest first."""
    return [{"kind": piece.kind, "model": piece.model, "source": piece.source or None} for piece in evidence]
