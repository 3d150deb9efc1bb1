"""files/look/mask.awk: no secret passes it, and every offset stays."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

import jada

MASK = Path(jada.__file__).parent / "files" / "look" / "mask.awk"
AWKS = [awk for awk in (["mawk"], ["gawk"], ["busybox", "awk"], ["original-awk"]) if shutil.which(awk[0])]
SECRET = "sk-ant-Secret"


def mask(text: str, awk: list[str]) -> str:
    process = subprocess.run(
        [*awk, "-f", str(MASK)],
        input=text.encode(),
        capture_output=True,
        check=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )
    return process.stdout[: len(text.encode())].decode("latin-1")


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
    env = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    process = subprocess.run([*awk, "-f", str(MASK), *words], capture_output=True, check=True, env=env)
    masked: dict[str, str] = {}
    rest = process.stdout
    while rest:
        head, _, rest = rest.partition(b"\n")
        label, size = head.decode().split()
        masked[label], end, rest = rest[: int(size)].decode(), rest[int(size) : int(size) + 1], rest[int(size) + 1 :]
        assert end == b"\n"
    assert {label: text.encode()[: len(texts[label[0]].encode())].decode() for label, text in masked.items()} == {
        "a.masked": '{"x":\n "*\n*',
        "b.masked": '{"x": "*************"}\n',
        "d.masked": '\ufeff{"model": "m"}',
    }
