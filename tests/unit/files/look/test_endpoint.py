"""An endpoint is asked whether it knows a model, by a real curl (files/look/endpoint-as-service.sh)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

MARK = "(jada: its environment)"
BETWEEN = "\x1e"
MODEL = "claude-opus-5"
KNOWN = json.dumps({"type": "model", "id": MODEL})


@dataclass
class Api:
    """An endpoint that answers as it is told, and remembers what it was asked."""

    url: str = ""
    status: int = 200
    body: str = KNOWN
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def api() -> Iterator[Api]:
    endpoint = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(endpoint.status)
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(endpoint.body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint.url = f"http://127.0.0.1:{server.server_port}"
        yield endpoint
        server.shutdown()
        thread.join()


def ask(
    tree: Tree, env: Mapping[str, str], *files: Any, model: str = MODEL, has_helper: bool = False
) -> tuple[str, str]:
    """What is printed, and the exit code, for a process with these variables and settings files, the weakest first."""
    home = tree.root / "home"
    home.mkdir(exist_ok=True)
    given = BETWEEN.join(
        ["claude", "ANTHROPIC_API_KEY=of-an-argument", MARK, *(f"{n}={v}" for n, v in env.items()), ""]
    )
    tree.file("given", given)
    paths = []
    for number, content in enumerate(files):
        text = content if isinstance(content, str) else json.dumps(content)
        paths.append(str(tree.file(f"home/settings{number}.json", text)))
    values = {
        "MARK": MARK,
        "H": str(home),
        "ID": model,
        "HELPER": "yes" if has_helper else "",
        "FILES": "\n".join(paths),
    }
    script = '(endpoint_as_service "$MARK" "$H" "$ID" "$HELPER" "$FILES" <given); echo "$?"'
    *lines, code = tree.run(script, half="endpoint", **values).splitlines()
    return "\n".join(lines), code


def test_it_is_asked_as_whom_the_service_is_known(tree: Tree, api: Api) -> None:
    assert ask(tree, {"ANTHROPIC_BASE_URL": f"{api.url}/", "ANTHROPIC_API_KEY": 'k"\\e y'}) == ("200 0 yes", "0")
    ((path, headers),) = api.asked
    assert path == f"/v1/models/{MODEL}"
    assert (headers["x-api-key"], headers["anthropic-version"]) == ('k"\\e y', "2023-06-01")
    assert "authorization" not in headers


def test_a_token_goes_before_a_key_and_headers_of_its_own_come_too(tree: Tree, api: Api) -> None:
    env = {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "k", "ANTHROPIC_AUTH_TOKEN": "t"}
    assert ask(tree, {**env, "ANTHROPIC_CUSTOM_HEADERS": "X-Team: a\nX-Why: b c"})[0] == "200 0 yes"
    headers = api.asked[0][1]
    assert (headers["authorization"], headers["x-team"], headers["x-why"]) == ("Bearer t", "a", "b c")
    assert "x-api-key" not in headers


def test_a_header_is_no_file_of_headers(tree: Tree, api: Api) -> None:
    file = tree.file("secret", "X-Secret: s\n")
    env = {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "k"}
    assert ask(tree, {**env, "ANTHROPIC_CUSTOM_HEADERS": f"@{file}\nX-Team: a"})[0] == "200 0 yes"
    headers = api.asked[0][1]
    assert headers["x-team"] == "a"
    assert "x-secret" not in headers


def test_the_env_of_its_settings_counts_more_than_its_environment(tree: Tree, api: Api) -> None:
    tree.file("home/.claude.json", json.dumps({"env": {"ANTHROPIC_API_KEY": "of-claude-json"}}))
    env = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": "of-the-process"}
    weak = {"model": "m", "env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "OTHER": "x"}}
    strong = '{"a": [{"env": {"ANTHROPIC_API_KEY": "no"}}], "\\u0065": "", "env" :\n{"ANTHROPIC_BASE_URL": "%s"} }'
    assert ask(tree, env, weak, strong % api.url.replace("/", "\\/").replace(":", "\\u003A", 1))[0] == "200 0 yes"
    assert api.asked[0][1]["x-api-key"] == "of-claude-json"
    ask(tree, env, {"env": {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": 'a "q"\\'}})
    assert api.asked[1][1]["x-api-key"] == 'a "q"\\'


@pytest.mark.parametrize(
    ("status", "body", "names"),
    [
        (404, '{"type":"error","error":{"type":"not_found_error","message":"model: claude-opus-5"}}', "yes"),
        (404, "Cannot GET /v1/models/claude-opus-5", "no"),
        (404, '{"detail":"Not Found"}', "no"),
        (401, "", "no"),
        (200, "<html>hello</html>", "no"),
        (200, "<html>all is well at /v1/models/claude-opus-5</html>", "no"),
        (200, '{"id": "anthropic/claude-opus-5"}', "yes"),
    ],
)
def test_what_comes_back_is_the_status_and_whether_it_is_about_the_model(
    tree: Tree, api: Api, status: int, body: str, names: str
) -> None:
    api.status, api.body = status, body
    assert ask(tree, {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "k"})[0] == f"{status} 0 {names}"


def test_a_flood_of_an_answer_has_an_end(tree: Tree, api: Api) -> None:
    api.body = "x" * 10_000_000
    assert ask(tree, {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "k"}) == ("", "86")


def test_an_id_with_the_signs_of_a_path(tree: Tree, api: Api) -> None:
    ask(tree, {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "k"}, model="a/b@c:d")
    assert api.asked[0][0] == "/v1/models/a%2Fb@c:d"


def test_an_endpoint_that_nobody_answers_at(tree: Tree) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    env = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "ANTHROPIC_API_KEY": "k"}
    assert ask(tree, env) == ("000 7 no", "0")


@pytest.mark.parametrize(
    ("env", "settings", "has_helper", "code"),
    [
        ({"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_API_KEY": "k"}, {}, False, "81"),
        ({"ANTHROPIC_API_KEY": "k"}, {"env": {"CLAUDE_CODE_USE_VERTEX": 1}}, False, "81"),
        ({}, {}, True, "82"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "t"}, {}, False, "83"),
        ({}, {}, False, "84"),
        ({"ANTHROPIC_API_KEY": "k"}, {"env": {"ANTHROPIC_API_KEY": ""}}, False, "84"),
        ({"ANTHROPIC_API_KEY": "a\nb"}, {}, False, "85"),
        ({}, {"env": {"ANTHROPIC_API_KEY": "\u00fc"}}, False, "85"),
    ],
)
def test_what_can_not_be_asked_says_why(
    tree: Tree, api: Api, env: dict[str, str], settings: object, has_helper: bool, code: str
) -> None:
    given = {"ANTHROPIC_BASE_URL": api.url, **env}
    assert ask(tree, given, settings, has_helper=has_helper) == ("", code)
    assert api.asked == []


def test_a_cloud_that_is_switched_off_is_none(tree: Tree, api: Api) -> None:
    env = {"ANTHROPIC_BASE_URL": api.url, "CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_API_KEY": "k"}
    assert ask(tree, env, {"env": {"CLAUDE_CODE_USE_BEDROCK": "0"}})[0] == "200 0 yes"


def test_a_login_of_a_person(tree: Tree) -> None:
    tree.file("home/.claude/.credentials.json", "{}")
    assert ask(tree, {}) == ("", "83")


def test_no_secret_is_on_a_command_line(tree: Tree, api: Api) -> None:
    """A stand-in for curl tells what everybody on the host could see."""
    tree.file("bin/curl", '#!/bin/sh\nprintf "%s\\n" "$@" >"$0.words"; exec /usr/bin/curl "$@"\n').chmod(0o755)
    tree.file("bin/sed", '#!/bin/sh\nprintf "%s\\n" "$@" >>"$0.words"; exec /usr/bin/sed "$@"\n').chmod(0o755)
    env = {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "secret"}
    tree.file("given", BETWEEN.join(["claude", MARK, *(f"{n}={v}" for n, v in env.items()), ""]))
    script = 'PATH=$ROOT/bin:$PATH; endpoint_as_service "$MARK" "$ROOT/home" m "" "" <given'
    tree.run(script, half="endpoint", MARK=MARK)
    words = (tree.root / "bin/curl.words").read_text() + (tree.root / "bin/sed.words").read_text()
    assert "secret" not in words
    assert "127.0.0.1" not in words
    assert api.asked[0][1]["x-api-key"] == "secret"
