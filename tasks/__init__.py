"""The work on a host: pyinfra facts and operations, and the checks that judge what they saw."""

from pathlib import Path

import jada

FILES = Path(jada.__file__).parent / "files"
