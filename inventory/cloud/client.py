"""Asking AWS. boto3 is imported when that is done, and not before: it takes as long as reading ten hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jada.inventory.cloud.profile import Aws


def log_in(aws: Aws) -> None:
    """Has the credentials of this command ready: that may ask for an MFA code at the terminal. Raises JadaError."""
    from jada.inventory.cloud.session import clients_of

    clients_of(aws)


def answered(aws: Aws) -> frozenset[str]:
    """The actions, as IAM calls them, that AWS has allowed this command so far. Raises JadaError."""
    from jada.inventory.cloud.session import clients_of

    return clients_of(aws).answered


@contextmanager
def client(aws: Aws, service: str, region: str = "") -> Iterator[Any]:
    """A boto3 client, in the profile's own region where none is named; within the block its errors are JadaErrors."""
    from jada.inventory.cloud.session import clients_of

    with clients_of(aws).client(service, region) as opened:
        yield opened
