"""The pages that `make docs` writes are what it would write now."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jada
from jada.cli.commands.iam import PURPOSES
from jada.cli.main import COMMANDS
from jada.docs import site
from jada.docs.generate import roff
from jada.inventory.cloud.calls import CALLS, Purpose, needed
from jada.inventory.permissions import policy

ROOT = Path(jada.__file__).parent
# In a process of its own: click keeps what another test made of a command.
PROGRAM = "import json; from jada.docs.generate import pages; print(json.dumps(pages()))"


def test_the_reference_pages_are_fresh() -> None:
    process = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    pages = json.loads(process.stdout)
    assert list(pages) == ["docs/cli.md", "docs/findings.md", "docs/fleet.md"]
    for path, text in pages.items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, "make docs"


def test_every_command_has_a_manual_page_that_man_reads_without_a_warning(tmp_path: Path) -> None:
    program = "import json; from jada.docs.generate import man_pages; print(json.dumps(man_pages()))"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    pages = json.loads(process.stdout)
    assert {f"docs/man/jada-{name}.1" for name in COMMANDS} < pages.keys()
    for text in pages.values():
        formatted = subprocess.run(
            ["groff", "-man", "-ww", "-K", "utf8", "-Tutf8"], input=text, capture_output=True, text=True, check=True
        )
        assert not formatted.stderr
    assert "Examples:\n  jada upgrade" in pages["docs/man/jada-upgrade.1"].replace("\\-", "-")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\n    two", "one\ntwo"),
        ("a\n\n    \b\n    Examples:\n      b --c", "a\n\n.nf\nExamples:\n  b \\-\\-c\n.fi"),
        (".so /etc/passwd\n'tis", "\\&.so /etc/passwd\n\\&'tis"),
        ("a \\ b", "a \\e b"),
    ],
)
def test_a_help_text_is_no_request_of_a_manual_page(text: str, expected: str) -> None:
    assert roff(text) == expected


def test_no_link_of_a_page_leads_nowhere() -> None:
    assert list(site.dead_links()) == []


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = tomllib.loads((ROOT / "docs/zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    named = set(re.findall(r"'([^']+\.md)'", repr(navigation)))
    assert named | {"benchmarks/README.md"} == site.sources().keys()


def test_links_between_pages_stay_links_wherever_the_page_lies() -> None:
    names = {file.resolve(): name for name, file in site.sources().items()}
    decision = site.page("decisions/0005-paths.md", ROOT / "docs/decisions/0005-paths.md", names)
    assert "[SECURITY.md](../SECURITY.md)" in decision
    assert "[docs/rollouts.md](rollouts.md)" in site.page("README.md", ROOT / "README.md", names)


def test_readme_has_the_policy_that_jada_prints() -> None:
    # That of Systems Manager is in docs/aws.md, with a condition.
    purposes = frozenset[Purpose]().union(*PURPOSES.values()) - {Purpose.COMMANDS}
    whole = policy(needed({call.service for call in CALLS}, purposes))
    block = re.search(
        r"```json\n(\{\n  \"Version\".*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert block
    assert json.loads(block[1]) == whole
