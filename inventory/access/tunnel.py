"""The way to a host through an EC2 Instance Connect Endpoint: a websocket, which a signed URL opens."""

from __future__ import annotations

import json
import ssl
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paramiko import ProxyCommandFailure, SSHException
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from jada import Aws, Host, HostError, JadaError, SharedWay, reason
from jada.inventory.cloud import instance_connect
from jada.inventory.cloud.errors import DeniedError, words
from jada.inventory.cloud.instance_connect import Endpoint
from jada.inventory.concurrency import map_concurrently

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

# Tunnels that an endpoint has open at once, and the seconds for which one lasts.
MOST, LONGEST = 20, 3600
# The only port of ssh that an endpoint leads to.
PORT = 22
# Seconds for the websocket to open, and for the endpoint's word that it is closed.
OPENING, CLOSING = 20, 5
# Seconds from ping to ping: a way that is silent for as long after one is dead.
PING = 20
# Answers of an endpoint that has too much to do.
BUSY = (429, 500, 502, 503, 504)
DENIED = (401, 403)


class TunnelError(HostError, SSHException):
    """An endpoint lets no tunnel be opened. pyinfra, by hand, tells it as any trouble of ssh."""


class TunnelClosedError(ProxyCommandFailure):
    """A tunnel that was closed before its host had said a word."""

    def __str__(self) -> str:
        # By these words it is known as trouble that may pass.
        return f"{self.command} was closed by remote: {self.error}"


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A way to a host; handed to paramiko's connect() as the socket, it is opened anew for each connection."""

    host: Host
    endpoint: Endpoint

    def to_json(self) -> str:
        """For pyinfra's `debug-inventory`, which makes JSON of all host data."""
        return f"through {self.endpoint.id}"

    @property
    def shared(self) -> SharedWay:
        return SharedWay(self.endpoint.id, MOST, LONGEST)

    def begin(self) -> TunnelSocket:
        """Opens it. Raises TunnelError, and ConnectionError where it may go better in a moment."""
        where = f"the EC2 Instance Connect Endpoint {self.endpoint.id}"
        try:
            url = instance_connect.signed_url(
                self.host.aws, self.host.region, self.endpoint, self.host.address, PORT, LONGEST
            )
            context = ssl.create_default_context(cafile=instance_connect.authorities(self.host.aws))
        except JadaError as error:
            raise TunnelError(f"{self.host.name}: {where} can't be asked: {error.message}", error.hint) from error
        try:
            websocket = connect(
                url,
                ssl=context,
                open_timeout=OPENING,
                close_timeout=CLOSING,
                ping_interval=PING,
                ping_timeout=PING,
                compression=None,
                legacy=True,
            )
        except InvalidStatus as error:
            refused = self._refused(where, error.response.status_code, bytes(error.response.body or b""))
            raise refused from refused.__cause__
        except ConnectionError:
            raise
        except (InvalidMessage, ConnectionClosed):
            raise ConnectionResetError(f"{where} broke off") from None
        except (OSError, InvalidHandshake) as error:
            # Without the words of the library, which may quote the URL.
            raise TunnelError(
                f"{self.host.name}: {where} can't be reached at {self.endpoint.dns} ({reason(error)})",
                "check the network and the proxy (HTTPS_PROXY); authorities of your own come from ca_bundle in the "
                "profile or AWS_CA_BUNDLE",
            ) from None
        instance_connect.note_tunnel(self.host.aws)
        return TunnelSocket(websocket, f"the tunnel through {self.endpoint.id}")

    def _refused(self, where: str, status: int, body: bytes) -> Exception:
        said = words(_message(body) or f"HTTP {status}")
        if status in BUSY:
            return ConnectionRefusedError(f"{where} opens no tunnel now: {said}")
        refused = TunnelError(
            f"{self.host.name}: {where} opens no tunnel to {self.host.address}: {said}",
            "it leads to port 22 of addresses in its own VPC; compare it with the instance: "
            f"aws ec2 describe-instance-connect-endpoints --region {self.host.region}",
        )
        if status in DENIED:
            action = instance_connect.OPEN_TUNNEL
            refused.hint = f"ask for {action} there, and see its conditions; `jada iam` prints the whole IAM policy"
            refused.__cause__ = DeniedError(refused.message, refused.hint, action)
        return refused


