"""One boto3 session for all calls of a command, and AWS's errors in words."""

from __future__ import annotations

import getpass
import json
import os
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.loaders import Loader

from jada import ConfigError, JadaError, __version__, reason
from jada.inventory.fleet.config import Aws
from jada.inventory.suggest import did_you_mean

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
# Calls that are made for credentials, in the middle of any other one, and the service of each as IAM calls it.
FOR_CREDENTIALS = {
    "AssumeRole": "sts",
    "AssumeRoleWithWebIdentity": "sts",
    "AssumeRoleWithSAML": "sts",
    "GetRoleCredentials": "sso",
}
# Calls that are made in each region of a source.
FOR_A_REGION = {"DescribeInstances", "GetInstances"}
# Characters of another's words that an error repeats.
MOST_OF_WORDS = 500
# EC2's appendix to a refusal, which only sts:DecodeAuthorizationMessage can read.
_ENCODED = re.compile(r"\s*Encoded authorization failure message:.*", re.DOTALL)
# Who a URL is for may be a secret.
_USERINFO = re.compile(r"//[^/@\s]*@")

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Failure:
    """One call that failed: where it was made ("ec2 us-east-1"), what happened, and what to do."""

    where: str
    message: str
    hint: str = ""
    cause: Exception | None = field(default=None, compare=False, repr=False)


class Clients:
    """Makes boto3 clients of one session; any thread may ask. Raises JadaError where there are no credentials."""

    def __init__(self, aws: Aws) -> None:
        self._lock = threading.Lock()
        self._session, region = _session(aws)
        self.home_region = region or HOME_REGION

    def client(self, service: str, region: str) -> Any:
        """A client; it may be used by one thread at a time or by many. Raises JadaError, and what boto3 raises."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            user_agent_extra=f"jada/{__version__}",
        )
        # Clients may be shared between threads, sessions may not.
        with self._lock:
            try:
                return self._session.client(service, region_name=region, config=config)  # type: ignore[call-overload]
            except ValueError as error:
                raise JadaError(
                    f"no client for {service} can be made: {_words(error)}",
                    "an endpoint of your own comes from endpoint_url in the profile, AWS_ENDPOINT_URL or "
                    f"AWS_ENDPOINT_URL_{service.upper()}: it should begin with https:// or http://",
                ) from error


@cache
def clients_of(aws: Aws) -> Clients:
    """The clients of one command: its credentials are had once, and an MFA code is asked for once. Raises JadaError."""
    return Clients(aws)


def side_by_side(act: Callable[[A], B], items: Sequence[A], where: Callable[[A], str]) -> list[B | Failure]:
    """Runs `act` on all items in threads: what each gave, in order, or how it failed."""

    def run(item: A) -> B | Failure:
        try:
            return act(item)
        except Exception as error:
            return failure(error, where(item))

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(run, items))


def told_together(failures: Sequence[Failure], what: str) -> JadaError:
    """One error for all failures; those that say the same are told once, with all their places."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in failures:
        places.setdefault((one.message, one.hint), []).append(one.where)
    lines = [f"{', '.join(where)}: {message}" for (message, _), where in places.items()]
    hints = dict.fromkeys(hint for _, hint in places if hint)
    told = JadaError(f"{what}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{what}:", *lines]), "; ".join(hints))
    told.__cause__ = failures[0].cause
    return told


def failure(error: Exception, where: str) -> Failure:
    """Whatever boto3 raises, in words: that is not BotoCoreError alone, but also what a file, a helper's answer or a
    socket brings about. `where` begins with the service, as IAM calls it: "ec2 us-east-1".
    """
    message, hint = _answered(error, where) if isinstance(error, ClientError) else _told(error)
    return Failure(where, message, hint, error)


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, JadaError):
        return error.message, error.hint
    if isinstance(error, (ConnectionError, HTTPClientError)):
        endpoint = _USERINFO.sub("//", str(error.kwargs.get("endpoint_url") or "the endpoint"))
        # What is inside an error that has no class of its own, whose text may quote a header with a token.
        kind = type(error.kwargs.get("error") or error if type(error) is HTTPClientError else error).__name__
        return (
            f"{endpoint} can't be reached after {ATTEMPTS} attempts ({kind})",
            "check the network and the proxy; an endpoint of your own comes from endpoint_url in the profile or "
            "AWS_ENDPOINT_URL",
        )
    if isinstance(error, (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError)):
        return f"AWS credentials can't be had: {_words(error)}", LOG_IN
    if isinstance(error, (SSOError, TokenRetrievalError, LoginError)):
        return f"the login to AWS has ended or was never begun: {_words(error)}", LOG_IN
    if isinstance(error, BotoCoreError):
        return _words(error), f"see the profile in ~/.aws/config or aws.config_file; {LOG_IN}"
    return _unforeseen(error), f"`aws configure list` shows where the credentials come from; {LOG_IN}"


