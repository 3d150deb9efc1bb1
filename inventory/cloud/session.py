"""The sessions of boto3, one for each account that a command asks, and their clients."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import ProfileNotFound
from botocore.loaders import Loader, create_loader

from jada import UNEXPECTED, Aws, ConfigError, JadaError, __version__
from jada.inventory.cloud.calls import BY_NAME
from jada.inventory.cloud.errors import (
    ATTEMPTS,
    ATTEMPTS_OF,
    DeniedError,
    Login,
    failure,
    in_words,
    mfa_has_ended,
    words,
)
from jada.inventory.suggest import did_you_mean

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.model import OperationModel

# Seconds. Regions answer in under one; a page of instances in a few.
CONNECT_TIMEOUT = 5
READ_TIMEOUT = 30
# The region to ask for the list of regions when the profile has no region of its own.
HOME_REGION = "us-east-1"
# All that STS takes no session name with; and how long that may be.
_NOT_IN_A_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)
LONGEST_NAME = 64


class Clients:
    """Makes boto3 clients of one session; any thread may ask. Its credentials are those of `login`."""

    def __init__(self, session: boto3.session.Session, region: str | None, login: Login) -> None:
        self.login = login
        self._lock = threading.Lock()
        self._session = session
        self._home_region = region or HOME_REGION
        self._made: dict[tuple[str, str], Any] = {}
        self._answered = set[str]()

    @property
    def answered(self) -> frozenset[str]:
        """The actions, as IAM calls them, that were allowed so far."""
        return frozenset(self._answered)

    @property
    def ca_bundle(self) -> str:
        """The file of authorities that the profile or AWS_CA_BUNDLE names, or ""."""
        return self._session._session.get_config_variable("ca_bundle") or ""

    def note(self, name: str) -> None:
        """Notes that AWS has allowed a call, one of calls.py by its name."""
        self._answered.add(BY_NAME[name].action)

    @contextmanager
    def client(self, service: str, region: str = "") -> Iterator[Any]:
        """The client of a service in a region, or in the profile's own; it may be used by many threads at a time.

        Whatever boto3 raises within the block is raised as a JadaError in words.
        """
        with in_words(service, self.login):
            yield self._client(service, region or self._home_region)

    def _client(self, service: str, region: str) -> Any:
        # Clients may be shared between threads, sessions may not.
        with self._lock:
            if (service, region) not in self._made:
                self._made[service, region] = self._new(service, region)
            return self._made[service, region]

    def _new(self, service: str, region: str) -> Any:
        config = Config(retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS_OF.get(service, ATTEMPTS)})
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
            self.note(_name(model))


def _name(model: OperationModel) -> str:
    return f"{model.service_model.service_name}:{model.name}"


@cache
def clients_of(aws: Aws) -> Clients:
    """The clients of one account: its credentials are had once, and an MFA code is asked for once. Raises JadaError."""
    return open_clients(aws)


def open_clients(aws: Aws) -> Clients:
    """New clients of an account, whose credentials are had already: a fault of theirs is told once, and before anything
    is asked. Raises JadaError.
    """
    core = _core(aws)
    login = Login()
    try:
        login = _login(aws, core)
        core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
        session = boto3.session.Session(botocore_session=core)
        if aws.role_arn:
            core._credentials = _of_role(aws)  # type: ignore[attr-defined]
        else:
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
    except JadaError:
        raise
    except Exception as error:
        trouble = failure(error, "sts", login)
        raise JadaError(f"AWS can't be asked: {trouble.message}", trouble.hint) from error
    if credentials is None:
        looked = f"profile {aws.profile}" if aws.profile else "the environment, ~/.aws and this machine's own role"
        raise JadaError(f"There are no AWS credentials: looked in {looked}", login.renewal)
    return Clients(session, region, login)


@cache
def _loader(data_path: str | None) -> Loader:
    """Reads the models of AWS's services once for all accounts: EC2's alone takes a fifth of a second of the processor.

    A session of its own would read them anew.
    """
    return create_loader(data_path)


def taker(aws: Aws) -> Aws:
    """The credentials that take the role of an account on; those of an account without one are its own."""
    return replace(aws, role_arn="", external_id="")


@cache
def takers_clients(aws: Aws) -> Clients:
    """The clients that take roles on. Where their profile has an MFA device, and no role of its own that asks for its
    code, they are of a session that has passed it: one code is enough for all roles. Raises JadaError.
    """
    plain = clients_of(aws)
    core = _core(aws)
    profile = core.get_scoped_config()
    serial = profile.get("mfa_serial")
    if not serial or "role_arn" in profile:
        return plain

    def ask() -> dict[str, Any]:
        with plain.client("sts") as sts:
            answer = sts.get_session_token(SerialNumber=serial, TokenCode=_mfa_code(f"Enter MFA code for {serial}: "))
        return _metadata(answer)

    def refuse() -> dict[str, Any]:
        raise mfa_has_ended(plain.login)

    session = boto3.session.Session(botocore_session=core)
    credentials = RefreshableCredentials.create_from_metadata(ask(), refuse, "session-token")
    core._credentials = credentials  # type: ignore[attr-defined]
    return Clients(session, session.region_name, plain.login)


def _of_role(aws: Aws) -> Credentials:
    """The credentials of a role, which are renewed before they expire. Raises JadaError."""
    clients = takers_clients(taker(aws))
    external_id = {"ExternalId": aws.external_id} if aws.external_id else {}

    def take_on() -> dict[str, Any]:
        try:
            with clients.client("sts") as sts:
                return _metadata(sts.assume_role(RoleArn=aws.role_arn, RoleSessionName=session_name(), **external_id))
        except DeniedError as error:
            hint = "its trust policy has to name them, with this external_id or MFA where it asks for these; "
            raise DeniedError(f"role {aws.role_arn}: {error.message}", hint + error.hint, error.action) from error
        except JadaError as error:
            raise JadaError(f"role {aws.role_arn} can't be taken on: {error.message}", error.hint) from error

    return RefreshableCredentials.create_from_metadata(take_on(), take_on, "assume-role")


def _metadata(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The credentials in an answer of STS, as botocore renews them."""
    credentials = answer["Credentials"]
    return {
        "access_key": credentials["AccessKeyId"],
        "secret_key": credentials["SecretAccessKey"],
        "token": credentials["SessionToken"],
        "expiry_time": credentials["Expiration"].isoformat(),
    }


