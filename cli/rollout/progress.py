"""How far a rollout is, as the record keeps it: after each step, so that another jada can go on with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from jada import JadaError, Tiers
from jada.cli.records.model import OPEN, HostEntry, RolloutEntry, RolloutStatus
from jada.cli.records.sqlite import Records
from jada.cli.rollout.network import NetworkWatch
from jada.cli.rollout.outcome import HostResult, Plans
from jada.cli.rollout.record import as_host_entries
from jada.cli.rollout.watch import Baselines
from jada.cli.rollout.waves import Group, Groups, Waves, together
from jada.inventory.fleet.rollout import RolloutPolicy
from jada.tasks.measure import Measurement
from jada.tasks.plan import Request

# In place of what somebody wants: another jada has ended it.
GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """All that is needed to go on with a rollout: `tiers` are the models that its hosts are to run, by name, and
    `baselines` what their probes measured before.

    With `force`, hosts that fail the checks before the change are changed too.
    """

    request: Request
    groups: Groups
    tiers: Mapping[str, Tiers]
    force: bool = False
    baselines: Baselines = field(default_factory=dict)

    @property
    def waves(self) -> Waves:
        """The hosts that are changed together, in their order."""
        return together(self.groups)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The values that to_json() wrote. Raises JadaError."""
        try:
            values: dict[str, Any] = json.loads(text)
            return cls(
                request=Request(**values["request"]),
                groups=tuple(
                    Group(RolloutPolicy.of(group["policy"]), tuple(tuple(wave) for wave in group["waves"]))
                    for group in values["groups"]
                ),
                tiers={name: Tiers.of(tiers) for name, tiers in values["tiers"].items()},
                force=values["force"],
                baselines={
                    name: {probe: Measurement(**value) for probe, value in of_host.items()}
                    for name, of_host in values["baselines"].items()
                },
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise JadaError(
                f"The record of this rollout can't be read ({type(error).__name__})",
                "see with `jada status` what each host runs, and begin anew: jada upgrade",
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The place in the record where a rollout writes how far it is; nothing of its waves where it `is_one`.

    `before` are the models of hosts that were changed by the part of it that was cut off, and `network` knows how their
    network was. Where the rollout is another's, who has taken its lease, that one writes in its place.
    """

    records: Records
    request: Request
    plans: Plans
    results: Mapping[str, HostResult]
    is_one: bool
    before: Mapping[str, str] = field(default_factory=dict)
    is_others: Callable[[], bool] = lambda: False
    network: NetworkWatch | None = None
    _written: dict[str, HostEntry] = field(default_factory=dict)

    def begin(self, values: Values) -> None:
        """Writes the rollout down before anything is touched. Raises JadaError."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.records.begin_rollout(
            RolloutEntry(
                release=self.request.id, fleet=self.request.fleet, status=RolloutStatus.RUNNING, why="", wave=0,
                baking=0, values_json=values.to_json(), asked="", asked_by="", updated=now,
            )
        )  # fmt: skip

    def save(self, wave: int, is_baking: bool) -> None:
        """Writes down how far it is, or tells that this can't be done."""
        if self.is_others():
            return
        with self.records.best_effort():
            self._write(RolloutStatus.RUNNING, "", wave, is_baking, self._measured())
            if not self.is_one and self.network and (networks := self.network.to_keep()):
                self.records.keep_networks(self.request.id, networks)

    def end(self, status: RolloutStatus, why: str) -> None:
        """Writes down how it ended."""
        if self.is_others():
            return
        with self.records.best_effort():
            self._write(status, why, None, is_baking=False)

    def asked(self) -> tuple[str, str]:
        """The verb that somebody wants of it and by whom, or two empty texts; GONE and why where another ended it."""
        if self.is_one:
            return "", ""
        try:
            word = self.records.word(self.request.id)
        except JadaError:
            return "", ""
        if word is None:
            return "", ""
        return (word.asked, word.asked_by) if word.status in OPEN else (GONE, f"{word.status} {word.why}")

    def answered(self) -> None:
        """Writes down that what somebody wanted was done."""
        with self.records.best_effort():
            self.records.ask(self.request.id, "", "")

    def _measured(self) -> str:
        """The last verdicts of the probes on each host, as JSON."""
        return json.dumps(
            {
                name: [probe.as_data() for probe in result.probes]
                for name, result in self.results.items()
                if result.probes
            }
        )

    def _write(self, status: RolloutStatus, why: str, wave: int | None, is_baking: bool, measured: str = "") -> None:
        """Writes down what is new of hosts, and how far it is where it is one in waves. Raises JadaError."""
        entries = as_host_entries(self.request, self.plans, self.results, self.before)
        news = {entry.host: entry for entry in entries if self._written.get(entry.host) != entry}
        if self.is_one:
            self.records.update(news.values())
        else:
            self.records.advance(self.request.id, status, why, wave, is_baking, news.values(), measured)
        self._written.update(news)
