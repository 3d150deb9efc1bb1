"""A stand-in for EC2 with many instances: `python -m benchmarks.ec2 COUNT REGION...` prints its URL, and serves.

moto takes seconds for each thousand instances. This one joins descriptions that are made before, over real HTTP. It
knows DescribeInstances alone: pages of MaxResults (default: 1000, as EC2's own), whatever the filters.
"""

from __future__ import annotations

import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

MOST = 1000
PAGE = (
    '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
    "<reservationSet>{}</reservationSet>{}</DescribeInstancesResponse>"
)
# As EC2 describes a t3.small with one volume and one interface: about 6 KB.
GROUPS = "<groupSet><item><groupId>sg-0a1b2c3d4e5f60718</groupId><groupName>agents</groupName></item></groupSet>"
INSTANCE = (
    "<item><reservationId>r-{number:017x}</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet><item>"
    "<instanceId>i-{number:017x}</instanceId><imageId>ami-0123456789abcdef0</imageId>"
    "<instanceState><code>16</code><name>running</name></instanceState>"
    "<privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName><dnsName/><reason/><keyName>ops</keyName>"
    "<amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>t3.small</instanceType>"
    "<launchTime>2026-11-24T10:00:00.000Z</launchTime><placement><availabilityZone>{region}a</availabilityZone>"
    "<availabilityZoneId>use1-az1</availabilityZoneId><groupName/><tenancy>default</tenancy></placement>"
    "<monitoring><state>disabled</state></monitoring><subnetId>subnet-0123456789abcdef0</subnetId>"
    "<vpcId>vpc-0123456789abcdef0</vpcId><privateIpAddress>{address}</privateIpAddress>"
    "<sourceDestCheck>true</sourceDestCheck>" + GROUPS + "<architecture>x86_64</architecture>"
    "<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item>"
    "<deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-{number:017x}</volumeId><status>attached</status>"
    "<attachTime>2026-11-24T10:00:01.000Z</attachTime><deleteOnTermination>true</deleteOnTermination>"
    "<ebsCardIndex>0</ebsCardIndex></ebs></item></blockDeviceMapping><virtualizationType>hvm</virtualizationType>"
    "<clientToken>token-{number:032x}</clientToken><tagSet>"
    "<item><key>Name</key><value>agent-{number}</value></item><item><key>jada</key><value>agent</value></item>"
    "<item><key>env</key><value>prod</value></item><item><key>team</key><value>platform</value></item>"
    "<item><key>aws:autoscaling:groupName</key><value>agents-{region}</value></item></tagSet>"
    "<hypervisor>xen</hypervisor><networkInterfaceSet><item><networkInterfaceId>eni-{number:017x}</networkInterfaceId>"
    "<subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><description/>"
    "<ownerId>123456789012</ownerId><status>in-use</status><macAddress>02:00:00:00:00:01</macAddress>"
    "<privateIpAddress>{address}</privateIpAddress>"
    "<privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName><sourceDestCheck>true</sourceDestCheck>"
    + GROUPS + "<attachment><attachmentId>eni-attach-{number:017x}</attachmentId><deviceIndex>0</deviceIndex>"
    "<status>attached</status><attachTime>2026-11-24T10:00:00.000Z</attachTime>"
    "<deleteOnTermination>true</deleteOnTermination><networkCardIndex>0</networkCardIndex></attachment>"
    "<privateIpAddressesSet><item><privateIpAddress>{address}</privateIpAddress>"
    "<privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName><primary>true</primary></item>"
    "</privateIpAddressesSet><ipv6AddressesSet/><interfaceType>interface</interfaceType></item></networkInterfaceSet>"
    "<iamInstanceProfile><arn>arn:aws:iam::123456789012:instance-profile/agent</arn><id>AIPA0123456789ABCDEF0</id>"
    "</iamInstanceProfile><ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport><cpuOptions>"
    "<coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions><capacityReservationSpecification>"
    "<capacityReservationPreference>open</capacityReservationPreference></capacityReservationSpecification>"
    "<hibernationOptions><configured>false</configured></hibernationOptions><metadataOptions><state>applied</state>"
    "<httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit>"
    "<httpEndpoint>enabled</httpEndpoint><httpProtocolIpv6>disabled</httpProtocolIpv6>"
    "<instanceMetadataTags>disabled</instanceMetadataTags></metadataOptions><enclaveOptions><enabled>false</enabled>"
    "</enclaveOptions><bootMode>uefi-preferred</bootMode><platformDetails>Linux/UNIX</platformDetails>"
    "<usageOperation>RunInstances</usageOperation><usageOperationUpdateTime>2026-11-24T10:00:00.000Z"
    "</usageOperationUpdateTime><privateDnsNameOptions><hostnameType>ip-name</hostnameType>"
    "<enableResourceNameDnsARecord>false</enableResourceNameDnsARecord>"
    "<enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord></privateDnsNameOptions>"
    "<maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions>"
    "<currentInstanceBootMode>uefi</currentInstanceBootMode></item></instancesSet></item>"
)  # fmt: skip


def described(count: int, regions: list[str]) -> dict[str, list[str]]:
    """So many instances, spread evenly over the regions, as EC2 describes each."""
    by_region: dict[str, list[str]] = {region: [] for region in regions}
    for number in range(count):
        region = regions[number % len(regions)]
        octets = (10, number >> 16 & 255, number >> 8 & 255, number & 255)
        address, dashed = (sign.join(map(str, octets)) for sign in ".-")
        text = INSTANCE.format(number=number, region=region, address=address, dashed=dashed)
        by_region[region].append(text)
    return by_region


def main() -> None:
    instances = described(int(sys.argv[1]), sys.argv[2:])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else each answer waits for the last one's acknowledgement.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            scope = re.search(r"Credential=[^/]+/\d+/([a-z0-9-]+)/", self.headers["Authorization"])
            listed = instances[scope[1]] if scope else []
            begin, most = int(asked.get("NextToken", ["0"])[0]), int(asked.get("MaxResults", [MOST])[0])
            end = begin + most
            token = f"<nextToken>{end}</nextToken>" if end < len(listed) else ""
            answer = PAGE.format("".join(listed[begin:end]), token).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml;charset=UTF-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
