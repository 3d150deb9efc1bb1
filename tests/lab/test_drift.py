"""Drift on real hosts: the fleet knows of them, a heal brings them back, and checks run by themselves."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree
from packaging.requirements import Requirement
from prometheus_client.parser import text_string_to_metric_families

import jada
from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL, Machine
from tests.conftest import LAB, about_ssh

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW = "claude-sonnet-4.6"
HOST, OTHER = "specialist-1", "orchestrator-1"
NAMED = f"fleet: {LAB.fleet}\n"


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record and a history of drift that no other test has written to."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def upgraded(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")


def drift(lab: Lab, *argv: str, exit_code: int = 3, env: dict[str, str] | None = None) -> dict[str, list[str]]:
    """The codes found on each host, but for the one (J121) that depends on the day."""
    output = lab.jada("drift", "--json", *argv, exit_code=exit_code, env=env)
    rows = json.loads(output)["hosts"]
    return {row["host"]: [finding["code"] for finding in row["findings"] if finding["code"] != "J121"] for row in rows}


def own_fleet(tmp_path: Path, old: str, new: str) -> dict[str, str]:
    """The lab's fleet.yml with one text in place of another, as the environment that selects it."""
    text = LAB.fleet_file.read_text()
    assert old in text
    (LAB.folder / f"{tmp_path.name}.yml").write_text(text.replace(old, new))
    return {"JADA_FLEET": str(LAB.folder / f"{tmp_path.name}.yml")}


def test_heal_brings_a_drifted_host_back_and_leaves_the_others_alone(lab: Lab) -> None:
    upgraded(lab)
    pids = {host.name: machine.healthz(host)["pid"] for host in lab.hosts}
    lab.run(HOST, f"sed -i s/{NEW}/claude-opus-5/ {lab[HOST].settings}; systemctl restart jada-agent")
    lab.run(OTHER, "systemctl stop jada-agent")
    assert {host: codes for host, codes in drift(lab).items() if codes} == {HOST: ["J102", "J105"], OTHER: ["J202"]}

    output = lab.jada("heal", "--dry-run")
    assert '"claude-opus-5"' in output
    assert lab.run(OTHER, "systemctl is-active jada-agent || true") == "inactive\n"

    output = lab.jada("heal", "--yes", "--reason", "night shift")
    assert "2 verified, 1 unchanged" in output
    assert lab.models() == {NEW}
    assert drift(lab, exit_code=0) == {host.name: [] for host in lab.hosts}
    untouched = "jada-agent"
    assert machine.healthz(lab[untouched])["pid"] == pids[untouched]
    assert "heal" in lab.jada("history", "--last", "1")
    assert "in sync" in lab.jada("heal", "--yes")


