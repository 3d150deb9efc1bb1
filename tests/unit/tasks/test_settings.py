"""The smallest edits of settings.json, and errors that say where."""

import json
from collections.abc import Callable

import pytest

from jada import Tiers
from jada.tasks import checks, settings
from jada.tasks.settings import BOM, SettingsError, Splice, apply, parse, set_models
from jada.tasks.state import State

MODEL = "claude-sonnet-4.6"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"model":"old"}', '{"model":"claude-sonnet-4.6"}'),
        ('{\n\t"model" :\t"old" ,\n\t"a": 1}', '{\n\t"model" :\t"claude-sonnet-4.6" ,\n\t"a": 1}'),
        (
            '{"n": {"model": "inner"}, "model": "old"}\r\n',
            '{"n": {"model": "inner"}, "model": "claude-sonnet-4.6"}\r\n',
        ),
        # Of duplicate keys the last one counts.
        ('{"model": "a", "model": "b"}', '{"model": "a", "model": "claude-sonnet-4.6"}'),
        ('{"model": null}', '{"model": "claude-sonnet-4.6"}'),
        (BOM + '{"model": "old"}', BOM + '{"model": "claude-sonnet-4.6"}'),
        # No model yet: it comes first, in the style of the file.
        ("{}", '{"model": "claude-sonnet-4.6"}'),
        ('{"a":1}', '{"model":"claude-sonnet-4.6","a":1}'),
        ('{\n  "a": 1\n}\n', '{\n  "model": "claude-sonnet-4.6",\n  "a": 1\n}\n'),
    ],
)
def test_only_the_model_changes(text: str, expected: str) -> None:
    edited = apply(text, set_models(text, Tiers(MODEL)))
    assert edited == expected
    assert parse(edited)["model"] == MODEL


def test_nothing_to_do_when_the_model_is_there() -> None:
    assert set_models('{"model" : "claude-sonnet-4.6"}', Tiers(MODEL)) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            None,
            '{\n  "model": "m",\n  "fallbackModel": [\n    "f",\n    "g"\n  ],\n  "env": {\n    "SUB": "s"\n  }\n}\n',
        ),
        ("{}", '{"model": "m", "fallbackModel": ["f", "g"], "env": {"SUB": "s"}}'),
        ('{"model":"m"}', '{"fallbackModel":["f","g"],"env":{"SUB":"s"},"model":"m"}'),
        (
            '{\n  "model": "x",\n  "env": {\n    "T": "**"\n  }\n}\n',
            '{\n  "fallbackModel": ["f", "g"],\n  "model": "m",\n  "env": {\n    "SUB": "s",\n    "T": "**"\n  }\n}\n',
        ),
        (
            '{"model": "m", "env": {}, "fallbackModel": ["f"]}',
            '{"model": "m", "env": {"SUB": "s"}, "fallbackModel": ["f", "g"]}',
        ),
        (
            '{"model": "m", "env" :{ } , "fallbackModel": ["g", "f"]}',
            '{"model": "m", "env" :{"SUB": "s" } , "fallbackModel": ["f", "g"]}',
        ),
        # Of duplicate keys the last one counts, also one level down.
        (
            '{"model": "m", "fallbackModel": ["f", "g"], "env": {"SUB": "x"}, "env": {"SUB": "y", "SUB":"z"}}',
            '{"model": "m", "fallbackModel": ["f", "g"], "env": {"SUB": "x"}, "env": {"SUB": "y", "SUB":"s"}}',
        ),
        (
            BOM + '{"a": {"env": {}},\r\n"env"\t: {\r\n\t"SUB" : "****" }, "model": "m", "fallbackModel": [\n"f","g"]}',
            BOM + '{"a": {"env": {}},\r\n"env"\t: {\r\n\t"SUB" : "s" }, "model": "m", "fallbackModel": [\n"f","g"]}',
        ),
    ],
)  # fmt: skip
def test_only_the_models_change(text: str | None, expected: str) -> None:
    def named(json: str) -> str:
        return json.replace("SUB", settings.SUBAGENT_MODEL)

    tiers = Tiers("m", ("f", "g"), "s")
    before = None if text is None else named(text)
    edited = apply(before or "", set_models(before, tiers))
    assert edited == named(expected)
    assert settings.models_in(parse(edited)) == tiers
    assert set_models(edited, tiers) == ()


