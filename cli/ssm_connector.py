"""pyinfra's `@ssm/i-…`, as its entry points name it: the connector, with boto3's Run Command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jada import Aws
from jada.tasks.engines.ssm_connector import ManagedConnector

if TYPE_CHECKING:
    from jada.tasks.engines.dispatcher import Commands


class SsmConnector(ManagedConnector):
    """An EC2 instance, or any other that AWS Systems Manager knows, by its id."""

    def run_command(self, profile: str, region: str) -> Commands:
        from jada.inventory.cloud.ssm import RunCommand

        return RunCommand(Aws(profile), region)
