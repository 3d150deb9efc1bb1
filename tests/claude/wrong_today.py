"""The configurations that jada is wrong about, by the test that fails, each with the reason.

What it works out from files and environments, as the table of docs/model-precedence.md has it, is a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Neither drift nor the model is told.
UNSEEN = {
    "the CLI drops a file with such a value, and jada does not know of it": (
        "dropped: permissions.defaultMode is mistyped",
        "dropped: permissions.allow is a string",
        "dropped: permissions.additionalDirectories is a string",
        "dropped: cleanupPeriodDays is 0",
        "dropped: cleanupPeriodDays is a string",
        "dropped: statusLine is a string",
        "dropped: includeCoAuthoredBy is a string",
        "dropped: apiKeyHelper is a number",
        "dropped: outputStyle is a number",
        "dropped: enableAllProjectMcpServers is a string",
        "dropped: sandbox is a string",
        "dropped: alwaysThinkingEnabled is a string",
        "dropped: language is a number",
        "dropped: spinnerTipsEnabled is a number",
        "dropped: disableAllHooks is a string",
        "dropped: enabledPlugins is a list",
    ),
    "jada takes for JSON what is none: a value of mask.awk's may stand in its place": (
        "dropped: a tab in a string",
        "dropped: an escape that is none",
        "dropped: a number with a zero in front",
    ),
    "the look reads the host's files, not those that the service sees": (
        "unit: ProtectHome=tmpfs",
        "unit: ProtectHome=yes",
        "unit: BindPaths= over ~/.claude",
        "unit: BindReadOnlyPaths= over settings.json",
        "unit: BindReadOnlyPaths= over managed settings",
        "unit: TemporaryFileSystem= over ~/.claude",
        "unit: InaccessiblePaths= of settings.json",
    ),
    "env in ~/.claude.json is not looked at": (
        "env of the user's own ~/.claude.json",
        "env of ~/.claude.json and of the unit",
    ),
    "of a repository only the very folder is looked at": (
        "it works below a repository with local settings",
        "it works in a worktree of a repository with local settings",
    ),
    "agents of parents, of the managed folder and of --agents are not looked at": (
        "an agent of the project's parent",
        "an agent of the managed folder",
        "--agent of --agents",
    ),
    "deniedModels are not known": (
        "deniedModels of the managed file with it",
        "deniedModels of the managed file with its family",
    ),
    "an empty CLAUDE_CONFIG_DIR moves the settings, too": ("environment: CLAUDE_CONFIG_DIR, empty",),
    "an empty --model is sent": ("command line: --model ''",),
    "a session that goes on keeps its model": ("a session that goes on, begun with another model",),
    "the body is not known": ("a body that names a model",),
}
# Drift is told, but with another model than the one that is asked for, or none.
MISNAMED = {
    "which model an alias or a retired id stands for moves with the CLI's version": (
        "the model is 'Claude-Sonnet-4-6'",
        "the model is 'sonnet'",
        "the model is 'opus'",
        "the model is 'haiku'",
        "the model is 'best'",
        "the model is 'opusplan'",
        "the model is 'sonnet[1m]'",
        "the model is 'claude-opus-4-1'",
        "the model is 'claude-opus-4-20250514'",
        "environment: ANTHROPIC_MODEL, an alias",
        "an alias, and what the environment says it means",
        "no model, and what the environment says opus means",
        "an agent with an alias",
        "command line: --model haiku",
    ),
    "the CLI takes white space off": ("the model is ' '", "the model is ' claude-haiku-4-5 '"),
    "a list that is enforced chooses": ("availableModels of the managed file, enforced",),
    "where a folder is named from is not known": (
        "CLAUDE_CONFIG_DIR, relative",
        "CLAUDE_CONFIG_DIR in env of the user's file",
    ),
}
FALSE = {
    "the words of a prompt are taken for a flag": ("command line: --append-system-prompt '--model claude-haiku-4-5'",),
    "jada reads no UTF-16": ("read: in UTF-16",),
}


def by_name(*groups: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {name: reason for group in groups for reason, names in group.items() for name in names}


OTHER_WORD = by_name(UNSEEN, MISNAMED, FALSE)
FALSE_FINDING = {
    name: reason for name, reason in by_name(FALSE).items() if name.startswith("command line: --append-system-prompt")
}
