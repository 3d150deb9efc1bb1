"""The forms of `--json` as docs/schemas/ has them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[1] / "docs/schemas"


@cache
def schema(command: str) -> Draft202012Validator:
    """The form of one command, which is a schema itself."""
    text = json.loads((SCHEMAS / f"{command}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(text)
    return Draft202012Validator(text)


def checked(text: str) -> dict[str, Any]:
    """Reads a command's output, which has the form that it names. Raises jsonschema.ValidationError."""
    report: dict[str, Any] = json.loads(text)
    command, version = report["schema"].removeprefix("jada.").split("/")
    assert version == "1"
    schema(command).validate(report)
    return report
