"""The operator's ssh configuration as `ssh -G` tells it, and the commands that make the way to a host."""

from __future__ import annotations

import getpass
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from jada import ConfigError, Host
from jada.inventory.access import ssh_config
from jada.inventory.access.ssh_config import expanded, is_silent, jumping, plain, read

HOST = Host("web-1", "192.0.2.1", "static", user="agent", port=2222)
GAVE = """user me
hostname web-1.example
port 22
identitiesonly yes
hostkeyalias web
identityfile ~/.ssh/%r@%h
identityfile none
certificatefile ${HOME}/c-cert.pub
globalknownhostsfile none
userknownhostsfile /kh1 "/k h2"
pkcs11provider none
controlpath /run/%C
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def test_what_ssh_says_is_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    options = read(GAVE, HOST)
    assert (options.hostname, options.port, options.user, options.alias) == ("web-1.example", 22, "me", "web")
    assert options.identities == (home / ".ssh/me@web-1.example",)
    assert options.certificates == (home / "c-cert.pub",)
    assert options.known_hosts == (Path("/kh1"), Path("/k h2"))
    assert (options.identities_only, options.agent, options.proxy) == (True, "/run/agent", "")
    assert options.unused == ("controlpath",)


@pytest.mark.parametrize(
    ("value", "agent"),
    [("none", ""), ("SSH_AUTH_SOCK", "/run/agent"), ("$OTHER", "/run/other"), ("${OTHER}", "/run/other"),
     ("~/agent-%h", "HOME/agent-web-1.example")],
)  # fmt: skip
def test_the_agent_that_is_meant_is_asked(home: Path, monkeypatch: pytest.MonkeyPatch, value: str, agent: str) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("OTHER", "/run/other")
    assert read(f"{GAVE}identityagent {value}\n", HOST).agent == agent.replace("HOME", str(home))


@pytest.mark.parametrize(
    ("lines", "proxy"),
    [
        ("proxycommand none", ""),
        ("proxyjump none", ""),
        ("proxycommand nc %h %p", "nc %h %p"),
        ("proxyjump a", "ssh -F CONFIG -o BatchMode=yes -o ControlMaster=no -W '[%h]:%p' ssh://a"),
        ("proxyjump me@b:22,[::1]:2",
         "ssh -F CONFIG -o BatchMode=yes -o ControlMaster=no -o 'ProxyCommand=ssh -F CONFIG -o BatchMode=yes "
         """-o ControlMaster=no -W '"'"'[%%h]:%%p'"'"' ssh://me@b:22' -W '[%h]:%p' 'ssh://[::1]:2'"""),
        ("proxyjump a;id", "ssh -F CONFIG -o BatchMode=yes -o ControlMaster=no -W '[%h]:%p' 'ssh://a;id'"),
    ],
)  # fmt: skip
def test_the_way_is_a_command(home: Path, lines: str, proxy: str) -> None:
    (home / ".ssh/config").touch()
    assert read(f"{GAVE}{lines}\n", HOST).proxy == proxy.replace("CONFIG", str(home / ".ssh/config"))


def test_a_configuration_that_is_not_there_is_none(home: Path) -> None:
    assert ssh_config.arguments() == ("-F", "none")
    (home / ".ssh/config").touch()
    assert ssh_config.arguments() == ("-F", str(home / ".ssh/config"))


def test_where_fleet_yml_is_strict_each_jump_host_is_held_to_it(home: Path) -> None:
    (home / ".ssh/config").write_text("Host *\n  StrictHostKeyChecking accept-new\nHost 192.0.2.*\n  ProxyJump a,b,c\n")
    ways = {is_strict: ssh_config.options_of([HOST], is_strict=is_strict)["web-1"].proxy for is_strict in (True, False)}
    assert [way.count("StrictHostKeyChecking=yes") for way in ways.values()] == [3, 0]
    assert [way.count("BatchMode=yes") for way in ways.values()] == [3, 3]


