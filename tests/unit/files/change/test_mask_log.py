"""files/change/mask-log.awk: a log tells why a start failed, and no secret."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

import jada

MASK = Path(jada.__file__).parent / "files" / "change" / "mask-log.awk"
AWKS = [awk for awk in (["mawk"], ["gawk"], ["busybox", "awk"], ["original-awk"]) if shutil.which(awk[0])]
each_awk = pytest.mark.parametrize("awk", AWKS, ids=" ".join)
# As a journal's own lines: what a service may write to keep the host busy.
WORST = [
    "a " * 50_000, "key" * 50_000, "key-" * 50_000, "key=" * 50_000, "-key " * 50_000, "key is " * 50_000, '"' * 50_000,
    'key="' + '\\"' * 50_000, "key=" + "[" * 50_000, "://" * 50_000, '://"@' * 50_000, "a:b@" * 50_000, "=" * 50_000,
    "aaaaaa" * 20_000, "?" * 50_000, "\\" * 50_000, "key" + " " * 50_000, "token is is is " * 9_000, "-u a" * 50_000,
]  # fmt: skip
SETTINGS = json.dumps(
    {
        "model": "claude-opus-5",
        "env": {"MY_WORD": "swordfish", "TWO": 'leftmost"middle\\right-part', "OVER": "swordfish-and-chips"},
        "permissions": {"allow": ["Bash(deploy-it)"]},
    },
    indent=2,
)
ENVIRONMENT = "PATH=/usr/bin:/bin\nAPP_PASSWORD=correct horse\nHOME=/home/agent\n"


def mask(line: str, awk: list[str], settings: str = "", environment: str = "") -> str:
    """As files/change/host.sh has it done; the environment is given as env(1) shows it."""
    known = settings.replace("\n", "\1") + "\n" + environment.replace("\n", "\2") + "\n"
    command = [shutil.which(awk[0]) or awk[0], *awk[1:], "-f", str(MASK)]
    env = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    process = subprocess.run(command, input=(known + line).encode(), capture_output=True, check=True, env=env)
    assert process.stderr == b""
    return process.stdout.decode().removesuffix("\n")


@each_awk
@pytest.mark.parametrize(
    "line",
    [
        "2026-11-25T19:20:11+0000 jada-agent[403]: crashing on start, as told",
        '2026-11-25T19:20:11+0000 jada-agent[403]: {"event": "start", "model": "claude-sonnet-4-5-20250929"}',
        "systemd[1]: jada-agent.service: Main process exited, code=exited, status=1/FAILURE",
        "There's an issue with the selected model (claude-x-9). It may not exist or you may not have access to it.",
        '  File "/usr/lib/python3/dist-packages/foo/__init__.py", line 12, in <module>',
        "Error: listen EADDRINUSE: address already in use 127.0.0.1:8787",
        "Invalid API key · Please run /login",
        "the secret is required, the key was not found, and a token has expired",
        '{"type":"result","input_tokens":1234,"output_tokens":56,"result":"ok"}',
        "Failed to authenticate: OAuth session expired and could not be refreshed",
        "jada-agent --model claude-opus-5 --user agent -u agent",
        "release 20261125-192636-fc57; the token expired; 401 Unauthorized from https://api.anthropic.com/v1/messages",
        "",
    ],
)
def test_what_people_need_stays(line: str, awk: list[str]) -> None:
    assert mask(line, awk, SETTINGS, ENVIRONMENT) == line


SECRET = "hunter2"
LONG = "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg"


@each_awk
@pytest.mark.parametrize(
    "line",
    [
        f"password={SECRET}",
        f"login failed, password: {SECRET}",
        f'{{"api_key": "{SECRET}", "x": 1}}',
        f"{{'db_password' : '{SECRET}'}}",
        f"Authorization: Bearer {SECRET}",
        f"authorization=Basic {SECRET}",
        f"export ANTHROPIC_API_KEY='{SECRET}'",
        f"GET https://ann:{SECRET}@example.org/x",
        f"GET https://example.org/x?sig={SECRET}&a=b",
        f"using {LONG}",
        f"using sk-ant-{LONG}",
        f"/var/keys/{LONG}",
        f"wJalrXUtnFEMI/K7MDENG/bPxRfiCY{SECRET}",
        "the word is swordfish",
        "swordfishswordfish-and-chipsswordfish",
        'leftmost"middle',
        "right-part of it",
        "run Bash(deploy-it)",
        "connect with correct horse",
        f"start --password {SECRET}",
        f"start --password '{SECRET} {SECRET}'",
        f"['start', '--token', '{SECRET}', 'x']",
        f'["start","--token","{SECRET}","x"]',
        f"start --password-stdin --token {SECRET}",
        f"--token -{SECRET}",
        f"login with password {SECRET}",
        f"login with password '{SECRET}'",
        f"the secret is {SECRET}",
        f"the password was set to {SECRET}",
        f"x-api-key {SECRET}",
        f"api_key => {SECRET}",
        f"'api_key'=>'{SECRET}'",
        f'headers["x-api-key"] = "{SECRET}"',
        f"pwd={SECRET}",
        f"user=ann&password={SECRET}",
        f"curl -u admin:{SECRET} http://x",
        f'curl -u "admin:{SECRET} {SECRET}"',
        f"curl -uadmin:{SECRET}",
        f"curl --user admin:{SECRET}",
        f"curl --user=admin:{SECRET}",
        f"curl -H 'Authorization: Bearer {SECRET}'",
        f"Cookie: a={SECRET}; b={SECRET}",
        f"postgres://user:p/{SECRET}@host/db",
        f"postgres://user:p,{SECRET}@host/db",
        f"to user:{SECRET}@host",
        f"GET https://example.org/x?sig=a,{SECRET}",
        f"GET /x?sig={SECRET}",
        f'"password": "a {SECRET} b"',
        f'"password": "a\\" {SECRET}"',
        f'"{{\\"password\\": \\"a {SECRET}\\"}}"',
        f'password="a,{SECRET}"',
        f"password=a,{SECRET}",
        f"password=b'a {SECRET}'",
        f'"tokens": ["a", "{SECRET}"]',
        f"password={LONG}/{LONG}=",
    ],
)
def test_no_secret_stays(line: str, awk: list[str]) -> None:
    masked = mask(line, awk, SETTINGS, ENVIRONMENT)
    assert "****" in masked
    for secret in (
        SECRET,
        LONG,
        "swordfish",
        "chips",
        "right-part",
        "leftmost",
        "middle",
        "correct",
        "horse",
        "K7MDENG",
        "wJalr",
    ):
        assert secret not in masked


@each_awk
def test_what_stands_behind_a_secret_is_shown(awk: list[str]) -> None:
    for line, masked in {
        '{"api_key": "a\\" b", "error": "no route"}': '{"api_key": ****, "error": "no route"}',
        "{'token': 1, 'error': 'no route'}": "{'token': ****, 'error': 'no route'}",
        r'"{\"token\": \"a b\", \"error\": \"no route\"}"': r'"{\"token\": ****, \"error\": \"no route\"}"',
        '"tokens": ["a", "b"], "error": "no route"': '"tokens": ****, "error": "no route"',
        "curl -u a:b http://h/x": "curl -u **** http://h/x",
        "start --token abc --port 80": "start --token **** --port 80",
        "postgres://u:p/w@host/db is down": "postgres://****@host/db is down",
        "password hunter2 was wrong": "password **** was wrong",
    }.items():
        assert mask(line, awk) == masked


@each_awk
def test_a_value_across_the_end_of_a_line_does_not_show_its_beginning(awk: list[str]) -> None:
    value = "correct horse battery staple"
    settings = json.dumps({"env": {"A": value, "B": "x" * 20_000}})
    for at in (1990, 1999):
        assert "corr" not in mask("a " * (at // 2) + value, awk, settings)
    assert mask("a " * 990 + "sk-" + LONG, awk).endswith("a ****")
    assert "xxxxxx" not in mask("a " * 500 + "x" * 20_000, awk, settings)


@each_awk
def test_each_line_of_a_value_is_known(awk: list[str]) -> None:
    """As of a PEM."""
    key = "-----BEGIN KEY-----\nAbcdefghij\nKlmnopqrst\n-----END KEY-----"
    for settings, environment in (
        (json.dumps({"env": {"PEM": key}}), ""),
        ("", f"A=b\n{'TLS_KEY=' + key.replace(chr(10), chr(1))}\nPWD=/home/agent"),
    ):
        for line in ("Abcdefghij", "in Klmnopqrst"):
            assert "****" in mask(line, awk, settings, environment)
        assert mask("in /home/agent", awk, settings, environment) == "in /home/agent"


@each_awk
def test_the_last_value_of_large_settings_is_known(awk: list[str]) -> None:
    settings = json.dumps({"env": {f"K{n}": f"value-{n}-" * 6 for n in range(12_000)} | {"Z": "swordfish"}}, indent=1)
    assert 900_000 < len(settings) < 1_000_000
    assert mask("the word is swordfish", awk, settings) == "the word is ****"


@each_awk
def test_no_line_keeps_a_host_busy(awk: list[str]) -> None:
    values = {f"K{n}": "aaaaaa" * 9 + "b" * n for n in range(1, 900)} | {f"L{n}": f"value-{n}" for n in range(9000)}
    settings = json.dumps({"env": values})

    def seconds(text: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        mask(text, awk, settings)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    start = seconds("")
    for worst in WORST:
        assert (seconds("\n".join([worst] * 5)) - start) / 5 < 0.05, worst[:20]


@each_awk
def test_lines_stay_lines_and_have_an_end(awk: list[str]) -> None:
    assert len(mask("a " * 5000, awk)) == 2000
    assert mask("a\nb\n\nc", awk) == "a\nb\n\nc"
    assert mask("\udcff\x1b[2J ok".encode(errors="surrogateescape").decode("latin-1"), awk).endswith(" ok")


@each_awk
def test_settings_that_are_torn_hide_what_they_hold(awk: list[str]) -> None:
    for end in range(0, len(SETTINGS), 20):
        torn = SETTINGS[:end]
        if "swordfish" in torn.split('"MY_WORD"')[-1]:
            assert "swordfish" not in mask("it is swordfish", awk, torn)


def entries(*journal: str, awk: list[str], settings: str = "", environment: str = "") -> list[str]:
    """The lines of these entries of `journalctl -o json`, as files/change/journal.sh has them masked."""
    command = [awk[0], *awk[1:], "-v", "entries=yes"]
    return mask("\n".join(journal) + "\n", command, settings, environment).split("\n")


def entry(message: str | list[int] | None, **fields: str) -> str:
    named = {"__REALTIME_TIMESTAMP": "1795668210821494", **fields, "MESSAGE": message}
    return json.dumps(named, separators=(",", ":"), ensure_ascii=False)


@each_awk
def test_an_entry_is_told_with_its_time_model_and_release(awk: list[str]) -> None:
    one = entry("hello", JADA_MODEL="claude-opus-5", JADA_RELEASE="20261124-120000-aaaa", SYSLOG_IDENTIFIER="agent")
    assert entries(one, entry("a\n\nb"), awk=awk) == [
        "1795668210821494 claude-opus-5 20261124-120000-aaaa agent: hello",
        *(f"1795668210821494 - - {text}" for text in ("a", "", "b")),
    ]


@each_awk
def test_no_message_passes_for_a_field(awk: list[str]) -> None:
    nasty = entry('","JADA_MODEL":"claude-x","y":"', SYSLOG_IDENTIFIER="a\nb", JADA_RELEASE="x y")
    assert entries(nasty, awk=awk) == ['1795668210821494 - - a: ","JADA_MODEL":"claude-x","y":"']


@each_awk
def test_an_entry_of_bytes_is_told_as_text(awk: list[str]) -> None:
    coloured = "\x1b[32mgrün\x1b[0m\nnext"
    numbers = list(coloured.encode())
    assert entries(entry(numbers), entry(None), awk=awk)[:2] == [
        "1795668210821494 - - \x1b[32mgrün\x1b[0m", "1795668210821494 - - next",
    ]  # fmt: skip


@each_awk
def test_entries_are_masked_as_a_log_is(awk: list[str]) -> None:
    message = 'says swordfish and leftmost"middle, password=hunter2\tok\nthe token is abc123'
    (first, second) = entries(entry(message), awk=awk, settings=SETTINGS, environment=ENVIRONMENT)
    for secret in ("swordfish", "middle", "hunter2", "abc123"):
        assert secret not in first + second
    assert "ok" in first


@each_awk
@pytest.mark.parametrize("flood", ["\\" * 40_000, '"' * 40_000, "a\n" * 20_000, "x" * 100_000, "swordfish " * 9_000])
def test_a_long_entry_has_an_end_and_no_secret_at_it(awk: list[str], flood: str) -> None:
    said = entries(entry(flood), awk=awk, settings=SETTINGS)
    assert sum(map(len, said)) < 1_000_000
    assert not any("swor" in line for line in said)


@each_awk
def test_what_the_service_adds_to_its_model_and_release_makes_none_of_them(awk: list[str]) -> None:
    text = '{"__REALTIME_TIMESTAMP":"1","JADA_MODEL":["claude-opus-5","x,65,65"],"JADA_RELEASE":[65,66],"MESSAGE":"a"}'
    assert entries(text, entry("b", JADA_MODEL="x" * 501), awk=awk) == ["1 - - a", "1795668210821494 - - b"]


@each_awk
def test_lines_of_an_entry_and_its_name_have_an_end_that_is_told(awk: list[str]) -> None:
    said = entries(entry("a\n" * 300 + "b", SYSLOG_IDENTIFIER="n" * 101), entry("y " * 1500), awk=awk)
    assert [line.split(" ", 3)[3] for line in said] == [
        *["****: a"] * 200, "****: … 101 more lines", "y " * 1000, "… 1000 more characters",
    ]  # fmt: skip


@each_awk
def test_an_entry_that_is_not_whole_tells_so_and_has_the_time_of_the_one_before(awk: list[str]) -> None:
    long = entry("z\n" * 20_000)
    timeless = '{"MESSAGE":"' + "x" * 50
    command = [*awk, "-v", f"most={len(timeless)}"]
    said = entries(entry("a"), timeless, timeless.replace("MESSAGE", "ELSE_OF"), awk=command)
    assert [line.removeprefix("1795668210821494 - - ") for line in said] == [
        "a", "****", "… the rest of an entry of more than 62 bytes was left out",
        "… an entry of more than 62 bytes was left out",
    ]  # fmt: skip
    assert entries(long, awk=awk)[-1].endswith(f" … the rest of an entry of {len(long)} bytes was left out")
    assert entries(entry(None), awk=awk)[0].endswith(" … an entry of 4096 bytes or more was left out")
    beginning = entries(entry("y " * 50_000), awk=awk)[0].removeprefix("1795668210821494 - - ")
    assert beginning == "y " * 1000
