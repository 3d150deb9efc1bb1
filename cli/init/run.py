"""The steps of `jada init`: each asks, tries the answer live on AWS or on hosts, and tells what came of it. Nothing is
changed there.

Every answer goes through the readers of fleet.yml, and every host through the session and the checks of `jada doctor`.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import unified_diff
from functools import partial
from pathlib import Path

import click

from jada import Aws, ConfigError, Exit, Host, HostError, HostKeyError, JadaError, ModelCheck, Service, UnknownKeyError
from jada.cli import session as sessions
from jada.cli.doctor import hosts as doctor
from jada.cli.doctor.result import CheckResult, Verdict, folded
from jada.cli.doctor.show import show_each
from jada.cli.init import answers, text
from jada.cli.init.answers import NONE, Given
from jada.cli.init.ask import Asker, tell
from jada.cli.results import HostResults
from jada.cli.ui.confirm import confirm
from jada.cli.ui.console import escape, named, out, plural, print_diff
from jada.inventory import discover
from jada.inventory.access.known_hosts import HostKeys
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.roles import Role, role_of
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource
from jada.inventory.yaml_readers import expanded
from jada.inventory.yaml_values import of_text
from jada.tasks import checks
from jada.tasks.evidence import evidence_of
from jada.tasks.state import State
from jada.tasks.transaction import without_secrets

_URL = re.compile(r"https?://[^\s\"']+")
# A key of fleet.yml whose value may be a secret as a whole, or have one in it; not where it names a variable.
_SECRET = re.compile(r"""(\b(?:webhook|external_id|command)["']?\s*:\s*)(?!\$\{)(?:"(?:[^"\\]|\\.)*"|'[^']*'|\S.*)""")
# What is done about trouble.
AGAIN, WRITE, STOP = "again", "write", "stop"
CHOICES = (AGAIN, WRITE, STOP)


def begun(
    name: str, path: Path, user: str, key: str, profile: str, unit: str, settings: str, model_check: str
) -> Fleet:
    """The fleet with what options say of it, and without hosts yet. Raises ConfigError."""
    service = Service(unit=unit, settings=settings, model_check=answers.model_check(model_check))
    fleet = Fleet(name, path, (), (Role(answers.AGENT),), aws=Aws(profile), service=service, ssh=Ssh(user=user))
    return with_key(fleet, key or NONE)


def confirm_difference(path: Path, text: str, asker: Asker) -> None:
    """Shows in what the text differs from the file that it is to replace, and asks. Raises click.Abort, JadaError."""
    try:
        before = path.read_text(encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise JadaError(f"{path} can't be read: {error.strerror}") from None
    out.print(f"\n{escape(str(path))} as it is, and as it would be:")
    difference = unified_diff(before.splitlines(), text.splitlines(), "as it is", "as it would be", lineterm="", n=0)
    print_diff(map(_without_secrets, difference))
    if not asker.takes_defaults:
        confirm(f"Replace {path}?")


def _without_secrets(line: str) -> str:
    """A line of fleet.yml without the values that may be secrets, and without what a URL asks, and for whom."""
    return _URL.sub(lambda url: without_secrets(url[0]), _SECRET.sub(r"\1…", line))


def prepare(begun: Fleet, given: Given, asker: Asker) -> tuple[Fleet, Exit]:
    """The fleet that the answers make, and FAILED where not all of it could be tried. Raises click.Abort, JadaError."""
    fleet, hosts = _found(begun, given, asker)
    fleet, seen = _logged_in(fleet, hosts, given, asker)
    fleet, seen = _with_service(fleet, hosts, seen, asker, is_given=begun.service.unit != Service().unit)
    fleet, seen = _with_settings(fleet, hosts, seen, asker)
    fleet, seen = _with_evidence(fleet, hosts, seen, asker)
    running = {name: checks.running_model(state) for name, state in seen.ok.items()}
    fleet = checked(replace(fleet, roles=answers.roles_of(hosts, running, fleet)))
    _tell_roles(fleet, hosts, answers.unlisted(running, fleet))
    is_whole = bool(hosts) and len(seen.ok) == len(hosts) and all(state.unit.loaded for state in seen.ok.values())
    return fleet, Exit.OK if is_whole else Exit.FAILED


def checked(fleet: Fleet) -> Fleet:
    """The fleet as its readers read the text that is to be written. Raises ConfigError for what they do not take."""
    try:
        return config.parse_top(of_text(text.fleet_yml(fleet), fleet.path))
    except ConfigError as error:
        # There is no such file yet, nor a line of it.
        _, _, about = error.message.partition(": ")
        raise ConfigError(about or error.message, error.hint) from None


def _found(fleet: Fleet, given: Given, asker: Asker) -> tuple[Fleet, tuple[Host, ...]]:
    """The fleet with its source, and the hosts that this finds."""
    kind = given.kind or asker.choose(
        "Where are the hosts?", "static: you name them; ec2, lightsail: AWS lists them.", "--static, --ec2 or "
        "--lightsail", answers.KINDS, answers.KINDS[0],
    )  # fmt: skip
    if kind == "static":
        return _static(fleet, given, asker)
    return _of_cloud(fleet, kind, given, asker)


def _static(fleet: Fleet, given: Given, asker: Asker) -> tuple[Fleet, tuple[Host, ...]]:

    def read(words: Sequence[str]) -> Fleet:
        return checked(replace(fleet, sources=(answers.static_source(words),)))

    if given.hosts:
        fleet = read(given.hosts)
    else:
        fleet = asker.ask(
            "The hosts, as you type them behind ssh, with blanks between",
            "[NAME=][USER@]ADDRESS[:PORT]: web-1=debian@192.0.2.10 web-2=debian@192.0.2.11",
            "--host, once for each",
            lambda answer: read(answers.words(answer)),
        )
    return fleet, discover.discover(fleet)


def _of_cloud(fleet: Fleet, kind: str, given: Given, asker: Asker) -> tuple[Fleet, tuple[Host, ...]]:
    """A source of AWS: all its instances first, to choose from."""
    while True:
        wide = _in_regions(fleet, kind, given, asker)
        try:
            every = discover.discover(wide)
            break
        except JadaError as error:
            if _next_step(error, asker) == WRITE:
                return wide, ()
        # Of options that did not do, people are asked.
        fleet, given = replace(fleet, aws=Aws()), replace(given, regions=())
    _tell_found(every)
    if kind == "ec2" and not wide.ssh.user:
        wide = asker.ask(
            "The ssh user", f"Debian: admin; Ubuntu: ubuntu; Amazon Linux: ec2-user; {NONE}: as `ssh HOST` does.",
            "--user", partial(_with_user, wide), NONE,
        )  # fmt: skip
    while True:
        fleet = _chosen(wide, every, given, asker)
        try:
            return fleet, discover.discover(fleet)
        except JadaError as error:
            if _next_step(error, asker) == WRITE:
                return fleet, ()
        given = replace(given, matches=())


def _in_regions(fleet: Fleet, kind: str, given: Given, asker: Asker) -> Fleet:
    if not fleet.aws.profile:
        fleet = asker.ask(
            "The profile of AWS", f"One of ~/.aws/config; {NONE}: boto3's own order (environment, ~/.aws, SSO, role).",
            "--profile", lambda answer: checked(_with_profile(fleet, answer, kind)), NONE,
        )  # fmt: skip

    def read(words: Sequence[str]) -> Fleet:
        source = Ec2Source(tuple(words)) if kind == "ec2" else LightsailSource(tuple(words))
        if given.address:
            source = replace(source, address=given.address)
        return checked(replace(fleet, sources=(source,)))

    if given.regions:
        return read(given.regions)
    return asker.ask(
        "The regions", "Such as us-east-1 eu-west-1; all: each that the account has enabled, which takes a bit longer.",
        "--region, once for each", lambda answer: read(answers.words(answer)), "all",
    )  # fmt: skip


def _with_profile(fleet: Fleet, profile: str, kind: str) -> Fleet:
    source = Ec2Source(("all",)) if kind == "ec2" else LightsailSource(("all",))
    return replace(fleet, sources=(source,), aws=Aws("" if profile == NONE else profile))


def _chosen(wide: Fleet, every: Sequence[Host], given: Given, asker: Asker) -> Fleet:
    """The fleet of those hosts that are agents."""
    source = wide.sources[0]
    assert isinstance(source, Ec2Source | LightsailSource)  # noqa: S101 - for the type checker

    def read(words: Sequence[str]) -> Fleet:
        return checked(replace(wide, sources=(answers.matching(source, [word for word in words if word != NONE]),)))

    if given.matches:
        return read(given.matches)
    seen = [tag for tag, _ in answers.tags_seen(every)]
    return asker.ask(
        "Which of them are agents?",
        f"Tags, KEY=VALUE, and patterns for names, such as agent-*; {NONE}: all of them, and those to come.",
        "--match",
        lambda answer: read(answers.words(answer)),
        next((tag for tag in seen if tag == "jada=agent"), NONE),
    )


def _tell_found(hosts: Sequence[Host]) -> None:
    out.print(f"\n[green]✓[/] {plural(len(hosts), 'host')}: {escape(named([host.name for host in hosts]))}")
    tags = ", ".join(f"{tag} ({count})" for tag, count in answers.tags_seen(hosts))
    if tags:
        out.print(f"  Tags: {escape(tags)}")


def _next_step(error: JadaError, asker: Asker) -> str:
    """What is to be done about trouble that is not with one host. Raises click.Abort."""
    tell(error)
    return _choose_next(asker)


def _choose_next(asker: Asker) -> str:
    step = asker.choose(
        "What now?",
        f"{AGAIN}: once you have mended it; {WRITE}: the file all the same; {STOP}: write nothing.",
        "--yes",
        CHOICES,
        WRITE,
    )
    if step == STOP:
        raise click.Abort
    return step


def _logged_in(fleet: Fleet, hosts: tuple[Host, ...], given: Given, asker: Asker) -> tuple[Fleet, HostResults[State]]:
    """The fleet with the ssh user and key that lead to its hosts, and the hosts as they look."""
    while True:
        _vouch(fleet, hosts, given, asker)
        seen = _look(fleet, hosts)
        if not seen.failed or _choose_next(asker) == WRITE:
            return fleet, seen
        fleet = asker.ask(
            "The ssh user", f"For hosts that name none; {NONE}: as `ssh HOST` does.", "--user",
            partial(_with_user, fleet), fleet.ssh.user or NONE,
        )  # fmt: skip
        fleet = asker.ask(
            "The ssh key", f"A file, and then no other key; {NONE}: as `ssh HOST` does.", "--key",
            partial(with_key, fleet), str(fleet.ssh.key or NONE),
        )  # fmt: skip
        fleet = _with_address(fleet, asker)
        hosts = discover.discover(fleet)


def _with_address(fleet: Fleet, asker: Asker) -> Fleet:
    """The fleet with the address of instances that leads to them."""
    source = fleet.sources[0]
    if not isinstance(source, Ec2Source | LightsailSource):
        return fleet
    why = "private is reached from within the VPC alone, or through a VPN; public from anywhere."
    address = asker.choose("The address of instances", why, "--address", answers.ADDRESSES, source.address)
    return checked(replace(fleet, sources=(replace(source, address=address),)))


def _with_user(fleet: Fleet, user: str) -> Fleet:
    return checked(replace(fleet, ssh=replace(fleet.ssh, user="" if user == NONE else user)))


def with_key(fleet: Fleet, key: str) -> Fleet:
    """The fleet with that key to log in with. Raises ConfigError where there is no such file."""
    if key == NONE:
        return replace(fleet, ssh=replace(fleet.ssh, key=None))
    file = expanded(key, "--key").absolute()
    if not file.is_file():
        raise ConfigError(f"there is no file {file}")
    return replace(fleet, ssh=replace(fleet.ssh, key=file))


def _vouch(fleet: Fleet, hosts: Sequence[Host], given: Given, asker: Asker) -> None:
    """Shows the host keys that nobody knows yet, and keeps those that a person says are right. AWS names its own."""
    from jada.inventory.access import login
    from jada.inventory.access.first_keys import keep, shown
    from jada.inventory.access.scratch import scratch

    with scratch() as folder:
        strangers = login.unknown(fleet, [host for host in hosts if host.provider == "static"], folder)
    if not strangers:
        return
    first = {}
    out.print("\nHost keys that this machine does not know yet:")
    for name, answer in shown(strangers).items():
        if isinstance(answer, JadaError):
            out.print(f"  [red]✗[/] {escape(answer.message)}")
        else:
            first[name] = answer
            out.print(f"  [bold]{escape(name)}[/]  {escape(answer.key.kind)} {escape(answer.key.fingerprint)}")
    if not first:
        return
    if not (given.trusts_keys or _are_right(asker)):
        out.print("  They are not kept. To trust them: --accept-host-keys, or log in once with ssh")
        return
    for answer in first.values():
        keep(answer)
    files = dict.fromkeys(str(answer.file) for answer in first.values())
    out.print(f"[green]✓[/] {plural(len(first), 'host key')} kept in {escape(', '.join(files))}")


def _are_right(asker: Asker) -> bool:
    why = "Compare them on each host's console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    return asker.choose("Are these the hosts' own?", why, "--accept-host-keys", ("yes", "no"), "no") == "yes"


def _look(fleet: Fleet, hosts: tuple[Host, ...]) -> HostResults[State]:
    """The hosts as they look, told in the words of `jada doctor`."""
    if not hosts:
        return HostResults()
    try:
        with sessions.open_hosts(fleet, hosts) as session:
            seen = session.look("Trying the hosts", ask=True)
    except JadaError as error:
        # It is of all hosts, such as a known_hosts that is not there.
        seen = HostResults((host.name, HostError(error.message, error.hint)) for host in hosts)
    out.print("")
    show_each(folded(result for host in hosts for result in _results(host, seen[host.name], fleet)))
    return seen


def _look_again(fleet: Fleet, hosts: Sequence[Host], seen: HostResults[State]) -> HostResults[State]:
    """Looks at those hosts again that could be looked at: a host that does not answer takes its time each time."""
    again = _look(fleet, tuple(host for host in hosts if host.name in seen.ok))
    return HostResults({**seen, **again})


def _results(host: Host, seen: State | HostError, fleet: Fleet) -> Iterator[CheckResult]:
    results = [doctor.reached(host.engine, seen), doctor.sudo(seen)]
    if isinstance(seen, HostKeyError | UnknownKeyError):
        results.append(doctor.host_key(HostKeys(), fleet.ssh, "", seen))
    if not isinstance(seen, HostError):
        results += [doctor.systemd(seen), doctor.evidence(seen, fleet.service)]
    # There is no fleet.yml yet for `jada ssh` to go by.
    way = f"ssh {shlex.quote(f'{host.user}@{host.address}' if host.user else host.address)}"
    for result in results:
        if result.verdict is not Verdict.SKIP:
            yield replace(result, fix=result.fix.replace("jada ssh HOST", way)).of(host.name)


def _with_service(
    fleet: Fleet, hosts: tuple[Host, ...], seen: HostResults[State], asker: Asker, is_given: bool
) -> tuple[Fleet, HostResults[State]]:
    """The fleet with a service that systemd has loaded on its hosts, or that a person says is right."""
    while without := [name for name, state in seen.ok.items() if not state.unit.loaded]:
        likely = _likely_services(fleet, [host for host in hosts if host.name in without])
        if likely:
            out.print(f"  What runs there and may be one: {escape(', '.join(likely))}")
        usual = fleet.service.unit if is_given or not likely else likely[0]
        answer = asker.ask(
            f"The service that runs the agent on {named(without)}",
            "The full name of its systemd unit, as `systemctl` there tells it.",
            "--service",
            partial(_with, fleet, "unit"),
            usual,
        )
        if answer.service.unit == fleet.service.unit:
            break
        fleet, seen, is_given = answer, _look_again(answer, hosts, seen), True
    return fleet, seen


def _likely_services(fleet: Fleet, hosts: Sequence[Host]) -> list[str]:
    """The services of hosts that may be an agent, the likeliest first; none of one that can't be asked."""
    with sessions.open_hosts(fleet, tuple(hosts)) as session:
        names = [host.name for host in hosts]
        told = session.run_on_each("Looking for agents", names, lambda _, connection: connection.services())
    return [unit for unit, _ in Counter(unit for units in told.ok.values() for unit in units).most_common()]


def _with_settings(
    fleet: Fleet, hosts: tuple[Host, ...], seen: HostResults[State], asker: Asker
) -> tuple[Fleet, HostResults[State]]:
    """The fleet with the place of settings.json."""
    while without := [
        name
        for name, state in seen.ok.items()
        if state.unit.loaded and state.settings.text is None and not state.settings.problem
    ]:
        answer = asker.ask(
            f"The agent's settings.json, which is not there on {named(without)}",
            "~ is the home of the service's user there. As it is, the first upgrade makes it.",
            "--settings",
            partial(_with, fleet, "settings"),
            fleet.service.settings,
        )
        if answer.service.settings == fleet.service.settings:
            break
        fleet, seen = answer, _look_again(answer, hosts, seen)
    return fleet, seen


def _with_evidence(
    fleet: Fleet, hosts: tuple[Host, ...], seen: HostResults[State], asker: Asker
) -> tuple[Fleet, HostResults[State]]:
    """The fleet with somebody who says which model runs."""
    while without := [name for name, state in seen.ok.items() if state.process and not _is_proven(state)]:
        if asker.takes_defaults:
            # An option's answer stays: the service may be down.
            break
        answer = asker.ask(
            f"Nothing observed says which model runs on {named(without)}: who does?",
            'A URL on the host that answers with JSON that has "model", as http://127.0.0.1:8787/healthz, or a command '
            f"there that prints it; {NONE}: nobody, and hosts stay unproven.",
            "--model-check",
            partial(_with_check, fleet),
            NONE,
        )
        if answer.service.model_check in (fleet.service.model_check, ModelCheck()):
            return answer, seen
        fleet, seen = answer, _look_again(answer, hosts, seen)
    return fleet, seen


def _with_check(fleet: Fleet, answer: str) -> Fleet:
    return _with(fleet, "model_check", answers.model_check(answer))


def _is_proven(state: State) -> bool:
    return any(piece.is_proof for piece in evidence_of(state))


def _with(fleet: Fleet, field: str, value: object) -> Fleet:
    return checked(replace(fleet, service=replace(fleet.service, **{field: value})))  # type: ignore[arg-type]


def _tell_roles(fleet: Fleet, hosts: Sequence[Host], unlisted: Iterable[str]) -> None:
    if not hosts:
        return
    out.print("\nRoles, with the model that runs now:")
    counts = Counter(role_of(host, fleet.roles) for host in hosts)
    for role in fleet.roles:
        model = role.model or "none is asked for: several run, or it is not known"
        out.print(f"  [bold]{escape(role.name)}[/] ({plural(counts[role.name], 'host')}): {escape(model)}")
    for model in unlisted:
        out.print(f"  [yellow]Note[/] {escape(model)} runs, and is not in the catalogue: see `models` in the file")
