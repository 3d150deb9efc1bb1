"""The configurations that jada is wrong about, by the test that fails, or says nothing of, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def by_name(groups: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {name: reason for reason, names in groups.items() for name in names}


# What it works out from the host's files, by the table of docs/model-precedence.md, is told as derived, and is wrong.
OTHER_WORD = by_name(
    {
        "a mount over a file in a folder of the user's keeps root from asking, and the host's own file is another": (
            "unit: BindReadOnlyPaths= over settings.json",
            "unit: InaccessiblePaths= of settings.json",
        ),
    }
)
# A finding where the CLI asks for the very model.
FALSE_FINDING = by_name({"jada reads no UTF-16, and can't edit it": ("read: in UTF-16",)})
# Neither what runs nor what a start would ask for is told; answers would show it.
NOT_TOLD = by_name(
    {
        "an empty id is sent, which the CLI does not tell": ("the model is ' '", "command line: --model ''"),
    }
)
