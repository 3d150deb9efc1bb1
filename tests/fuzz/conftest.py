"""Inputs that mean harm, for any reader: texts, JSON values, and valid documents with something done to them.

`make test` tries a hundred for each property, always the same; `make test-fuzz` other ones each time, more than
100,000 in all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Of the dear ones, which take some ten times as long, half as many; 101,000 in all.
FEW, MANY, MANY_DEAR = 120, 6_200, 3_000

_COMMON = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("few", _COMMON, max_examples=FEW, derandomize=True)
settings.register_profile("many", _COMMON, max_examples=MANY)
FUZZ = bool(os.environ.get("JADA_FUZZ"))
settings.load_profile("many" if FUZZ else "few")
dear = settings(max_examples=MANY_DEAR if FUZZ else FEW)

# Texts that have been, or could be, more than a value to some reader on the way.
FRAGMENTS = (
    *"\n\r\t\0\x1b\x85\u2028\u202e\ud800'\"\\`$%#&*!|>@?:,;=-[]{}()<>~/",
    *("\\n", "\\u0000", "\\ud800", "\\U00110000", "\r\n", "\ufeff", "é", "\U0001d54f", "\u0661"),
    *("\nUser=root\n", "\nroot hard nofile 1\n", "\n  ProxyCommand id\n", "-oProxyCommand=id", "$(id)", "../", "%h"),
    *("[/x]", "\x1b[2J", "\n::error::x", "{{ unit }}", "/etc/passwd", "~nobody-such/", "://", "[1-99999]"),
    *("true", "null", "NaN", "Infinity", ".inf", "1e999", "-1", "0b_", "0x", "1:60", "2026-02-30", "yesterday"),
    *("9" * 5000, "x" * 5000, "[" * 2000, "{" * 2000, '{"a":' * 2000, "- " * 2000, "&a [*a]", "*a", "<<: ", "---\n"),
    *("!!int ", "!!bool ", "!!binary ", "!!python/object:os.system ", "%YAML 9.9\n---\n", "? ", "{a: {a: {a: b}}}"),
)

texts = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=20),
    st.sampled_from(FRAGMENTS),
    st.lists(st.sampled_from(FRAGMENTS), max_size=4).map("".join),
)
numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, 1023, 2**31, 2**63, 10**400, -1, True]))
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn, documents: Sequence[str]) -> str:
    """One of `documents` with a few places in it cut, doubled, or written over."""
    text = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(st.one_of(texts, st.just(text[start:end] * 2))) + text[end:]
    return text


@st.composite
def regrafted(draw: st.DrawFn, document: Any) -> Any:
    """`document`, a value of JSON, with other values in one to three places of it, or keys that are not its own."""
    grafted = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_places(grafted))))
        if isinstance(holder, dict) and draw(st.integers(0, 9)) == 0:
            key = draw(texts)
        holder[key] = draw(st.one_of(values, texts))
    return grafted


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key in it, from the top down."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from _places(value[key])
