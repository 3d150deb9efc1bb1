"""settings.json, as the service's user may have written it: the edit changes the model and nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jada.tasks.settings import BOM, SettingsError, parse, set_model
from tests.fuzz.conftest import dear, mutated, texts, values

MODEL = "claude-opus-5"
DOCUMENTS = (
    '{"model":"old"}',
    '{\n  "model": "old",\n  "env": {"TOKEN": "****"},\n  "permissions": {"allow": ["Bash(ls:*)"]}\n}\n',
    BOM + '{\r\n\t"a": [1, 2.5e3, true, null, "x\\"y\\u00e9"], "model" : null , "model": {"model": "x"}\r\n}\r\n',
    "{}",
    '{"a": ' + "[" * 3000 + "]" * 3000 + ', "model": "old"}',
    ' { "a" : { } } ',
)


def as_bytes(text: str) -> str:
    """A text as a look brings it: one character for each byte."""
    return text.encode("utf-8", "replace").decode("latin-1")


def edit(text: str) -> None:
    splice = set_model(text, MODEL)
    before = parse(text)
    if splice is None:
        assert before["model"] == MODEL
        return
    after = splice.apply(text)
    assert (after[: splice.offset], after[splice.offset + len(splice.insert) :]) == (
        text[: splice.offset],
        text[splice.offset + splice.length :],
    )
    changed = parse(after)
    assert changed["model"] == MODEL
    # NaN is not equal to itself; its name is.
    assert _without_model(changed) == _without_model(before)
    assert set_model(after, MODEL) is None


def _without_model(settings: dict[str, Any]) -> str:
    return repr({key: value for key, value in settings.items() if key != "model"})


@given(mutated(DOCUMENTS))
def test_settings_that_something_was_done_to(text: str) -> None:
    try:
        edit(as_bytes(text))
    except SettingsError as error:
        assert str(error).startswith("line ")


@dear
@given(
    st.lists(st.tuples(st.one_of(st.just("model"), texts), values), max_size=6),
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
