"""EC2 Instance Connect: a key that it lets in for a minute, its endpoints, and the URLs by which they open tunnels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from botocore.httpsession import get_cert_path

from jada import Aws
from jada.inventory.cloud.client import client
from jada.inventory.cloud.session import clients_of

SERVICE = "ec2-instance-connect"
OPEN_TUNNEL = f"{SERVICE}:OpenTunnel"
# The states of an endpoint that can be used.
USABLE = ("create-complete", "update-in-progress", "update-complete", "update-failed")
# Values of a filter that EC2 takes in one call.
MOST_VALUES = 200
# Seconds for which a signed URL can be used.
EXPIRES = 60


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An EC2 Instance Connect Endpoint; `kind` is ipv4, ipv6 or dualstack, or "" where AWS does not say."""

    id: str
    dns: str
    vpc: str
    subnet: str
    kind: str = ""


def send_key(aws: Aws, region: str, instance: str, user: str, public: str) -> None:
    """Has an instance let this public key in as the user, for 60 s. Raises JadaError."""
    with client(aws, SERVICE, region) as connect:
        connect.send_ssh_public_key(InstanceId=instance, InstanceOSUser=user, SSHPublicKey=public)


def endpoints(aws: Aws, region: str, vpcs: Sequence[str]) -> list[Endpoint]:
    """The endpoints in these VPCs that can be used. Raises JadaError."""
    with client(aws, "ec2", region) as ec2:
        pages = ec2.get_paginator("describe_instance_connect_endpoints")
        fips = bool(ec2.meta.config.use_fips_endpoint)
        return [
            Endpoint(
                entry["InstanceConnectEndpointId"],
                entry["FipsDnsName" if fips else "DnsName"],
                entry["VpcId"],
                entry.get("SubnetId", ""),
                entry.get("IpAddressType", ""),
            )
            for start in range(0, len(vpcs), MOST_VALUES)
            for page in pages.paginate(
                Filters=[
                    {"Name": "state", "Values": list(USABLE)},
                    {"Name": "vpc-id", "Values": list(vpcs[start : start + MOST_VALUES])},
                ]
            )
            for entry in page["InstanceConnectEndpoints"]
        ]


def signed_url(aws: Aws, region: str, endpoint: Endpoint, address: str, port: int, longest: int) -> str:
    """The URL of a websocket to a port of an address; whoever has it may open that, for a minute. Raises JadaError.

    The tunnel lasts `longest` seconds.
    """
    wanted = {
        "instanceConnectEndpointId": endpoint.id,
        "remotePort": port,
        "privateIpAddress": address,
        # A policy may ask for it.
        "maxTunnelDuration": longest,
    }
    request = {
        "url": f"wss://{endpoint.dns}/openTunnel?{urlencode(wanted)}",
        "body": {},
        "headers": {"host": endpoint.dns},
        "method": "GET",
        "query_string": "",
        "url_path": "/",
        "context": {},
    }
    with client(aws, SERVICE, region) as connect:
        url = connect._request_signer.generate_presigned_url(
            request_dict=request, operation_name="openTunnel", expires_in=EXPIRES
        )
    return str(url)


def note_tunnel(aws: Aws) -> None:
    """Notes that AWS has let a tunnel be opened, which boto3 has no hand in."""
    clients_of(aws).note(OPEN_TUNNEL)


def authorities(aws: Aws) -> str:
    """The file of the authorities by whose certificates boto3 knows AWS. Raises JadaError."""
    return clients_of(aws).ca_bundle or str(get_cert_path(True))
