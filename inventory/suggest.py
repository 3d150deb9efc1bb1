"""Words that were meant and words that were typed."""

from __future__ import annotations

from collections.abc import Collection


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown word, or "" where nothing looks like it."""
    # Of no use but to those who misspell.
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
