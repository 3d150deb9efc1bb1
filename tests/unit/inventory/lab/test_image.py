"""The base images of the lab."""

from __future__ import annotations

from click.testing import CliRunner

from jada.cli.commands.lab import lab
from jada.inventory.lab import image


def test_each_suite_has_an_image_of_its_own() -> None:
    assert len({image.path(suite) for suite in image.SUITES}) == len(image.SUITES)
    assert image.path() == image.path("bookworm")


def test_a_suite_that_is_none_is_refused_with_those_there_are() -> None:
    result = CliRunner().invoke(lab, ["up", "--suite", "buster"])
    assert result.exit_code == 2
    assert all(suite in result.output for suite in image.SUITES)
