"""No secret leaves: not by a command line on the host, not by a URL that is told, not by an answer that breaks off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.conftest import Victim

pytestmark = pytest.mark.lab
CHECKS = (
    "{url: 'http://operator:ps-secret-1@127.0.0.1:8787/healthz?token=ps-secret-2'}",
    "{command: ': ps-secret-3; echo claude-opus-5'}",
)


def test_nothing_of_a_script_is_on_a_command_line(victim: Victim, tmp_path: Path) -> None:
    """Another user of the host reads all command lines, all the time."""
    end = victim.in_background("cat /proc/[0-9]*/cmdline 2>/dev/null | tr \\\\0 \\\\n >>seen")
    try:
        for check in CHECKS:
            file = victim.fleet_with(tmp_path, model_check=check)
            _, host, output = victim.upgrade("--reason", "ps-secret-4", "--force", fleet_file=file)
            assert host["outcome"] in ("verified", "rolled_back", "unproven", "rollback_failed", "unchanged"), output
            assert victim.jada("drift", fleet_file=file)[0] in (0, 3)
        assert victim.jada("lock", "--reason", "ps-secret-5", "--limit", victim.host.name)[0] == 0
        assert victim.jada("unlock", "--limit", victim.host.name)[0] == 0
    finally:
        end()
    command_lines = victim.user("cat seen")
    assert "systemctl" in command_lines or "curl" in command_lines or "sha256sum" in command_lines, (
        "nothing was seen: this test proves nothing"
    )
    assert "ps-secret" not in command_lines
    assert "ps-secret" not in victim.root("journalctl -b --no-pager -o cat _COMM=sudo _COMM=sshd")


def test_a_url_is_told_without_who_it_is_for(victim: Victim, tmp_path: Path) -> None:
    file = victim.fleet_with(
        tmp_path, model_check="{url: 'http://operator:lab-secret@127.0.0.1:1/healthz?token=lab-secret'}"
    )
    _, host, output = victim.upgrade("--force", fleet_file=file)
    # The model that it ran before does not answer there either.
    assert host["outcome"] == "rollback_failed", output
    assert "http://127.0.0.1:1/healthz?… did not answer" in host["detail"]
    assert victim.root("grep -rl lab-secret /var/lib/jada --include=log --include=result", check=False) == ""


def test_no_command_line_is_told(victim: Victim) -> None:
    """systemctl status shows those of all processes of the unit."""
    victim.root(
        "mkdir -p /etc/systemd/system/jada-agent.service.d; printf '[Service]\\nExecStart=\\nExecStart=%s\\n' "
        "'/usr/local/bin/jada-agent --api-key lab-secret --config /etc/agent.conf' "
        ">/etc/systemd/system/jada-agent.service.d/60-x.conf; systemctl daemon-reload; systemctl restart jada-agent"
    )
    victim.ready()
    code, _, output = victim.jada("upgrade", "--to", "opus-5", "--yes", "-v", "--limit", victim.host.name)
    assert (code, "60-x.conf" in output) == (0, True), output


def test_what_verbose_shows_is_masked_whatever_it_stands_in(victim: Victim) -> None:
    text = '{"model": "claude-x", "a": {"model": {"token": "lab-secret"}}, "b": ["lab-secret"], "c": "lab-secret"}'
    victim.user(f"printf '%s' '{text}' >.claude/settings.json")
    code, _, output = victim.jada("upgrade", "--to", "opus-5", "--yes", "-v", "--limit", victim.host.name)
    assert code == 0, output
    assert "claude-opus-5" in output
