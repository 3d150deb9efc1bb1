"""The pages that `make docs` writes are what it would write now."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import jada
from jada.cli.commands.iam import PURPOSES
from jada.cli.main import COMMANDS
from jada.docs import site
from jada.docs.generate import roff
from jada.inventory.cloud.calls import CALLS, Purpose, needed
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.state import SharedState
from jada.inventory.permissions import calls_of, policy
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource
from jada.inventory.sources.static import StaticSource

ROOT = Path(jada.__file__).parent
OF_A_RECORD = (Purpose.STATE, Purpose.LISTING, Purpose.RECORD, Purpose.LEASE)
# In a process of its own: click keeps what another test made of a command.
PROGRAM = "import json; from jada.docs.generate import pages; print(json.dumps(pages()))"


def test_the_reference_pages_are_fresh() -> None:
    process = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    pages = json.loads(process.stdout)
    assert list(pages) == [
        "docs/cli.md", "docs/findings.md", "docs/fleet.md", "docs/api.md", "inventory/fleet.schema.json",
        "docs/wrong-uses.md",
    ]  # fmt: skip
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
    pictures = {file.resolve(): name for name, file in site.pictures().items()}
    index = site.page("index.md", ROOT / "docs/index.md", names | pictures)
    assert "](screens/upgrade.svg)" in index
    assert "[rollouts](rollouts.md)" in site.page("README.md", ROOT / "README.md", names)


def policy_in(page: str) -> object:
    """The policy of IAM that a page shows."""
    block = re.search(r"```json\n(\{\n  \"Version\".*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert block
    return json.loads(block[1])


def test_the_page_on_ec2_has_the_policy_that_jada_prints() -> None:
    # Those of Systems Manager and EC2 Instance Connect are in docs/aws.md, that of a team's record in docs/state.md;
    # roles are those of a fleet.yml.
    purposes = frozenset[Purpose]().union(*PURPOSES.values())
    purposes -= {Purpose.COMMANDS, Purpose.PUSHED_LOGIN, Purpose.TUNNEL, Purpose.ROLES, *OF_A_RECORD}
    assert policy_in("docs/howto/ec2.md") == policy(needed({call.service for call in CALLS}, purposes))


def test_the_page_of_a_teams_record_has_the_policy_of_its_place() -> None:
    fleet = Fleet("f", ROOT / "fleet.yml", (), (), state=SharedState("my-team", "jada/"))
    block = re.search(r"```json\n(.*?)```", (ROOT / "docs/state.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    assert json.loads(f"[{block[1]}]") == policy(calls_of(fleet, OF_A_RECORD))["Statement"]


def test_the_page_on_systems_manager_has_the_policy_of_its_example() -> None:
    regions = ("us-east-1", "eu-west-1")
    sources = (Ec2Source(regions, {"jada": ("agent",)}, engine="ssm"), LightsailSource(("us-east-1",)))
    fleet = Fleet("f", Path("fleet.yml"), sources, ())
    assert policy_in("docs/aws.md") == policy(calls_of(fleet, {Purpose.COMMANDS}))


def test_the_page_on_aws_has_a_policy_for_logins_without_keys() -> None:
    text = (ROOT / "docs/aws.md").read_text(encoding="utf-8")
    policies = [json.loads(block) for block in re.findall(r"```json\n(\{\n  \"Version\".*?)```", text, re.DOTALL)]
    wanted = needed({call.service for call in CALLS}, {Purpose.PUSHED_LOGIN, Purpose.TUNNEL})
    given = [{(each["Action"], each["Resource"]) for each in page["Statement"]} for page in policies[1:]]
    assert {(call.action, call.resource) for call in wanted} in given


def test_a_policy_lets_nobody_into_hosts_that_no_source_asks_for() -> None:
    def statements(*sources: Ec2Source | LightsailSource) -> list[object]:
        fleet = Fleet("f", Path("fleet.yml"), sources, ())
        found = policy(calls_of(fleet, {Purpose.COMMANDS, Purpose.LOGIN}))["Statement"]
        return [each.get("Condition") for each in found if "instance/" in each["Resource"].lower()]

    def tagged(**tags: list[str]) -> dict[str, dict[str, list[str]]]:
        return {"StringLike": {f"aws:ResourceTag/{key}": values for key, values in tags.items()}}

    web = Ec2Source(("us-east-1",), {"role": ("web*", "api"), "env": ("prod",)}, engine="ssm")
    db, over_ssh = replace(web, tags={"role": ("db",)}), replace(web, tags={"role": ("x",)}, engine="ssh")
    assert statements(web, db, db, over_ssh) == [tagged(role=["web*", "api"], env=["prod"]), tagged(role=["db"])]
    # One that asks for no tags asks for all that the others do.
    assert statements(web, replace(web, tags={})) == [None]
    assert statements(LightsailSource(("us-east-1",), tags={"team": ("a",)})) == [tagged(team=["a"])]
    assert statements(LightsailSource(("us-east-1",))) == [None]


def test_a_policy_lets_a_key_in_where_a_source_logs_in_by_one() -> None:
    """Whoever may push a key to a host is a user there, who may well be root."""

    def statements(purpose: Purpose, *sources: Ec2Source | LightsailSource | StaticSource) -> list[object]:
        calls = calls_of(Fleet("f", Path("fleet.yml"), sources, ()), {purpose})
        return [each.get("Condition") for each in policy(calls)["Statement"]]

    def tagged(name: str) -> dict[str, dict[str, list[str]]]:
        return {"StringLike": {"aws:ResourceTag/role": [name]}}

    keys = Ec2Source(("us-east-1",), {"role": ("keys",)})
    pushed = replace(keys, tags={"role": ("pushed",)}, login="instance-connect")
    managed = replace(pushed, tags={"role": ("managed",)}, engine="ssm")
    assert statements(Purpose.PUSHED_LOGIN, keys, pushed, managed) == [tagged("pushed")]
    assert statements(Purpose.PUSHED_LOGIN, replace(keys, tags={}), pushed) == [tagged("pushed")]
    assert statements(Purpose.PUSHED_LOGIN, keys, managed) == []
    assert statements(Purpose.HOST_KEYS, keys, pushed, managed) == [tagged("keys"), tagged("pushed")]
    assert statements(Purpose.HOST_KEYS, managed, LightsailSource(("us-east-1",)), StaticSource(())) == []
