"""A stand-in for Amazon Lightsail's API, as far as jada uses it: JSON 1.1 over HTTP, real keys, real certificates."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
)

TARGET = "Lightsail_20161128."

# The real service answers more at a time; so few make every fleet of three go through the paging.
PAGE_SIZE = 2

# The life of a temporary key, as on the real service.
VALIDITY = timedelta(minutes=10)

# InstanceState.code, the same numbers as EC2's.
STATE_CODES = {"pending": 0, "running": 16, "stopping": 64, "stopped": 80}

HEALTHY = "healthy"

# The rights of a shell on the instance; OpenSSH allows none of it unless the certificate says so.
CERTIFICATE_EXTENSIONS = ("permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc")


class LightsailError(Exception):
    """An error of the API: its exception code, HTTP status 400 and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. `host_keys` are public keys as sshd keeps them in ssh_host_*_key.pub."""

    name: str
    region: str
    address: str
    username: str
    state: str = "running"
    tags: Mapping[str, str] = field(default_factory=dict)
    host_keys: tuple[str, ...] = ()


# The firewall of an instance before somebody changes it.
FIRST_PORTS = [{"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": ["0.0.0.0/0"]}]


class Lightsail:
    """Answers the API's operations for fixed instances. `ssh_ca` is the key that signs users' certificates.

    Their ports, static ips and load balancers change by the API's own operations. A static ip is the address that its
    instance has anyway: the lab's network has no other that leads there. `health` knows how targets are.
    """

    def __init__(self, instances: Iterable[Instance], ssh_ca: Path | None, health: Health) -> None:
        self._instances = tuple(instances)
        self._ssh_ca = ssh_ca
        self._started = datetime.now(UTC)
        self._health = health
        # By region and name of the instance, and for load balancers, by region, the instances of each by its name.
        self._ports: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._static_ips = set[tuple[str, str]]()
        self._balancers: dict[str, dict[str, list[str]]] = defaultdict(dict)
        self._operations: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
            "GetRegions": self._get_regions,
            "GetInstances": self._get_instances,
            "GetInstance": self._get_instance,
            "GetInstanceState": self._get_instance_state,
            "GetInstanceAccessDetails": self._get_instance_access_details,
            "GetInstancePortStates": self._get_instance_port_states,
            "PutInstancePublicPorts": self._put_instance_public_ports,
            "AttachStaticIp": self._attach_static_ip,
            "DetachStaticIp": self._detach_static_ip,
            "CreateLoadBalancer": self._create_load_balancer,
            "DeleteLoadBalancer": self._delete_load_balancer,
            "AttachInstancesToLoadBalancer": self._attach_instances,
            "DetachInstancesFromLoadBalancer": self._detach_instances,
            "GetLoadBalancers": self._get_load_balancers,
        }

    def answer(self, operation: str, region: str, body: bytes) -> dict[str, Any]:
        """The result of one call. Raises LightsailError."""
        if operation not in self._operations:
            raise LightsailError("UnknownOperationException", f"The stand-in for Lightsail has no {operation}.")
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise LightsailError("SerializationException", f"The request is not JSON: {error}") from None
        return self._operations[operation](region, request)

    def _get_regions(self, region: str, _request: dict[str, Any]) -> dict[str, Any]:
        names = sorted({instance.region for instance in self._instances} | {region})
        return {"regions": [{"name": name, "displayName": name} for name in names]}

    def _get_instances(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        instances = [instance for instance in self._instances if instance.region == region]
        start = _offset(request.get("pageToken"), len(instances))
        page = instances[start : start + PAGE_SIZE]
        result: dict[str, Any] = {"instances": [self._describe(instance) for instance in page]}
        if start + PAGE_SIZE < len(instances):
            result["nextPageToken"] = base64.b64encode(str(start + PAGE_SIZE).encode()).decode()
        return result

    def _get_instance(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        return {"instance": self._describe(self._find(region, request))}

    def _get_instance_state(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        return {"state": _state(self._find(region, request))}

    def _get_instance_access_details(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        instance = self._find(region, request)
        if request.get("protocol", "ssh") != "ssh":
            raise LightsailError("InvalidInputException", "Only ssh access is known for Linux instances.")
        if self._ssh_ca is None:
            raise LightsailError("ServiceException", "The stand-in for Lightsail was started without a CA key.")
        expires = datetime.now(UTC) + VALIDITY
        private_key, certificate = _temporary_key(self._ssh_ca, instance.username, expires)
        return {
            "accessDetails": {
                "certKey": certificate,
                "privateKey": private_key,
                "expiresAt": expires.timestamp(),
                "ipAddress": instance.address,
                "username": instance.username,
                "protocol": "ssh",
                "instanceName": instance.name,
                "hostKeys": [_host_key(line, self._started) for line in instance.host_keys],
            }
        }

    def _get_instance_port_states(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        ports = self._ports.get(_key(self._find(region, request)), FIRST_PORTS)
        return {"portStates": [{**each, "state": "open"} for each in ports]}

    def _put_instance_public_ports(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        self._ports[_key(self._find(region, request))] = request["portInfos"]
        return {"operation": {}}

    def _attach_static_ip(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        self._static_ips.add(_key(self._find(region, request)))
        return {"operations": []}

    def _detach_static_ip(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        """A static ip has the name of its instance here."""
        self._static_ips.discard((region, request["staticIpName"]))
        return {"operations": []}

    def _create_load_balancer(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        self._balancers[region].setdefault(request["loadBalancerName"], [])
        return {"operations": []}

    def _delete_load_balancer(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        self._balancers[region].pop(request["loadBalancerName"], None)
        return {"operations": []}

    def _attach_instances(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        self._balancers[region][request["loadBalancerName"]] += request["instanceNames"]
        return {"operations": []}

    def _detach_instances(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        attached = self._balancers[region][request["loadBalancerName"]]
        attached[:] = [name for name in attached if name not in request["instanceNames"]]
        return {"operations": []}

    def _get_load_balancers(self, region: str, _request: dict[str, Any]) -> dict[str, Any]:
        return {
            "loadBalancers": [
                {
                    "name": balancer,
                    "instanceHealthSummary": [
                        {"instanceName": name, "instanceHealth": self._health.of(name)} for name in names
                    ],
                }
                for balancer, names in self._balancers[region].items()
            ]
        }

    def _find(self, region: str, request: dict[str, Any]) -> Instance:
        name = request.get("instanceName")
        if not name:
            raise LightsailError("InvalidInputException", "instanceName is missing.")
        for instance in self._instances:
            if (instance.region, instance.name) == (region, name):
                return instance
        raise LightsailError("NotFoundException", f"The Instance does not exist: {name}")

    def _describe(self, instance: Instance) -> dict[str, Any]:
        digest = hashlib.sha256(f"{instance.region}/{instance.name}".encode()).hexdigest()
        return {
            "name": instance.name,
            "arn": f"arn:aws:lightsail:{instance.region}:123456789012:Instance/{digest[:8]}",
            "createdAt": self._started.timestamp(),
            "location": {"availabilityZone": f"{instance.region}a", "regionName": instance.region},
            "resourceType": "Instance",
            "tags": [{"key": key, "value": value} for key, value in instance.tags.items()],
            "blueprintId": "debian_12",
            "blueprintName": "Debian",
            "bundleId": "nano_3_0",
            "isStaticIp": _key(instance) in self._static_ips,
            "privateIpAddress": instance.address,
            "publicIpAddress": instance.address,
            "state": _state(instance),
            "username": instance.username,
            "sshKeyName": "LightsailDefaultKeyPair",
        }


class Health:
    """The health of the targets of load balancers by their ids: a file says which of them are not healthy."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, target: str) -> str:
        with suppress(FileNotFoundError):
            return str(json.loads(self._path.read_text()).get(target, HEALTHY))
        return HEALTHY


