"""Options of the commands that change hosts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from jada import ConfigError, Exit
from jada.cli.ui.duration import parse_span
from jada.cli.ui.given import GIVEN

if TYPE_CHECKING:
    from jada.inventory.fleet.rollout import RolloutPolicy


@dataclass(frozen=True, slots=True)
class RolloutOptions:
    """The options of a rollout: how it is carried out and told."""

    dry_run: bool
    yes: bool
    as_json: bool
    verbose: bool


# Of what nobody is asked about: it was agreed to before, or happens by itself.
UNASKED = RolloutOptions(dry_run=False, yes=True, as_json=False, verbose=False)


def rollout_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Adds --reason, --dry-run, --yes, --json and --verbose to a command; all but the first come as `options`."""

    @click.option("--reason", default="", help="Why, for the record and for whoever reads it later.")
    @click.option("--dry-run", is_flag=True, help="Look and show what would be done; change nothing.")
    @click.option("--yes", "-y", is_flag=True, help="Do not ask.")
    @click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Tell as JSON, an object a line, the last of which is the report (with --yes or --dry-run).",
    )
    @click.option("--verbose", "-v", is_flag=True, help="Show the evidence from each host too.")
    @functools.wraps(command)
    def with_options(*, dry_run: bool, yes: bool, as_json: bool, verbose: bool, **others: Any) -> Exit:
        return command(options=RolloutOptions(dry_run, yes, as_json, verbose), **others)

    return with_options


@dataclass(frozen=True, slots=True)
class Pace:
    """The waves and the bake that were asked for on the command line; None for those of fleet.yml."""

    waves: str | None
    bake: int | None

    def of(self, policy: RolloutPolicy) -> RolloutPolicy:
        """The policy with these in place of its own. Raises ConfigError."""
        from jada.inventory.fleet.rollout import parse_share, why_no_waves

        if self.bake is not None:
            policy = replace(policy, bake_time=self.bake, first_bake_time=None, final_bake_time=self.bake)
        if self.waves is None:
            return policy
        shares = tuple(parse_share(text.strip(), 1) for text in self.waves.split(","))
        waves = tuple(share for share in shares if share)
        problem = "should be numbers of hosts or shares of them" if waves != shares else why_no_waves(waves)
        if problem:
            raise ConfigError(f"--waves {self.waves} {problem}", "such as: --waves 1,10%,50%,100%")
        return replace(policy, waves=waves)


def pace_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Adds --waves, --bake and --no-bake to a command, which come as `pace`."""

    @click.option("--waves", metavar="WAVES", type=GIVEN, help="Instead of fleet.yml's, such as 1,10%,100%.")
    @click.option("--bake", metavar="TIME", type=parse_span, help="Watch each wave for so long, the last too.")
    @click.option("--no-bake", is_flag=True, help="Go on from wave to wave without watching.")
    @functools.wraps(command)
    def with_pace(*, waves: str | None, bake: int | None, no_bake: bool, **others: Any) -> Exit:
        if no_bake and bake:
            raise click.UsageError("--bake and --no-bake are two ways: take one")
        return command(pace=Pace(waves, 0 if no_bake else bake), **others)

    return with_pace