def _unforeseen(error: Exception) -> str:
    """What a provider of credentials lets through, without its text, which may hold anything."""
    if isinstance(error, json.JSONDecodeError):
        return f"a credential_process, or another source of credentials, gave something that is not JSON ({error})"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}, which the AWS credentials need, can't be used: {reason(error)}"
    return f"boto3 could not go on ({reason(error)})"


def _words(told: object) -> str:
    """As much of another's words as an error tells, on one line."""
    text = _USERINFO.sub("//", " ".join(_ENCODED.sub("", str(told)).split()))
    return text if len(text) <= MOST_OF_WORDS else f"{text[: MOST_OF_WORDS - 1]}…"


@cache
def known_regions() -> frozenset[str]:
    """The regions of all AWS partitions that the installed botocore knows; asks no network."""
    partitions = Loader().load_data("partitions")["partitions"]
    # Each partition also lists a pseudo-region, such as aws-global.
    return frozenset(name for one in partitions for name in one["regions"] if not name.endswith("-global"))


def _session(aws: Aws) -> tuple[boto3.session.Session, str | None]:
    """A session whose credentials are had already, and its region: what is wrong with them is told once, and before
    any region is asked. Raises JadaError.
    """
    core = botocore.session.Session()
    if aws.config_file:
        if not aws.config_file.is_file():
            raise ConfigError(f"aws.config_file names {aws.config_file}, which does not exist")
        core.set_config_variable("config_file", str(aws.config_file))
    if aws.profile:
        core.set_config_variable("profile", aws.profile)
    try:
        session = boto3.session.Session(botocore_session=core)
        core.get_component("credential_provider").get_provider("assume-role")._prompter = _mfa_code
        if credentials := session.get_credentials():
            credentials.get_frozen_credentials()
        region = session.region_name
    except ProfileNotFound:
        wanted = aws.profile or core.get_config_variable("profile")
        profiles = core.available_profiles
        raise ConfigError(
            f"There is no AWS profile {wanted}{did_you_mean(wanted, profiles)}",
            "profiles here: " + (", ".join(profiles) or "none at all; `aws configure` makes one"),
        ) from None
    except Exception as error:
        told = failure(error, "sts")
        raise JadaError(f"AWS can't be asked: {told.message}", told.hint) from error
    if credentials is None:
        looked = f"profile {aws.profile}" if aws.profile else "the environment, ~/.aws and this machine's own role"
        raise JadaError(f"There are no AWS credentials: looked in {looked}", LOG_IN)
    return session, region


def _mfa_code(prompt: str) -> str:
    """What is typed at the terminal; getpass alone would take any line of stdin for it. Raises JadaError."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise JadaError(
            "the AWS profile asks for an MFA code, and there is no terminal to ask at",
            "give jada a session that has passed MFA, such as with: "
            'eval "$(aws configure export-credentials --profile PROFILE --format env)"',
        ) from None
    return getpass.getpass(prompt)


def _answered(error: ClientError, where: str) -> tuple[str, str]:
    service = FOR_CREDENTIALS.get(error.operation_name, where.split(maxsplit=1)[0])
    code = error.response.get("Error", {}).get("Code", "")
    said = _words(error.response.get("Error", {}).get("Message", "") or code)
    permission = f"{service}:{error.operation_name}"
    left_out = "; `not_regions` in fleet.yml leaves a region out" if error.operation_name in FOR_A_REGION else ""
    if code in EXPIRED:
        return f"the AWS session has expired ({code})", LOG_IN
    if code in DENIED:
        return (
            f"access denied; these credentials lack the permission {permission} ({code}): {said}",
            f"ask for {permission} there; README.md has the whole IAM policy{left_out}",
        )
    if code in THROTTLED:
        return (
            f"AWS still throttled {permission} after {ATTEMPTS} attempts ({code})",
            "wait a minute and run it again; something else in this account is calling AWS a lot",
        )
    if code in REFUSED:
        return (
            f"AWS does not accept these credentials here ({code}): {said}",
            f"{LOG_IN}; a region that the account has not enabled says the same{left_out}",
        )
    hint = LOG_IN if error.operation_name in FOR_CREDENTIALS else "compare that with this source in fleet.yml"
    return f"{permission} failed ({code}): {said}", hint
