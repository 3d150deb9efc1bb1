"""`jada report` about real hosts: the page says what drift, explain and the history say, and nothing is remembered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lxml import html

from jada.inventory.lab import fleet, machine

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
HOST, OTHER = "specialist-1", "orchestrator-1"


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record and a history of drift that no other test has written to."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def words(file: Path, path: str) -> list[str]:
    """The words of each such part of the page, which has none of the lab's secrets in it."""
    text = file.read_text()
    assert "lab-secret" not in text
    return [" ".join(element.text_content().split()) for element in html.document_fromstring(text).xpath(path)]


def test_a_drifted_fleet_on_a_page(lab: Lab, tmp_path: Path) -> None:
    why = 'faster, "they said" <script>alert(1)</script>'
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--waves", "1,100%", "--bake", "1s", "--reason", why)
    file = tmp_path / "fleet.html"
    before = os.umask(0o027)
    try:
        output = lab.jada("report", "--html", str(file))
    finally:
        os.umask(before)
    assert output == f"Wrote {file}. 3 hosts: 3 in sync.\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["fleet.html", "state"]
    assert words(file, "//h1") == ["✓ 3 of 3 hosts in sync"]
    assert words(file, "//table[@class='models']//th")[:3] == [
        "Model", "orchestrator1 host, asked for sonnet-4.6", "specialist2 hosts, asked for sonnet-4.6"
    ]  # fmt: skip
    assert words(file, "//table[@class='models']//tr[1]/td")[:2] == ["✓ 1 of 1 as asked for", "✓ 2 of 2 as asked for"]
    (rollout,) = words(file, "//article")
    assert "1 of 2jada-agent1 verifiedrequests ✓ 1 passed: 0 of " in rollout
    assert "2 of 2orchestrator-1, specialist-12 verified" in rollout
    assert "Now: 3 on sonnet-4.6." in file.read_text()
    assert words(file, "//table[@class='matrix']") == []
    (release,) = words(file, "//ol[@class='timeline']/li")
    assert release.startswith("◆ upgrade to claude-sonnet-4.6, 20")
    assert ": 3 verified." in release
    assert '“faster, "they said" <script>alert(1)</script>”' in release

    lab.run(HOST, "echo ANTHROPIC_MODEL=claude-x >/etc/default/jada-agent")
    lab.jada("drift", exit_code=3)
    lab.jada("lock", "--limit", HOST, "--reason", "an audit")
    machine.power_off(lab[OTHER])
    try:
        output = lab.jada("report", "--html", str(file), exit_code=1)
    finally:
        fleet.power_on(lab[OTHER])
    assert output.endswith("3 hosts: 1 in sync, 1 drifted, 1 not checked.\n")
    assert words(file, "//table[@class='matrix']/thead//th") == [
        "Host", "Checked", "J103 model-shadowed", "J408 not-checked", "J421 operator-lock"
    ]  # fmt: skip
    assert words(file, "//table[@class='matrix']/tbody/tr[1]/*") == [
        OTHER, "? not checked", "? not known", "✗ error", "? not known"
    ]  # fmt: skip
    assert words(file, "//table[@class='matrix']/tbody/tr[2]/*") == [
        HOST, "✗ drifted", "✗ error", "· not found", "• note"
    ]  # fmt: skip
    assert words(file, f"//div[@id='host-{HOST}']//tr[@class='wins']/*")[:3] == [
        "→ yes", "claude-x", "ANTHROPIC_MODEL in /etc/default/jada-agent"
    ]  # fmt: skip
    assert words(file, "//h1") == ["✗ 1 of 3 hosts in sync; 1 drifted, 1 not checked"]
    needs = words(file, "//li[@class='need']")
    assert [need.split()[:3] for need in needs] == [["✗", "error", "J408"], ["✗", "error", "J103"]]
    (lock,) = words(file, "//dl[@class='held']/dd")
    assert lock.startswith(f"{HOST}, by ")
    assert lock.endswith(": “an audit”")
    assert words(file, "//table[@class='models']/tbody/tr[last()]/th") == ["not known"]
    unreachable, _, shadowed, _ = words(file, "//ol[@class='timeline']/li")
    assert f"J408 not-checked on {OTHER}" in unreachable
    assert f"J103 model-shadowed on {HOST}" in shadowed
    assert "1 check before this one." in words(file, "//section[@aria-labelledby='timeline']/p")[0]

    # A finding of the page alone is new to the next check, and told by it.
    report = lab.json("drift", "--since", "1h")
    assert [(entry["host"], entry["code"]) for entry in report["episodes"]] == [(HOST, "J103")]


def test_a_page_about_some_hosts_has_their_past_alone(lab: Lab, tmp_path: Path) -> None:
    lab.jada("upgrade", "--to", "opus-5", "--yes", "--limit", OTHER)
    file = tmp_path / "some.html"
    lab.jada("report", "--html", str(file), "--limit", "spec*", exit_code=3)
    assert "only the hosts of --limit spec*" in words(file, "//header/p")[0]
    assert [OTHER in text for text in words(file, "//main")] == [False]
    # The model that they run may retire (J121): that depends on the day.
    events = [text for text in words(file, "//ol[@class='timeline']/li") if "J121" not in text]
    assert [text.startswith("✗ error J404") for text in events] == [True]


def test_a_page_that_can_not_be_written_is_told(lab: Lab) -> None:
    output = lab.jada("report", "--html", "/no/such/folder/x.html", exit_code=1)
    assert "/no/such/folder/x.html can't be written: No such file" in output
    assert "Missing option '--html'" in lab.jada("report", exit_code=2)
