"""files/look/mask.awk: no secret passes it, and every offset stays; nor by the ways it is used."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

import jada

PROGRAMS = Path(jada.__file__).parent / "files" / "look"
MASK = "".join((PROGRAMS / f"{name}.awk").read_text() for name in ("mask", "mask-files"))
REPORT = "".join((PROGRAMS / f"{name}.awk").read_text() for name in ("say", "mask", "report"))
MOST = 100
ENV = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
AWKS = [awk for awk in (["mawk"], ["gawk"], ["busybox", "awk"], ["original-awk"]) if shutil.which(awk[0])]
SECRET = "sk-ant-Secret"


def mask(text: str, awk: list[str]) -> str:
    process = subprocess.run([*awk, MASK], input=text.encode(), capture_output=True, check=True, env=ENV)
    masked = process.stdout[: len(text.encode())]
    of_service = answered(awk, text.encode(), most=10**6)
    assert of_service["report.size"] == b"%d" % len(text.encode())
    assert of_service["report.masked"][: len(text.encode())] == masked
    return masked.decode("latin-1")


def answered(awk: list[str], answer: bytes, http: str = "200", code: str = "0", most: int = MOST) -> dict[str, bytes]:
    """The frames for what curl says in answer to a health check, between root's own."""
    words = [*awk, "-v", f"most_of_answer={most}", REPORT, "/dev/null", "answers=1", "-"]
    output = answer + f"\n{http}\n{code}".encode()
    process = subprocess.run(words, input=output[: most + 100], capture_output=True, check=True, env=ENV)
    assert not process.stderr
    return framed(process.stdout)


