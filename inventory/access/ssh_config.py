"""The operator's own ssh configuration, in the words of `ssh -G`: nobody but OpenSSH reads it as OpenSSH does.

With a proxy, OpenSSH also makes the way to the host, and checks and logs in to each host on it; see proxy.py.
"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jada import ConfigError, Host

# Seconds for `ssh -G`, which runs the commands of Match exec and may ask DNS.
PATIENCE = 30
# As many files in one another as ssh itself reads.
DEPTH = 16
# Processes side by side, for as many hosts as there are; each takes a few milliseconds.
AT_ONCE = 8
SYSTEM = Path("/etc/ssh/ssh_config")
DEFAULT_KEYS = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")
DEFAULT_KNOWN_HOSTS = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)
# Options that lead to a key or to trust and that jada takes no notice of: said when a login fails.
UNUSED = {"pkcs11provider": ("", "none"), "knownhostscommand": ("", "none"), "bindaddress": ("",),
          "bindinterface": ("",), "controlpath": ("", "none"), "addressfamily": ("", "any")}  # fmt: skip
# Options that bear on the way to a host or on its trust; one of other lines need not be asked about each host.
_BEARING = re.compile(
    r"\s*(match|host(name|keyalias)|port|user|identit\w+|certificatefile|proxy\w+|(user|global)?knownhosts\w+|revokedhostkeys"
    r"|canonical\w+|tag|" + "|".join(UNUSED) + r")\b",
    re.IGNORECASE,
)
_INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
_TOKEN = re.compile(r"%(.)|\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Options:
    """ssh's options to reach one host: `proxy` is a shell's command with tokens, `agent` a socket's path, or ""."""

    hostname: str
    port: int
    user: str
    identities: tuple[Path, ...]
    known_hosts: tuple[Path, ...]
    certificates: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str = ""
    alias: str = ""
    proxy: str = ""
    unused: tuple[str, ...] = ()
    revoked: tuple[Path, ...] = ()


def own_file() -> Path:
    return Path("~/.ssh/config").expanduser()


def is_silent() -> bool:
    """True if no line of the configuration bears on the way to a host; one that can't be read is not silent."""
    try:
        return not any(_BEARING.match(line) for file in _files() for line in _lines(file))
    except (OSError, ValueError, RecursionError):
        return False


def plain(host: Host) -> Options:
    """The options of ssh without any configuration."""
    return Options(
        host.address,
        host.port,
        host.user or getpass.getuser(),
        tuple(Path("~/.ssh", name).expanduser() for name in DEFAULT_KEYS),
        tuple(Path(name).expanduser() for name in DEFAULT_KNOWN_HOSTS),
        agent=os.environ.get("SSH_AUTH_SOCK", ""),
    )


def options_of(hosts: Sequence[Host], *, is_strict: bool) -> dict[str, Options]:
    """The options of each host by the configuration, by its name; ssh is asked side by side. Raises ConfigError.

    Where fleet.yml is strict, jump hosts are held to it, whatever the configuration says of their keys.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(
            zip((host.name for host in hosts), pool.map(partial(_ask, is_strict=is_strict), hosts), strict=True)
        )


def jumping(hops: str, arguments: Sequence[str], *, is_strict: bool = False) -> str:
    """The command by which ssh makes the way through these jump hosts, with the same options for each: `ssh -J` hands
    none on.

    Never with a question at the terminal: it would come once for each host, and all at once.
    """
    before, _, last = hops.rpartition(",")
    options = ["BatchMode=yes", "ControlMaster=no"]
    if is_strict:
        options.append("StrictHostKeyChecking=yes")
    if before:
        options.append(f"ProxyCommand={jumping(before, arguments, is_strict=is_strict)}")
    argv = ("ssh", *arguments, *(word for option in options for word in ("-o", option)))
    where = last if last.startswith("ssh://") else f"ssh://{last}"
    return f"{_literal(shlex.join(argv))} -W '[%h]:%p' {_literal(shlex.quote(where))}"


def _literal(text: str) -> str:
    """The text with no tokens in it."""
    return text.replace("%", "%%")


def expanded(text: str, options: Options, address: str) -> str:
    """The text with ssh_config's tokens and variables put in; unknown ones are left as they are."""
    tokens = {
        "%": "%",
        "h": options.hostname,
        "k": options.alias or options.hostname,
        "n": address,
        "p": str(options.port),
        "r": options.user,
        "u": getpass.getuser(),
        "i": str(os.getuid()),
        "d": str(Path.home()),
        "l": socket.gethostname(),
        "L": socket.gethostname().partition(".")[0],
    }
    return _TOKEN.sub(lambda match: tokens.get(match[1]) or os.environ.get(match[2] or "", match[0]), text)


