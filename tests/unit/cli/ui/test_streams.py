"""Text as it is written to a terminal."""

from __future__ import annotations

from jada.cli.ui.streams import fold


def test_a_short_line_is_left_as_it_is() -> None:
    assert fold("Change 1 host?") == "Change 1 host?"
