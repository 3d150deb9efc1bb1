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
    """Reads a command's output, whose objects have the forms that they name: returns the last, which is its report.
    Raises jsonschema.ValidationError.
    """
    return lines(text)[-1]


def lines(text: str) -> list[dict[str, Any]]:
    """Reads a command's output of one object, or of one a line. Raises jsonschema.ValidationError."""
    try:
        reports = [json.loads(text)]
    except json.JSONDecodeError:
        reports = [json.loads(line) for line in text.splitlines()]
    for report in reports:
        command, version = report["schema"].removeprefix("jada.").split("/")
        assert version == "1"
        schema(command).validate(report)
    return reports