def read(text: str, host: Host, *, is_strict: bool = False) -> Options:
    """The options that `ssh -G` printed for a host. Raises ValueError."""
    entries: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        entries.setdefault(key, []).append(value)

    def first(key: str) -> str:
        return entries.get(key, [""])[0]

    options = Options(
        first("hostname") or host.address, int(first("port") or 22), first("user"), (), (), alias=first("hostkeyalias")
    )
    put_in = partial(expanded, options=options, address=host.address)

    def paths(*values: str) -> tuple[Path, ...]:
        return tuple(Path(put_in(value)).expanduser() for value in values if value != "none")

    proxy = first("proxycommand")
    if first("proxyjump") not in ("", "none"):
        proxy = jumping(first("proxyjump"), arguments(), is_strict=is_strict)
    agent = first("identityagent") or "SSH_AUTH_SOCK"
    return Options(
        options.hostname,
        options.port,
        options.user,
        paths(*entries.get("identityfile", ())),
        paths(*shlex.split(first("userknownhostsfile")), *shlex.split(first("globalknownhostsfile"))),
        paths(*entries.get("certificatefile", ())),
        first("identitiesonly") == "yes",
        _agent(agent, put_in),
        options.alias,
        "" if proxy == "none" else proxy,
        tuple(key for key, usual in UNUSED.items() if first(key) not in usual),
        paths(*_files_of(first("revokedhostkeys"))),
    )


def _files_of(value: str) -> list[str]:
    """One file, or since OpenSSH 10 several; ssh prints a name with a space as it is."""
    return [value] if Path(value).expanduser().is_file() else shlex.split(value)


def _agent(value: str, put_in: partial[str]) -> str:
    if value == "none":
        return ""
    if value == "SSH_AUTH_SOCK" or value.startswith("$"):
        return os.environ.get(value.strip("${}"), "")
    return str(Path(put_in(value)).expanduser())


def _ask(host: Host, *, is_strict: bool) -> Options:
    of_host = (*(("-p", str(host.port)) if host.port != 22 else ()), *(("-l", host.user) if host.user else ()))
    try:
        process = subprocess.run(
            ["ssh", *arguments(), "-G", *of_host, "--", host.address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            timeout=PATIENCE,
        )
    except FileNotFoundError:
        raise ConfigError(
            f"There is no `ssh` on this machine that could read {own_file()}", "install it: openssh-client"
        ) from None
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"ssh did not say within {PATIENCE} s how it reaches {host.name} by {own_file()}",
            f"see what takes it so long, a command of Match exec or a name server: ssh -G {shlex.quote(host.address)}",
        ) from None
    if process.returncode:
        why = " ".join(process.stderr.split())
        raise ConfigError(f"{own_file()} can't be read as an ssh configuration: {why}")
    try:
        return read(process.stdout, host, is_strict=is_strict)
    except ValueError as error:
        raise ConfigError(f"{own_file()} makes of {host.name} what can't be read: {error}") from None


def arguments() -> tuple[str, ...]:
    """None where the home is that of the user database, where ssh looks; elsewhere the file that is meant, if any."""
    return () if _is_home() else ("-F", str(own_file()) if own_file().exists() else "none")


def _is_home() -> bool:
    return Path.home() == Path(pwd.getpwuid(os.getuid()).pw_dir)


def _files() -> list[Path]:
    return [file for file in (own_file(), *((SYSTEM,) if _is_home() else ())) if file.exists()]


def _lines(file: Path, depth: int = 0) -> Iterator[str]:
    """The lines of the file and of those it includes."""
    if depth > DEPTH:
        raise RecursionError
    for line in file.read_text(encoding="utf-8").splitlines():
        if included := _INCLUDE.fullmatch(line):
            for pattern in shlex.split(included[1], comments=True):
                whole = file.parent / Path(pattern).expanduser()
                for path in sorted(Path("/").glob(str(whole.absolute()).lstrip("/"))):
                    yield from _lines(path, depth + 1)
        else:
            yield line
