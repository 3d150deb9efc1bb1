"""The fleet's vocabulary: errors, and plain frozen values, every room of jada shares. No I/O, imports nothing of ours.

The values stand in values.py, and are found here: their classes take a quarter as long to make as click's import. In
the same way, `from jada import Fleet` finds jada's API (cli/api) for people's own programs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from jada.cli.api.fleet import Fleet as Fleet
    from jada.values import *  # noqa: F403 - each of them is one of the vocabulary

__version__ = "0.1.0"
# The advice on a failure that nobody foresaw.
UNEXPECTED = "JADA_DEBUG=1 shows the traceback; please report it"

T = TypeVar("T")

# The shape of the vendor's ids, the gateways' and the clouds' (ARNs, @dates): nothing that a shell, JSON or a
# systemd unit reads as more than text. At its end may stand how the Claude CLI is asked for a context of a million
# tokens; what the CLI sends, and what answers, has the id without it.
LONG_CONTEXT = "[1m]"
EXACT_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/@-]{{0,499}}(?:{re.escape(LONG_CONTEXT)})?")

# Ends a line, moves a cursor, turns the reading direction or can't be written as UTF-8: C0 and C1 (with DEL), the line
# and paragraph separators, the bidi controls, and lone surrogates.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# A span of time as people write it, in options and in fleet.yml.
SPAN = "a span of time such as 30s, 15m, 6h or 7d"
_SPAN = re.compile(r"([1-9][0-9]{0,4})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_NUMBERS = re.compile("([0-9]+)")

# Open files that Linux gives a process that asks for nothing; root's own tools count on it.
LEAST_NOFILE = 1024


class Exit(IntEnum):
    """Exit codes of every jada command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DRIFT = 3
    ROLLED_BACK = 4
    LOCKED = 5
    # A person has to decide how it goes on.
    PAUSED = 6
    # By Ctrl-C, as shells count it.
    STOPPED = 130


class JadaError(Exception):
    """A failure told in one sentence to the person at the terminal; `hint` says what to do next."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(JadaError):
    """Something that a person wrote (fleet.yml, a flag, the catalogue) can't be used as it stands."""

    exit_code = Exit.USAGE
    # Lines of what goes there instead.
    example: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        """Everything that is wrong, each by itself."""
        return (self,)


class SeveralProblemsError(ConfigError):
    """Several things are wrong with what a person wrote; told as the first of them."""

    def __init__(self, problems: Sequence[ConfigError]) -> None:
        first, more = problems[0], f"`jada doctor` tells all {len(problems)} problems"
        super().__init__(first.message, f"{first.hint}; {more}" if first.hint else more)
        self._problems = tuple(problems)

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        return self._problems


class NotBegunError(JadaError):
    """A command surely did not run on any host; after most other errors it may have."""


class HostError(JadaError):
    """One host could not be reached, looked at or changed; the others go on."""


class UnforeseenError(HostError):
    """Trouble with one host that nobody foresaw, told without any value of it; how far things got is not known."""


class NoAnswerError(HostError):
    """A host gave no answer in the time it was given, for something that leaves it as it is; it may give one later."""


class HostKeyError(HostError):
    """A host showed another ssh host key than the known one; nothing was sent to it."""


class UnknownKeyError(HostError):
    """A host showed an ssh host key, and nothing is known of its keys; nothing was sent to it."""


class NoRootError(HostError):
    """A host was reached, and its ssh user may not become root there."""


class OtherMachineError(HostError):
    """Another EC2 instance answers at a host's address than the one that is meant; nothing was judged or changed."""


def reason(error: BaseException) -> str:
    """An exception in words that tell no value: these may be foreign, or secret."""
    kind = type(error).__name__
    return f"{error.strerror} ({kind})" if isinstance(error, OSError) and error.strerror else kind


def attempt(host: str, act: Callable[[], T], doing: str = "judge what it saw there") -> T | HostError:
    """Returns the result of `act`, or any trouble that it had with this host as a HostError: the others go on.

    Other errors of ours, which are of no one host, are raised.
    """
    try:
        return act()
    except HostError as error:
        return error
    except JadaError:
        raise
    except (Exception, SystemExit) as error:
        trouble = UnforeseenError(f"{host}: jada could not {doing} ({reason(error)})", UNEXPECTED)
        trouble.__cause__ = error
        return trouble


def span_seconds(text: str) -> int | None:
    """The seconds of a span of time such as 15m; None where it is none."""
    found = _SPAN.fullmatch(text)
    return int(found[1]) * SECONDS[found[2]] if found else None


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """The key that sorts names as people count them: web-2 before web-10."""
    # Every other part is a number; of two without leading zeros the longer one is the larger.
    parts = [part.lstrip("0") if at % 2 else part for at, part in enumerate(_NUMBERS.split(name))]
    return [(len(part) if at % 2 else 0, part) for at, part in enumerate(parts)], name


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A name of values.py, which is loaded for the first of them."""
        from importlib import import_module

        values = vars(import_module("jada.cli.api.fleet" if name == "Fleet" else "jada.values"))
        if name not in values:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = values[name]
        return values[name]
