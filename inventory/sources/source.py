"""The shape of a source of hosts: its entry in fleet.yml, how its hosts are found, and a login that it may give."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from jada import Aws, Host
from jada.inventory.sources.network import HostNetwork
from jada.inventory.yaml_values import Value

# A host's name ends up in file names, in pyinfra's inventory (where a leading @ chooses a connector) and in
# comma-separated lists.
HOST_NAME = re.compile(r"\w[\w .:+=-]{0,99}")


class Source(Protocol):
    """One entry under `sources:` of fleet.yml, read and checked."""

    # Its key there, and the `provider` of the hosts that it finds.
    provider: ClassVar[str]
    # True if fleet.yml itself names the hosts: nobody else is asked, so that they are known as long as it can be read.
    is_own: ClassVar[bool]

    def credentials(self, aws: Aws, /) -> Aws | None:
        """The credentials that a search needs, None for none; `aws` are those of fleet.yml as a whole."""

    def searched_regions(self, aws: Aws, /) -> Sequence[str]:
        """The regions to search, each by itself; one "" where there are none. Raises JadaError."""

    def find(self, aws: Aws, region: str, /) -> list[Host]:
        """The hosts of one region. An `address` of "" is none of the wanted kind; a `port` of 0 and a `user` of "" are
        those of the ssh section. Raises JadaError.
        """

    def describe(self) -> str:
        """The source and its filters in words, for an error that nothing was found."""


@dataclass(frozen=True, slots=True)
class CloudKey:
    """A host key that a cloud names, which is checked where it is used; `seen` is when the cloud saw it, ISO 8601, or
    "".
    """

    kind: str
    text: str
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """A login that a cloud itself gives, for some minutes: its answer, which is checked where it is used.

    `host_keys` are those that the cloud vouches for. The key is good until `expires`, Unix seconds.
    """

    giver: str
    user: str
    private_key: str = field(repr=False)
    certificate: str
    host_keys: tuple[CloudKey, ...] = ()
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of a machine in its cloud's own words; `is_well` is None while its checks are not done."""

    text: str
    is_well: bool | None


# The conditions of hosts of one region, by their ids.
Conditions = Callable[[Aws, str, Sequence[Host]], dict[str, Condition]]
# The networks of hosts of one region, by their ids.
Network = Callable[[Aws, str, Sequence[Host]], dict[str, HostNetwork]]


@dataclass(frozen=True, slots=True)
class Provider:
    """A kind of source: `read` makes one of its entry in fleet.yml, `access` asks for a login to one of its hosts.

    Without `access`, people's own keys are used; without `conditions`, nobody knows how its hosts are, and without
    `network`, how they are reached. Its hosts' own keys are in an `access`, or `host_keys` asks for them; `keys_from`
    calls the place by name, and "" is none. All raise JadaError.
    """

    read: Callable[[Value], Source]
    access: Callable[[Aws, Host], Access] | None = None
    conditions: Conditions | None = None
    network: Network | None = None
    host_keys: Callable[[Aws, Host], tuple[CloudKey, ...]] | None = None
    keys_from: str = ""