def test_heal_gives_a_new_host_what_its_role_runs(lab: Lab, tmp_path: Path) -> None:
    """By this machine's record of the role; where that is empty by fleet.yml: no other host decides for this one."""
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--limit", f"jada-agent,{OTHER}")
    asks = own_fleet(tmp_path, "specialist: {model: sonnet-4.6}", "specialist: {model: opus-5}")
    elsewhere = {**asks, "XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    # fleet.yml asks for another model than the one to which jada-agent, of the same role, was released.
    for fleet, expected, findings in ((elsewhere, "claude-opus-5", []), (asks, NEW, ["J422"])):
        lab.run(HOST, "systemctl stop jada-agent; rm -rf /var/lib/jada /etc/systemd/system/jada-agent.service.d")
        lab.run(HOST, f"sed -i s/{NEW}/{OLD_MODEL}/ {lab[HOST].settings}")
        lab.run(HOST, "systemctl daemon-reload; systemctl start jada-agent")
        assert drift(lab, env=fleet) == {"jada-agent": ["J422"], OTHER: [], HOST: ["J404"]}
        lab.jada("heal", "--yes", "--limit", HOST, env=fleet)
        assert lab.model(HOST) == expected
        assert drift(lab, env=fleet)[HOST] == findings


def test_heal_refuses_what_no_release_fixes(lab: Lab) -> None:
    upgraded(lab)
    lab.run(HOST, f"chmod 644 {lab[HOST].settings}")
    pid = machine.healthz(lab[HOST])["pid"]
    output = lab.jada("heal", "--yes", exit_code=1)
    assert "to release the same again would fix nothing here. J107 settings-owner: on specialist-1: chown" in output
    assert machine.healthz(lab[HOST])["pid"] == pid


def test_a_host_that_is_off_is_not_checked_and_not_healed(lab: Lab) -> None:
    upgraded(lab)
    machine.power_off(lab[HOST])
    findings = drift(lab, exit_code=1)
    assert findings == {"jada-agent": [], OTHER: [], HOST: ["J408"]}
    assert f"Unreachable {HOST}" in lab.jada("heal", "--yes", exit_code=1)


@about_ssh("host keys")
def test_another_host_key_is_told_loudly_and_nothing_is_sent(lab: Lab) -> None:
    upgraded(lab)
    known = LAB.known_hosts
    before = known.read_text()
    stranger = next(key for key in lab[OTHER].host_keys() if "ed25519" in key)
    own = [f"{lab[HOST].address} {key}" for key in lab[HOST].host_keys()]
    try:
        known.write_text("".join(line + "\n" for line in before.splitlines() if line not in own)
                         + f"{lab[HOST].address} {stranger}\n")  # fmt: skip
        output = lab.jada("drift", exit_code=1)
        assert f"{HOST} not checked J406 host-key-changed: {HOST} shows another ssh host key" in output
        assert f"ssh-keygen -R {lab[HOST].address}" in output
        assert "SHA256:" in output
    finally:
        known.write_text(before)
    lab.jada("drift")


def test_a_host_that_is_gone_is_a_note_and_a_changed_role_is_drift(lab: Lab, tmp_path: Path) -> None:
    upgraded(lab)
    without_region = own_fleet(tmp_path, "regions: [us-east-1, eu-west-1]", "regions: [us-east-1]")
    assert drift(lab, exit_code=0, env=without_region) == {"jada-agent": [], OTHER: [], HOST: ["J405"]}
    assert HOST not in drift(lab, "--limit", "orch*", exit_code=0, env=without_region)
    with_role = own_fleet(tmp_path, "roles:\n", "roles:\n  reviewer: {model: opus-5, names: [specialist-1]}\n")
    assert drift(lab, env=with_role) == {"jada-agent": [], OTHER: [], HOST: ["J407"]}
    lab.jada("heal", "--yes", env=with_role)
    assert lab.model(HOST) == "claude-opus-5"
    assert drift(lab, exit_code=0, env=with_role)[HOST] == []


def test_accepted_drift_is_shown_and_is_none(lab: Lab, tmp_path: Path) -> None:
    upgraded(lab)
    lab.run(HOST, f"chmod 644 {lab[HOST].settings}")
    entry = "accept: [{{code: J107, hosts: 'spec*', reason: the backup reads it, until: {}}}]\n"
    lasting = own_fleet(tmp_path, NAMED, NAMED + entry.format("2999-12-31"))
    output = lab.jada("drift", env=lasting)
    assert "(accepted until 2999-12-31: the backup reads it)" in output
    over = own_fleet(tmp_path, NAMED, NAMED + entry.format("2020-12-31"))
    assert "its acceptance expired on 2020-12-31" in lab.jada("drift", exit_code=3, env=over)
    wrong = own_fleet(tmp_path, NAMED, NAMED + entry.replace("J107", "J999").format("2999-12-31"))
    assert "accept[0].code is no code of a finding: J999" in lab.jada("drift", exit_code=2, env=wrong)


def test_one_run_writes_every_file_and_the_history(lab: Lab, tmp_path: Path) -> None:
    upgraded(lab)
    lab.run(HOST, f"chmod 644 {lab[HOST].settings}")
    files = {kind: tmp_path / kind for kind in ("junit", "sarif", "prometheus")}
    argv = [word for kind, file in files.items() for word in (f"--{kind}", str(file))]
    annotations = lab.jada("drift", "--github", *argv, exit_code=3)
    assert annotations.startswith(f"::warning title={HOST}%3A J107 settings-owner::")
    assert etree.parse(files["junit"]).find(".//failure").get("type") == "J107"
    assert json.loads(files["sarif"].read_text())["runs"][0]["results"][0]["ruleId"] == "J107"
    samples = {
        tuple(entry.labels.values()): entry.value
        for family in text_string_to_metric_families(files["prometheus"].read_text())
        for entry in family.samples
    }
    assert (samples[LAB.fleet, "in_sync"], samples[LAB.fleet, "drifted"]) == (2, 1)
    assert files["prometheus"].stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(files)
    lab.jada("drift", exit_code=3)
    lab.run(HOST, f"chmod 600 {lab[HOST].settings}")
    lab.jada("drift")
    lab.json("drift")
    report = lab.json("drift", "--since", "1h")
    assert [(entry["host"], entry["code"], entry["resolution"]) for entry in report["episodes"]] == [
        (HOST, "J107", "resolved")
    ]
    assert [entry["drifted"] for entry in report["checks"]] == [1, 1, 0, 0]


def test_people_are_told_of_changes_once_even_if_not_at_once(lab: Lab, tmp_path: Path) -> None:
    upgraded(lab)
    answers, notices = [500, 200, 200], []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(answer := answers.pop(0))
            self.end_headers()
            if answer == 200:
                notices.append(body["text"].splitlines())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Chat)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        env = own_fleet(tmp_path, NAMED, NAMED + "notify:\n  webhook: ${HOOK}\n")
        env["HOOK"] = f"http://127.0.0.1:{server.server_port}/lab-secret-hook"
        lab.run(HOST, f"chmod 644 {lab[HOST].settings}")
        output = lab.jada("drift", exit_code=3, env=env)
        assert "The webhook of fleet.yml was not told: it answered HTTP 500" in output
        lab.jada("drift", exit_code=3, env=env)
        lab.jada("drift", exit_code=3, env=env)
        lab.run(HOST, f"chmod 600 {lab[HOST].settings}")
        lab.jada("drift", env=env)
        lab.jada("drift", env=env)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [lines[0] for lines in notices] == [
        f"jada drift: {LAB.fleet}: 1 new",
        f"jada drift: {LAB.fleet}: 1 resolved",
    ]
    assert notices[0][1].startswith(f"NEW warning: {HOST} J107 settings-owner: expected owner ")
    assert notices[1][1].startswith(f"RESOLVED: {HOST} J107 settings-owner, found ")


