"""The stand-in for Lightsail speaks as the real service does, as far as boto3 can tell."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError


@pytest.fixture
def client(aws: Any) -> Any:
    return boto3.session.Session("a", "b", region_name="us-east-1").client(
        "lightsail", endpoint_url=aws.url, config=Config(retries={"total_max_attempts": 1})
    )


def test_pages_follow_each_other(client: Any) -> None:
    first = client.get_instances()
    assert [instance["name"] for instance in first["instances"]] == ["jada-agent", "jada-agent-2"]
    second = client.get_instances(pageToken=first["nextPageToken"])
    third = client.get_instances(pageToken=second["nextPageToken"])
    assert [instance["name"] for instance in third["instances"]] == ["other"]
    assert "nextPageToken" not in third


def test_an_instance_is_described(client: Any) -> None:
    instance = client.get_instance(instanceName="jada-off")["instance"]
    assert (instance["publicIpAddress"], instance["username"], instance["location"]["regionName"]) == (
        "10.77.0.24",
        "admin",
        "us-east-1",
    )
    assert client.get_instance_state(instanceName="jada-off")["state"] == {"code": 80, "name": "stopped"}
    assert client.get_instance_port_states(instanceName="jada-off")["portStates"][0]["fromPort"] == 22


def test_access_lasts_ten_minutes_and_names_the_host_keys(aws: Any, client: Any) -> None:
    details = client.get_instance_access_details(instanceName="jada-agent")["accessDetails"]
    validity = details["expiresAt"] - datetime.now(UTC)
    assert timedelta(minutes=5) < validity <= timedelta(minutes=10)
    assert details["privateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    (key,) = details["hostKeys"]
    algorithm, blob = aws.host_key.split()[:2]
    assert (key["algorithm"], key["publicKey"]) == (algorithm, blob)
    digest = base64.b64encode(hashlib.sha256(base64.b64decode(blob)).digest()).decode().rstrip("=")
    assert key["fingerprintSHA256"] == f"SHA256:{digest}"


@pytest.mark.parametrize(
    ("call", "arguments", "code"),
    [
        ("get_instance", {"instanceName": "nope"}, "NotFoundException"),
        ("get_instance_access_details", {"instanceName": "nope"}, "NotFoundException"),
        ("get_instances", {"pageToken": "bm9wZQ=="}, "InvalidInputException"),
        ("get_instances", {"pageToken": "not base64"}, "InvalidInputException"),
        ("get_instance_access_details", {"instanceName": "jada-agent", "protocol": "rdp"}, "InvalidInputException"),
        ("get_disks", {}, "UnknownOperationException"),
    ],
)
def test_what_it_can_not_answer_is_an_error(client: Any, call: str, arguments: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**arguments)
    assert caught.value.response["Error"]["Code"] == code
