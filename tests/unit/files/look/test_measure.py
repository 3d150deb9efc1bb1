"""What probes measure on a host (files/look/measure.sh, measure-as-user.sh), as far as that needs no root."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

GROUP = "/system.slice/jada-agent.service"
STAT = "usage_usec 45100\nuser_usec 35829\nsystem_usec 9271\nnr_periods 0\n"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An endpoint that knows /well."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/well" else 503)
            self.end_headers()
            self.wfile.write(b"x" * 100_000)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("place", ["", "/unified"])
def test_a_control_group_is_read_where_it_is(tree: Tree, place: str) -> None:
    tree.file(f"/sys/fs/cgroup{place}{GROUP}/cpu.stat", STAT)
    tree.file(f"/sys/fs/cgroup{place}{GROUP}/memory.current", "104857600\n")
    found = tree.frames("control_group", half="measure", group=GROUP)
    assert found == [("cpu", "45100"), ("memory", "104857600")]


@pytest.mark.parametrize("group", ["", GROUP])
def test_a_host_that_does_not_count_says_nothing(tree: Tree, group: str) -> None:
    assert tree.frames("control_group", half="measure", group=group) == []
    tree.file(f"/sys/fs/cgroup{GROUP}/cpu.stat", STAT)
    assert tree.frames("control_group", half="measure", group=group) == ([("cpu", "45100")] if group else [])


JOURNALS = [
    # What it prints, and its exit code; entries and what came of it.
    ('{"a":1}\n{"a":2}\n', 0, "2\n0"),
    ("", 0, "0\n0"),
    ("", 1, "0\n0"),
    ('{"a":1}\n', 124, "1\n124"),
    ('{"a":1}\n{"a":', 124, "2\n124"),
    ("Failed to parse pattern\n", 1, "0\nodd"),
    ("Compiled without pattern matching support\n", 1, "0\nodd"),
]


@pytest.mark.parametrize(("said", "code", "counted"), JOURNALS)
def test_entries_are_counted_and_trouble_is_none(tree: Tree, said: str, code: int, counted: str) -> None:
    file = tree.file("/bin/journalctl", f"#!/bin/sh\nprintf '%s' '{said}'\nexit {code}\n")
    file.chmod(0o755)
    script = 'PATH=$ROOT/bin:$PATH; count_entries 4 60 err ""'
    assert tree.frames(script, half="measure", invocation="abc") == [("journal+", f"4\n{counted}")]


def test_a_journal_is_asked_for_this_start_alone(tree: Tree) -> None:
    tree.file("/bin/journalctl", '#!/bin/sh\nprintf "%s\\n" "$@" >"$ROOT/asked"\n').chmod(0o755)
    script = 'export ROOT; PATH=$ROOT/bin:$PATH; count_entries 4 60 err "a b|-c"'
    tree.frames(script, half="measure", invocation="abc")
    asked = (tree.root / "asked").read_text().splitlines()
    assert asked[-7] == "--since=-60s"
    assert asked[-6:] == [
        "--priority=err", "--grep=a b|-c", "_SYSTEMD_INVOCATION_ID=abc", "+", "INVOCATION_ID=abc", "_PID=1",
    ]  # fmt: skip
    tree.frames('export ROOT; PATH=$ROOT/bin:$PATH; count_entries 4 0 "" ""', half="measure", invocation="abc")
    asked = (tree.root / "asked").read_text().splitlines()
    assert not [word for word in asked if word.startswith(("--since", "--priority", "--grep"))]


def test_requests_to_urls_are_told_one_by_one(tree: Tree, url: str) -> None:
    script = f"ask_urls 2 5 {url}/well 6 {url}/ill"
    lines = [line.split() for line in tree.run(script, half="measure as user").splitlines()]
    assert [(kind, number, status, code) for kind, number, status, _, code in lines] == [
        ("http", "5", "200", "0"),
        ("http", "6", "503", "0"),
    ] * 2
    assert all(float(time) >= 0 for _, _, _, time, _ in lines)


def test_who_does_not_answer_is_told_by_curls_exit_code(tree: Tree) -> None:
    kind, number, status, _, code = tree.run("ask_urls 1 0 http://127.0.0.1:1/", half="measure as user").split()
    assert (kind, number, status, code) == ("http", "0", "000", "7")


def test_a_host_without_curl(tree: Tree) -> None:
    tree.file("/bin/sleep", "#!/bin/sh\n").chmod(0o755)
    said = tree.run("PATH=$ROOT/bin; ask_urls 1 0 http://127.0.0.1:1/", half="measure as user")
    assert said == "http 0 000 0.0 127\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo 12.5", "0 12.5"),
        ("printf -- -3", "0 -3"),
        ("echo 4; exit 3", "3 4"),
        ("yes", "long y"),
        ("cat /dev/zero", f"long {'?' * 40}"),
        ("head -c 10000000 /dev/zero | tr '\\\\0' 7", f"long {'7' * 40}"),
        ("printf '1\\\\033[31m'", "0 1??31m"),
        ("printf ' 7\\\\t\\\\r\\\\n'", "0 7"),
        ("echo 1,5", "0 1?5"),
        ("echo 1 of 5", "0 1?of?5"),
        ("echo 5%", "0 5?"),
        ("echo NaN", "0 NaN"),
        ("echo", "0 "),
        ("echo 1; echo http 0 200 0.1 0", "0 1"),
        ("cat", "0 "),
    ],
)
def test_a_command_gives_one_word(tree: Tree, command: str, said: str) -> None:
    """No more of what it prints gets out, and nothing that could be another line."""
    script = 'run_commands 7 "$COMMAND"'
    assert tree.run(script, half="measure as user", COMMAND=command.replace("\\\\", "\\")) == f"command 7 {said}\n"