def test_blanks_without_end_are_no_style_to_follow() -> None:
    text = "{" + " " * 100_000 + '"env": {' + "\n" * 100_000 + '"T": "**"}}'
    splices = set_models(text, Tiers("m", ("f",), "s"))
    assert [splice.insert for splice in splices] == [
        '"model": "m", "fallbackModel": ["f"], ', f'"{settings.SUBAGENT_MODEL}": "s", ',
    ]  # fmt: skip


def test_what_nobody_asks_for_stays() -> None:
    text = f'{{"model": "m", "fallbackModel": ["f"], "env": {{"{settings.SUBAGENT_MODEL}": "s"}}}}'
    assert apply(text, set_models(text, Tiers("n"))) == text.replace('"m"', '"n"')


def test_models_of_another_type_are_none() -> None:
    text = f'{{"model": 1, "fallbackModel": ["f", 1], "env": {{"{settings.SUBAGENT_MODEL}": 5}}}}'
    assert settings.models_in(parse(text)) == Tiers("")
    assert settings.models_in({"env": []}) == Tiers("")


@pytest.mark.parametrize("fallback", ['"f"', "[5]", "5", "{}"])
def test_a_fallback_that_is_no_list_of_strings_has_the_file_dropped(fallback: str) -> None:
    assert settings.judged(f'{{"model": "m", "fallbackModel": {fallback}}}', managed=False) == (
        {},
        "fallbackModel is not a list of strings",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1, column 1: the file is empty"),
        ("  \n", "line 2, column 1: the file is empty"),
        ("[]", "line 1, column 1: the file does not hold a JSON object"),
        ('{\n "a": 1,\n}', "line 2, column 8: there is a comma after the last item"),
        ('{\n "a": [1,\n 2,]\n}', "line 3, column 3: there is a comma after the last item"),
        ('{\n "a": {"b": 1 ,\n}}', "line 2, column 15: there is a comma after the last item"),
        ('{"a": [,]}', "line 1, column 8: expecting value"),
        ('{"a": [1,,]}', "line 1, column 10: expecting value"),
        ('{"a" 1}', "line 1, column 6: expected a colon after the key"),
        ('{"a": 1} x', "line 1, column 10: there is more text after the end of the object"),
        ('{"a": 1 "b": 2}', "line 1, column 9: expected a comma or the end of the object"),
        ('{"a": "x', "line 1, column 7: unterminated string starting at"),
        ("// c\n{}", "line 1, column 1: the file does not hold a JSON object"),
        ("[" * 100_000, "line 1, column 1: the file does not hold a JSON object"),
        ('{"a":' + "[" * 100_000, "line 1, column 1: it is nested too deeply"),
    ],
)
def test_errors_say_where(text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert str(caught.value) == expected


def test_parse_agrees_with_json() -> None:
    text = '{"a": {"b": [1, 2.5e3, true, null, "x\\"y"]}, "model": "m", "é": "ü"}'
    assert parse(text) == json.loads(text)


def test_a_number_may_have_more_digits_than_python_takes_for_an_integer() -> None:
    text = f'{{"n": {"1" * 5000}, "model": "a"}}'
    assert parse(text)["model"] == "a"
    assert set_models(text, Tiers("b")) == (Splice(len(text) - 4, 3, '"b"'),)


def test_one_host_is_parsed_once(host: Callable[..., State]) -> None:
    """Ten thousand hosts are judged within a second only if a dozen checks don't parse each file a dozen times."""
    settings._judgements.cache_clear()
    checks.drift(host())
    assert settings._judgements.cache_info().misses == 1


def test_of_files_that_are_no_persons_few_are_kept(host: Callable[..., State]) -> None:
    """A user may lay some of several MB, which take fifty times that as values, on each of a hundred hosts."""
    settings._judgements.cache_clear()
    for number in range(20):
        text = f'{{"n": "{number}", "model": "claude-sonnet-4.6", "x": "{"*" * settings.LARGE}"}}'
        assert checks.drift(host(settings={"text": text})) == ()
    assert settings._judgements.cache_info().currsize == 0
    assert settings._large_judgements.cache_info().currsize <= settings.LARGE_KEPT
