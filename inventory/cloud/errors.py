"""AWS's errors, and whatever else boto3 raises, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from jada import JadaError, reason
from jada.inventory.cloud.calls import BY_NAME

# The first try and three more; with standard mode's random waits of up to 1, 2 and 4 seconds between them.
ATTEMPTS = 4
# Of Systems Manager, which is asked again and again while commands run: it throttles, adaptive mode slows down.
ATTEMPTS_OF = {"ssm": 10}

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


class DeniedError(JadaError):
    """AWS denied a call: `action`, as IAM calls it, is not allowed."""

    def __init__(self, message: str, hint: str, action: str) -> None:
        super().__init__(message, hint)
        self.action = action


@contextmanager
def in_words(service: str) -> Iterator[None]:
    """Raises a JadaError for whatever boto3 raises within the block; `service` is asked there, as IAM calls it."""
    try:
        yield
    except JadaError:
        raise
    except Exception as error:
        raise failure(error, service) from error


def failure(error: Exception, service: str) -> JadaError:
    """Whatever boto3 raises, in words: that is not BotoCoreError alone, but also what a file, a helper's answer or a
    socket brings about. `service` is what was asked, as IAM calls it.
    """
    return _answered(error, service) if isinstance(error, ClientError) else JadaError(*_told(error, service))


def _told(error: Exception, service: str) -> tuple[str, str]:
    if isinstance(error, JadaError):
        return error.message, error.hint
    if isinstance(error, (ConnectionError, HTTPClientError)):
        endpoint = _USERINFO.sub("//", str(error.kwargs.get("endpoint_url") or "the endpoint"))
        # The error inside one that has no class of its own, whose text may quote a header with a token.
        kind = type(error.kwargs.get("error") or error if type(error) is HTTPClientError else error).__name__
        return (
            f"{endpoint} can't be reached after {ATTEMPTS_OF.get(service, ATTEMPTS)} attempts ({kind})",
            "check the network and the proxy; an endpoint of your own comes from endpoint_url in the profile or "
            "AWS_ENDPOINT_URL",
        )
    if isinstance(error, (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError)):
        return f"AWS credentials can't be had: {words(error)}", LOG_IN
    if isinstance(error, (SSOError, TokenRetrievalError, LoginError)):
        return f"the login to AWS has ended or was never begun: {words(error)}", LOG_IN
    if isinstance(error, BotoCoreError):
        return words(error), f"see the profile in ~/.aws/config or aws.config_file; {LOG_IN}"
    return _unforeseen(error), f"`aws configure list` shows where the credentials come from; {LOG_IN}"


def _unforeseen(error: Exception) -> str:
    """An error that a provider of credentials lets through, without its text, which may hold anything."""
    if isinstance(error, json.JSONDecodeError):
        return f"a credential_process, or another source of credentials, gave something that is not JSON ({error})"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}, which the AWS credentials need, can't be used: {reason(error)}"
    return f"boto3 could not go on ({reason(error)})"


def words(message: object) -> str:
    """Shortens another's words to as much as an error tells, on one line."""
    text = _USERINFO.sub("//", " ".join(_ENCODED.sub("", str(message)).split()))
    return text if len(text) <= MOST_OF_WORDS else f"{text[: MOST_OF_WORDS - 1]}…"


def _answered(error: ClientError, service: str) -> JadaError:
    service = FOR_CREDENTIALS.get(error.operation_name, service)
    code = error.response.get("Error", {}).get("Code", "")
    message = words(error.response.get("Error", {}).get("Message", "") or code)
    call = BY_NAME.get(f"{service}:{error.operation_name}")
    permission = call.action if call else f"{service}:{error.operation_name}"
    left_out = "; `not_regions` in fleet.yml leaves a region out" if error.operation_name in FOR_A_REGION else ""
    if code in EXPIRED:
        return JadaError(f"the AWS session has expired ({code})", LOG_IN)
    if code in DENIED:
        resource = f" on {call.resource}" if call and call.resource != "*" else ""
        return DeniedError(
            f"access denied; these credentials lack the permission {permission}{resource} ({code}): {message}",
            f"ask for {permission} there; `jada iam` prints the whole IAM policy{left_out}",
            permission,
        )
    if code in THROTTLED:
        return JadaError(
            f"AWS still throttled {permission} after {ATTEMPTS_OF.get(service, ATTEMPTS)} attempts ({code})",
            "wait a minute and run it again; something else in this account is calling AWS a lot",
        )
    if code in REFUSED:
        return JadaError(
            f"AWS does not accept these credentials here ({code}): {message}",
            f"{LOG_IN}; a region that the account has not enabled says the same{left_out}",
        )
    hint = LOG_IN if error.operation_name in FOR_CREDENTIALS else "compare that with this source in fleet.yml"
    return JadaError(f"{permission} failed ({code}): {message}", hint)