def test_a_file_that_can_not_be_written_is_told(lab: Lab) -> None:
    upgraded(lab)
    output = lab.jada("drift", "--prometheus", "/no/such/folder/x", exit_code=1)
    assert "/no/such/folder/x can't be written: No such file" in output


def install_jada(host: Machine) -> None:
    """The very jada that is tested, with the libraries it runs on, as /usr/local/bin/jada of a lab host."""
    root = Path(f"/proc/{host.leader}/root")
    library = root / "opt/jada"
    shutil.rmtree(library, ignore_errors=True)
    source = Path(jada.__file__).parent
    for room in ("cli", "files", "inventory", "tasks"):
        shutil.copytree(source / room, library / "jada" / room)
    for module in ("__init__.py", "values.py"):
        shutil.copy(source / module, library / "jada")
    for distribution in needed("jada"):
        for file in distribution.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (library / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(distribution.locate_file(file)), library / file)
    script = "#!/usr/bin/python3\nimport sys\nsys.path.insert(0, '/opt/jada')\nfrom jada.cli.main import main\nmain()\n"
    (root / "usr/local/bin/jada").write_text(script)
    (root / "usr/local/bin/jada").chmod(0o755)


def needed(name: str) -> list[importlib.metadata.Distribution]:
    """The distributions that one needs to run, and those that these need."""
    distributions: dict[str, importlib.metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        for text in importlib.metadata.distribution(waiting.pop()).requires or ():
            requirement = Requirement(text)
            is_needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if is_needed and requirement.name not in distributions:
                distributions[requirement.name] = importlib.metadata.distribution(requirement.name)
                waiting.append(requirement.name)
    return list(distributions.values())


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the lab's Debian has Python 3.11, and C parts fit one only"
)
def test_the_timer_fires_and_checks_as_the_user_who_installed_it(lab: Lab) -> None:
    """One lab host is the machine that people work from, and checks another one over ssh."""
    upgraded(lab)
    control, user, home = lab[OTHER], lab[OTHER].login, f"/home/{lab[OTHER].login}"
    install_jada(control)
    target = lab[HOST]
    static = f"{{static: {{hosts: {{{HOST}: {{address: {target.address}, tags: {{role: specialist}}}}}}}}}}"
    text = (
        f"fleet: rehearsal\nsources: [{static}]\nroles: {{specialist: {{}}}}\nmodel_check: {{url: 'http://127.0.0.1:8787/healthz'}}\n"
        f"ssh: {{user: {target.login}, key: ~/.ssh/id_lab, host_keys: accept-new}}\n"
    )
    for path, content, mode in (("fleet.yml", text, 644), (".ssh/id_lab", LAB.key.read_text(), 600)):
        machine.inside(control, f"install -D -o {user} -g {user} -m {mode} /dev/stdin {home}/{path}", stdin=content)
    machine.inside(control, f"install -d -o {user} -g {user} -m 700 {home}/.ssh; install -d -o {user} {home}/metrics")

    def as_user(command: str) -> str:
        return machine.inside(control, f"su - {user} -c '{command}'").stdout

    try:
        # The folder with a blank and a percent sign: what systemd and a shell would read as their own.
        as_user('mkdir -p "metrics/50% full"')
        output = as_user('sudo jada schedule --every 1m --fleet fleet.yml -- --prometheus "metrics/50% full/jada.prom"')
        assert f"runs every 1m from now on, as {user}" in output
        assert machine.inside(control, "systemd-analyze verify jada-drift.service jada-drift.timer").stderr == ""
        checks = wait_for_checks(as_user, 1)
        lab.run(HOST, f"sed -i s/{NEW}/claude-opus-5/ {target.settings}")
        checks = wait_for_checks(as_user, 2)
        assert [(entry["in_sync"], entry["drifted"], entry["not_checked"]) for entry in checks[:2]] == [
            (1, 0, 0),
            (0, 1, 0),
        ]
        metrics = as_user('cat "metrics/50% full/jada.prom"')
        (drifted,) = [entry.value for family in text_string_to_metric_families(metrics) for entry in family.samples
                      if entry.labels.get("status") == "drifted"]  # fmt: skip
        assert drifted == 1
        assert lab.run(OTHER, f"stat -c %U {home}/.local/state/jada/history.db").strip() == user
        # Fired by the timer, and failed as a check that finds drift is to.
        assert "jada-drift.timer" in lab.run(OTHER, "systemctl show -p TriggeredBy jada-drift.service")
        assert lab.run(OTHER, "systemctl show -P ExecMainStatus jada-drift.service") == "3\n"
        assert f"{HOST} J102 model-on-disk" in lab.run(OTHER, "journalctl -u jada-drift.service -o cat")
    finally:
        machine.inside(control, "systemctl disable --now jada-drift.timer", check=False)
        machine.inside(control, f"rm -rf /opt/jada /usr/local/bin/jada {home}/.local {home}/fleet.yml {home}/metrics")


def wait_for_checks(as_user: Any, count: int) -> list[dict[str, Any]]:
    """The checks of the history, once there are so many."""
    deadline = time.monotonic() + 180
    while True:
        report = json.loads(as_user("jada drift --fleet fleet.yml --since 1h --json"))
        if len(report["checks"]) >= count:
            return list(report["checks"])
        assert time.monotonic() < deadline, f"{count} checks did not run"
        time.sleep(3)
