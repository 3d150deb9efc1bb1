"""`jada completion`, and what the shell is offered."""

from __future__ import annotations

import time
from collections.abc import Callable

import click
import pytest
from click.shell_completion import CompletionItem

from jada import Exit, Host
from jada.cli.commands.completion import COMPLETE_VAR
from jada.cli.main import COMMANDS
from jada.cli.main import jada as group
from jada.cli.records.complete import releases
from jada.cli.ui.complete import files, finding_codes, host_names, host_patterns, model_names, role_names, wishes
from jada.inventory import cache, discover
from jada.inventory.discover import Searched
from jada.inventory.fleet import config
from tests.unit.cli.conftest import Jada

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(jada: Jada, shell: str) -> None:
    assert COMPLETE_VAR in jada("completion", shell).out
    assert jada("completion").exit == jada("completion", "tcsh").exit == Exit.USAGE


def words(complete: Complete, incomplete: str = "") -> dict[str, str | None]:
    """The words that are offered, with what the shell shows of each."""
    context, option = click.Context(click.Command("upgrade")), click.Option(["--to"])
    return {item.value: item.help for item in complete(context, option, incomplete)}


def test_models_and_roles_are_offered_and_no_fleet_yml_is_no_trouble(jada: Jada) -> None:
    assert words(role_names) == {"keepers": "on opus-5", "r": "on sonnet-4.6"}
    assert words(role_names, "k") == {"keepers": "on opus-5"}
    assert words(model_names, "opus-5")["opus-5"] == "claude-opus-5"
    assert words(wishes, "k") == {"keepers=": "a model for this role"}
    assert words(wishes, "keepers=opus-5.") == {"keepers=opus-5.5": "claude-opus-5-5"}
    assert "opus-5" in words(wishes)
    jada.fleet_file.write_text("fleet: [")
    assert words(role_names) == words(host_names) == words(releases) == {}
    assert "opus-5" in words(model_names, "opus")


def test_hosts_of_fleet_yml_are_offered_one_by_one_and_with_commas(jada: Jada) -> None:
    assert words(host_names) == {"db-1": "keepers, static", "web-1": "r, static", "web-2": "r, static"}
    assert list(words(host_patterns, "web-1,")) == ["web-1,db-1", "web-1,web-2"]
    assert list(words(host_patterns, "db-1,web-1,w")) == ["db-1,web-1,web-2"]


def test_hosts_of_a_cloud_are_those_that_it_listed_last_and_it_is_not_asked(
    jada: Jada, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discover, "search", None)
    text = jada.fleet_file.read_text().replace("roles:", "  - ec2: {regions: [us-east-1]}\nroles:")
    jada.fleet_file.write_text(text)
    assert list(words(host_names)) == ["db-1", "web-1", "web-2"]
    fleet = config.load(None)
    ec2 = fleet.sources[1]
    hosts = [
        Host(name, "192.0.2.9", "ec2", id="i-1", region="us-east-1", account="1", instance=f"i-{name}", aws=fleet.aws)
        for name in ("web-9", "$(reboot)", "a\x1bb")
    ]
    cache.write(fleet, cache.Inventory(time.time(), (Searched(ec2, "us-east-1", hosts),)))
    assert words(host_names, "web-9") == {"web-9": "r, ec2 us-east-1"}
    # A shell would put them on the command line as they are.
    assert not [name for name in words(host_names) if "$" in name or "\x1b" in name]


def test_releases_of_the_record_are_offered_the_newest_first(jada: Jada) -> None:
    assert words(releases) == {}
    for model in ("opus-5", "haiku-4.5"):
        jada("upgrade", "--to", model, "--yes")
    newest, older = words(releases).items()
    assert newest[0] > older[0]
    assert (newest[1] or "").startswith("upgrade to claude-haiku-4.5 by ")
    assert list(words(releases, newest[0][:-1])) == [newest[0]]


def test_codes_of_findings_are_offered_with_their_names() -> None:
    assert words(finding_codes, "J40")["J408"] == "not-checked"


def test_what_wants_one_of_these_offers_them() -> None:
    """By what each option and argument is called, so that a new one is not forgotten."""
    wanted = {"host": host_names, "hosts": host_names, "limit": host_patterns, "role": role_names, "fleet_file": files}
    context = click.Context(group)
    # The hosts of `jada init` are those that no fleet.yml has yet.
    for name in COMMANDS.keys() - {"init"}:
        command = group.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            if parameter.name in wanted and not isinstance(parameter.type, click.IntRange):
                assert parameter._custom_shell_complete is wanted[parameter.name], f"{name} {parameter.name}"
