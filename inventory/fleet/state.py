"""fleet.yml's `state`: where a team keeps what it shares, its record and its leases."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jada.inventory.yaml_values import Value

# "General purpose bucket naming rules" and "Safe characters" of keys, both in the S3 user guide.
_PLACE = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/[A-Za-z0-9!_.*'()-]{1,100}){0,8})/?"
)


@dataclass(frozen=True, slots=True)
class SharedState:
    """A place in S3; `prefix` is "", or ends in a slash."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def read(value: Value) -> SharedState:
    return parsed(value.matching(_PLACE, "a bucket and a prefix in it, such as s3://my-team/jada"))


def parsed(text: str) -> SharedState:
    """The place that str() names. Raises ValueError."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return SharedState(match["bucket"], f"{match['prefix'][1:]}/" if match["prefix"] else "")
