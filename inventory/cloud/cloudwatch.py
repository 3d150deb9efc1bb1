"""CloudWatch: the state of an alarm, and the values of a metric."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jada import Aws, JadaError, Metric
from jada.inventory.cloud.client import client

# Seconds from one value of a metric to the next.
PERIOD = 60


def alarm_state(aws: Aws, name: str, region: str = "") -> str:
    """OK, ALARM or INSUFFICIENT_DATA. Raises JadaError."""
    with client(aws, "cloudwatch", region) as cloudwatch:
        answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    alarms = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    if not alarms:
        raise JadaError(f"CloudWatch has no alarm {name} in {region or 'the region of the profile'}")
    return str(alarms[0]["StateValue"])


def metric_values(aws: Aws, metric: Metric, seconds: int, region: str = "") -> tuple[float, ...]:
    """The values of a metric in the last so many seconds, a minute apart. Raises JadaError."""
    # What came in this very second counts too: times are whole ones, and the end itself does not belong to them.
    end = datetime.now(UTC) + timedelta(seconds=1)
    query = {
        "Id": "probe",
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            },
            "Period": PERIOD,
            "Stat": metric.statistic,
        },
    }
    with client(aws, "cloudwatch", region) as cloudwatch:
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[query], StartTime=end - timedelta(seconds=max(seconds, PERIOD)), EndTime=end
        )
    return tuple(float(value) for result in answer["MetricDataResults"] for value in result["Values"])
