"""The regions of a source: which ones fleet.yml names, and which of them are searched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

from jada import JadaError
from jada.inventory.suggest import did_you_mean
from jada.inventory.yaml_values import Value, shown

# In place of a list of regions: all that the account has enabled.
ALL = ("all",)


class InRegions(Protocol):
    """A source that names regions, which may be ALL, and some to leave out."""

    @property
    def regions(self) -> tuple[str, ...]: ...

    @property
    def not_regions(self) -> tuple[str, ...]: ...


def read(value: Value) -> tuple[str, ...]:
    """A list of regions, or ALL."""
    return value.by_form(
        text=lambda text: (text.matching(re.compile("all"), "a list of regions, or all"),),
        items=lambda items: ALL if tuple(items.listed(Value.text)) == ALL else read_names(items),
    )


def read_names(value: Value) -> tuple[str, ...]:
    """A list of regions that AWS has."""
    return tuple(value.listed(_region))


def _region(value: Value) -> str:
    # Here, because a fleet of static hosts needs nothing of botocore.
    from jada.inventory.cloud.regions import known_regions

    name, known = value.text(), known_regions()
    if name not in known:
        raise value.error(
            f"is not an AWS region: {shown(name)}{did_you_mean(name, known)}",
            "name regions such as us-east-1; `regions: all` is every region the account has enabled",
        )
    return name


def check(value: Value, source: InRegions) -> None:
    """Raises ConfigError for a source that leaves all its regions out: it would find nothing, and nobody would know."""
    if source.regions != ALL and not set(source.regions) - set(source.not_regions):
        raise value.error("leaves out every region that it names", "take one off `not_regions`")


def searched(source: InRegions, every: Callable[[], Iterable[str]]) -> list[str]:
    """The regions of a source without those to leave out; `every` lists all, and is called only for ALL.

    Raises JadaError where none is left.
    """
    listed = every() if source.regions == ALL else source.regions
    if left := [region for region in listed if region not in source.not_regions]:
        return left
    raise JadaError("`not_regions` leaves out every region that there is", "take one off it, or delete that source")


def in_words(source: InRegions) -> str:
    without = f" but {', '.join(source.not_regions)}" if source.not_regions else ""
    return f"{', '.join(source.regions)} regions{without}"
