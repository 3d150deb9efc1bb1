"""Ways to configure a service of the Claude CLI, each with the model that CLI 2.1.332 asks for then. Data, no code.

The user's settings.json names DESIRED, which the host's release asks for, unless a configuration says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.claude.hosts import DESIRED, Configuration

OTHER = "claude-haiku-4-5"
# What the CLI asks for when nothing names a model, or what names one is dropped.
DEFAULT = "claude-opus-5-5"

USER, CLAUDE_JSON = "~/.claude/settings.json", "~/.claude.json"
PROJECT, LOCAL = "/srv/project/.claude/settings.json", "/srv/project/.claude/settings.local.json"
MANAGED, MANAGED_D = "/etc/claude-code/managed-settings.json", "/etc/claude-code/managed-settings.d"
NAMES_OTHER = {"model": OTHER}
ENV_OTHER = {"env": {"ANTHROPIC_MODEL": OTHER}}
SETS_OTHER = {"ANTHROPIC_MODEL": OTHER}

# A git repository, as little as git takes for one, and a worktree of it in /srv/tree.
REPOSITORY = {
    "/srv/project/.git/HEAD": "ref: refs/heads/main\n",
    "/srv/project/.git/objects/empty": "",
    "/srv/project/.git/refs/empty": "",
    "/srv/project/sub/README": "",
}
WORKTREE = {
    "/srv/project/.git/worktrees/tree/HEAD": "ref: refs/heads/x\n",
    "/srv/project/.git/worktrees/tree/commondir": "../..\n",
    "/srv/project/.git/worktrees/tree/gitdir": "/srv/tree/.git\n",
    "/srv/tree/.git": "gitdir: /srv/project/.git/worktrees/tree\n",
}


def with_model(**settings: object) -> dict[str, object]:
    """The settings of a user who has the released model in them."""
    return {"model": DESIRED, **settings}


def agent(name: str = "rev", model: str = OTHER) -> str:
    return f"---\nname: {name}\ndescription: reviews\nmodel: {model}\n---\nReview.\n"


def drops(name: str, user: object, telling: bool = False) -> Configuration:
    """A settings.json that the CLI leaves out as a whole."""
    return Configuration(name=f"dropped: {name}", asks=DEFAULT, user=user, telling=telling)


def reads(name: str, user: object, telling: bool = False) -> Configuration:
    """A settings.json that is odd, and yet counts."""
    return Configuration(name=f"read: {name}", asks=DESIRED, user=user, telling=telling)


def names(model: str, asks: str | None, telling: bool = False) -> Configuration:
    """A settings.json with this model."""
    return Configuration(name=f"the model is {model!r}", asks=asks, user={"model": model}, telling=telling)


def sets(name: str, asks: str | None, telling: bool = False, **env: str) -> Configuration:
    """Variables in the unit's environment."""
    return Configuration(name=f"environment: {name}", asks=asks, env=env, telling=telling)


def beside(name: str, asks: str, user: object, **env: str) -> Configuration:
    """Variables in the unit's environment, and a settings.json."""
    return Configuration(name=name, asks=asks, user=user, env=env)


def has(name: str, asks: str | None, telling: bool = False, **settings: object) -> Configuration:
    """More keys in the user's settings.json."""
    return Configuration(name=name, asks=asks, user=with_model(**settings), telling=telling)


def lies(
    name: str, asks: str | None, files: Mapping[str, object], telling: bool = False, flags: str = ""
) -> Configuration:
    """More files on the host."""
    return Configuration(name=name, asks=asks, files=files, telling=telling, flags=flags)


def unit(name: str, asks: str | None, *lines: str, telling: bool = False, script: str = "") -> Configuration:
    """More lines in the unit's [Service]."""
    return Configuration(name=f"unit: {name}", asks=asks, unit=lines, telling=telling, script=script)


def flags(words: str, asks: str | None, telling: bool = False, name: str = "") -> Configuration:
    """Words on the command line."""
    return Configuration(name=name or f"command line: {words}", asks=asks, flags=words, telling=telling)


def script(name: str, asks: str | None, lines: str, telling: bool = False) -> Configuration:
    return Configuration(name=name, asks=asks, script=lines, telling=telling)


