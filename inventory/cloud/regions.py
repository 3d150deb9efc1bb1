"""AWS's regions, as far as this machine knows them."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader


@cache
def known_regions() -> frozenset[str]:
    """The regions of all AWS partitions that the installed botocore knows; asks no network."""
    partitions = Loader().load_data("partitions")["partitions"]
    # Each partition also lists a pseudo-region, such as aws-global.
    return frozenset(name for partition in partitions for name in partition["regions"] if not name.endswith("-global"))
