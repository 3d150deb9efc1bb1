"""The page of `jada report` as a file: one value in, one HTML file out that loads nothing. Pure.

Whatever hosts and people say is text to it: the template escapes it, and its Content-Security-Policy lets nothing run
or load, and no style but its own. A host that was not checked is never shown as fine, nor is a check that was not made.
"""

from __future__ import annotations

import base64
import hashlib
from functools import partial

from jada import __version__
from jada.cli.drift.evaluate import Status
from jada.cli.drift.formats import acceptance
from jada.cli.report import models_by_role, released, summary, texts, timeline, waves
from jada.cli.report.comparisons import compared
from jada.cli.report.hosts import by_need, cells, codes_of, facts
from jada.cli.report.marks import ACCEPTED, FOUND, NOTHING, STATUSES, UNKNOWN, mark_of
from jada.cli.report.page import Page
from jada.cli.rollout.next_steps import DECIDE
from jada.cli.ui.console import plural
from jada.tasks import FILES

# A row names so many hosts at once; the others are behind a click, or in the table of hosts.
MOST_NAMES = 5
# Things that need somebody which the first page tells, and different values that it tells of each.
MOST_NEEDS, MOST_TOLD = 8, 3
# Checks, or roles, as columns of a table that an upright sheet has room for.
MOST_UPRIGHT = 6


def html(page: Page) -> str:
    """The whole file."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style = (FILES / "report" / "report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(FILES / "report"),
        autoescape=True,
        finalize=texts.shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    usual = texts.offset(page.drift.at, page.zone)
    environment.filters.update(
        anchor=texts.anchor,
        mark=mark_of,
        plural=plural,
        time=partial(texts.time, zone=page.zone, usual=usual),
        whole_time=partial(texts.time, zone=page.zone),
        tick=partial(texts.tick, zone=page.zone),
        until=acceptance,
    )
    rows = by_need(page.drift.hosts)
    codes = codes_of(rows)
    plain = [row for row in rows if row.status is Status.IN_SYNC and not row.findings]
    rollouts = waves.rollouts(page)
    sign, verdict = summary.verdict(page.drift)
    return environment.get_template("report.html.j2").render(
        page=page,
        version=__version__,
        style=Markup(style),  # noqa: S704 - ours
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        sign=sign,
        verdict=verdict,
        needs=summary.needs(rows),
        undecided=next((rollout for rollout in rollouts if rollout.waits), None),
        decide=DECIDE,
        held=summary.held(page),
        matrix=models_by_role.matrix(page),
        chart=released.chart(page),
        rollouts=rollouts,
        statuses=STATUSES,
        whose="the team" if page.fleet.state else "this machine",
        codes=codes,
        found=[(row, cells(row, page.states.get(row.host), codes)) for row in rows if row not in plain],
        plain=plain,
        events=timeline.events(page),
        comparisons=[compared(comparison) for comparison in page.comparisons],
        most_names=MOST_NAMES,
        most_needs=MOST_NEEDS,
        most_told=MOST_TOLD,
        most_upright=MOST_UPRIGHT,
        on_page={row.host for row in rows},
        unchecked=sum(check.not_checked > 0 for check in page.checks),
        hosts=[(row, facts(row.host, page.states.get(row.host))) for row in rows],
        legend=(*FOUND.values(), ACCEPTED, NOTHING, UNKNOWN),
    )