def test_files_of_revoked_keys_are_read(home: Path) -> None:
    (home / "a b").touch()
    assert read(f"{GAVE}revokedhostkeys ~/a b\n", HOST).revoked == (home / "a b",)
    assert read(f"{GAVE}revokedhostkeys ~/%h /b\n", HOST).revoked == (home / "web-1.example", Path("/b"))
    assert read(f"{GAVE}revokedhostkeys none\n", HOST).revoked == read(GAVE, HOST).revoked == ()


def test_tokens_are_put_in_once() -> None:
    options = replace(plain(HOST), hostname="%p", alias="web")
    assert expanded("%h %p %r %n %k %u %% %%h %x %", options, "192.0.2.1") == (
        f"%p 2222 agent 192.0.2.1 web {getpass.getuser()} % %h %x %"
    )
    assert expanded("${JADA_NO_SUCH}", options, "") == "${JADA_NO_SUCH}"


def test_without_a_configuration_ssh_has_its_defaults(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    options = plain(replace(HOST, user=""))
    assert (options.user, options.port, options.agent) == (getpass.getuser(), 2222, "")
    assert home / ".ssh/id_ed25519" in options.identities


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("", True), ("Host *\n  ServerAliveInterval 30\n# ProxyJump a\n", True), ("Host a\n\tproxyjump b\n", False),
        ("Match host a\n", False), ("HostName=x\n", False), ("Host *\n", True), ("IdentitiesOnly yes\n", False),
        ("Include more\n", False), ('Include "more" # it\n', False), ("Include config\n", False), ("\xff\n", False),
        ("RevokedHostKeys /r\n", False), ('Include "more\n', False),
    ],
)  # fmt: skip
def test_a_configuration_that_says_nothing_of_the_way_is_silent(home: Path, text: str, silent: bool) -> None:
    (home / ".ssh/more").write_text("User x\n")
    (home / ".ssh/config").write_text(text, encoding="latin-1")
    assert is_silent() == silent


def test_ssh_itself_reads_the_configuration(home: Path) -> None:
    (home / ".ssh/config").write_text("Match host 192.0.2.* exec true\n  ProxyJump b\n  User x\nHost *\n  Port 23\n")
    options = ssh_config.options_of(
        [HOST, replace(HOST, name="web-2", address="web-2", user="", port=22)], is_strict=True
    )
    assert [(host_options.user, host_options.port, bool(host_options.proxy)) for host_options in options.values()] == [
        ("agent", 2222, True),
        (getpass.getuser(), 23, False),
    ]


def test_a_machine_without_ssh_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(ConfigError, match=r"There is no `ssh` .* that could read .*/\.ssh/config"):
        ssh_config.options_of([HOST], is_strict=True)


def test_a_configuration_that_takes_too_long_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config, "PATIENCE", 0.2)
    (home / ".ssh/config").write_text('Match exec "sleep 5"\n')
    with pytest.raises(ConfigError, match=r"ssh did not say within 0\.2 s how it reaches web-1 by .*/\.ssh/config"):
        ssh_config.options_of([HOST], is_strict=True)


def test_a_file_name_with_an_open_quote_is_told(home: Path) -> None:
    (home / ".ssh/config").write_text('UserKnownHostsFile "/k\'h"\n')
    with pytest.raises(ConfigError, match="makes of web-1 what can't be read: No closing quotation"):
        ssh_config.options_of([HOST], is_strict=True)


def test_the_way_of_a_jump_host_ends_where_ssh_would_send_it(tmp_path: Path) -> None:
    """The command as a shell reads it, whatever the names are."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    options = replace(plain(HOST), hostname="fe80::1%eth0")
    command = expanded(jumping("a b,c'd%h", ("-F", "/x y")), options, HOST.address)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    output = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environ, check=True).stdout
    assert output.split("\n")[:2] == ["-F", "/x y"]
    before = "ProxyCommand=ssh -F '/x y' -o BatchMode=yes -o ControlMaster=no -W '[%h]:%p' 'ssh://a b'"
    assert output.split("\n")[-6:-1] == ["-o", before, "-W", "[fe80::1%eth0]:2222", "ssh://c'd%h"]
