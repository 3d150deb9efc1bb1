"""A place on a host has one home, tasks/paths.py: there it is changed, and everywhere else it follows."""

from __future__ import annotations

import re
from pathlib import Path

import jada
from jada import Service
from jada.inventory.fleet import service
from jada.tasks import paths
from jada.tasks.operator_lock import LockRequest, OperatorLock
from jada.tasks.transaction import lock_script, look_script

ROOT = Path(jada.__file__).parent
SPELLED = re.compile(rf"{paths.HOME}(?!-lab)|/{paths.OURS}|{paths.MANAGED}(?!/)")


def test_they_are_spelled_once() -> None:
    files = [file for room in ("cli", "files", "inventory", "tasks") for file in (ROOT / room).rglob("*")]
    code = [file for file in files if file.suffix in (".py", ".sh", ".awk", ".service")]
    spelled = {str(file.relative_to(ROOT)) for file in code if SPELLED.search(file.read_text())}
    # inventory/ knows no tasks: it keeps people's settings out of jada's own folder.
    assert spelled == {"tasks/paths.py", "inventory/fleet/service.py"}
    assert paths.HOME in service._ROOTS_OWN


def test_the_scripts_are_given_them() -> None:
    look = look_script(Service(unit="a.service", settings="~/x"))
    assert f"\nHOME_OF_JADA={paths.HOME}\nDROPIN=/etc/systemd/system/a.service.d/{paths.OURS}\n" in look
    lock = lock_script(LockRequest(OperatorLock("ann", "now", "", "x")))
    assert lock.startswith(f"HOME_OF_JADA={paths.HOME}\n")
