"""The operator's own ~/.ssh/config, as far as it gives hosts other names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from jada import ConfigError

# As many files in one another as ssh itself reads.
DEPTH = 16
_INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)


def renamed(file: Path, addresses: Sequence[str]) -> list[str]:
    """The HostName of each address, which is the address itself where there is none. Raises ConfigError."""
    # Here, because paramiko takes long to import, and most machines that run jada have no such file.
    from paramiko import SSHConfig

    try:
        config = SSHConfig.from_text("\n".join(_lines(file)))
        return [str(config.lookup(address).get("hostname", address)) for address in addresses]
    except Exception as error:
        # Whatever paramiko makes of it: what it can't read here, it can't read for any host.
        raise ConfigError(f"{file} can't be read as an ssh configuration: {error}") from None


def _lines(file: Path, depth: int = 0) -> Iterator[str]:
    """The lines of the file and of those it includes, without comments, as pyinfra reads them."""
    if depth > DEPTH:
        raise ConfigError(f"{file} is included by a file that it includes")
    for line in file.read_text(encoding="utf-8").splitlines():
        text = re.sub(r"\s#[^\"']*$", "", line)
        if included := _INCLUDE.fullmatch(text):
            pattern = file.parent / Path(included.group(1).strip().strip('"')).expanduser()
            for one in sorted(Path("/").glob(str(pattern.absolute()).lstrip("/"))):
                yield from _lines(one, depth + 1)
        else:
            yield text
