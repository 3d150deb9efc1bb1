"""Models by roles: what is asked for, what runs, and what is not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from lxml import html as lxml_html

from jada import Host, HostError, Model, Service
from jada.cli.drift.evaluate import evaluate
from jada.cli.report.html import html
from jada.cli.report.models_by_role import matrix, retirement
from jada.cli.report.page import NoModel, Page
from jada.inventory.fleet.config import Fleet
from jada.inventory.models import Override
from jada.inventory.roles import Role
from jada.tasks.state import ModelReport, State

AT = datetime(2026, 11, 26, tzinfo=UTC)
MakeHost = Callable[..., State]
SONNET = "claude-sonnet-4.6"


def fleet(*roles: Role, proof: str = "observed") -> Fleet:
    return Fleet(
        "f", Path("fleet.yml"), (), roles, service=Service(proof=proof), models={"mine": Override("own/model")}
    )


def page(
    of: Fleet, seen: Mapping[str, State | HostError], roles: Mapping[str, str] | None = None, whole: bool = True
) -> Page:
    hosts = [Host(name, "192.0.2.1", "static", role=(roles or {}).get(name, "r")) for name in seen]
    states = {name: state for name, state in seen.items() if isinstance(state, State)}
    drift = evaluate(of, hosts, seen, {}, AT, whole)
    return Page(fleet=of, drift=drift, states=states, since=AT - timedelta(days=30), who="ann@ops")


def runs(host: MakeHost, model: str) -> State:
    return host(report={"model": model})


def cells(shown: Page) -> dict[str, list[tuple[str, int, int | None]]]:
    """The sign, the count and of how many it is, of each role, by model."""
    return {
        row.id or row.name: [(cell.mark.symbol, cell.count, cell.asked) for cell in row.cells]
        for row in matrix(shown).rows
    }


def test_hosts_are_counted_by_the_model_that_they_run_beside_what_is_asked_for(host: MakeHost) -> None:
    seen: dict[str, State | HostError] = {"web-1": host(), "web-2": runs(host, "claude-opus-5"), "db-1": host()}
    shown = page(fleet(Role("r", "sonnet-4.6"), Role("keepers", "sonnet-4.6")), seen, {"db-1": "keepers"})
    assert cells(shown) == {SONNET: [("≠", 1, 2), ("✓", 1, 1)], "claude-opus-5": [("≠", 1, None), ("", 0, None)]}


def test_a_host_that_is_not_known_never_counts_as_one_that_runs_it(host: MakeHost) -> None:
    seen: dict[str, State | HostError] = {
        "off-1": HostError("off-1 can't be reached"),
        "changing-1": host(running_transaction="ann@ops"),
        "table-1": host(report=ModelReport()),
        "web-1": host(),
    }
    shown = page(fleet(Role("r", "sonnet-4.6")), seen)
    assert cells(shown) == {SONNET: [("?", 1, 4)], NoModel.NOT_KNOWN.value: [("?", 3, None)]}


def test_a_fleet_that_is_content_with_the_table_says_that_it_is_derived(host: MakeHost) -> None:
    shown = page(fleet(Role("r", "sonnet-4.6"), proof="derived"), {"web-1": host(report=ModelReport())})
    assert cells(shown) == {SONNET: [("✓", 1, 1)]}
    assert "of 1 host that is derived, not observed" in lxml_html.document_fromstring(html(shown)).text_content()
    assert "derived, not" not in html(page(fleet(Role("r", "sonnet-4.6")), {"web-1": host()})).partition("Each host")[0]


def test_a_host_without_a_process_runs_nothing(host: MakeHost) -> None:
    shown = page(fleet(Role("r", "sonnet-4.6")), {"web-1": host(process=None)})
    assert cells(shown) == {SONNET: [("≠", 0, 1)], NoModel.NO_PROCESS.value: [("≠", 1, None)]}


def test_where_no_model_is_asked_for_any_will_do(host: MakeHost) -> None:
    shown = page(fleet(Role("r")), {"web-1": host()})
    assert cells(shown) == {SONNET: [("", 1, None)]}
    assert "no model asked for" in html(shown)


def test_roles_without_hosts_are_on_a_page_about_all_hosts_alone(host: MakeHost) -> None:
    of = fleet(Role("r", "sonnet-4.6"), Role("idle", "opus-5"))
    for whole, names in ((True, ["r", "idle", ""]), (False, ["r", ""])):
        shown = page(of, {"web-1": host(), "x-1": host()}, {"x-1": ""}, whole)
        assert [role.name for role in matrix(shown).roles] == names
        assert "no role" in html(shown)


def columns(shown: Page) -> list[list[str]]:
    """The words of the table's rows: its headings first."""
    (table,) = lxml_html.document_fromstring(html(shown)).xpath("//table[@class='models']")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in table.iter("tr")]


def test_the_table_has_names_prices_and_retirements(host: MakeHost) -> None:
    role = Role("r", "sonnet-4.5", fallback=("opus-5",), subagent_model="haiku-4.5")
    seen = {"web-1": runs(host, "own/model"), "web-2": runs(host, "<b>x</b>"), "web-3": runs(host, f"{SONNET}[1m]")}
    assert columns(page(fleet(role), seen)) == [
        ["Model", "r3 hosts, asked for sonnet-4.5; fallback opus-5; subagents haiku-4.5", "USD in / out", "Retires"],
        ["claude-sonnet-4.6[1m]", "≠ 1 not as asked for", "3.00 / 15.00", "no date"],
        ["sonnet-4.5claude-sonnet-4-5-20250929", "≠ 0 of 3 not as asked for", "3.00 / 15.00", "2026-11-30, in 4 days"],
        ["mineown/model", "≠ 1 not as asked for", "not known", "no date"],
        ["<b>x</b>", "≠ 1 not as asked for", "not known", "not known"],
    ]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2027-11-30", ("2027-11-30, in 369 days", "")),
        ("2026-12-26", ("2026-12-26, in 30 days", "warning")),
        ("2026-11-27", ("2026-11-27, in 1 day", "warning")),
        ("2026-11-26", ("2026-11-26, today", "error")),
        ("2026-11-01", ("2026-11-01, retired", "error")),
        ("", ("no date", "")),
    ],
)
def test_the_days_until_a_model_retires(day: str, expected: tuple[str, str]) -> None:
    assert retirement(Model("m", "m", retires=day), date(2026, 11, 26)) == expected


def test_a_host_that_calls_its_model_not_known_is_no_such_row(host: MakeHost) -> None:
    shown = page(fleet(Role("r", "sonnet-4.6")), {"web-1": runs(host, "no process runs")})
    assert [(row.name, row.id) for row in matrix(shown).rows][-1] == ("no process runs", "no process runs")
    assert columns(shown)[-1] == ["no process runs", "≠ 1 not as asked for", "not known", "not known"]


def test_a_long_id_is_told_without_its_middle(host: MakeHost) -> None:
    name = f"{'a' * 200}/{'b' * 200}"
    shown = page(fleet(Role("r")), {"web-1": runs(host, name)})
    assert columns(shown)[-1][0] == f"{'a' * 29}…{'b' * 30}"


@pytest.mark.parametrize(("roles", "lies"), [(6, False), (7, True)])
def test_a_table_of_many_roles_lies_sideways_on_paper(host: MakeHost, roles: int, lies: bool) -> None:
    of = fleet(*(Role(f"r{number}") for number in range(roles)))
    tree = lxml_html.document_fromstring(html(page(of, {"web-1": host()}, {"web-1": "r0"})))
    assert bool(tree.xpath("//section[@aria-labelledby='models' and contains(@class, 'sideways')]")) is lies
