"""The first lines of the `jada` command: Ctrl-C is taken over before anything that takes a while is imported."""

from __future__ import annotations

from jada.cli import signals


def main() -> None:
    """Runs jada, see jada.cli.main."""
    try:
        signals.begin()
        from jada.cli.main import main as run

        run()
    except Exception:
        if not signals.leaving():
            raise
        signals.leave()
    except KeyboardInterrupt:
        signals.leave()
