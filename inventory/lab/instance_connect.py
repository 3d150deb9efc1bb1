"""A stand-in for EC2 Instance Connect, as far as jada uses it: keys that real hosts let in for a minute, and endpoints
whose websockets really lead to their sshd.

It is as strict as the real service where that is known (botocore's model, the AWS CLI's open-tunnel, AWS's guide). With
what an endpoint answers the 21st tunnel is not; here it is 429.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.sync.server import Server, ServerConnection
from websockets.sync.server import serve as serve_websockets

from jada.inventory.lab import cgroup

TARGET = "AWSEC2InstanceConnectService."
DESCRIBE = "DescribeInstanceConnectEndpoints"
# Seconds for which a pushed key is let in and a signed URL can be used; tunnels of an endpoint at once.
KEY_LIFE, URL_LIFE, MOST = 60, 60, 20
SKEW = timedelta(minutes=5)
PORTS = ("22", "3389")
INSTANCE = re.compile(r"i-[a-f0-9]+")
OS_USER = re.compile(
    r"(^[A-Za-z_][A-Za-z0-9@._-]{0,30}[A-Za-z0-9$_-]?$)"
    r"|(^(?=.{2,32}$)[0-9]{1,32}[A-Za-z@._-][A-Za-z0-9@._-]*[A-Za-z0-9$_-]?$)"
)
# On a host, where the real one asks the metadata service: lines of an end, Unix seconds, and a key for each user.
KEYS = "/run/ec2-instance-connect"
PUSH = f'mkdir -p -m 755 {KEYS} && echo "$2" >>"{KEYS}/$1"'
COMMAND = "/usr/local/bin/eic_run_authorized_keys"
COMMAND_TEXT = f"""\
#!/bin/sh
# Stands in for EC2 Instance Connect's program of this name: the keys that were pushed for a user, while they count.
now=$(date +%s)
[ ! -e "{KEYS}/$1" ] || while read -r end key; do [ "$now" -ge "$end" ] || echo "$key"; done <"{KEYS}/$1"
"""
SSHD = f"AuthorizedKeysCommand {COMMAND} %u\nAuthorizedKeysCommandUser nobody"

log = logging.getLogger("jada.lab.instance-connect")


class InstanceConnectError(Exception):
    """An error of the API: its exception code, HTTP status 400 and a message."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class InstanceConnect:
    """Answers SendSSHPublicKey. `groups` are the control groups of lab hosts by region and instance, "" for none."""

    def __init__(self, groups: dict[tuple[str, str], str]) -> None:
        self.groups = groups

    def answer(self, operation: str, region: str, body: bytes) -> dict[str, Any]:
        """The result of one call. Raises InstanceConnectError."""
        if operation != "SendSSHPublicKey":
            raise InstanceConnectError("UnknownOperationException", f"The stand-in has no {operation}.")
        request = json.loads(body or b"{}")
        instance, user, key = (request.get(name, "") for name in ("InstanceId", "InstanceOSUser", "SSHPublicKey"))
        if not INSTANCE.fullmatch(instance) or not OS_USER.fullmatch(user) or not 80 <= len(key) <= 4096:
            raise InstanceConnectError("InvalidArgsException", "One of the parameters is not valid.")
        if (region, instance) not in self.groups:
            raise InstanceConnectError("EC2InstanceNotFoundException", "The specified instance was not found.")
        log.info("pushed %s for %s on %s", key, user, instance)
        if group := self.groups[region, instance]:
            leader = cgroup.init(group)
            if leader is None:
                raise InstanceConnectError("EC2InstanceStateInvalidException", "The instance is not running.")
            argv = ["nsenter", "-t", str(leader), "-m", "-p", "-r", "-w", "--", "sh", "-c", PUSH, "sh", user,
                    f"{int(time.time()) + KEY_LIFE} {key}"]  # fmt: skip
            subprocess.run(argv, check=True)
        return {"RequestId": hashlib.sha256(body).hexdigest()[:32], "Success": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """The endpoints of instances.json: one in each VPC of these `regions`; `source` is the address that they connect
    from, "" for any. `secret` is that of the only access key. With a `port`, every tunnel leads to that of 127.0.0.1.
    """

    secret: str
    regions: tuple[str, ...] = ()
    source: str = ""
    kind: str = "ipv4"
    port: int = 0


@dataclass(slots=True)
class Endpoints:
    """The endpoints, and their websockets on a port of localhost."""

    config: EndpointConfig
    folder: Path
    _open: dict[str, list[ServerConnection]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: Server | None = None
    _dns: str = ""

    def start(self) -> None:
        self._server = serve_websockets(
            self._carry, "127.0.0.1", 0, ssl=_context(self.folder), process_request=self._admit, compression=None
        )
        self._dns = f"localhost:{self._server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, name="eice", daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()

    def describe(self, region: str, body: bytes) -> str:
        """The answer to DescribeInstanceConnectEndpoints, which is XML as EC2 has it."""
        request = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        filters = {
            value: [word for name, word in request.items() if name.startswith(key.replace("Name", "Value."))]
            for key, value in request.items()
            if re.fullmatch(r"Filter\.\d+\.Name", key)
        }
        vpcs = filters.get("vpc-id", ()) if region in self.config.regions else ()
        return (
            f'<{DESCRIBE}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0</requestId>'
            f"<instanceConnectEndpointSet>{''.join(map(self._item, vpcs))}</instanceConnectEndpointSet>"
            f"</{DESCRIBE}Response>"
        )

    def _item(self, vpc: str) -> str:
        values = {
            "instanceConnectEndpointId": endpoint_id(vpc),
            "state": "create-complete",
            "dnsName": self._dns,
            "vpcId": vpc,
            "subnetId": "subnet-0",
            "ipAddressType": self.config.kind,
        }
        return f"<item>{''.join(f'<{name}>{value}</{name}>' for name, value in values.items())}</item>"

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        query = dict(parse_qsl(urlsplit(request.path).query))
        fault = self._fault(request.path, request.headers["Host"], query)
        if fault:
            return _refusal(connection, 403, "AccessDenied", fault)
        if query.get("remotePort") not in PORTS:
            return _refusal(connection, 400, "InvalidParameter", "The specified RemotePort is not valid.")
        endpoint = query["instanceConnectEndpointId"]
        with self._lock:
            are_open = [each for each in self._open.get(endpoint, ()) if each.state in (State.CONNECTING, State.OPEN)]
            if len(are_open) >= MOST:
                log.info("refused the next tunnel of %s", endpoint)
                return _refusal(connection, 429, "TooManyConnections", f"{MOST} tunnels are open.")
            self._open[endpoint] = [*are_open, connection]
            log.info("opened a tunnel of %s: %d", endpoint, len(are_open) + 1)
        return None

    def _fault(self, path: str, host: str, query: Mapping[str, str]) -> str:
        """The fault of a request that is not let in, "" if it is."""
        _, _, region, *service = [*query.get("X-Amz-Credential", "").split("/"), "", "", ""][:5]
        signed = datetime.strptime(query.get("X-Amz-Date", "19700101T000000Z"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        now, expires = datetime.now(UTC), query.get("X-Amz-Expires")
        faults = {
            "It is no openTunnel.": urlsplit(path).path != "/openTunnel",
            "It is signed for another service.": service != ["ec2-instance-connect", "aws4_request"],
            "It is signed for another region.": region not in self.config.regions,
            "Its signature has expired.": not signed - SKEW <= now <= signed + timedelta(seconds=URL_LIFE),
            "It is signed for another time.": expires != str(URL_LIFE),
            "It signs for more than its host.": query.get("X-Amz-SignedHeaders") != "host",
        }
        if fault := next((fault for fault, is_so in faults.items() if is_so), ""):
            return fault
        if not hmac.compare_digest(query.get("X-Amz-Signature", ""), signature(path, host, self.config.secret)):
            return "The signature does not match."
        return ""

    def _carry(self, websocket: ServerConnection) -> None:
        query = dict(parse_qsl(urlsplit(websocket.request.path if websocket.request else "").query))
        asked, own = (query["privateIpAddress"], int(query["remotePort"])), ("127.0.0.1", self.config.port)
        source = (self.config.source, 0) if self.config.source else None
        try:
            target = socket.create_connection(own if self.config.port else asked, 10, source)
        except OSError:
            websocket.close(1011, "Unable to connect to target")
            return
        target.settimeout(None)
        with target:
            threading.Thread(target=_from_target, args=(target, websocket), daemon=True).start()
            with suppress(ConnectionClosed, OSError):
                while True:
                    target.sendall(websocket.recv(decode=False))
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)


def endpoint_id(vpc: str) -> str:
    """The id of the endpoint in a VPC."""
    return f"eice-{hashlib.sha256(vpc.encode()).hexdigest()[:17]}"


def endpoint_config(entry: Mapping[str, Any]) -> EndpointConfig:
    """The endpoints by the "eice" entry of the lab's instances.json."""
    return EndpointConfig(**{**entry, "regions": tuple(entry.get("regions", ()))})


def signature(path: str, host: str, secret: str) -> str:
    """The signature of a GET with all its parameters in the URL, by AWS's description of Signature Version 4."""
    parts = urlsplit(path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.pop("X-Amz-Signature", None)
    date, region, service, _ = query["X-Amz-Credential"].split("/")[1:]
    canonical = "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))
    request = "\n".join(("GET", parts.path, canonical, f"host:{host}", "", "host", hashlib.sha256(b"").hexdigest()))
    scope = f"{date}/{region}/{service}/aws4_request"
    to_sign = "\n".join(("AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for word in (date, region, service, "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def authority(folder: Path) -> Path:
    """The file with the certificate by which an endpoint of this folder is known."""
    return folder / "eice.pem"


def _from_target(target: socket.socket, websocket: ServerConnection) -> None:
    with suppress(ConnectionClosed, OSError):
        while data := target.recv(65536):
            websocket.send(data)
    websocket.close()


def _refusal(connection: ServerConnection, status: int, code: str, message: str) -> Response:
    return connection.respond(status, json.dumps({"ErrorCode": code, "Message": message}))


def _context(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate of its own for localhost, made anew."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names: Sequence[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(Encoding.PEM)
    authority(folder).write_bytes(public)
    both = folder / "eice-server.pem"
    both.touch(mode=0o600)
    both.write_bytes(public + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    both.unlink()
    return context
