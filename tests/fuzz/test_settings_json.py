"""settings.json, as the service's user may have written it: the edits change the models and nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jada import Tiers
from jada.tasks.settings import (
    BOM,
    SUBAGENT_MODEL,
    SettingsError,
    Splice,
    apply,
    models_in,
    parse,
    set_models,
    settings_of,
)
from tests.fuzz.conftest import dear, mutated, texts, values

MODEL = "claude-opus-5"
DOCUMENTS = (
    '{"model":"old"}',
    '{\n  "model": "old",\n  "env": {"TOKEN": "****"},\n  "permissions": {"allow": ["Bash(ls:*)"]}\n}\n',
    BOM + '{\r\n\t"a": [1, 2.5e3, true, null, "x\\"y\\u00e9"], "model" : null , "model": {"model": "x"}\r\n}\r\n',
    "{}",
    '{"a": ' + "[" * 3000 + "]" * 3000 + ', "model": "old"}',
    ' { "a" : { } } ',
    '{"env":{"CLAUDE_CODE_SUBAGENT_MODEL":"a","B":"c"},"env":{ "B" : "**"\n},"fallbackModel":["a" , "b"]}',
    '{\n  "fallbackModel": [],\n  "env": {},\n  "env": 5\n}',
)
NESTED = st.dictionaries(st.one_of(st.just(SUBAGENT_MODEL), texts), values, max_size=4)


def as_bytes(text: str) -> str:
    """A text as a look brings it: one character for each byte."""
    return text.encode("utf-8", "replace").decode("latin-1")


def edit(text: str) -> None:
    for tiers in (Tiers(MODEL), Tiers(MODEL, ("claude-sonnet-5-5", "claude-haiku-4-5"), "claude-haiku-4-5")):
        _edit(text, tiers)


def _edit(text: str, tiers: Tiers) -> None:
    splices = set_models(text, tiers)
    before = parse(text)
    after = apply(text, splices)
    # Between the edits stands what stood there, and they come in the order of the text.
    ends = [0, *(splice.end for splice in splices)]
    kept = [text[end : splice.offset] for end, splice in zip(ends, (*splices, Splice(len(text), 0, "")), strict=True)]
    assert [splice.offset >= end for splice, end in zip(splices, ends, strict=False)] == [True] * len(splices)
    inserts = [splice.insert for splice in splices]
    assert "".join(kept[at] + insert for at, insert in enumerate([*inserts, ""])) == after
    changed = parse(after)
    assert models_in(changed).model == tiers.model
    if tiers.fallback:
        assert models_in(changed) == tiers
    # NaN is not equal to itself; its name is.
    assert _others(changed, tiers) == _others(before, tiers)
    assert set_models(after, tiers) == ()


def _others(settings: dict[str, Any], tiers: Tiers) -> str:
    """All that nobody asked to change."""
    asked = settings_of(tiers)
    rest = {key: value for key, value in settings.items() if key not in asked}
    env = settings.get("env") if "env" in asked else None
    inner = {key: value for key, value in env.items() if key != SUBAGENT_MODEL} if isinstance(env, dict) else {}
    return repr((rest, inner))


@given(mutated(DOCUMENTS))
def test_settings_that_something_was_done_to(text: str) -> None:
    try:
        edit(as_bytes(text))
    except SettingsError as error:
        assert str(error).startswith("line ")


@dear
@given(
    st.lists(
        st.one_of(
            st.tuples(st.one_of(st.sampled_from(["model", "fallbackModel", "env"]), texts), values),
            st.tuples(st.just("env"), NESTED),
        ),
        max_size=6,
    ),
    st.sampled_from(["", BOM, " \n", BOM + "\t"]),
    st.sampled_from([(", ", ": "), (",", ":"), (" ,\r\n", "\t:\n"), (",\n  ", ": ")]),
    st.booleans(),
)
def test_settings_of_every_form_are_edited_in_place(
    members: list[tuple[str, Any]], before: str, between: tuple[str, str], plain: bool
) -> None:
    """Keys may be there twice; every value may be anything."""
    item, colon = between

    def dumped(value: Any) -> str:
        return json.dumps(value, separators=between, ensure_ascii=not plain)

    written = item.join(f"{dumped(key)}{colon}{dumped(value)}" for key, value in members)
    text = before + as_bytes("{" + written + "}\n")
    edit(text)
    if not plain:
        assert repr(parse(text)) == repr(json.loads(text.removeprefix(BOM), parse_int=float))