class TunnelSocket:
    """A websocket as the socket of a connection."""

    def __init__(self, websocket: ClientConnection, name: str) -> None:
        self._websocket = websocket
        self._name = name
        self._timeout: float | None = None
        self._rest = b""
        self._is_new = True

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def send(self, data: bytes) -> int:
        # recv tells why: of an error here, paramiko makes one without a reason.
        with suppress(ConnectionClosed):
            self._websocket.send(bytes(data))
        return len(data)

    def recv(self, size: int) -> bytes:
        """Raises TimeoutError, and TunnelClosedError where nothing has ever come."""
        while not self._rest:
            try:
                self._rest = self._websocket.recv(self._timeout, decode=False)
            except ConnectionClosed as closed:
                if self._is_new:
                    said = closed.rcvd.reason if closed.rcvd else "it broke off"
                    raise TunnelClosedError(self._name, words(said) or "it does not say why") from None
                return b""
            self._is_new = False
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def close(self) -> None:
        """Returns once the endpoint counts it no more, or does not answer."""
        self._websocket.close()


def tunnels(hosts: Sequence[Host]) -> dict[str, Tunnel | HostError]:
    """The ways to those of the hosts that are reached through an endpoint, or why there is none, by host name."""
    by_region: dict[tuple[Aws, str], list[Host]] = defaultdict(list)
    for host in hosts:
        if host.via == "eice":
            by_region[host.aws, host.region].append(host)
    answers = map_concurrently(
        lambda place: instance_connect.endpoints(*place, sorted({host.vpc for host in by_region[place] if host.vpc})),
        list(by_region),
    )
    return {
        host.name: _unknown(host, answer) if isinstance(answer, JadaError) else _way(host, answer)
        for (_, of_region), answer in zip(by_region.items(), answers, strict=True)
        for host in of_region
    }


def _way(host: Host, endpoints: Sequence[Endpoint]) -> Tunnel | HostError:
    """The way through the endpoint of the host's subnet, or else the first of its VPC. Pure."""
    in_vpc = [endpoint for endpoint in endpoints if host.vpc and endpoint.vpc == host.vpc]
    if not in_vpc:
        return HostError(
            f"{host.name}: no EC2 Instance Connect Endpoint in {host.vpc or 'its network'} ({host.region}) can be used",
            "make one (aws ec2 create-instance-connect-endpoint --subnet-id SUBNET), or leave `via` of the source out",
        )
    if host.port != PORT:
        return HostError(
            f"{host.name}: an EC2 Instance Connect Endpoint leads to port {PORT}, not to {host.port}",
            "have its sshd listen there, and leave ssh.port out",
        )
    endpoint = next((endpoint for endpoint in in_vpc if endpoint.subnet == host.subnet), in_vpc[0])
    kind = "ipv6" if ":" in host.address else "ipv4"
    if endpoint.kind not in ("", "dualstack", kind):
        return HostError(
            f"{host.name}: its EC2 Instance Connect Endpoint {endpoint.id} leads to {endpoint.kind} alone, not to "
            f"{host.address}",
            "set `address` of the source in fleet.yml, or have a dualstack endpoint",
        )
    return Tunnel(host, endpoint)


def _unknown(host: Host, error: JadaError) -> HostError:
    message = f"{host.name}: the EC2 Instance Connect Endpoints of {host.region} are not known: {error.message}"
    trouble = HostError(message, error.hint)
    trouble.__cause__ = error
    return trouble


def _message(body: bytes) -> str:
    """The words of a refusal, {"ErrorCode": …, "Message": …}."""
    try:
        refusal = json.loads(body)
        return f"{refusal['Message']} ({refusal['ErrorCode']})"
    except (ValueError, KeyError, TypeError):
        return ""
