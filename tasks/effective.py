"""Which model a process started now would ask for, by the Claude CLI's own precedence. Pure.

Source: measured with Claude CLI 2.1.331 (docs/model-precedence.md). Highest first: --model; ANTHROPIC_MODEL, where an
`env` block of a settings file beats the process's own environment; managed settings, later names winning; the
project's settings.local.json; ~/.claude/settings.json; ANTHROPIC_DEFAULT_MODEL.
"""

from __future__ import annotations

from dataclasses import dataclass

from jada.tasks.settings import SettingsError
from jada.tasks.state import Settings, State


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that names a model."""

    model: str
    where: str


def chain(state: State) -> tuple[Origin, ...]:
    """Every place that names a model for the service, the one that wins first."""
    env = state.process.env if state.process else {}
    local = [layer for layer in state.layers if layer.path.endswith(".local.json") and _counts(state)]
    managed = [layer for layer in state.layers if not layer.path.endswith(".local.json")]
    by_rank = [*reversed(managed), *local, state.settings]
    found = [Origin(state.process.argv_model if state.process else "", "--model on the command line")]
    found += [Origin(_env_model(layer), f"env.ANTHROPIC_MODEL in {layer.path}") for layer in by_rank]
    found += [Origin(env.get("ANTHROPIC_MODEL", ""), "ANTHROPIC_MODEL in the process's environment")]
    found += [Origin(layer.model, f"model in {layer.path}") for layer in by_rank]
    found += [Origin(env.get("ANTHROPIC_DEFAULT_MODEL", ""), "ANTHROPIC_DEFAULT_MODEL in the process's environment")]
    return tuple(origin for origin in found if origin.model)


def shadow(state: State) -> Origin | None:
    """What makes the model in the user's settings.json not count, if anything does."""
    first = next(iter(chain(state)), None)
    own = f"model in {state.settings.path}"
    return first if first and first.where != own and first.model != state.settings.model else None


def _counts(state: State) -> bool:
    # ~/.claude/settings.local.json is the local layer of the project ~, so only for a service that works there.
    folder = state.settings.path.rsplit("/.claude/", 1)[0]
    return state.unit.working_directory in ("~", folder)


def _env_model(layer: Settings) -> str:
    try:
        env = layer.values.get("env")
    except SettingsError:
        return ""
    model = env.get("ANTHROPIC_MODEL") if isinstance(env, dict) else None
    return model if isinstance(model, str) else ""