def framed(rest: bytes) -> dict[str, bytes]:
    """Frames by name; nothing may be between them."""
    frames: dict[str, bytes] = {}
    while rest:
        head, _, rest = rest.partition(b"\n")
        name, size = head.decode().split()
        frames[name], end, rest = rest[: int(size)], rest[int(size) : int(size) + 1], rest[int(size) + 1 :]
        assert end == b"\n"
    return frames


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
@pytest.mark.parametrize(
    "text",
    [
        f'{{"env": {{"ANTHROPIC_API_KEY": "{SECRET}"}}, "model": "m"}}',
        f'{{"a": ["{SECRET}", {{"model": "m"}}, "{SECRET}"]}}',
        f'{{"a": "x\\"{SECRET}\\\\", "b": "\\\\\\"{SECRET}"}}',
        f'{{"model": {{"x": "{SECRET}"}}}}',
        # Inside of modelOverrides only ids stay, and nothing stays outside of it.
        f'{{"modelOverrides": {{"a": "x"}}, "b": "{SECRET}"}}',
        f'{{"modelOverrides": {{"a": {{"b": "{SECRET}"}}}}}}',
        f'{{"modelOverrides": {{"a": ["{SECRET}"]}}}}',
        f'{{"modelOverrides": "x", "b": "{SECRET}"}}',
        f'{{"modelOverrides": {{"a": {SECRET}", "b": "{SECRET}"}}}}',
        f'{{"model": ["m", "{SECRET}"]}}',
        # Not JSON: quotes missing, doubled, unescaped, a string that never ends.
        f'{{"a": {SECRET}", "b": "{SECRET}"}}',
        f'{{"a": "{SECRET}, "b": "{SECRET}"}}',
        f'{{"a": "say "{SECRET}"", "b": "{SECRET}"}}',
        f'{{"model": "m" "{SECRET}"}}',
        f'{{"model": "m", "{SECRET}" "b"}}',
        f'{{"a": "{SECRET}',
        f"{SECRET}",
        f"TOKEN={SECRET}\n",
        f'\ufeff{{"a": {SECRET}}}',
        f"{{'a': '{SECRET}'}}",
    ],
)
def test_no_secret_passes(text: str, awk: list[str]) -> None:
    masked = mask(text, awk)
    assert len(masked) == len(text.encode())
    assert "Secret" not in masked
    assert "ant" not in masked


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_models_and_keys_stay(awk: list[str]) -> None:
    text = '{"model" : "claude-x", "env": {"ANTHROPIC_MODEL": "y"}, "availableModels": ["a", "b"], "n": -12.5e3, '
    text += '"modelOverrides": {"c": "d",  "e": "f"}}'
    assert mask(text, awk) == text.replace("-12.5e3", "-11.1e1")


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_of_fallbacks_and_the_model_of_subagents_only_ids_stay(awk: list[str]) -> None:
    name = "CLAUDE_CODE_SUBAGENT_MODEL"
    shown = f'{{"fallbackModel" : ["claude-x", "y[1m]" ], "env": {{"{name}": "arn:aws:bedrock:x/y"}}}}'
    assert mask(shown, awk) == shown
    hidden = (
        f'{{"fallbackModel": ["a b", {{"c": "d"}}, "", "é"], "env": {{"{name}": "m\\n", "X": "y"}}, "z": "y[1m]x"}}'
    )
    masked = (
        f'{{"fallbackModel": ["***", {{"c": "*"}}, "", "**"], "env": {{"{name}": "***", "X": "*"}}, "z": "******"}}'
    )
    assert mask(hidden, awk) == masked
    assert mask(f'{{"{name}": "{"x" * 505}"}}', awk) == f'{{"{name}": "{"*" * 505}"}}'


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_a_key_is_the_same_key_however_it_is_written(awk: list[str]) -> None:
    text = '{"mod\\u0065l": "x", "\\u0065nv": {"ANTHROPIC\\u005FMODEL": "y", "T\\u006fKEN": "zz"}, '
    text += '"\\\\u006dodel": "s"}'
    assert mask(text, awk) == text.replace("zz", "**").replace('"s"', '"*"')


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_json_stays_json(awk: list[str]) -> None:
    """Random documents: masked, they still parse, with the same keys and none of the values."""
    dice = random.Random(4711)  # noqa: S311 - a repeatable test, not a secret

    def value(depth: int) -> object:
        kind = dice.choice(["text", "number", "bool", "list", "dict"] if depth else ["text", "number"])
        if kind == "text":
            return "".join(dice.choice('ab"\\/\n\t{}[]:,é😀') for _ in range(dice.randrange(12)))
        if kind == "number":
            return dice.choice([0, -1, 3.25, 1e30])
        if kind == "bool":
            return dice.choice([True, None])
        if kind == "list":
            return [value(depth - 1) for _ in range(dice.randrange(4))]
        return {f"k{n}": value(depth - 1) for n in range(dice.randrange(4))}

    for _ in range(40):
        document = {"model": "m", "deep": value(4), "end": {"deeper": value(4)}}
        text = json.dumps(document, indent=dice.choice([None, 1, "\t"]), ensure_ascii=dice.choice([True, False]))
        masked = json.loads(mask(text, awk))
        assert list(masked) == list(document)
        assert masked["model"] == "m"
        assert type(masked["deep"]) is type(document["deep"])


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_files_in_a_row_do_not_touch_one_another(awk: list[str], tmp_path: Path) -> None:
    """An open string or comment of one file ends with it, and each leaves as a frame of its own."""
    texts = {"a": '{"x":\n "m\nn', "b": f'{{"x": "{SECRET}"}}\n', "c": "", "d": '\ufeff{"model": "m"}'}
    words = []
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        words += [f"label={name}.masked", str(tmp_path / name)]
    masked = framed(subprocess.run([*awk, MASK, *words], capture_output=True, check=True, env=ENV).stdout)
    assert {label: text[: len(texts[label[0]].encode())].decode() for label, text in masked.items()} == {
        "a.masked": '{"x":\n "*\n*',
        "b.masked": '{"x": "*************"}\n',
        "d.masked": '\ufeff{"model": "m"}',
    }


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_why_a_service_did_not_answer_is_told_in_numbers(awk: list[str]) -> None:
    assert answered(awk, b"", "000", "7") == {"report.code": b"7", "report.http": b"000"}
    assert answered(awk, b"{}\n404\n22", "503", "22") == {"report.code": b"22", "report.http": b"503"}


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_an_answer_without_end_is_no_answer(awk: list[str]) -> None:
    assert answered(awk, b"x" * (MOST + 1)) == {"report.code": b"long"}
    assert answered(awk, b"x" * 1000) == {"report.code": b"long"}
    # It ends, where it is cut off, as if it were a code.
    assert answered(awk, b"\n" * (MOST + 99) + b"0") == {"report.code": b"long"}


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
@pytest.mark.parametrize(
    "answer",
    [b"", b"\n", b'"', b'"\n"\n', b"\0", b'{"model": "a\0b"}\0', b'"\xff\0\xfe"\n\0', b"end 2\nok\n", b"\r\n\r\n"],
)
def test_whatever_a_service_answers_stays_within_its_frames(awk: list[str], answer: bytes) -> None:
    assert answered(awk, answer).keys() == {"report.size", "report.masked"}
