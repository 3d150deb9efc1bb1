"""The account of a source: its own profile or role, or the credentials of fleet.yml as a whole."""

from __future__ import annotations

import re
from typing import Protocol

from jada import Aws
from jada.inventory.yaml_values import Readers, Value

_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}", re.ASCII)
# As STS takes them.
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


class InAccount(Protocol):
    """A source that may name a profile, a role that it takes on, and the external id that the role asks for; or ""."""

    @property
    def profile(self) -> str: ...

    @property
    def role_arn(self) -> str: ...

    @property
    def external_id(self) -> str: ...


def credentials(source: InAccount, aws: Aws) -> Aws:
    """The credentials that a source asks with; `aws` are those of fleet.yml as a whole."""
    return Aws(source.profile or aws.profile, aws.config_file, source.role_arn, source.external_id)


def in_words(source: InAccount) -> str:
    """The source's own account, " of profile prod"; "" where it names none."""
    own = str(credentials(source, Aws()))
    return f" of {own}" if own else ""


def check(value: Value, source: InAccount) -> None:
    """Raises ConfigError for an external id without a role that could ask for it."""
    if source.external_id and not source.role_arn:
        raise value.error(
            "has an external_id and no role_arn", "a profile of ~/.aws/config has its own external_id there"
        )


def _role(value: Value) -> str:
    return value.matching(_ROLE, "the ARN of a role, such as arn:aws:iam::123456789012:role/jada")


def _external_id(value: Value) -> str:
    """The id itself, which its owner may keep to themselves, never gets into an error."""
    expected = "2 to 1224 letters, digits and + = , . @ : / - _, as STS takes it"
    return value.matching(_EXTERNAL_ID, expected, is_secret=True)


READERS: Readers = {"profile": Value.text, "role_arn": _role, "external_id": _external_id}
