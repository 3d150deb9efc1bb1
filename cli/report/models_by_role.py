"""Models by roles: what fleet.yml asks of each role, and how many of its hosts run which model. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from jada import LONG_CONTEXT, Model, Tiers
from jada.cli.drift.evaluate import HostDrift, Status
from jada.cli.report.marks import ALL_RUN_IT, NOT_ASKED_FOR, SOME_RUN_ANOTHER, UNKNOWN, Mark
from jada.cli.report.page import NoModel, Page
from jada.inventory import models
from jada.inventory.models import NOTICE
from jada.tasks import checks
from jada.tasks.state import State

# Characters of an id in the table.
LONGEST_NAME = 60
# The number of hosts by their role, and by what they run.
Counts = Counter[tuple[str, str | NoModel]]


@dataclass(frozen=True, slots=True)
class RoleColumn:
    """A role of fleet.yml, or one that hosts have ("" for none), and how many do; `tiers` by their exact ids, and the
    other models by the names that people know.
    """

    name: str
    tiers: Tiers
    hosts: int
    asked: str
    fallback: tuple[str, ...]
    subagents: str


@dataclass(frozen=True, slots=True)
class Cell:
    """The hosts of a role on a model: `count` of `asked`, where fleet.yml asks for it there, else `asked` is None."""

    mark: Mark
    count: int
    asked: int | None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model, or what is in its place, without an `id`; `listed` is its line in the catalogue. `retires` says when, in
    words, and `soon` is the class that colours them: "" for a day that is far.
    """

    name: str
    id: str
    listed: Model | None
    retires: str
    soon: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole: a cell of each row for each role. Of `derived` hosts nothing but jada's table tells the model."""

    roles: tuple[RoleColumn, ...]
    rows: tuple[ModelRow, ...]
    derived: int


def matrix(page: Page) -> Matrix:
    """The models that any role asks for or any host runs, in the catalogue's order; then hosts without one."""
    hosts = [row for row in page.drift.hosts if row.status is not Status.GONE]
    counts: Counts = Counter((row.role, runs(row, page.states.get(row.host), page)) for row in hosts)
    listed = models.catalogue(page.fleet.models)
    roles = _roles(page, hosts, listed)
    today = page.drift.at.date()
    running = {model for _, model in counts}
    names = {role.tiers.model for role in roles} - {""} | {model for model in running if isinstance(model, str)}
    rows = [
        *(
            _row(exact, listed, roles, counts, today)
            for exact in sorted(names, key=lambda exact: _order(exact, listed))
        ),
        *(_row_without(place, roles, counts) for place in NoModel if place in running),
    ]
    derived = sum(bool(row.evidence) and not row.evidence[0].is_proof for row in hosts) if _takes_derived(page) else 0
    return Matrix(roles, tuple(rows), derived)


def runs(row: HostDrift, state: State | None, page: Page) -> str | NoModel:
    """The model that a host runs, as far as it is proven; where fleet.yml is content with it (`proof: derived`), also
    by jada's table alone.
    """
    if state is None or row.status in (Status.NOT_CHECKED, Status.CHANGING):
        return NoModel.NOT_KNOWN
    if state.process is None:
        return NoModel.NO_PROCESS
    is_known = row.evidence and (row.evidence[0].is_proof or _takes_derived(page))
    return (checks.running_model(state) if is_known else "") or NoModel.NOT_KNOWN


def find(exact: str, listed: Iterable[Model]) -> Model | None:
    """The catalogue's line of an exact id."""
    ids = (exact, exact.removesuffix(LONG_CONTEXT))
    return next((model for model in listed if model.id in ids), None)


def name_of(exact: str, listed: Iterable[Model]) -> str:
    """The name that the catalogue has for an exact id, or that id."""
    return next((model.name for model in listed if model.id == exact), exact)


def shortened(name: str, longest: int) -> str:
    """A name that is no longer than that: without its middle, if need be."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[: half - 1]}…{name[-half:]}"


def retirement(model: Model | None, today: date) -> tuple[str, str]:
    """The day on which a model retires, with the days that are left, and the class that colours that."""
    if model is None:
        return "not known", ""
    if not model.retires:
        return "no date", ""
    days = (date.fromisoformat(model.retires) - today).days
    left = f"in {days} day{'' if days == 1 else 's'}" if days > 0 else "today" if days == 0 else "retired"
    return f"{model.retires}, {left}", "error" if days <= 0 else "warning" if days <= NOTICE.days else ""


def _takes_derived(page: Page) -> bool:
    return page.fleet.service.proof == "derived"


def _roles(page: Page, hosts: Sequence[HostDrift], listed: Sequence[Model]) -> tuple[RoleColumn, ...]:
    """The roles of fleet.yml in its order, of a page about some hosts only those that these have, and others' roles."""
    counts = Counter(row.role for row in hosts)
    known = [role.name for role in page.fleet.roles if page.drift.whole or counts[role.name]]
    names = dict.fromkeys((*known, *sorted(counts)))
    return tuple(_column(name, page.fleet.tiers_of(name), counts[name], listed) for name in names)


def _column(name: str, tiers: Tiers, hosts: int, listed: Sequence[Model]) -> RoleColumn:
    fallback = tuple(name_of(model, listed) for model in tiers.fallback)
    asked, subagents = name_of(tiers.model, listed), name_of(tiers.subagent_model, listed)
    return RoleColumn(name, tiers, hosts, asked, fallback, subagents)


def _row(exact: str, listed: Sequence[Model], roles: Sequence[RoleColumn], counts: Counts, today: date) -> ModelRow:
    model = find(exact, listed)
    words, soon = retirement(model, today)
    cells = tuple(_cell(exact, role, counts) for role in roles)
    return ModelRow(shortened(name_of(exact, listed), LONGEST_NAME), exact, model, words, soon, cells)


def _cell(exact: str, role: RoleColumn, counts: Counts) -> Cell:
    count = counts[role.name, exact]
    if exact != role.tiers.model:
        return Cell(SOME_RUN_ANOTHER if count and role.tiers.model else NOT_ASKED_FOR, count, None)
    if count == role.hosts:
        return Cell(ALL_RUN_IT if count else NOT_ASKED_FOR, count, role.hosts)
    some_run_another = count + counts[role.name, NoModel.NOT_KNOWN] < role.hosts
    return Cell(SOME_RUN_ANOTHER if some_run_another else UNKNOWN, count, role.hosts)


def _row_without(place: NoModel, roles: Sequence[RoleColumn], counts: Counts) -> ModelRow:
    mark = UNKNOWN if place is NoModel.NOT_KNOWN else SOME_RUN_ANOTHER
    by_role = (counts[role.name, place] for role in roles)
    cells = tuple(Cell(mark if count else NOT_ASKED_FOR, count, None) for count in by_role)
    return ModelRow(place.value, "", None, "", "", cells)


def _order(exact: str, listed: Sequence[Model]) -> tuple[int, str]:
    model = find(exact, listed)
    return (listed.index(model) if model else len(listed), exact)
