"""The places on a host that jada knows by name; the scripts of files/ get them by assignment. Pure."""

from __future__ import annotations

# Root's own: the releases, the locks, and what is under way.
HOME = "/var/lib/jada"
RELEASES = f"{HOME}/releases"
# The name of both files that jada puts beside other people's.
OURS = "50-jada.conf"
UNITS = "/etc/systemd/system"
LIMITS = f"/etc/security/limits.d/{OURS}"
# The folder of the settings that an administrator sets for everybody.
MANAGED = "/etc/claude-code"


def dropin(unit: str) -> str:
    """The file that jada puts beside those of the unit."""
    return f"{UNITS}/{unit}.d/{OURS}"


def assigned(unit: str) -> dict[str, str]:
    """Assigns these paths to the variables of the scripts that look at a host or change it."""
    return {"HOME_OF_JADA": HOME, "DROPIN": dropin(unit), "LIMITS": LIMITS, "MANAGED": MANAGED}