# The file's text, where its being JSON or not is what matters.
TEXT = json.dumps(with_model(), indent=2)
MODELS = (
    Configuration(name="as released", asks=DESIRED, telling=True),
    Configuration(name="as released, the service is root's", asks=DESIRED, is_root=True, telling=True),
    script("no settings.json", DEFAULT, "rm $H/.claude/settings.json"),
    script("no ~/.claude at all", DEFAULT, "rm -r $H/.claude $H/.claude.json"),
    Configuration(name="an empty object", asks=DEFAULT, user={}),
    Configuration(name="a model of null", asks=DEFAULT, user={"model": None}),
    names(OTHER, OTHER),
    names("", DEFAULT),
    names(" ", ""),
    names(f" {OTHER} ", OTHER),
    names("claude-sonnet-4-6[1m]", DESIRED, telling=True),
    names("claude-sonnet-4.6", "claude-sonnet-4.6"),
    names("Claude-Sonnet-4-6", DESIRED),
    names("no-such-model", "no-such-model"),
    names("sonnet", "claude-sonnet-5-5", telling=True),
    names("opus", DEFAULT),
    names("haiku", "claude-haiku-5-5"),
    names("default", "default"),
    names("best", DEFAULT),
    names("opusplan", "claude-sonnet-5-5"),
    names("sonnet[1m]", "claude-sonnet-5-5"),
    names("inherit", "inherit"),
    names("claude-opus-4-1", DEFAULT, telling=True),
    names("claude-opus-4-20250514", DEFAULT),
    names("claude-sonnet-4-20250514", "claude-sonnet-4-20250514"),
    names("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20241022"),
    names("arn:aws:bedrock:us-east-1:1:inference-profile/x", "arn:aws:bedrock:us-east-1:1:inference-profile/x"),
)
VARIABLES = (
    sets("ANTHROPIC_MODEL", OTHER, ANTHROPIC_MODEL=OTHER, telling=True),
    sets("ANTHROPIC_MODEL, empty", DESIRED, ANTHROPIC_MODEL=""),
    sets("ANTHROPIC_MODEL, the same", DESIRED, ANTHROPIC_MODEL=DESIRED),
    sets("ANTHROPIC_MODEL, an alias", "claude-haiku-5-5", ANTHROPIC_MODEL="haiku"),
    sets("anthropic_model", DESIRED, anthropic_model=OTHER),
    sets("ANTHROPIC_DEFAULT_MODEL", DESIRED, ANTHROPIC_DEFAULT_MODEL=OTHER),
    sets("ANTHROPIC_DEFAULT_SONNET_MODEL", DESIRED, ANTHROPIC_DEFAULT_SONNET_MODEL=OTHER),
    sets("ANTHROPIC_SMALL_FAST_MODEL", DESIRED, ANTHROPIC_SMALL_FAST_MODEL=OTHER),
    sets("CLAUDE_CODE_SUBAGENT_MODEL", DESIRED, CLAUDE_CODE_SUBAGENT_MODEL=OTHER),
    sets("ANTHROPIC_CUSTOM_MODEL_OPTION", DESIRED, ANTHROPIC_CUSTOM_MODEL_OPTION=OTHER),
    sets("a note that looks like a variable", DESIRED, NOTE=f"x ANTHROPIC_MODEL={OTHER}", telling=True),
    Configuration(
        name="a body that names a model",
        asks=OTHER,
        unit=(f"Environment='CLAUDE_CODE_EXTRA_BODY={json.dumps(NAMES_OTHER)}'",),
        telling=True,
    ),
    beside("a default model, and none in the file", OTHER, {}, ANTHROPIC_DEFAULT_MODEL=OTHER),
    beside(
        "an alias, and what the environment says it means",
        OTHER,
        {"model": "sonnet"},
        ANTHROPIC_DEFAULT_SONNET_MODEL=OTHER,
    ),
    beside("no model, and what the environment says opus means", OTHER, {}, ANTHROPIC_DEFAULT_OPUS_MODEL=OTHER),
    unit(
        "a model that is set and taken back",
        DESIRED,
        f"Environment=ANTHROPIC_MODEL={OTHER}",
        "UnsetEnvironment=ANTHROPIC_MODEL",
    ),
    unit(
        "a model that is set and reset",
        DESIRED,
        f"Environment=ANTHROPIC_MODEL={OTHER}",
        "Environment=",
        "Environment=ANTHROPIC_BASE_URL=http://127.0.0.1:8787 ANTHROPIC_API_KEY=x",
    ),
    unit(
        "two values, the last counts",
        DESIRED,
        f"Environment=ANTHROPIC_MODEL={OTHER}",
        f"Environment=ANTHROPIC_MODEL={DESIRED}",
    ),
    script("EnvironmentFile=", OTHER, f"echo ANTHROPIC_MODEL={OTHER} >/etc/default/jada-agent", telling=True),
    script("EnvironmentFile= with a comment", DESIRED, f"echo '# ANTHROPIC_MODEL={OTHER}' >/etc/default/jada-agent"),
    script("EnvironmentFile= with export", DESIRED, f"echo 'export ANTHROPIC_MODEL={OTHER}' >/etc/default/jada-agent"),
    script("EnvironmentFile= with quotes", OTHER, f"""echo 'ANTHROPIC_MODEL="{OTHER}"' >/etc/default/jada-agent"""),
    script("systemd's own environment", OTHER, f"systemctl set-environment ANTHROPIC_MODEL={OTHER}"),
    script("/etc/environment", DESIRED, f"echo ANTHROPIC_MODEL={OTHER} >>/etc/environment"),
    script("the user's profile", DESIRED, f"echo export ANTHROPIC_MODEL={OTHER} >$H/.profile"),
    has("env of the user's file", OTHER, env=SETS_OTHER, telling=True),
    has("env of the user's file, with a default", DESIRED, env={"ANTHROPIC_DEFAULT_MODEL": OTHER}),
    has("env of the user's file, with a number", DESIRED, env={"CLAUDE_CODE_MAX_OUTPUT_TOKENS": 100}),
    Configuration(
        name="env of the user's file hides the unit's with nothing",
        asks=DESIRED,
        user=with_model(env={"ANTHROPIC_MODEL": ""}),
        env=SETS_OTHER,
    ),
    lies("env of the project's file", OTHER, {PROJECT: ENV_OTHER}),
    lies("env of the project's local file", OTHER, {LOCAL: ENV_OTHER}),
    lies("env of the managed file", OTHER, {MANAGED: ENV_OTHER}),
    lies("env of the user's own ~/.claude.json", OTHER, {CLAUDE_JSON: ENV_OTHER}, telling=True),
    lies("a model in ~/.claude.json", DESIRED, {CLAUDE_JSON: NAMES_OTHER}),
    lies("a ~/.claude.json that is not JSON", None, {CLAUDE_JSON: "{"}),
    Configuration(
        name="env of ~/.claude.json and of the user's file",
        asks=DESIRED,
        user=with_model(env={"ANTHROPIC_MODEL": DESIRED}),
        files={CLAUDE_JSON: ENV_OTHER},
    ),
    Configuration(
        name="env of ~/.claude.json and of the unit",
        asks=OTHER,
        files={CLAUDE_JSON: ENV_OTHER},
        env={"ANTHROPIC_MODEL": DESIRED},
    ),
)
LEVELS = (
    lies("managed settings", OTHER, {MANAGED: NAMES_OTHER}, telling=True),
    lies("managed settings in .d", OTHER, {f"{MANAGED_D}/10-x.json": NAMES_OTHER}),
    lies("managed settings in .d, the later name", DESIRED,
         {f"{MANAGED_D}/10-x.json": NAMES_OTHER, f"{MANAGED_D}/20-x.json": with_model()}),
    lies("managed settings in .d before those beside it", DESIRED,
         {MANAGED: NAMES_OTHER, f"{MANAGED_D}/20-x.json": with_model()}),
    lies("managed settings in .d with a dot in front", DESIRED, {f"{MANAGED_D}/.x.json": NAMES_OTHER}),
    lies("managed settings in .d of another kind", DESIRED, {f"{MANAGED_D}/10-x.conf": NAMES_OTHER}),
    lies("managed settings that are empty", DESIRED, {MANAGED: ""}, telling=True),
    lies("managed settings that say nothing", DESIRED, {MANAGED: {}}),
    lies("managed settings that are not JSON", None, {MANAGED: "{"}, telling=True),
    lies("managed settings of which a part is wrong", OTHER, {MANAGED: {**NAMES_OTHER, "env": "x"}}),
    lies("managed settings with an empty model", DEFAULT, {MANAGED: {"model": ""}}),
    lies("the project's settings", OTHER, {PROJECT: NAMES_OTHER}),
    lies("the project's local settings", OTHER, {LOCAL: NAMES_OTHER}, telling=True),
    lies("the project's local settings before its own", DESIRED, {PROJECT: NAMES_OTHER, LOCAL: with_model()}),
    lies("the project's settings with an empty model", DEFAULT, {PROJECT: {"model": ""}}),
    lies("the project's settings with a model of null", DESIRED, {PROJECT: {"model": None}}),
    lies("the project's settings, dropped", DESIRED, {PROJECT: {**NAMES_OTHER, "env": "x"}}),
    lies("settings of the project's parent", DESIRED, {"/srv/.claude/settings.json": NAMES_OTHER}),
    lies("local settings of the project's parent", DESIRED, {"/srv/.claude/settings.local.json": NAMES_OTHER}),
    lies("settings of the project's own subfolder", DESIRED, {"/srv/project/sub/.claude/settings.json": NAMES_OTHER}),
    lies("local settings at home", DESIRED, {"~/.claude/settings.local.json": NAMES_OTHER}),
    Configuration(
        name="local settings at home, where it works",
        asks=OTHER,
        files={"~/.claude/settings.local.json": NAMES_OTHER},
        unit=("WorkingDirectory=~",),
    ),
    Configuration(name="it works below a repository with local settings", asks=OTHER,
                  files={LOCAL: NAMES_OTHER, **REPOSITORY}, unit=("WorkingDirectory=/srv/project/sub",)),
    Configuration(name="it works below a repository with settings", asks=DESIRED,
                  files={PROJECT: NAMES_OTHER, **REPOSITORY}, unit=("WorkingDirectory=/srv/project/sub",)),
    Configuration(name="it works in a worktree of a repository with local settings", asks=OTHER,
                  files={LOCAL: NAMES_OTHER, **REPOSITORY, **WORKTREE}, unit=("WorkingDirectory=/srv/tree",),
                  telling=True),
    lies("--settings before the project's", OTHER, {LOCAL: with_model(), "/srv/x.json": NAMES_OTHER},
         flags="--settings /srv/x.json"),
    lies("--settings by a relative path", OTHER, {"/srv/project/x.json": NAMES_OTHER}, flags="--settings x.json"),
    lies("--settings below managed ones", OTHER, {MANAGED: NAMES_OTHER, "/srv/x.json": with_model()},
         flags="--settings /srv/x.json"),
    lies("--settings that is not JSON", DESIRED, {"/srv/x.json": "{"}, flags="--settings /srv/x.json"),
    flags("--settings /srv/nowhere.json", None),
    flags(f"--settings '{json.dumps(NAMES_OTHER)}'", OTHER, telling=True),
    flags(f"--settings '{json.dumps(ENV_OTHER)}'", OTHER),
    flags("--settings {", None),
    lies("the user's settings alone", DESIRED, {PROJECT: NAMES_OTHER}, flags="--setting-sources user"),
    lies("the project's settings alone", DEFAULT, {LOCAL: NAMES_OTHER}, flags="--setting-sources project",
         telling=True),
    lies("local settings alone", OTHER, {LOCAL: NAMES_OTHER}, flags="--setting-sources local"),
    lies("the user's and the project's settings", DESIRED, {LOCAL: NAMES_OTHER},
         flags="--setting-sources user,project"),
    flags("--setting-sources ''", DEFAULT),
    flags("--setting-sources=local", DEFAULT),
    lies("managed settings, and no other source", OTHER, {MANAGED: NAMES_OTHER}, flags="--setting-sources project"),
    lies("another folder's settings, added", DESIRED, {"/srv/more/.claude/settings.json": NAMES_OTHER},
         flags="--add-dir /srv/more"),
)  # fmt: skip
NOT_JSON = (
    drops("a comma too many", '{"model": "claude-sonnet-4-6",}'),
    drops("a comment", '{"model": "claude-sonnet-4-6" /* ours */}', telling=True),
    drops("a comment of a line", f"// ours\n{TEXT}"),
    drops("cut off", TEXT[:-2]),
    drops("empty", ""),
    drops("white space alone", " \n"),
    drops("null", "null"),
    drops("a list", "[]"),
    drops("a string", '"claude-sonnet-4-6"'),
    drops("single quotes", "{'model': 'claude-sonnet-4-6'}"),
    drops("a key without quotes", '{model: "claude-sonnet-4-6"}'),
    drops("a tab in a string", '{"model": "claude-sonnet-4-6", "x": "a\tb"}'),
    drops("an escape that is none", '{"model": "claude-sonnet-4-6", "x": "\\d"}', telling=True),
    drops("a line end in a string", '{"model": "claude-sonnet-4-6", "x": "a\nb"}'),
    drops("NaN", '{"model": "claude-sonnet-4-6", "x": NaN}'),
    drops("a number with a zero in front", '{"model": "claude-sonnet-4-6", "x": 01}'),
    drops("a plus in front", '{"model": "claude-sonnet-4-6", "x": +1}'),
    drops("words behind it", f"{TEXT} x"),
    drops("two objects", f"{TEXT}{TEXT}"),
    drops("a NUL behind it", f"{TEXT}\0"),
    reads("in UTF-16", TEXT.encode("utf-16")),
    reads("with a BOM", TEXT.encode("utf-8-sig"), telling=True),
    drops("with two BOMs", b"\xef\xbb\xbf" + TEXT.encode("utf-8-sig")),
    reads("with CRLF", TEXT.replace("\n", "\r\n")),
    reads("Latin-1 in a string", b'{"model": "claude-sonnet-4-6", "x": "\xe9"}'),
    reads("half a surrogate pair", '{"model": "claude-sonnet-4-6", "x": "\\ud800"}'),
    reads("a key twice, the last counts", f'{{"model": "{OTHER}", "model": "{DESIRED}"}}'),
    Configuration(name="a key twice, the last names another", asks=OTHER,
                  user=f'{{"model": "{DESIRED}", "model": "{OTHER}"}}'),
    reads("the key, escaped", '{"mod\\u0065l": "claude-sonnet-4-6"}'),
    Configuration(name="the key in capitals", asks=DEFAULT, user={"Model": DESIRED}),
    reads("a number too large", '{"model": "claude-sonnet-4-6", "x": 1e999}'),
    reads("deep", '{"model": "claude-sonnet-4-6", "x": ' + "[" * 500 + "]" * 500 + "}"),
    reads("of a megabyte", {"model": DESIRED, "x": "y" * 50_000}),
)  # fmt: skip
# One value of the wrong kind, and the whole file is left out. jada knows a few of them.
WRONG_TYPES = (
    drops("env is a string", with_model(env="x")),
    drops("env is a list", with_model(env=[])),
    reads("a list in env", with_model(env={"X": []})),
    drops("model is a number", {"model": 5}),
    drops("agent is a number", with_model(agent=5)),
    drops("permissions is a string", with_model(permissions="x")),
    drops("permissions.defaultMode is mistyped", with_model(permissions={"defaultMode": "acceptEdit"}), telling=True),
    drops("permissions.allow is a string", with_model(permissions={"allow": "Bash"})),
    drops("permissions.additionalDirectories is a string", with_model(permissions={"additionalDirectories": "/x"})),
    drops("availableModels is a string", with_model(availableModels=DESIRED)),
    drops("modelOverrides is a list", with_model(modelOverrides=[])),
    drops("cleanupPeriodDays is 0", with_model(cleanupPeriodDays=0), telling=True),
    drops("cleanupPeriodDays is a string", with_model(cleanupPeriodDays="30")),
    reads("hooks is a list", with_model(hooks=[])),
    drops("statusLine is a string", with_model(statusLine="date")),
    drops("includeCoAuthoredBy is a string", with_model(includeCoAuthoredBy="yes")),
    drops("apiKeyHelper is a number", with_model(apiKeyHelper=1)),
    drops("outputStyle is a number", with_model(outputStyle=1)),
    reads("forceLoginMethod is another word", with_model(forceLoginMethod="x")),
    drops("enableAllProjectMcpServers is a string", with_model(enableAllProjectMcpServers="true")),
    drops("sandbox is a string", with_model(sandbox="on")),
    drops("alwaysThinkingEnabled is a string", with_model(alwaysThinkingEnabled="yes")),
    drops("language is a number", with_model(language=5)),
    drops("fallbackModel is a number", with_model(fallbackModel=5)),
    drops("fallbackModel is a string", with_model(fallbackModel=OTHER)),
    drops("fallbackModel lists a number", with_model(fallbackModel=[OTHER, 5])),
    drops("spinnerTipsEnabled is a number", with_model(spinnerTipsEnabled=1)),
    drops("disableAllHooks is a string", with_model(disableAllHooks="true")),
    reads("deniedModels is a string", with_model(deniedModels=OTHER)),
    drops("enabledPlugins is a list", with_model(enabledPlugins=["x"])),
    reads("effortLevel is another word", with_model(effortLevel="huge")),
    reads("a key that nobody knows", with_model(nobodyKnows={"x": [1]}), telling=True),
    reads("a hook of an event that nobody knows", with_model(hooks={"Never": []})),
    reads("fallbackModel", with_model(fallbackModel=[OTHER])),
    reads("permissions as they should be", with_model(permissions={"defaultMode": "plan", "allow": ["Bash"]})),
)
LISTS = (
    has("availableModels with it", DESIRED, availableModels=[DESIRED]),
    has("availableModels without it", DEFAULT, availableModels=["claude-haiku-4-5"], telling=True),
    has("availableModels with its family", DESIRED, availableModels=["sonnet"]),
    has("availableModels with another of its family", DEFAULT, availableModels=["sonnet", "claude-sonnet-4-5"]),
    has("availableModels, empty", DEFAULT, availableModels=[]),
    has("availableModels in capitals", DESIRED, availableModels=["CLAUDE-SONNET-4-6"]),
    lies("availableModels of the managed file without it", DEFAULT, {MANAGED: {"availableModels": [OTHER]}}),
    lies("availableModels of the project without it", DEFAULT, {PROJECT: {"availableModels": [OTHER]}}),
    has("deniedModels with it", DESIRED, deniedModels=[DESIRED]),
    lies("deniedModels of the managed file with it", DEFAULT, {MANAGED: {"deniedModels": [DESIRED]}}, telling=True),
    lies("deniedModels of the managed file with its family", DEFAULT, {MANAGED: {"deniedModels": ["sonnet"]}}),
    lies("deniedModels of the managed file without it", DESIRED, {MANAGED: {"deniedModels": [OTHER]}}),
    lies("availableModels of the managed file, enforced", OTHER,
         {MANAGED: {"availableModels": [OTHER], "enforceAvailableModels": True}}),
    lies("availableModels of the managed file, matched exactly", DESIRED,
         {MANAGED: {"availableModels": [DESIRED], "availableModelsMatch": "exact"}}),
    has("modelOverrides for it", OTHER, modelOverrides={DESIRED: OTHER}, telling=True),
    has("modelOverrides for another", DESIRED, modelOverrides={OTHER: "x"}),
    has("modelOverrides in capitals", DESIRED, modelOverrides={"Claude-Sonnet-4-6": OTHER}),
    lies("modelOverrides of the managed file", OTHER, {MANAGED: {"modelOverrides": {DESIRED: OTHER}}}),
)  # fmt: skip
AGENTS = (
    Configuration(name="the user's agent", asks=OTHER, user=with_model(agent="rev"),
                  files={"~/.claude/agents/x.md": agent()}),
    Configuration(name="an agent that inherits", asks=DESIRED, user=with_model(agent="rev"),
                  files={"~/.claude/agents/x.md": agent(model="inherit")}),
    Configuration(name="an agent that is missing", asks=DESIRED, user=with_model(agent="rev")),
    Configuration(name="an agent with an alias", asks="claude-haiku-5-5", user=with_model(agent="rev"),
                  files={"~/.claude/agents/x.md": agent(model="haiku")}),
    Configuration(name="an agent with CRLF", asks=OTHER, user=with_model(agent="rev"),
                  files={"~/.claude/agents/x.md": agent().replace("\n", "\r\n")}),
    Configuration(name="an agent with quotes", asks=OTHER, user=with_model(agent="rev"),
                  files={"~/.claude/agents/x.md": agent(model=f'"{OTHER}"')}),
    Configuration(name="an agent without a description", asks=DESIRED, user=with_model(agent="rev"),
                  files={"~/.claude/agents/x.md": f"---\nname: rev\nmodel: {OTHER}\n---\nx\n"}),
    Configuration(name="an agent in a folder below", asks=OTHER, user=with_model(agent="rev"),
                  files={"~/.claude/agents/a/b/x.md": agent()}),
    Configuration(name="an agent of the project's parent", asks=OTHER, user=with_model(agent="rev"),
                  files={"/srv/.claude/agents/x.md": agent()}, telling=True),
    Configuration(name="an agent that the project chooses", asks=OTHER, files={
        PROJECT: {"agent": "rev"}, "/srv/project/.claude/agents/x.md": agent()}),
    Configuration(name="an agent of the managed folder", asks=OTHER, user=with_model(agent="rev"),
                  files={"/etc/claude-code/.claude/agents/x.md": agent()}),
    Configuration(name="an agent before the environment", asks=OTHER, user=with_model(agent="rev"),
                  files={"~/.claude/agents/x.md": agent()}, env={"ANTHROPIC_MODEL": DESIRED}),
    Configuration(name="an agent that nobody plays", asks=DESIRED, files={"~/.claude/agents/x.md": agent()}),
    lies("--agent", OTHER, {"~/.claude/agents/x.md": agent()}, flags="--agent rev", telling=True),
    flags("--agent nobody", DESIRED),
    flags(f"""--agent rev --agents '{{"rev": {{"description": "x", "prompt": "x", "model": "{OTHER}"}}}}'""", OTHER,
          name="--agent of --agents", telling=True),
    flags(f"""--agents '{{"rev": {{"description": "x", "prompt": "x", "model": "{OTHER}"}}}}'""", DESIRED,
          name="--agents that nobody plays"),
)  # fmt: skip
COMMAND_LINE = (
    flags(f"--model {OTHER}", OTHER, telling=True),
    flags(f"--model={OTHER}", OTHER),
    flags("--model haiku", "claude-haiku-5-5"),
    flags("--model ''", ""),
    flags(f"--model {OTHER} --model {DESIRED}", DESIRED),
    flags(f"--fallback-model {OTHER}", DESIRED),
    flags("--permission-mode plan", DESIRED),
    flags("--effort low", DESIRED),
    flags("--strict-mcp-config", DESIRED),
    flags("--append-system-prompt '--model claude-haiku-4-5'", DESIRED, telling=True),
    flags("--no-such-flag", None),
    Configuration(name="--model before the environment", asks=OTHER, flags=f"--model {OTHER}",
                  env={"ANTHROPIC_MODEL": DESIRED}),
    Configuration(
        name="a session that goes on, begun with another model", asks=OTHER, flags="-c", telling=True,
        script=f"as_user 'cd /srv/project && ANTHROPIC_API_KEY=x ANTHROPIC_BASE_URL=http://127.0.0.1:8787 "
               f"claude -p x --model {OTHER}' >/dev/null"),
    Configuration(
        name="a session that goes on, begun with the same model", asks=DESIRED, flags="-c",
        script=f"as_user 'cd /srv/project && ANTHROPIC_API_KEY=x ANTHROPIC_BASE_URL=http://127.0.0.1:8787 "
               f"claude -p x --model {DESIRED}' >/dev/null"),
)  # fmt: skip
FOLDERS = (
    Configuration(name="CLAUDE_CONFIG_DIR to other settings", asks=OTHER, env={"CLAUDE_CONFIG_DIR": "/srv/c"},
                  files={"/srv/c/settings.json": NAMES_OTHER}, telling=True),
    Configuration(name="CLAUDE_CONFIG_DIR to a copy", asks=DESIRED, env={"CLAUDE_CONFIG_DIR": "/srv/c"},
                  files={"/srv/c/settings.json": with_model()}),
    sets("CLAUDE_CONFIG_DIR to nowhere", DEFAULT, CLAUDE_CONFIG_DIR="/srv/nowhere"),
    sets("CLAUDE_CONFIG_DIR, empty", DEFAULT, CLAUDE_CONFIG_DIR="", telling=True),
    Configuration(name="CLAUDE_CONFIG_DIR to a link to ~/.claude", asks=DESIRED, env={"CLAUDE_CONFIG_DIR": "/srv/c"},
                  script="ln -s $H/.claude /srv/c", telling=True),
    Configuration(name="CLAUDE_CONFIG_DIR, relative", asks=OTHER, env={"CLAUDE_CONFIG_DIR": "c"},
                  files={"/srv/project/c/settings.json": NAMES_OTHER}),
    Configuration(name="CLAUDE_CONFIG_DIR with a slash behind it", asks=OTHER, env={"CLAUDE_CONFIG_DIR": "/srv/c/"},
                  files={"/srv/c/settings.json": NAMES_OTHER}),
    sets("CLAUDE_CONFIG_DIR with a tilde", DEFAULT, CLAUDE_CONFIG_DIR="~/.claude"),
    Configuration(name="CLAUDE_CONFIG_DIR in env of the user's file", asks=OTHER,
                  user=with_model(env={"CLAUDE_CONFIG_DIR": "/srv/c"}), files={"/srv/c/settings.json": NAMES_OTHER}),
    Configuration(name="HOME elsewhere", asks=OTHER, env={"HOME": "/srv/h"},
                  files={"/srv/h/.claude/settings.json": NAMES_OTHER}),
    script("~/.claude is a link", DESIRED, "mv $H/.claude /srv/c; ln -s /srv/c $H/.claude"),
    script("settings.json is a link", DESIRED,
           "mv $H/.claude/settings.json /srv/s; ln -s /srv/s $H/.claude/settings.json"),
    script("settings.json is a link to nothing", DEFAULT,
           "rm $H/.claude/settings.json; ln -s /srv/nowhere $H/.claude/settings.json"),
    script("settings.json is a folder", DEFAULT, "rm $H/.claude/settings.json; mkdir $H/.claude/settings.json"),
    script("settings.json is root's alone", DEFAULT,
           "chown root: $H/.claude/settings.json; chmod 600 $H/.claude/settings.json", telling=True),
    script("settings.json is for all to read", DESIRED, "chmod 644 $H/.claude/settings.json"),
    script("~/.claude is root's alone", DEFAULT, "chown root: $H/.claude; chmod 700 $H/.claude"),
    script("a copy of settings.json beside it", DESIRED,
           f"echo '{json.dumps(NAMES_OTHER)}' >$H/.claude/settings.json.bak"),
)  # fmt: skip
UNITS = (
    unit("ProtectHome=tmpfs", DEFAULT, "ProtectHome=tmpfs", telling=True),
    unit("ProtectHome=read-only", DESIRED, "ProtectHome=read-only", telling=True),
    unit("ProtectHome=yes", DEFAULT, "ProtectHome=yes"),
    Configuration(name="unit: BindPaths= over ~/.claude", asks=OTHER, files={"/srv/c/settings.json": NAMES_OTHER},
                  unit=("BindPaths=/srv/c:/home/agent/.claude",), telling=True),
    Configuration(name="unit: BindReadOnlyPaths= over settings.json", asks=OTHER, files={"/srv/s.json": NAMES_OTHER},
                  unit=("BindReadOnlyPaths=/srv/s.json:/home/agent/.claude/settings.json",)),
    Configuration(name="unit: BindReadOnlyPaths= over managed settings", asks=OTHER,
                  files={"/srv/m/managed-settings.json": NAMES_OTHER},
                  unit=("BindReadOnlyPaths=/srv/m:/etc/claude-code",)),
    unit("TemporaryFileSystem= over ~/.claude", DEFAULT, "TemporaryFileSystem=/home/agent/.claude", telling=True),
    unit("InaccessiblePaths= of settings.json", DEFAULT, "InaccessiblePaths=/home/agent/.claude/settings.json"),
    unit("ReadOnlyPaths= of the home", DESIRED, "ReadOnlyPaths=/home/agent"),
    unit("ProtectSystem=strict", None, "ProtectSystem=strict"),
    unit("PrivateTmp=yes", DESIRED, "PrivateTmp=yes"),
    unit("PrivateMounts=yes", DESIRED, "PrivateMounts=yes"),
    unit("NoNewPrivileges=yes", DESIRED, "NoNewPrivileges=yes"),
    unit("another user", OTHER, "User=admin", telling=True,
         script=f"install -d -o admin /home/admin/.claude; chown admin /srv/project; "
                f"echo '{json.dumps(NAMES_OTHER)}' >/home/admin/.claude/settings.json"),
    Configuration(name="unit: WorkingDirectory=~ and settings there", asks=DESIRED, unit=("WorkingDirectory=~",)),
    unit("WorkingDirectory= is a link to a project with settings", OTHER, "WorkingDirectory=/srv/link",
         script=f"mkdir -p /srv/real/.claude; echo '{json.dumps(NAMES_OTHER)}' >/srv/real/.claude/settings.json; "
                f"ln -s real /srv/link; chown -R $U: /srv/real"),
)  # fmt: skip
STARTERS = (
    script("a script that execs", DESIRED, 'wrapped "exec $SESSION"'),
    script("a script that exports a model and execs", OTHER,
           f"wrapped 'export ANTHROPIC_MODEL={OTHER}' \"exec $SESSION\""),
    script("a script that does not exec", DESIRED, "wrapped session"),
    script("a script that exports a model", OTHER, f"wrapped 'export ANTHROPIC_MODEL={OTHER}' session", telling=True),
    script("a script that exports nothing and takes a model away", DESIRED,
           f"echo ANTHROPIC_MODEL={OTHER} >/etc/default/jada-agent; wrapped 'unset ANTHROPIC_MODEL' session",
           telling=True),
    script("a script that passes --model", OTHER, f"wrapped 'session --model {OTHER}'", telling=True),
    script("a script that works elsewhere", OTHER, f"""
mkdir -p /srv/two/.claude; echo '{json.dumps(NAMES_OTHER)}' >/srv/two/.claude/settings.json; chown -R $U: /srv/two
wrapped 'cd /srv/two' session"""),
    script("a script with another home", OTHER, f"""
mkdir -p /srv/h/.claude; echo '{json.dumps(NAMES_OTHER)}' >/srv/h/.claude/settings.json; chown -R $U: /srv/h
wrapped 'export HOME=/srv/h' session"""),
    script("a script that reads a file of variables", OTHER,
           f"echo export ANTHROPIC_MODEL={OTHER} >/srv/env; wrapped '. /srv/env' session"),
    script("a login shell", OTHER,
           f"echo export ANTHROPIC_MODEL={OTHER} >$H/.profile; chown $U: $H/.profile; dropin ExecStart= "
           """"ExecStart=/bin/bash -lc '$SESSION'" """, telling=True),
    script("a script that keeps watch beside it", DESIRED, "wrapped 'sleep 1000 &' session"),
    script("a script that starts it again and again", DESIRED, "wrapped 'while :; do session; sleep 1; done'"),
    script("the CLI as the main process", DESIRED, "direct claude", telling=True),
    script("the CLI as the main process, --model", OTHER, f"direct claude --model {OTHER}"),
    script("the CLI by another name", DESIRED, "ln -s /usr/local/bin/claude /srv/bot; direct /srv/bot"),
    script("the CLI under env", OTHER, f"direct /usr/bin/env ANTHROPIC_MODEL={OTHER} claude"),
    script("a node that starts it", OTHER, f"""
cp /usr/bin/python3 /srv/node
echo "import os, subprocess
os.environ['ANTHROPIC_MODEL'] = '{OTHER}'
subprocess.run(['/usr/local/bin/jada-agent'])" >/srv/run.js
dropin ExecStart= 'ExecStart=/srv/node /srv/run.js'"""),
    Configuration(name="as root, a script that exports a model", asks=OTHER, is_root=True,
                  script=f"wrapped 'export ANTHROPIC_MODEL={OTHER}' session"),
)  # fmt: skip
CONFIGURATIONS = (
    *MODELS, *VARIABLES, *LEVELS, *NOT_JSON, *WRONG_TYPES, *LISTS, *AGENTS, *COMMAND_LINE, *FOLDERS, *UNITS, *STARTERS,
)  # fmt: skip
