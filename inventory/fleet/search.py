"""The fleet.yml to use, of those that are there."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from jada import ConfigError
from jada.inventory.yaml_readers import expanded


def find(path: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The fleet.yml to use. Raises ConfigError saying where it looked."""
    for named, origin in ((path, "--fleet"), (environ.get("JADA_FLEET"), "$JADA_FLEET")):
        if named:
            file = cwd / expanded(named, origin)
            if not _is_there(file, unless_known=True):
                problem = "is a folder, and no fleet.yml" if file.is_dir() else "is not there"
                raise ConfigError(f"{file}, which {origin} names, {problem}", f"correct {origin}, or leave it out")
            return file
    home = Path(environ.get("HOME") or Path.home())
    places = [cwd / "inventory/fleet.yml", home / ".config/jada/fleet.yml", Path("/etc/jada/fleet.yml")]
    for file in places:
        if _is_there(file):
            return file
    raise ConfigError(
        "There is no fleet.yml: looked at " + ", ".join(str(file) for file in places),
        "`jada init` asks for what is needed and writes one; --fleet FILE or JADA_FLEET=FILE names one that is "
        "elsewhere; `jada lab up` makes one to practise on",
    )


def _is_there(file: Path, unless_known: bool = False) -> bool:
    """True for a file or a pipe, as of `<(…)`; `unless_known` where this user can't tell, and reading it says why."""
    try:
        return not stat.S_ISDIR(file.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return unless_known
