"""The type of a word that has to be there when its option is."""

from __future__ import annotations

import click
import pytest

from jada.cli.ui.given import GIVEN


def test_an_empty_word_is_a_wrong_use() -> None:
    assert GIVEN.convert("web-1", None, None) == "web-1"
    with pytest.raises(click.UsageError):
        GIVEN.convert("", None, None)
