"""Asking AWS. boto3 is imported when that is done, and not before: it takes as long as reading ten hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jada import Aws, JadaError
from jada.inventory.concurrency import map_concurrently

# The accounts whose credentials could not be had, until all are tried anew: what goes on without them, as a way back
# does, waits for no other time-out, and asks for no other MFA code.
_failed: dict[Aws, JadaError] = {}
# The services of a region that gave no answer to it.
_silent: dict[tuple[Aws, str, str], JadaError] = {}


def log_in_to_all(accounts: Sequence[Aws]) -> list[JadaError | None]:
    """Has the credentials of these accounts ready: the error of each that can't be had.

    One profile after the other, for each may ask for an MFA code at the terminal; then their roles, side by side.
    """
    from jada.inventory.cloud.session import clients_of, taker, takers_clients

    profiles: dict[tuple[Aws, bool], JadaError | None] = {}
    for profile, takes_on in dict.fromkeys((taker(aws), bool(aws.role_arn)) for aws in accounts):
        try:
            takers_clients(profile) if takes_on else clients_of(profile)
        except JadaError as error:
            profiles[profile, takes_on] = error

    def log_in(aws: Aws) -> None:
        if error := profiles.get((taker(aws), bool(aws.role_arn))):
            raise error
        clients_of(aws)

    _failed.clear()
    _silent.clear()
    errors = map_concurrently(log_in, accounts)
    _failed.update((aws, error) for aws, error in zip(accounts, errors, strict=True) if error)
    return errors


def answered(accounts: Iterable[Aws]) -> frozenset[str]:
    """The actions, as IAM calls them, that AWS has allowed this command so far in these accounts. Raises JadaError."""
    from jada.inventory.cloud.session import clients_of, taker, takers_clients

    # Only those that take a role on: making the latter may ask for an MFA code.
    every = [clients_of(aws) for aws in accounts] + [takers_clients(taker(aws)) for aws in accounts if aws.role_arn]
    return frozenset[str]().union(*(clients.answered for clients in every))


def give_up(aws: Aws, service: str, region: str, error: JadaError) -> None:
    """Asks a service in a region nothing more, until log_in_to_all(): it gave no answer."""
    _silent[aws, service, region] = error


@contextmanager
def client(aws: Aws, service: str, region: str = "") -> Iterator[Any]:
    """A boto3 client, in the profile's own region where none is named; within the block its errors are JadaErrors."""
    from jada.inventory.cloud.session import clients_of

    if error := _failed.get(aws) or _silent.get((aws, service, region)):
        raise JadaError(error.message, error.hint) from error
    with clients_of(aws).client(service, region) as opened:
        yield opened
