"""Tags of hosts: those that fleet.yml asks for, and the hosts that have them."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from jada.inventory.yaml_values import Value


def read(value: Value) -> dict[str, tuple[str, ...]]:
    """The tags to select by: each with one value or several, any of which will do."""
    return value.named(lambda _, tag: tag.texts())


def has_tags(tags: Mapping[str, str], filters: Mapping[str, tuple[str, ...]]) -> bool:
    """True if each tag to select by is there with one of its values, read as EC2 reads them: * and ? are wildcards."""
    return all(
        key in tags and any(fnmatch.fnmatchcase(tags[key], value.replace("[", "[[]")) for value in values)
        for key, values in filters.items()
    )


def in_words(filters: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Each tag as people write it: "env=prod or staging"."""
    return [f"{key}={' or '.join(values)}" for key, values in filters.items()]
