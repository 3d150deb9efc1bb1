"""Host keys that are pinned to one instance. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from jada import Host
from jada.inventory.access.known_hosts import KINDS, HostKey, host_key

# The provider, the account, the region and the id that no other machine ever gets.
Machine = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The keys of one instance: `keys` has one on each line, type and base64. `source` named them, which is a place of
    the cloud or a person, and had `seen` them then; they were pinned `at`. Times are ISO 8601 UTC, or "".
    """

    provider: str
    account: str
    region: str
    instance: str
    keys: str
    source: str
    seen: str
    at: str

    @classmethod
    def of(cls, machine: Machine, keys: Iterable[HostKey], source: str, seen: str = "") -> Pin:
        """A pin that is made now."""
        provider, account, region, instance = machine
        lines = "".join(f"{key.kind} {key.text}\n" for key in keys)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(
            provider=provider, account=account, region=region, instance=instance,
            keys=lines, source=source, seen=seen, at=at,
        )  # fmt: skip

    @property
    def machine(self) -> Machine:
        return self.provider, self.account, self.region, self.instance

    @property
    def own(self) -> tuple[HostKey, ...]:
        """The keys that are good: a record may come from elsewhere."""
        lines = (line.split(" ") for line in self.keys.splitlines())
        keys = (host_key(*line) for line in lines if len(line) == 2)
        return tuple(key for key in keys if key and key.kind in KINDS)

    @property
    def told(self) -> str:
        """Where it came from, and when, in words."""
        return f"pinned {self.at} from {self.source}" + (f", as it was {self.seen}" if self.seen else "")


def whole_key(kind: str, text: str) -> HostKey | None:
    """The key of this type and base64, None unless it is whole: a pin of half a key would lock its host out."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    key = host_key(kind, text)
    try:
        load_ssh_public_key(f"{kind} {text}".encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if key and key.kind in KINDS else None


def machine_of(host: Host) -> Machine:
    return host.provider, host.account, host.region, host.uid or host.id
