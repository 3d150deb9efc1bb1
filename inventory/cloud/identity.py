"""Who the credentials are to AWS."""

from __future__ import annotations

from dataclasses import dataclass

from jada import Aws
from jada.inventory.cloud.client import client


@dataclass(frozen=True, slots=True)
class Identity:
    """An account, and the ARN of the user or the role in it."""

    account: str
    arn: str

    @property
    def is_root(self) -> bool:
        """True for the root user of the account, who may do everything."""
        return self.arn.endswith(":root")


def identity(aws: Aws) -> Identity:
    """Asks AWS who these credentials are. Raises JadaError."""
    with client(aws, "sts") as sts:
        answer = sts.get_caller_identity()
    return Identity(answer["Account"], answer["Arn"])