def instances(entries: Iterable[Mapping[str, Any]]) -> tuple[Instance, ...]:
    """Instances from the "lightsail" list of the lab's instances.json."""
    return tuple(Instance(**{**entry, "host_keys": tuple(entry.get("host_keys", ()))}) for entry in entries)


def _key(instance: Instance) -> tuple[str, str]:
    return instance.region, instance.name


def _offset(token: str | None, count: int) -> int:
    if token is None:
        return 0
    try:
        start = int(base64.b64decode(token, validate=True))
    except ValueError:
        start = -1
    if not 0 <= start < count:
        raise LightsailError("InvalidInputException", "The pageToken is not one that this service gave.")
    return start


def _state(instance: Instance) -> dict[str, Any]:
    return {"code": STATE_CODES[instance.state], "name": instance.state}


def _temporary_key(ssh_ca: Path, username: str, expires: datetime) -> tuple[str, str]:
    """A new private key (PEM) and the OpenSSH certificate that lets it in as `username`; RSA as on the real service."""
    authority = load_ssh_private_key(ssh_ca.read_bytes(), password=None)
    if not isinstance(authority, ed25519.Ed25519PrivateKey):
        raise LightsailError("ServiceException", f"{ssh_ca} is not an ed25519 key.")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = (
        SSHCertificateBuilder()
        .public_key(key.public_key())
        .serial(int.from_bytes(os.urandom(8)))
        .type(SSHCertificateType.USER)
        .key_id(f"lightsail-{username}".encode())
        .valid_principals([username.encode()])
        # A minute of slack for a host whose clock runs behind.
        .valid_after((expires - VALIDITY - timedelta(minutes=1)).timestamp())
        .valid_before(expires.timestamp())
    )
    for extension in CERTIFICATE_EXTENSIONS:
        certificate = certificate.add_extension(extension.encode(), b"")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return private.decode(), certificate.sign(authority).public_bytes().decode()


def _host_key(line: str, witnessed: datetime) -> dict[str, Any]:
    algorithm, public_key = line.split()[:2]
    blob = base64.b64decode(public_key)
    sha1 = hashlib.sha1(blob, usedforsecurity=False).digest()
    return {
        "algorithm": algorithm,
        "publicKey": public_key,
        "witnessedAt": witnessed.timestamp(),
        "fingerprintSHA1": "SHA1:" + base64.b64encode(sha1).decode().rstrip("="),
        "fingerprintSHA256": "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("="),
    }
