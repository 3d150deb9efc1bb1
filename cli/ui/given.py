"""The type of every option and argument that is a text."""

from __future__ import annotations

import click


class Given(click.types.StringParamType):
    """A text with something in it: an empty one is a variable that is not set, and no wish for the default."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(super().convert(value, param, ctx))
        if not text.strip():
            self.fail("it is empty; is a variable not set?", param, ctx)
        return text


GIVEN = Given()
