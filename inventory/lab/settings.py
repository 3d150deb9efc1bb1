"""The settings.json that each lab host has at first: texts as people and tools really leave them there."""

from __future__ import annotations

import json

UNUSUAL = """\
{\n\t"$schema" : "https://json.schemastore.org/claude-code-settings.json",
\t"env":{"ANTHROPIC_AUTH_TOKEN":"SECRET\\"\\u00e9\\\\", "GREETING":"Grüße, 世界 🚀"},
\t"statusLine": { "type":"command","command":"x", "model":"not this one" },
\t"model"  :  "MODEL" ,\n\t"hooks" : { }, "apiKeyHelper":"/usr/bin/echo SECRET", "numbers":[1, 2.50 ,3e2]}"""


def first_settings(number: int, name: str, model: str) -> str:
    """Text by the host's number: 1 plain, 2 oddly formatted without an end of line, 3 CRLF with a BOM, others compact.

    Each holds made-up secrets that contain "lab-secret-", for tests to look for in what is printed and logged.
    """
    secret = f"lab-secret-{name}"
    plain = {
        "model": model,
        "env": {"ANTHROPIC_API_KEY": f"sk-ant-{secret}", "DISABLE_TELEMETRY": "1"},
        "apiKeyHelper": f"/usr/bin/echo {secret}",
        "permissions": {"allow": ["Bash(git *)"], "deny": []},
    }
    if number == 1:
        return json.dumps(plain, indent=2) + "\n"
    if number == 2:
        return UNUSUAL.replace("SECRET", secret).replace("MODEL", model)
    if number == 3:
        return "\ufeff" + json.dumps(plain, indent=4).replace("\n", "\r\n") + "\r\n"
    return json.dumps(plain, separators=(",", ":"))
