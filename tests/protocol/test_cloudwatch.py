"""CloudWatch's alarms and metrics, asked of the emulated endpoint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from jada import JadaError, Metric
from jada.inventory.cloud import cloudwatch
from jada.inventory.fleet.config import Fleet

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

REGION = "eu-west-1"
ERRORS = Metric("Agents", "Errors", "Sum", (("Fleet", "agents"),))


@pytest.fixture
def fleet(fleet_of: Callable[..., Fleet]) -> Fleet:
    return fleet_of("[static: {hosts: {here: {address: 192.0.2.1}}}]")


@pytest.fixture
def boto(aws: Emulator) -> Any:
    session = boto3.session.Session("a", "b", region_name=REGION)
    return session.client("cloudwatch", endpoint_url=aws.url)


@pytest.mark.parametrize("state", ["OK", "ALARM", "INSUFFICIENT_DATA"])
def test_the_state_of_an_alarm(fleet: Fleet, boto: Any, state: str) -> None:
    boto.put_metric_alarm(
        AlarmName="agents", MetricName="Errors", Namespace="Agents", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    boto.set_alarm_state(AlarmName="agents", StateValue=state, StateReason="a test")
    assert cloudwatch.alarm_state(fleet.aws, "agents", REGION) == state


def test_an_alarm_that_there_is_not(fleet: Fleet) -> None:
    with pytest.raises(JadaError, match="CloudWatch has no alarm nosuch in eu-west-1"):
        cloudwatch.alarm_state(fleet.aws, "nosuch", REGION)


def test_the_values_of_a_metric_are_those_of_its_dimensions(fleet: Fleet, boto: Any) -> None:
    def put(value: float, fleet: str) -> None:
        data = {"MetricName": "Errors", "Dimensions": [{"Name": "Fleet", "Value": fleet}], "Value": value}
        boto.put_metric_data(Namespace="Agents", MetricData=[{**data, "Timestamp": datetime.now(UTC)}])

    assert cloudwatch.metric_values(fleet.aws, ERRORS, 300, REGION) == ()
    for value, name in ((3.0, "agents"), (4.0, "agents"), (99.0, "others")):
        put(value, name)
    assert sum(cloudwatch.metric_values(fleet.aws, ERRORS, 300, REGION)) == 7
