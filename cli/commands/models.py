"""jada models"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from jada import ConfigError, Exit, Model
from jada.cli.options import fleet_option
from jada.cli.ui.console import emit_json, escape
from jada.cli.ui.tables import Column, show_table

COLUMNS = (Column("model"), Column("id"), Column("USD in / out", 2), Column("retires", 1), Column("CLI from", 3))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@fleet_option
def models(as_json: bool, fleet_file: str | None) -> None:
    """List the models jada knows, their ids and prices.

    A line has the name to type, the exact id that is written, prices, the day the model retires, and the least version
    of the Claude CLI with which the vendor's API takes requests for it, where that is known.

    Prices are USD per million tokens, in and out. fleet.yml may override an id or a version, or add a model, under
    `models:`.

    \b
    Examples:
      jada models
      jada models --json | jq -r '.models[].id'
    """
    from jada.inventory import models as catalogue
    from jada.inventory.fleet import config

    try:
        fleet = config.load(fleet_file)
    except ConfigError:
        if fleet_file:
            raise
        fleet = None
    listed = catalogue.catalogue(fleet.models if fleet else {})
    if as_json:
        emit_json("models", fleet.name if fleet else None, Exit.OK, {"models": [_as_json(model) for model in listed]})
        return
    today = f"{datetime.now(UTC):%F}"
    rows = (
        (
            f"[bold]{escape(model.name)}[/]",
            escape(model.id),
            f"{model.input_price:g} / {model.output_price:g}" if model.input_price else "–",
            f"[{'red' if model.retires <= today else 'yellow'}]{escape(model.retires)}[/]" if model.retires else "–",
            escape(model.cli) or "–",
        )
        for model in listed
    )
    show_table(COLUMNS, rows, hint="--json")


def _as_json(model: Model) -> dict[str, Any]:
    return {
        "model": model.id,
        "name": model.name,
        "input_price_usd": model.input_price or None,
        "output_price_usd": model.output_price or None,
        "retires": model.retires or None,
        "cli": model.cli or None,
    }
