"""Options of the commands that change hosts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from jada import ON_FAILURE, ConfigError, Exit
from jada.cli.ui.complete import wishes
from jada.cli.ui.duration import parse_span
from jada.cli.ui.given import GIVEN

if TYPE_CHECKING:
    from jada.inventory.fleet.rollout import RolloutPolicy


@dataclass(frozen=True, slots=True)
class RolloutOptions:
    """The options of a rollout: how it is carried out and told, and how many seconds it waits for others that change
    the fleet.
    """

    dry_run: bool
    yes: bool
    as_json: bool
    verbose: bool
    lock_wait: int = 0


# Of what nobody is asked about: it was agreed to before, or happens by itself.
UNASKED = RolloutOptions(dry_run=False, yes=True, as_json=False, verbose=False)


def rollout_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Adds --reason, --dry-run, --yes, --lock-wait, --json and --verbose to a command; all but the first come as
    `options`.
    """

    @click.option("--reason", default="", help="Why, for the record and for whoever reads it later.")
    @click.option("--dry-run", is_flag=True, help="Look and show what would be done; change nothing.")
    @click.option("--yes", "-y", is_flag=True, help="Do not ask.")
    @click.option(
        "--lock-wait",
        metavar="TIME",
        type=parse_span,
        default="0",
        help="Wait so long for another jada that changes the fleet, such as 15m; not for a `jada lock`.",
    )
    @click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Tell as JSON, an object a line, the last of which is the report (with --yes or --dry-run).",
    )
    @click.option("--verbose", "-v", is_flag=True, help="Show the evidence from each host too.")
    @functools.wraps(command)
    def with_options(*, dry_run: bool, yes: bool, lock_wait: int, as_json: bool, verbose: bool, **others: Any) -> Exit:
        return command(options=RolloutOptions(dry_run, yes, as_json, verbose, lock_wait), **others)

    return with_options


def wish_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Adds --to, --allow-unlisted, --restart and --force to a command."""
    decorate = (
        click.option(
            "--to",
            metavar="MODEL|ROLE=MODEL",
            type=GIVEN,
            multiple=True,
            help="A name of `jada models`, or an exact id; with [1m] behind it, a context of a million tokens. For "
            "some roles alone: ROLE=MODEL, once for each. Default: what each role asks for.",
            shell_complete=wishes,
        ),
        click.option("--allow-unlisted", is_flag=True, help="Take an exact id that is not in the catalogue."),
        click.option("--restart", is_flag=True, help="Make a release and restart even where nothing is to change."),
        click.option("--force", is_flag=True, help="Change hosts that fail the checks before the change too."),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(decorate), command)


def failed_option(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Adds --failed to a command."""
    return click.option(
        "--failed", is_flag=True, help="Only hosts that the last upgrade in the record did not end well on."
    )(command)


@dataclass(frozen=True, slots=True)
class Pace:
    """The keys of a rollout's policy that were asked for on the command line; None for those of fleet.yml."""

    waves: str | None = None
    bake: int | None = None
    max_failures: str | None = None
    on_failure: str | None = None

    def of(self, policy: RolloutPolicy) -> RolloutPolicy:
        """The policy with these in place of its own. Raises ConfigError."""
        from jada.inventory.fleet.rollout import parse_share, why_no_waves

        if self.on_failure is not None:
            policy = replace(policy, on_failure=self.on_failure)
        if self.max_failures is not None:
            share = parse_share(self.max_failures, 0)
            if share is None:
                raise ConfigError(
                    f"--max-failures {self.max_failures} should be a number of hosts or a share of them",
                    "--max-failures 1, or --max-failures 10%",
                )
            policy = replace(policy, max_failures=share)
        if self.bake is not None:
            policy = replace(policy, bake_time=self.bake, first_bake_time=None, final_bake_time=self.bake)
        if self.waves is None:
            return policy
        shares = tuple(parse_share(text.strip(), 1) for text in self.waves.split(","))
        waves = tuple(share for share in shares if share)
        problem = "should be numbers of hosts or shares of them" if waves != shares else why_no_waves(waves)
        if problem:
            raise ConfigError(f"--waves {self.waves} {problem}", "--waves 1,10%,50%,100%")
        return replace(policy, waves=waves)


# The pace of fleet.yml.
UNPACED = Pace()


def pace_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Adds --waves, --bake, --no-bake, --max-failures and --on-failure to a command, which come as `pace`."""

    @click.option("--waves", metavar="WAVES", type=GIVEN, help="Instead of fleet.yml's, such as 1,10%,100%.")
    @click.option("--bake", metavar="TIME", type=parse_span, help="Watch each wave for so long, the last too.")
    @click.option("--no-bake", is_flag=True, help="Go on from wave to wave without watching.")
    @click.option("--max-failures", metavar="HOSTS", type=GIVEN, help="So many may fail, as a number or a share.")
    @click.option("--on-failure", type=click.Choice(ON_FAILURE), help="What follows where more do.")
    @functools.wraps(command)
    def with_pace(
        *,
        waves: str | None,
        bake: int | None,
        no_bake: bool,
        max_failures: str | None,
        on_failure: str | None,
        **others: Any,
    ) -> Exit:
        if no_bake and bake:
            raise ConfigError("--bake and --no-bake are two ways", "take one of them")
        return command(pace=Pace(waves, 0 if no_bake else bake, max_failures, on_failure), **others)

    return with_pace
