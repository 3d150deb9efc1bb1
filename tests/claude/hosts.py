"""Lays a configuration on a lab host whose service is the real Claude CLI, and reads which model that asks for.

The truth is what the stand-in for the messages API on the host was asked for, once the service is started anew. A host
gets a release of DESIRED once, from the real `jada upgrade`; each configuration begins from there.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from jada.inventory.lab import claude, machine
from jada.inventory.lab.machine import Machine

DESIRED = "claude-sonnet-4-6"
UNIT = "jada-agent"
SESSION = "/usr/bin/python3 /usr/local/bin/jada-agent"
# Where the service works, unless a configuration says otherwise.
PROJECT = "/srv/project"
PROMPT = '{"type": "user", "message": {"role": "user", "content": "Is all well?"}}'

# $H is the home of $U, the service's user; $D has the unit's drop-ins, $LOG the requests.
KEEP = """
set -e
systemctl stop $UNIT
rm -rf /var/lib/kept; mkdir /var/lib/kept
cp -a $H /var/lib/kept/home; cp -a $D /var/lib/kept/dropins; cp -a /etc/environment /var/lib/kept/environment
cp -a /var/lib/jada /var/lib/kept/jada; cp -a /etc/security/limits.d /var/lib/kept/limits
"""
PUT_BACK = """
[ -d /var/lib/kept ] || exit 0
systemctl stop $UNIT feeder 2>/dev/null
rm -rf /etc/claude-code /etc/default/$UNIT /etc/security/limits.d /.claude /run/prompts $D /tmp/* /var/lib/jada
find $H /srv -mindepth 1 -delete
set -e
cp -aT /var/lib/kept/home $H; cp -aT /var/lib/kept/dropins $D; cp -a /var/lib/kept/environment /etc/environment
cp -a /var/lib/kept/jada /var/lib/jada; cp -a /var/lib/kept/limits /etc/security/limits.d
systemctl unset-environment ANTHROPIC_MODEL ANTHROPIC_DEFAULT_MODEL CLAUDE_CONFIG_DIR
systemctl reset-failed
"""
# Until the CLI has asked, or is not there (any more) to ask.
START = """
set +e
truncate -s 0 $LOG
systemctl daemon-reload
systemctl start $UNIT
for i in $(seq 300); do
    ! grep -q '"path": "/v1/messages"' $LOG || break
    # Seldom: under a second passes until it asks, and asking systemd costs more than grep.
    [ $((i % 5)) -ne 0 ] || case $(systemctl show -P SubState $UNIT) in running | start*) ;; *) break ;; esac
    sleep 0.1
done
cat $LOG
"""
# What the scripts of configurations are written with.
WORDS = """
as_user() { su -s /bin/sh "$U" -c "$1"; }
dropin() { { echo "[Service]"; printf '%s\\n' "$@"; } >$D/60-$(ls $D | wc -l).conf; }
# The service is a script of these lines; `session` in it is what the service was.
wrapped() {
    { echo '#!/bin/sh'; echo "session() { $SESSION \\"\\$@\\"; }"; printf '%s\\n' "$@"; } >/srv/wrap
    chmod 755 /srv/wrap; dropin ExecStart= ExecStart=/srv/wrap
}
# The service is the program itself with these arguments, as its main process.
direct() {
    mkfifo -m 644 /run/prompts
    systemd-run --quiet --unit=feeder sh -c 'exec 3<>/run/prompts; echo "$0" >&3; exec sleep infinity' "$PROMPT"
    dropin StandardInput=file:/run/prompts ExecStart= \
        "ExecStart=$* -p --input-format stream-json --output-format stream-json --verbose"
}
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Configuration:
    """One way to configure a service of the Claude CLI, and the model that it then asks for, as measured with 2.1.332.

    `asks` is None where it asks for nothing. `user` is the user's settings.json and `files` are others by path: text,
    or values to be written as JSON; ~ is the home. `flags` are on the session's command line, `env` is in the unit's
    environment, `unit` are more lines of its [Service], and `script` does what files alone can't (see WORDS). As root:
    the service's user is root. `telling`: it is among those that `make test` runs too.
    """

    name: str
    asks: str | None
    user: object = field(default_factory=lambda: {"model": DESIRED})
    files: Mapping[str, object] = field(default_factory=dict)
    flags: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    unit: tuple[str, ...] = ()
    script: str = ""
    is_root: bool = False
    telling: bool = False


def keep(host: Machine) -> None:
    """Remembers the host as it is, with its release: `lay` begins there."""
    _run(host, KEEP)


def lay(host: Machine, configuration: Configuration) -> tuple[str, ...]:
    """Starts the service anew, so configured; returns the models that it asked for, in order."""
    script = "\n".join((PUT_BACK, WORDS, *_files(host, configuration), configuration.script, START))
    return _asked(_run(host, script))


def asked_since(host: Machine, moment: float) -> tuple[str, ...]:
    """The models that the service has asked for since then, Unix seconds."""
    return _asked(_run(host, "cat $LOG"), moment)


def put_back(host: Machine) -> None:
    """Undoes the last configuration, and starts the service as its release left it."""
    _run(host, PUT_BACK + START)


def _files(host: Machine, configuration: Configuration) -> Iterator[str]:
    """The lines of a script that writes what the configuration says."""
    yield f"mkdir -p {PROJECT}"
    files = {"~/.claude/settings.json": configuration.user, **configuration.files}
    for path, data in files.items():
        place = PurePosixPath(path.replace("~", host.home, 1))
        text = data if isinstance(data, str | bytes) else json.dumps(data)
        encoded = base64.b64encode(text.encode() if isinstance(text, str) else text).decode()
        yield f"mkdir -p {place.parent}; echo {encoded} | base64 -d >{place}"
    # No file of the user's is one of root's, nor may everybody read this one.
    yield "chown -R $U: $H /srv; chmod 600 $H/.claude/settings.json"
    lines = [f"WorkingDirectory={PROJECT}"]
    if configuration.flags:
        lines += ["ExecStart=", f"ExecStart={SESSION} {configuration.flags}"]
    lines += [f'Environment="{name}={value}"' for name, value in configuration.env.items()]
    yield f"dropin {shlex.join([*lines, *configuration.unit])}"


def _asked(log: str, since: float = 0) -> tuple[str, ...]:
    lines = (json.loads(line) for line in log.splitlines())
    return tuple(line["model"] for line in lines if line["path"] == "/v1/messages" and line["at"] > since)


def _run(host: Machine, script: str) -> str:
    done = machine.inside(host, _variables(host) + script, check=False)
    assert done.returncode == 0, f"{host.name}: {done.stderr}"
    return done.stdout


def _variables(host: Machine) -> str:
    variables = {
        "H": host.home,
        "U": host.user or "root",
        "D": f"/etc/systemd/system/{UNIT}.service.d",
        "UNIT": UNIT,
        "LOG": claude.API_LOG,
        "SESSION": SESSION,
        "PROMPT": PROMPT,
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
