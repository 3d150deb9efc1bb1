"""The rehearsal fleet's AWS: moto for EC2, and stand-ins for Lightsail, Systems Manager and EC2 Instance Connect,
behind one HTTP endpoint.

    python -m jada.inventory.lab.aws --state-dir DIR [--port P]

DIR/instances.json says which instances there are:

    {"ec2": [{"name", "region", "address", "tags": {…}, "state": "running" | "stopped", "group": "jada-lab/NAME",
              "console": "/path/to/its/console"}],
     "lightsail": [{"name", "region", "address", "username", "tags", "state", "host_keys": ["ssh-ed25519 AAAA…"]}],
     "ssh_ca": "/path/to/the/ca/private/key",
     "eice": {"secret", "regions": […], "source", "kind", "port"}}

An EC2 instance with the control group of a lab host is known to Systems Manager, whose commands run there, and lets in
keys that EC2 Instance Connect is given; "eice" are its endpoints (instance_connect.py). The end of its console is what
EC2 answers with.

When all of them are there, DIR/aws-endpoint holds the URL. DIR/faults.json, read again for each request, makes calls
fail, wait or lose their answer when they are done, by operation and region ("*" stands for any):

    {"DescribeInstances": {"us-east-1": {"code": "RequestLimitExceeded", "status": 503, "times": 2}},
     "SendCommand": {"*": {"lost": true, "times": 1}},
     "*": {"*": {"delay": 0.5}}}

DIR/health.json, read again too, says which targets of load balancers are not healthy: {"i-0abc…": "unhealthy"}.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from ipaddress import ip_interface
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import boto3
from werkzeug.serving import make_server

from jada.inventory.lab.instance_connect import (
    DESCRIBE,
    Endpoints,
    InstanceConnect,
    InstanceConnectError,
    endpoint_config,
)
from jada.inventory.lab.instance_connect import TARGET as INSTANCE_CONNECT
from jada.inventory.lab.lightsail import HEALTHY, Health, Lightsail, LightsailError, instances
from jada.inventory.lab.lightsail import TARGET as LIGHTSAIL
from jada.inventory.lab.ssm import TARGET as SSM
from jada.inventory.lab.ssm import LabAgent, Ssm, SsmError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

INSTANCE_TYPE = "t3.small"
# The endpoint takes any; boto3 wants some.
CREDENTIALS = ("jada-lab", "jada-lab")
# moto accepts any id; this one is nobody's.
IMAGE = "ami-00000000000000000"
# As much as EC2 keeps of a console.
CONSOLE_BYTES = 64 * 1024

log = logging.getLogger("jada.lab.aws")

StandIn = Lightsail | Ssm | InstanceConnect


def main(argv: list[str] | None = None) -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m jada.inventory.lab.aws", description="An emulated AWS endpoint.")
    parser.add_argument("--state-dir", type=Path, required=True, help="where instances.json is")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; default: a free one")
    options = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    serve(options.state_dir, options.port)


def serve(state_dir: Path, port: int) -> None:
    """Emulates the instances of `state_dir`/instances.json on 127.0.0.1 until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    address_file = state_dir / "aws-endpoint"
    address_file.unlink(missing_ok=True)
    entries = json.loads((state_dir / "instances.json").read_text())
    ssh_ca = Path(entries["ssh_ca"]) if entries.get("ssh_ca") else None
    health = Health(state_dir / "health.json")
    lightsail = Lightsail(instances(entries.get("lightsail", ())), ssh_ca, health)

    ssm, connect = Ssm({}), InstanceConnect({})
    consoles: dict[str, Path] = {}
    endpoints = Endpoints(endpoint_config(entries.get("eice", {"secret": ""})), state_dir)
    endpoints.start()

    stand_ins: dict[str, StandIn] = {LIGHTSAIL: lightsail, SSM: ssm, INSTANCE_CONNECT: connect}
    application = Endpoint(_with_endpoints(_moto(health), endpoints), stand_ins, state_dir / "faults.json", consoles)
    server = make_server("127.0.0.1", port, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="aws", daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        for instance, entry in launch(url, entries.get("ec2", ())):
            connect.groups[entry["region"], instance] = entry.get("group", "")
            if "group" in entry:
                ssm.agents[entry["region"], instance] = LabAgent(entry["group"])
            if "console" in entry:
                consoles[instance] = Path(entry["console"])
        _write(address_file, url)
        log.info("serving on %s", url)
        stop.wait()
        log.info("stopping")
    finally:
        address_file.unlink(missing_ok=True)
        endpoints.stop()
        server.shutdown()
        thread.join()
        server.server_close()


def launch(url: str, entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Starts the EC2 instances through the endpoint's own API, each in its region and with its private address: their
    ids.

    All of one region have addresses of one /16.
    """
    # One, for each reads EC2's long description anew.
    session = boto3.session.Session(*CREDENTIALS)
    by_region: dict[str, list[Mapping[str, Any]]] = {}
    ids = []
    for entry in entries:
        by_region.setdefault(entry["region"], []).append(entry)
    for region, group in by_region.items():
        ec2 = session.client("ec2", region_name=region, endpoint_url=url)
        network = str(ip_interface(f"{group[0]['address']}/16").network)
        vpc = ec2.create_vpc(CidrBlock=network)["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=network)["Subnet"]["SubnetId"]
        # AWS gives it to instances by itself, moto does not.
        of_vpc = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
        security_group = ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"][0]["GroupId"]
        for entry in group:
            tags = {"Name": entry["name"], **entry.get("tags", {})}
            started = ec2.run_instances(
                ImageId=IMAGE,
                InstanceType=INSTANCE_TYPE,
                MinCount=1,
                MaxCount=1,
                SubnetId=subnet,
                SecurityGroupIds=[security_group],
                PrivateIpAddress=entry["address"],
                TagSpecifications=[
                    {"ResourceType": "instance", "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}
                ],
            )["Instances"][0]["InstanceId"]
            if entry.get("state", "running") == "stopped":
                ec2.stop_instances(InstanceIds=[started])
            ids.append((started, entry))
    return ids


class Endpoint:
    """A WSGI application: faults first, then the stand-ins by the beginnings of targets, moto for the rest, but for the
    `consoles` of instances: there it has a fixed text.
    """

    def __init__(
        self, moto: WSGIApplication, stand_ins: Mapping[str, StandIn], faults: Path, consoles: Mapping[str, Path] = {}
    ) -> None:
        self._moto = moto
        self._stand_ins = stand_ins
        self._faults = Faults(faults)
        self._consoles = consoles
        # moto looks at the condition of a write and writes in two steps, where S3 does it in one.
        self._one_write = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        # Whoever speaks JSON says with what in a header.
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        stand_in = next((each for start, each in self._stand_ins.items() if target.startswith(start)), None)
        region, service = _scope(environ.get("HTTP_AUTHORIZATION", ""))
        operation = target.rpartition(".")[2] or parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        if service == "s3":
            operation = _object_operation(environ)
        fault = self._faults.next(operation, region)
        if fault and "code" in fault:
            return _answer(start_response, *_error(target != "", fault, service))
        if operation == "GetConsoleOutput" and not fault:
            instance = parse_qs(body.decode())["InstanceId"][0]
            if console := self._consoles.get(instance):
                return _answer(start_response, 200, "text/xml", _console_output(instance, console))
        if stand_in is None:
            with self._one_write if service == "s3" else nullcontext():
                if not fault:
                    return self._moto(environ, start_response)
                b"".join(self._moto(environ, lambda *_: io.BytesIO().write))
        else:
            answer = _answered(stand_in, operation, region, body)
        if fault:
            answer = _error(target != "", {"code": "InternalError", "status": 500}, service)
        return _answer(start_response, *answer)


class Faults:
    """The faults that faults.json asks for. `times` counts from the moment the file was last changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        # Of the file as it was read last: the same text written anew counts anew.
        self._stamp: tuple[int, int] | None = None
        self._used: Counter[tuple[str, str]] = Counter()

    def next(self, operation: str, region: str) -> dict[str, Any] | None:
        """Waits as long as the faults of this call ask, and returns the one to answer with."""
        matching = [
            (key, fault)
            for key in ((operation, region), (operation, "*"), ("*", region), ("*", "*"))
            if (fault := self._read().get(key[0], {}).get(key[1])) is not None
        ]
        time.sleep(sum(float(fault.get("delay", 0)) for _, fault in matching))
        harms = [(key, fault) for key, fault in matching if "code" in fault or "lost" in fault]
        return next((fault for key, fault in harms if self._due(key, fault)), None)

    def _read(self) -> dict[str, dict[str, dict[str, Any]]]:
        with self._lock:
            text, stamp = "{}", None
            with suppress(FileNotFoundError), self._path.open() as file:
                about = os.fstat(file.fileno())
                text, stamp = file.read(), (about.st_ino, about.st_mtime_ns)
            if stamp != self._stamp:
                self._stamp = stamp
                self._used.clear()
        faults: dict[str, dict[str, dict[str, Any]]] = json.loads(text)
        return faults

    def _due(self, key: tuple[str, str], fault: dict[str, Any]) -> bool:
        with self._lock:
            self._used[key] += 1
            return "times" not in fault or self._used[key] <= fault["times"]


def _moto(health: Health) -> WSGIApplication:
    # Thousands of made-up images cost seconds at the first call in each region; nothing here looks at them.
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    from moto.elbv2.models import FakeTargetGroup
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    groups: Any = FakeTargetGroup
    health_for = groups.health_for

    def with_health(group: Any, target: Mapping[str, Any], backend: Any) -> Any:
        """Any target that runs is healthy to moto."""
        answer = health_for(group, target, backend)
        if answer.status == HEALTHY:
            answer.status = health.of(target["Id"])
        return answer

    groups.health_for = with_health

    application: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    return application


def _with_endpoints(moto: WSGIApplication, endpoints: Endpoints) -> WSGIApplication:
    """moto with the endpoints of EC2 Instance Connect, of which it knows nothing."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        region, service = _scope(environ.get("HTTP_AUTHORIZATION", ""))
        if service == "ec2":
            body = environ["wsgi.input"].read()
            environ["wsgi.input"] = io.BytesIO(body)
            if parse_qs(body.decode("utf-8", "replace")).get("Action") == [DESCRIBE]:
                return _answer(start_response, 200, "text/xml", endpoints.describe(region, body))
        return moto(environ, start_response)

    return application


def _scope(authorization: str) -> tuple[str, str]:
    """The region and service of a signature's credential scope: Credential=KEY/DATE/REGION/SERVICE/aws4_request."""
    match = re.search(r"Credential=[^/]+/\d+/([a-z0-9-]+)/([a-z0-9-]+)/", authorization)
    return (match[1], match[2]) if match else ("us-east-1", "")


def _object_operation(environ: WSGIEnvironment) -> str:
    """The operation on an object of S3, whose API is REST; "" for those on buckets but for the list."""
    if "list-type" in parse_qs(environ.get("QUERY_STRING", "")):
        return "ListObjectsV2"
    has_key = "/" in environ["PATH_INFO"].strip("/")
    return f"{environ['REQUEST_METHOD'].capitalize()}Object" if has_key else ""


def _console_output(instance: str, console: Path) -> str:
    """The end of a console as EC2 answers with it."""
    text = console.read_bytes()[-CONSOLE_BYTES:] if console.exists() else b""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0</requestId>'
        f"<instanceId>{escape(instance)}</instanceId>"
        f"<timestamp>{datetime.now(UTC).isoformat(timespec='milliseconds')}</timestamp>"
        f"<output>{base64.b64encode(text).decode()}</output></GetConsoleOutputResponse>"
    )


def _answered(stand_in: StandIn, operation: str, region: str, body: bytes) -> tuple[int, str, str]:
    try:
        return 200, "application/x-amz-json-1.1", json.dumps(stand_in.answer(operation, region, body))
    except (LightsailError, SsmError, InstanceConnectError) as error:
        return _error(True, {"code": error.code, "message": str(error)})


def _error(is_json: bool, fault: Mapping[str, Any], service: str = "") -> tuple[int, str, str]:
    """An error as this service tells it."""
    code, status = fault["code"], int(fault.get("status", 400))
    message = fault.get("message", f"The rehearsal fleet was told to answer {code}.")
    if is_json:
        return status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    body = error if service == "s3" else f"<Response><Errors>{error}</Errors><RequestID>0</RequestID></Response>"
    return status, "text/xml", f'<?xml version="1.0" encoding="UTF-8"?>{body}'


def _answer(start_response: StartResponse, status: int, content_type: str, text: str) -> list[bytes]:
    start_response(f"{status} {'OK' if status < 400 else 'Error'}", [("Content-Type", content_type)])
    return [text.encode()]


def _write(path: Path, text: str) -> None:
    """In one step: whoever waits for the file never reads half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    main()
