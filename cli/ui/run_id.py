"""The id of this run of jada, by which its messages, the hosts' journals and hooks' events can be brought together."""

from __future__ import annotations

import os
from functools import cache


@cache
def run_id() -> str:
    return os.urandom(4).hex()
