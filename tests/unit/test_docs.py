"""The pages that `make docs` writes are what it would write now."""

from __future__ import annotations

import pytest

from jada.docs import generate


@pytest.mark.parametrize("path", ["docs/cli.md", "docs/findings.md", "docs/fleet.md"])
def test_the_reference_pages_are_fresh(path: str) -> None:
    made = generate.pages()[path]
    assert (generate.ROOT / path).read_text(encoding="utf-8") == made, "make docs"
