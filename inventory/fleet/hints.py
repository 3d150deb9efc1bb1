"""What helps whoever wrote a fleet.yml that can't be used: for each problem, what goes there instead."""

from __future__ import annotations

import re

from jada import ConfigError, SeveralProblemsError
from jada.inventory.fleet import shipped
from jada.inventory.yaml_values import Help, WrongValueError

# The place of an entry in a list.
_INDEX = re.compile(r"\[\d+\]")


def helped(error: ConfigError) -> ConfigError:
    """The same error with more help, and its problems in the order of their lines."""
    problems = [_helped(problem) if isinstance(problem, WrongValueError) else problem for problem in error.problems]
    problems.sort(key=lambda problem: problem.line if isinstance(problem, WrongValueError) else 0)
    return SeveralProblemsError(problems) if len(problems) > 1 else problems[0]


def _helped(problem: WrongValueError) -> WrongValueError:
    if problem.help is Help.OWN:
        return problem
    key = shipped.key_of(_INDEX.sub("", problem.key).split("."))
    lines = shipped.example(key) if key and problem.help is Help.EXAMPLE else ()
    docs = f"`jada docs{f' {key}' if key else ''}` shows what goes there"
    hint = f"{problem.hint}; {docs}" if problem.hint else docs
    return WrongValueError(problem.message, hint, problem.key, problem.line, example=lines)
