"""One boto3 session for all calls of a command, and its clients."""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ProfileNotFound

from jada import UNEXPECTED, ConfigError, JadaError, __version__
from jada.inventory.cloud.calls import BY_NAME
from jada.inventory.cloud.errors import ATTEMPTS, ATTEMPTS_OF, LOG_IN, failure, in_words, words
from jada.inventory.cloud.profile import Aws
from jada.inventory.suggest import did_you_mean

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.model import OperationModel

# Seconds. Regions answer in under one; a page of a thousand instances in a few.
CONNECT_TIMEOUT = 5
READ_TIMEOUT = 30
# The region to ask for the list of regions when the profile has no region of its own.
HOME_REGION = "us-east-1"


class Clients:
    """Makes boto3 clients of one session; any thread may ask. Raises JadaError where there are no credentials."""

    def __init__(self, aws: Aws) -> None:
        self._lock = threading.Lock()
        self._session, region = _session(aws)
        self._home_region = region or HOME_REGION
        self._made: dict[tuple[str, str], Any] = {}
        self._answered = set[str]()

    @property
    def answered(self) -> frozenset[str]:
        """The actions, as IAM calls them, that were allowed so far."""
        return frozenset(self._answered)

    @contextmanager
    def client(self, service: str, region: str = "") -> Iterator[Any]:
        """The client of a service in a region, or in the profile's own; it may be used by many threads at a time.

        Whatever boto3 raises within the block is raised as a JadaError in words.
        """
        with in_words(service):
            yield self._client(service, region or self._home_region)

    def _client(self, service: str, region: str) -> Any:
        # Clients may be shared between threads, sessions may not.
        with self._lock:
            if (service, region) not in self._made:
                self._made[service, region] = self._new(service, region)
            return self._made[service, region]

    def _new(self, service: str, region: str) -> Any:
        config = Config(
            retries={
                "mode": "adaptive" if service in ATTEMPTS_OF else "standard",
                "total_max_attempts": ATTEMPTS_OF.get(service, ATTEMPTS),
            },
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            user_agent_extra=f"jada/{__version__}",
        )
        try:
            made = self._session.client(service, region_name=region, config=config)  # type: ignore[call-overload]
            made.meta.events.register("before-parameter-build", self._refuse_undeclared)
            made.meta.events.register("after-call", self._note_answer)
            return made
        except ValueError as error:
            raise JadaError(
                f"no client for {service} can be made: {words(error)}",
                "an endpoint of your own comes from endpoint_url in the profile, AWS_ENDPOINT_URL or "
                f"AWS_ENDPOINT_URL_{service.upper()}: it should begin with https:// or http://",
            ) from error

    def _refuse_undeclared(self, model: OperationModel, **_: Any) -> None:
        if _name(model) not in BY_NAME:
            raise JadaError(f"{_name(model)} is not among the calls that jada declares (calls.py)", UNEXPECTED)

    def _note_answer(self, http_response: AWSResponse, model: OperationModel, **_: Any) -> None:
        if http_response.status_code < 300:
            self._answered.add(BY_NAME[_name(model)].action)


def _name(model: OperationModel) -> str:
    return f"{model.service_model.service_name}:{model.name}"


@cache
def clients_of(aws: Aws) -> Clients:
    """The clients of one command: its credentials are had once, and an MFA code is asked for once. Raises JadaError."""
    return Clients(aws)


def _session(aws: Aws) -> tuple[boto3.session.Session, str | None]:
    """A session whose credentials are had already, and its region: a fault of theirs is told once, and before
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
        name = aws.profile or core.get_config_variable("profile")
        profiles = core.available_profiles
        raise ConfigError(
            f"There is no AWS profile {name}{did_you_mean(name, profiles)}",
            "profiles here: " + (", ".join(profiles) or "none at all; `aws configure` makes one"),
        ) from None
    except Exception as error:
        trouble = failure(error, "sts")
        raise JadaError(f"AWS can't be asked: {trouble.message}", trouble.hint) from error
    if credentials is None:
        looked = f"profile {aws.profile}" if aws.profile else "the environment, ~/.aws and this machine's own role"
        raise JadaError(f"There are no AWS credentials: looked in {looked}", LOG_IN)
    return session, region


def _mfa_code(prompt: str) -> str:
    """Asks for the code at the terminal; getpass alone would take any line of stdin for it. Raises JadaError."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise JadaError(
            "the AWS profile asks for an MFA code, and there is no terminal to ask at",
            "give jada a session that has passed MFA, such as with: "
            'eval "$(aws configure export-credentials --profile PROFILE --format env)"',
        ) from None
    return getpass.getpass(prompt)
