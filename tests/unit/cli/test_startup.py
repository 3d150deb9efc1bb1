"""Modules loaded before the first answer: `jada --help` and completion must feel instant."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from jada.cli.main import COMMANDS, jada

HEAVY = ("boto3", "botocore", "pyinfra", "paramiko", "gevent", "rich", "yaml", "jinja2")
# Runs jada and tells on a last line which of the heavy modules that took.
PROGRAM = f"""
import atexit, sys
atexit.register(lambda: print("loaded:", *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr))
from jada.cli.main import main
main()
"""


def run(*argv: str, program: str = PROGRAM, **environ: str) -> tuple[str, list[str]]:
    """Runs jada: all that it printed, and the heavy modules it loaded for that."""
    env = {**os.environ, **environ}
    done = subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, text=True, check=False, env=env)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("loaded:"), done.stderr
    return done.stdout, last.split()[1:]


def complete(words: str, **environ: str) -> tuple[list[str], list[str]]:
    """The offers to bash for the last of the words, and the heavy modules that were loaded for them."""
    count = len(words.split(" ")) - 1
    output, loaded = run(_JADA_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(count), **environ)
    return [line.partition(",")[2] for line in output.splitlines() if line], loaded


def test_help_loads_nothing_heavy() -> None:
    for argv in (["--help"], ["--version"], ["upgrade", "--help"]):
        output, loaded = run(*argv)
        assert "jada" in output
        assert loaded == []


def test_the_first_help_makes_no_class_of_a_value_and_loads_no_command() -> None:
    """`jada --help` is to take hardly longer than click's import."""
    lines = python("""
import sys
# What measures coverage, or finds an editable jada, has loaded some.
before = set(sys.modules)
from jada.cli.main import jada
jada.main(["--help"], standalone_mode=False)
slow = ("jada.values", "jada.cli.commands", "jada.cli.options", "dataclasses", "click.shell_completion", "json")
print("loaded:", *(name for name in slow if name in sys.modules.keys() - before))
""")
    assert lines[-1] == "loaded:"


def test_no_commands_module_loads_anything_heavy() -> None:
    """So every command's own help and the completion of its options are instant too."""
    output, loaded = run(
        program=PROGRAM.replace("main()\n", "").replace("import main", "import COMMANDS, jada")
        + "for name in COMMANDS: print(name, type(jada.get_command(None, name)).__name__)"
    )
    assert dict(line.split() for line in output.splitlines()) == {
        **dict.fromkeys(COMMANDS, "Command"),
        "lab": "Group",
        "state": "Group",
    }
    assert loaded == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = jada.get_command(click.Context(jada), name)
    first = COMMANDS[name][1]
    assert first.endswith(".")
    assert command is not None
    assert re.match(re.escape(first) + r"(\s|$)", command.help or "")


def test_every_command_is_completed_without_loading_any() -> None:
    offered, loaded = complete("jada ")
    assert offered == list(COMMANDS)
    assert loaded == []
    assert complete("jada rollb") == (["rollback"], [])
    assert complete("jada --ver") == (["--version"], [])


def test_options_are_completed_without_loading_anything_heavy() -> None:
    for command, option in (("upgrade", "--to"), ("drift", "--limit"), ("lab up", "--hosts")):
        offered, loaded = complete(f"jada {command} --")
        assert option in offered
        assert loaded == []


def test_keys_of_fleet_yml_are_completed_without_reading_yaml() -> None:
    offered, loaded = complete("jada docs rollout.wa")
    assert offered == ["rollout.waves"]
    assert loaded == []


