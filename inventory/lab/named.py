"""Labs by name: the files and links of each on this machine, and its network. Two share nothing but the base images."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from jada import ConfigError, JadaError
from jada.inventory.lab.shell import run

DEFAULT = "lab"
# The kernel gives the name of a network link 15 characters, and a lab's longest is jl-NAME-60.
LONGEST = 9
NAME = re.compile(rf"(?!.{{{LONGEST + 1}}})[a-z][a-z0-9]*(-[a-z0-9]+)*")
FOLDERS = Path("/var/lib")
# The first halves of addresses that a lab may take, all private (RFC 1918): the first is the default lab's alone.
NETWORKS = (*(f"10.{number}" for number in range(77, 127)), *(f"172.{number}" for number in range(16, 32)))


@dataclass(frozen=True, slots=True)
class Lab:
    """The lab of this name, whether there is one or not: all it has on this machine is called jada-NAME.

    Raises ConfigError when that can't be a lab's name.
    """

    name: str = DEFAULT

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} can't be a lab's name",
                f"up to {LONGEST} small letters, digits and single hyphens, a letter first, such as demo",
            )

    def __str__(self) -> str:
        return "the lab" if self.name == DEFAULT else f"the lab {self.name}"

    @property
    def title(self) -> str:
        """The same at the beginning of a sentence."""
        return f"T{str(self)[1:]}"

    @property
    def prefix(self) -> str:
        """The name of its control group and its bridge, and the beginning of those of its network namespaces."""
        return f"jada-{self.name}"

    @property
    def folder(self) -> Path:
        return FOLDERS / self.prefix

    @property
    def lock(self) -> Path:
        return Path("/run", f"{self.prefix}.lock")

    @property
    def fleet(self) -> str:
        """The name of its fleet, by which releases and locks are recorded."""
        return "rehearsal" if self.name == DEFAULT else f"rehearsal-{self.name}"

    @property
    def fleet_file(self) -> Path:
        return self.folder / "fleet.yml"

    @property
    def state(self) -> Path:
        return self.folder / "lab.json"

    @property
    def key(self) -> Path:
        """The key that opens its EC2 instances."""
        return self.folder / "id_lab"

    @property
    def ca(self) -> Path:
        """The authority that signs the certificates that open its Lightsail instances."""
        return self.folder / "ca"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def aws_config(self) -> Path:
        return self.folder / "aws-config"

    @property
    def endpoint(self) -> Path:
        """The file with the URL of its emulated AWS endpoint, while that runs."""
        return self.folder / "aws-endpoint"

    def link(self, number: int) -> str:
        """The end, on this machine, of the network cable of its host of this number."""
        return f"jl-{self.name}-{number}"

    def command(self, verb: str) -> str:
        """The command line of `jada lab VERB` for this lab."""
        return f"jada lab {verb}" if self.name == DEFAULT else f"jada lab {verb} --name {self.name}"


@dataclass(frozen=True, slots=True)
class LabState:
    """The record of a lab: how many hosts, the image of their disks, its network, such as "10.77", and the Claude CLI
    that is their agent; "" for the stand-in.
    """

    hosts: int
    base: str
    network: str
    claude: str = ""
    claude_version: str = ""

    @property
    def agent(self) -> str:
        return f"Claude CLI {self.claude_version}" if self.claude else "stand-in"


def read_state(lab: Lab) -> LabState | None:
    """Reads the record of a lab; None when there is no lab, or when that can't be read."""
    try:
        return LabState(**json.loads(lab.state.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def labs() -> Iterator[tuple[Lab, LabState]]:
    """All labs of this machine that are up, or were when it went down."""
    for folder in sorted(FOLDERS.glob("jada-*")):
        name = folder.name.removeprefix("jada-")
        if NAME.fullmatch(name) and (state := read_state(Lab(name))):
            yield Lab(name), state


def free_network(lab: Lab) -> str:
    """A network that this machine does not route and no lab remembers. Raises JadaError."""
    remembered = (_whole(state.network) for other_lab, state in labs() if other_lab != lab)
    return choose_network(lab, [*routes(run("ip", "-4", "-json", "route", "show", "table", "all")), *remembered])


def choose_network(lab: Lab, routed: Iterable[IPv4Network]) -> str:
    """The first of NETWORKS that overlaps with none that is taken. Raises JadaError."""
    routed = tuple(routed)
    for network in NETWORKS[lab.name != DEFAULT :]:
        if not any(_whole(network).overlaps(used) for used in routed):
            return network
    raise JadaError(
        "No network is left for the lab: this machine routes, or other labs have, all from 10.77.0.0 to 10.126.255.255 "
        "and from 172.16.0.0 to 172.31.255.255",
        "see which with: ip route; take labs down that nobody needs: jada lab status",
    )


def routes(answer: str) -> list[IPv4Network]:
    """The networks in the output of `ip -json route`; without the default, or the few parts that some write it in."""
    words = (route["dst"] for route in json.loads(answer or "[]"))
    networks = (IPv4Network(word) for word in words if word != "default")
    return [network for network in networks if network.prefixlen >= 8]


def _whole(network: str) -> IPv4Network:
    return IPv4Network(f"{network}.0.0/16")
