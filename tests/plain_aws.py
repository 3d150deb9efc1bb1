"""boto3 without jada's own limits: for what tests ask AWS, and jada never does."""

from __future__ import annotations

from typing import Any

import botocore.session

from jada import Aws


def client(aws: Aws, service: str, region: str) -> Any:
    """A client of a service with these credentials."""
    core = botocore.session.Session()
    core.set_config_variable("config_file", str(aws.config_file))
    if aws.profile:
        core.set_config_variable("profile", aws.profile)
    return core.create_client(service, region_name=region)


def ssm(aws: Aws, region: str) -> Any:
    """A client of Systems Manager with these credentials."""
    return client(aws, "ssm", region)