def test_models_and_roles_are_completed(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text(
        "fleet: f\nsources: [{static: {hosts: {a: {address: 192.0.2.1}}}}]\n"
        "roles: {web: {names: [w*]}, rest: {}}\nmodels: {sonnet-own: acme-sonnet-1}\n"
    )
    offered, _ = complete("jada upgrade --to sonnet-o", JADA_FLEET=str(file))
    assert offered == ["sonnet-own"]
    assert complete("jada drift --role ", JADA_FLEET=str(file)) == (["web", "rest"], ["yaml"])


def test_hosts_codes_and_releases_are_completed_without_what_asks_anybody(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text("fleet: f\nsources: [{static: {hosts: {a: {address: 192.0.2.1}}}}]\nroles: {rest: {}}\n")
    about = {"JADA_FLEET": str(file), "XDG_STATE_HOME": str(tmp_path)}
    assert complete("jada drift --limit ", **about) == (["a"], ["yaml"])
    assert complete("jada explain ", **about) == (["a"], ["yaml"])
    assert complete("jada show ", **about) == ([], ["yaml"])
    assert complete("jada drift --explain J408", **about) == (["J408"], [])


def test_a_broken_fleet_file_breaks_no_completion(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text("fleet: [\n")
    assert "sonnet-4.6" in complete("jada upgrade --to son", JADA_FLEET=str(file))[0]
    assert complete("jada drift --role ", JADA_FLEET=str(file))[0] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_asks_jada(shell: str) -> None:
    output, loaded = run("completion", shell)
    assert f"_JADA_COMPLETE={shell}_complete" in output
    assert loaded == []


def test_a_fleet_of_static_hosts_needs_no_boto3(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text("fleet: f\nsources: [{static: {hosts: {a: {address: 192.0.2.1}}}}]\nroles: {rest: {}}\n")
    output, loaded = run("hosts", JADA_FLEET=str(file))
    assert "192.0.2.1" in output
    assert "boto3" not in loaded


@pytest.mark.parametrize(
    ("source", "unused"),
    [("static: {hosts: {a: {address: 192.0.2.1}}}", {"boto3", "botocore"}), ("ec2: {regions: [us-east-1]}", {"boto3"})],
)
def test_what_asks_a_cloud_is_not_loaded_to_read_a_fleet_yml(tmp_path: Path, source: str, unused: set[str]) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text(f"fleet: f\nsources: [{{{source}}}]\nroles: {{rest: {{}}}}\n")
    lines = python(
        "import sys\nfrom jada.inventory.fleet.config import load\nload()\nprint(*sys.modules)", JADA_FLEET=str(file)
    )
    assert not unused & set(lines[0].split())


def python(program: str, **environ: str) -> list[str]:
    """The lines that a process of its own prints: gevent's patches can't be taken back."""
    env = {**os.environ, **environ}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_plugins_of_installed_packages_are_read_once() -> None:
    """gevent's, which are told of what is patched, and pyinfra's connectors."""
    lines = python("""
import sys, types
from importlib import metadata
read, told = [], []
plugin = metadata.EntryPoint("ours", "plugin:told", "gevent.plugins.monkey.did_patch_all")
sys.modules["plugin"] = types.SimpleNamespace(told=lambda event: told.append(type(event).__name__))
class Package(metadata.Distribution):
    metadata = {"Name": "ours"}
    entry_points = (plugin,)
    read_text = locate_file = None
real = metadata.distributions
def distributions(): read.append(1); return [*real(), Package()]
metadata.distributions = distributions
from jada.cli.startup import patch_gevent
patch_gevent()
from gevent import monkey
import jada.tasks.engines.ssh
from pyinfra.api.connectors import get_all_connectors
print(monkey.is_module_patched("socket"), len(read), "ssh" in get_all_connectors(), len(read), *told)
""")
    assert lines == ["True 1 True 1 GeventDidPatchAllEvent"]


def test_a_session_runs_no_module_that_it_has_no_use_for() -> None:
    lines = python("""
from jada.cli.startup import patch_gevent
patch_gevent()
import sys
import jada.tasks.engines.ssh
print("paramiko.config" in sys.modules, *(one for one in ("invoke.runners", "rich", "boto3") if one in sys.modules))
import invoke
print(invoke.run.__name__, "invoke.runners" in sys.modules)
""")
    assert lines == ["True", "run True"]


def test_a_command_in_an_ssh_config_decides_as_ever(tmp_path: Path) -> None:
    """`Match exec`, for which paramiko imports invoke: pyinfra lets a shell run the command, as a script."""
    (tmp_path / "yes").write_text("exit 0\n")
    (tmp_path / "no").write_text("exit 1\n")
    program = f"""
from jada.cli.startup import patch_gevent
patch_gevent()
import io
import jada.tasks.engines.ssh
from pyinfra.connectors.sshuserclient.config import SSHConfig
config = SSHConfig()
config.parse(io.StringIO('Match exec "{tmp_path}/no"\\n User no\\nMatch exec "{tmp_path}/yes"\\n User yes\\n'))
print(config.lookup("host")["user"])
"""
    assert python(program, SHELL="/bin/sh") == ["yes"]


def test_garbage_is_collected_again_once_all_is_imported() -> None:
    """Also when an import fails: a fleet's reports may have cycles."""
    lines = python("""
import gc
from jada.cli.startup import frozen_imports
# Python 3.12 begins with some.
before = gc.get_freeze_count()
try:
    with frozen_imports():
        print(gc.isenabled(), gc.get_freeze_count() > before)
        raise ImportError
except ImportError:
    print(gc.isenabled(), gc.get_freeze_count() > before)
""")
    assert lines == ["False False", "True True"]
