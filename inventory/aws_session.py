"""One boto3 session for all calls of a command, and AWS's errors in words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.loaders import Loader

from jada import ConfigError, JadaError, __version__
from jada.inventory.fleet import Aws
from jada.inventory.words import did_you_mean

# The first try and three more; with standard mode's random waits of up to 1, 2 and 4 seconds between them.
ATTEMPTS = 4
# Seconds. Regions answer in under one; a page of a thousand instances in a few.
CONNECT_TIMEOUT = 5
READ_TIMEOUT = 30
# One thread a region is enough for all of AWS's regions at once.
THREADS = 40
# Where to ask for the list of regions when the profile has no region of its own.
HOME_REGION = "us-east-1"

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError"}
THROTTLED = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "SlowDown"}
# A region that the account has not enabled says the same as a wrong key.
REFUSED = {
    "AuthFailure",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthenticatedException",
    "UnrecognizedClientException",
}
LOG_IN = (
    "`aws sts get-caller-identity` shows who you are to AWS; `aws sso login` or new keys in the environment renew it"
)

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Failure:
    """One call that failed: where it was made ("ec2 us-east-1"), what happened, and what to do."""

    where: str
    message: str
    hint: str = ""


class Clients:
    """Makes boto3 clients of one session; any thread may ask. Raises JadaError where there are no credentials."""

    def __init__(self, aws: Aws) -> None:
        self._lock = threading.Lock()
        self._session = _session(aws)
        self.home_region = self._session.region_name or HOME_REGION

    def client(self, service: str, region: str) -> Any:
        """A client; it may be used by one thread at a time or by many."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            user_agent_extra=f"jada/{__version__}",
        )
        # Clients may be shared between threads, sessions may not.
        with self._lock:
            return self._session.client(service, region_name=region, config=config)  # type: ignore[call-overload]


def side_by_side(act: Callable[[A], B], items: Sequence[A], where: Callable[[A], str]) -> tuple[list[B], list[Failure]]:
    """Runs `act` on all items in threads: what they gave, in order, and what failed of AWS."""

    def run(item: A) -> B | Failure:
        try:
            return act(item)
        except (ClientError, BotoCoreError) as error:
            return failure(error, where(item))
        except JadaError as error:
            return Failure(where(item), error.message, error.hint)

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        results = list(pool.map(run, items))
    given = [result for result in results if not isinstance(result, Failure)]
    return given, [result for result in results if isinstance(result, Failure)]


def told_together(failures: Iterable[Failure], what: str) -> JadaError:
    """One error for all failures; those that say the same are told once, with all their places."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in failures:
        places.setdefault((one.message, one.hint), []).append(one.where)
    lines = [f"{', '.join(where)}: {message}" for (message, _), where in places.items()]
    hints = dict.fromkeys(hint for _, hint in places if hint)
    return JadaError(f"{what}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{what}:", *lines]), "; ".join(hints))


def failure(error: ClientError | BotoCoreError, where: str) -> Failure:
    """What an error of boto3 means, in words. `where` begins with the service, as IAM calls it: "ec2 us-east-1"."""
    if isinstance(error, ClientError):
        return _answered(error, where)
    if isinstance(error, (ConnectionError, HTTPClientError)):
        endpoint = error.kwargs.get("endpoint_url") or "the endpoint"
        return Failure(
            where,
            f"{endpoint} can't be reached after {ATTEMPTS} attempts ({type(error).__name__})",
            "check the network and the proxy; an endpoint of your own comes from endpoint_url in the profile or "
            "AWS_ENDPOINT_URL",
        )
    if isinstance(error, (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError)):
        return Failure(where, f"AWS credentials can't be had: {error}", LOG_IN)
    if isinstance(error, (SSOError, TokenRetrievalError)):
        return Failure(where, f"the SSO session has ended or was never begun: {error}", LOG_IN)
    return Failure(where, str(error))


@cache
def known_regions() -> frozenset[str]:
    """The regions of all AWS partitions that the installed botocore knows; asks no network."""
    partitions = Loader().load_data("partitions")["partitions"]
    # Each partition also lists a pseudo-region, such as aws-global.
    return frozenset(name for one in partitions for name in one["regions"] if not name.endswith("-global"))


def _session(aws: Aws) -> boto3.session.Session:
    core = botocore.session.Session()
    if aws.config_file:
        if not aws.config_file.is_file():
            raise ConfigError(f"aws.config_file names {aws.config_file}, which does not exist")
        core.set_config_variable("config_file", str(aws.config_file))
    if aws.profile:
        core.set_config_variable("profile", aws.profile)
    try:
        session = boto3.session.Session(botocore_session=core)
        credentials = session.get_credentials()
    except ProfileNotFound:
        wanted = aws.profile or core.get_config_variable("profile")
        profiles = core.available_profiles
        raise ConfigError(
            f"There is no AWS profile {wanted}{did_you_mean(wanted, profiles)}",
            "profiles here: " + (", ".join(profiles) or "none at all; `aws configure` makes one"),
        ) from None
    except BotoCoreError as error:
        told = failure(error, "aws")
        raise JadaError(f"AWS can't be asked: {told.message}", told.hint) from None
    if credentials is None:
        looked = f"profile {aws.profile}" if aws.profile else "the environment, ~/.aws and this machine's own role"
        raise JadaError(f"There are no AWS credentials: looked in {looked}", LOG_IN)
    return session


def _answered(error: ClientError, where: str) -> Failure:
    service = where.split(maxsplit=1)[0]
    code = error.response.get("Error", {}).get("Code", "")
    said = error.response.get("Error", {}).get("Message", "") or code
    permission = f"{service}:{error.operation_name}"
    if code in EXPIRED:
        return Failure(where, f"the AWS session has expired ({code})", LOG_IN)
    if code in DENIED:
        return Failure(
            where,
            f"access denied; these credentials lack the permission {permission} ({code})",
            f"ask for {permission} there; README.md has the whole IAM policy",
        )
    if code in THROTTLED:
        return Failure(
            where,
            f"AWS still throttled {permission} after {ATTEMPTS} attempts ({code})",
            "wait a minute and run it again; something else in this account is calling AWS a lot",
        )
    if code in REFUSED:
        return Failure(
            where,
            f"AWS does not accept these credentials here ({code}): {said}",
            f"{LOG_IN}; a region that the account has not enabled says the same",
        )
    return Failure(where, f"{permission} failed ({code}): {said}", "compare that with this source in fleet.yml")
