"""The network of the hosts of a rollout, seen before and after it; no host, and no way back, waits for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from typing import Self

from jada import Host, reason
from jada.cli import signals
from jada.cli.rollout.network_findings import may_settle, network_findings
from jada.cli.session import FleetSession
from jada.cli.ui.console import err
from jada.inventory.network import has_network, networks
from jada.inventory.sources.network import HostNetwork, from_json, to_json
from jada.tasks.checks import Finding

# The findings on the network of each host that was touched, by its name; none of one that no cloud knows.
Found = Mapping[str, tuple[Finding, ...]]
Networks = dict[str, HostNetwork]
# Seconds for the answers of AWS once all hosts are done; after a way back, whose hosts are told before, the fewest.
PATIENCE, PATIENCE_BACK = 20, 5
# Seconds until a load balancer that tells otherwise than before is asked once more.
AGAIN = 15
TICK = 0.1
STOPPED = "jada was told to stop"


class NetworkWatch:
    """Asks for the network of hosts when it is made, unless somebody did `before`, and once more after a rollout.

    After a way back nothing is asked a second time: whatever a load balancer tells in its own time is not waited for.
    """

    def __init__(self, hosts: Sequence[Host], *, is_back: bool, before: Networks | None = None) -> None:
        self._is_back = is_back
        self._hosts = [host for host in hosts if has_network([host])]
        self._before = self._ask(self._hosts) if before is None else _Answer(self._hosts, lambda: before)
        self._after: _Answer | None = None
        self._is_kept = before is not None

    @classmethod
    def begin(cls, session: FleetSession, *, is_back: bool, kept: str = "") -> Self | None:
        """Begins to ask for the hosts of a session, or goes on with what was `kept`; None where no cloud knows them."""
        if not has_network(session.hosts):
            return None
        try:
            before = from_json(kept)
        except ValueError:
            before = None
        return cls(session.hosts, is_back=is_back, before=before)

    def to_keep(self) -> str:
        """The network before, to be written down for another jada that goes on: once, as soon as it is there, or ""."""
        if self._is_kept or self._before.networks is None:
            return ""
        self._is_kept = True
        return to_json(self._before.networks)

    def end(self, touched: Collection[str]) -> None:
        """Begins to ask for the hosts that a rollout has touched: it is over."""
        self._after = self._ask([host for host in self._hosts if host.name in touched])

    def findings(self) -> Found:
        """The findings on each host that was touched, for which AWS gets a while to answer; Ctrl-C ends that."""
        if self._after is None:
            return {}
        if signals.stopped():
            return self._compared(self._after, STOPPED)
        shown = err.status("Looking at the network…") if err.is_terminal else nullcontext()
        patience = PATIENCE_BACK if self._is_back else PATIENCE
        with signals.held(lambda: None), shown:
            deadline = time.monotonic() + patience
            for answer in (self._before, self._after):
                answer.wait(deadline)
            late = STOPPED if signals.stopped() else f"AWS gave no answer within {patience} s"
            found = self._compared(self._after, late)
            unsettled = [host for host in self._after.hosts if may_settle(found[host.name])]
            if unsettled and not self._is_back and _sleep(AGAIN):
                again = self._ask(unsettled)
                again.wait(time.monotonic() + patience)
                # Without a second answer, the first one counts.
                found |= {} if again.networks is None else self._compared(again, late)
        return found

    def _compared(self, after: _Answer, late: str) -> dict[str, tuple[Finding, ...]]:
        return {host.name: network_findings(self._before.of(host, late), after.of(host, late)) for host in after.hosts}

    def _ask(self, hosts: Sequence[Host]) -> _Answer:
        return _Answer(hosts, lambda: networks(hosts))


class _Answer:
    """The answer to a question about these hosts, asked beside all else: `networks` is None until it is there."""

    def __init__(self, hosts: Sequence[Host], ask: Callable[[], Networks]) -> None:
        self.hosts = hosts
        self.networks: Networks | None = None
        self._ask = ask
        # Nobody waits for it at the end, and it can't fail what goes on beside it.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, deadline: float) -> None:
        """Waits until it is there, until then (monotonic), or until jada is told to stop."""
        while self.networks is None and time.monotonic() < deadline and not signals.stopped():
            self._thread.join(TICK)

    def of(self, host: Host, late: str) -> HostNetwork:
        """The network of one host; `late` is why there is no answer."""
        if self.networks is None:
            return HostNetwork.not_known(late)
        return self.networks.get(host.name) or HostNetwork.not_known("it was not asked for")

    def _run(self) -> None:
        try:
            self.networks = self._ask()
        except Exception as error:  # whatever it is, it is no trouble of the rollout's
            why = f"jada could not ask for it ({reason(error)})"
            self.networks = {host.name: HostNetwork.not_known(why) for host in self.hosts}


def _sleep(seconds: float) -> bool:
    """Waits; False where jada was told to stop meanwhile."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not signals.stopped():
        time.sleep(TICK)
    return not signals.stopped()
