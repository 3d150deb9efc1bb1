"""The regions of a source: which ones fleet.yml names, and which of them are searched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from jada import JadaError
from jada.inventory.suggest import did_you_mean
from jada.inventory.yaml_values import Value

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
    return ALL if value.texts() == ALL else read_names(value)


def read_names(value: Value) -> tuple[str, ...]:
    """A list of regions that AWS has."""
    # Here, because a fleet of static hosts needs nothing of botocore.
    from jada.inventory.cloud.regions import known_regions

    known = known_regions()
    for item in value.items():
        if item.text() not in known:
            raise item.error(
                f"is not an AWS region: {item.text()}{did_you_mean(item.text(), known)}",
                "name regions such as us-east-1; `regions: all` is every region the account has enabled",
            )
    return value.texts()


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