def session_name() -> str:
    """The person at this machine, as CloudTrail shows who took a role on."""
    return _NOT_IN_A_NAME.sub("-", f"jada-{getpass.getuser()}@{socket.gethostname()}")[:LONGEST_NAME]


def _core(aws: Aws) -> botocore.session.Session:
    """A session of botocore with a profile and its file, whose clients give up in time, those that get credentials too.

    Raises ConfigError.
    """
    core = botocore.session.Session()
    core.set_default_client_config(
        Config(
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            user_agent_extra=f"jada/{__version__}",
        )
    )
    core.register("before-parameter-build.sts.AssumeRole", _name_session)
    if aws.config_file:
        if not aws.config_file.is_file():
            raise ConfigError(f"aws.config_file names {aws.config_file}, which does not exist")
        core.set_config_variable("config_file", str(aws.config_file))
    if aws.profile:
        core.set_config_variable("profile", aws.profile)
    return core


def _name_session(**arguments: Any) -> None:
    """Puts the person in place of the name that botocore makes up where a profile has no role_session_name."""
    params = arguments["params"]
    if params["RoleSessionName"].startswith("botocore-session-"):
        params["RoleSessionName"] = session_name()


def _login(aws: Aws, core: botocore.session.Session) -> Login:
    """The account in words, with the command that renews its credentials, as far as its profile tells."""
    whose = f"the credentials of {aws}" if str(aws) else "these credentials"
    profiles = core.full_config["profiles"]
    name = core.get_config_variable("profile") or "default"
    if aws.role_arn or (not aws.profile and name not in profiles):
        return Login(whose)
    origin = name
    while (source := profiles.get(origin, {}).get("source_profile")) and source != origin:
        origin = source
    if not {"sso_session", "sso_start_url"}.isdisjoint(profiles.get(origin, {})):
        return Login(whose, f"`{_cli(aws, 'sso login', origin)}` renews it")
    if not aws.profile:
        return Login(whose)
    identity = _cli(aws, "sts get-caller-identity", name)
    return Login(whose, f"`{identity}` shows who that is to AWS; new keys in that profile renew it")


def _cli(aws: Aws, command: str, profile: str) -> str:
    """A command of the AWS CLI for a profile."""
    file = f"AWS_CONFIG_FILE={shlex.quote(str(aws.config_file))} " if aws.config_file else ""
    return f"{file}aws {command}" + (f" --profile {shlex.quote(profile)}" if profile != "default" else "")


def _mfa_code(prompt: str) -> str:
    """Asks for the code at the terminal; getpass alone would take any line of stdin for it. Raises JadaError."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise JadaError(
            "an AWS profile asks for an MFA code, and there is no terminal to ask at",
            "give jada a session that has passed MFA, such as with: "
            'eval "$(aws configure export-credentials --profile PROFILE --format env)"',
        ) from None
    return getpass.getpass(prompt)
