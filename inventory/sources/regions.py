"""The regions of a source: which ones fleet.yml names, and which of them are searched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

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


def searched(source: InRegions, every: Callable[[], Iterable[str]]) -> list[str]:
    """The regions of a source without those to leave out; `every` lists all, and is called only for ALL."""
    return [region for region in (every() if source.regions == ALL else source.regions)
            if region not in source.not_regions]  # fmt: skip


def in_words(source: InRegions) -> str:
    without = f" but {', '.join(source.not_regions)}" if source.not_regions else ""
    return f"{', '.join(source.regions)} regions{without}"
