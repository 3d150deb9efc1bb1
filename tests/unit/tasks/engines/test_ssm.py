"""The engine over Systems Manager, against Run Command as a test says: what goes together, and what becomes of each."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import gevent
import pytest

from jada import HostError, JadaError, NoAnswerError, NotBegunError, Probe, SsmAgent, SsmInvocation, Threshold, Tiers
from jada.tasks import plan
from jada.tasks.engines import dispatcher
from jada.tasks.engines.ssm import SsmConnection, SsmEngine
from jada.tasks.journal import JournalQuery
from jada.tasks.operator_lock import LockRequest, OperatorLock
from jada.tasks.run_command import MOST_SAID, MOST_SCRIPT, Batch, batches
from tests.recorded import LOOKS, SERVICE, Recorded
from tests.unit.conftest import HEALTHY
from tests.unit.tasks.test_run_command import noise

LOOK = Recorded.load(LOOKS / "two-releases.json")
REQUEST = LockRequest(OperatorLock("me", "2026-11-26T00:00:00+00:00", "", "why"))


def packed(token: str, lines: Sequence[str]) -> str:
    text = base64.b64encode(gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)).decode()
    return f"jada-answer {token} 0 {len(text)} {sha256(text.encode()).hexdigest()}\n{text}"


@dataclass
class FakeCommands:
    """Run Command whose hosts all say the same, but for `statuses` and `outputs` by instance; `pages` are how often a
    list is asked for before a host's end is in it. `refused` are instances for which none is taken.
    """

    lines: Sequence[str] = tuple(LOOK.output())
    statuses: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    offline: Sequence[str] = ()
    unknown: Sequence[str] = ()
    refused: Sequence[str] = ()
    pages: int = 1
    sent: list[tuple[str, ...]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    lists: int = 0
    whole: int = 0
    cancelled: list[str] = field(default_factory=list)
    fails: Mapping[str, Exception] = field(default_factory=dict)

    def agents(self, instances: Sequence[str]) -> Mapping[str, SsmAgent]:
        self._may_fail("agents")
        self.asked.append(len(instances))
        return {name: SsmAgent(name not in self.offline, "then") for name in instances if name not in self.unknown}

    def send(self, instances: Sequence[str], text: str, token: str, delivery: int, longest: int) -> str | None:
        self._may_fail("send")
        if set(instances) & set(self.refused):
            return None
        self.sent.append(tuple(instances))
        self.texts.append(text)
        self._tokens = [*getattr(self, "_tokens", ()), token]
        return str(len(self.sent) - 1)

    def invocations(self, command: str) -> Sequence[SsmInvocation]:
        self._may_fail("invocations")
        self.lists += 1
        if self.lists < self.pages:
            return []
        token = self._tokens[int(command)]
        return [
            SsmInvocation(name, self.statuses.get(name, "Success"), self._output(name, token)[:2500])
            for name in self.sent[int(command)]
        ]

    def output(self, command: str, instance: str) -> str | None:
        self.whole += 1
        return self._output(instance, self._tokens[int(command)])[:24000] if self.whole > 1 else None

    def cancel(self, command: str) -> None:
        self.cancelled.append(command)

    def _output(self, name: str, token: str) -> str:
        return self.outputs[name](token) if name in self.outputs else packed(token, self.lines)

    def _may_fail(self, call: str) -> None:
        if call in self.fails:
            raise self.fails[call]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for that comes at once."""
    for name in ("FIRST_WAIT", "LONGEST_WAIT"):
        monkeypatch.setattr(dispatcher, name, 0.001)
    monkeypatch.setattr(dispatcher, "POLLS", 1e9)
    # Longer than any test: only once all acts wait is anything sent.
    monkeypatch.setattr(dispatcher, "GATHERING", 600)


def engine(commands: FakeCommands, *names: str) -> SsmEngine:
    return SsmEngine({name: (name, commands) for name in names}, SERVICE)


def look(_: str, connection: SsmConnection) -> str:
    return connection.look().unit.active


def looked(commands: FakeCommands, *names: str) -> dict[str, str | HostError]:
    return dict(engine(commands, *names).imap(names, look))


def error_of(result: object) -> str:
    assert isinstance(result, HostError)
    return result.message


def test_hosts_that_wait_for_the_same_share_a_command() -> None:
    commands, names = FakeCommands(pages=3), [f"i-{number}" for number in range(120)]
    assert set(looked(commands, *names).values()) == {"active"}
    assert [len(sent) for sent in commands.sent] == [50, 50, 20]
    assert sorted(name for sent in commands.sent for name in sent) == sorted(names)
    assert commands.asked == [50, 50, 20]
    assert commands.whole == 0


def test_of_acts_side_by_side_no_more_are_in_a_command() -> None:
    commands = FakeCommands()
    results = dict(engine(commands, *"abcd").imap("abcd", look, at_once=2))
    assert set(results.values()) == {"active"}
    assert [len(sent) for sent in commands.sent] == [2, 2]


def test_an_act_that_is_busy_otherwise_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "GATHERING", 0.01)
    commands, seen = FakeCommands(), gevent.event.Event()

    def act(name: str, connection: SsmConnection) -> str:
        if name == "busy":
            seen.wait()
            return "waited"
        state = connection.look().unit.active
        seen.set()
        return state

    assert dict(engine(commands, "busy", "a").imap(("busy", "a"), act)) == {"busy": "waited", "a": "active"}


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        (FakeCommands(unknown="b"), "Systems Manager does not know it"),
        (FakeCommands(offline="b"), "agent does not answer, and last did at then"),
        (FakeCommands(refused="b"), "takes no command for it"),
        (FakeCommands(statuses={"b": "DeliveryTimedOut"}), "did not take the command of Systems Manager (Delivery"),
        (FakeCommands(statuses={"b": "Execution Timed Out"}), "ended as ExecutionTimedOut"),
        (FakeCommands(statuses={"b": "Failed"}, outputs={"b": lambda _: "no\x1b[2J gzip"}), "ended as Failed: no"),
        (FakeCommands(outputs={"b": lambda _: "hello"}), "no answer to what was asked"),
        (FakeCommands(outputs={"b": lambda token: packed(token[::-1], ["x"])}), "no answer to what was asked"),
        (FakeCommands(outputs={"b": lambda token: packed(token, LOOK.output())[:-9]}), "did not come whole"),
        (FakeCommands(outputs={"b": lambda token: packed(token, ["error=no sudo"])}), "can't be looked at: no sudo"),
        (FakeCommands(outputs={"b": lambda token: packed(token, ["x"])}), "can't be looked at"),
        (FakeCommands(outputs={"b": lambda token: packed(token, []).replace(" 0 ", " 124 ", 1)}), "ended after 100 s"),
    ],
)
def test_the_trouble_of_one_host_is_its_own(commands: FakeCommands, why: str) -> None:
    results = looked(commands, "a", "b", "c")
    message = error_of(results.pop("b"))
    assert message.startswith("b can't be ")
    assert why in message
    assert "\x1b" not in message
    assert results == {"a": "active", "c": "active"}


def change(name: str, connection: SsmConnection) -> object:
    request = plan.Request("20261124-130000-bbbb", "fleet", "ann@box", "2026-11-24T13:00:00+00:00", 1024)
    transaction = plan.upgrade(request, "r", Tiers("m-2"), HEALTHY, SERVICE).transaction
    assert transaction
    return connection.apply(transaction).result.value


@pytest.mark.parametrize("call", ["agents", "send"])
def test_a_change_that_was_surely_not_begun_is_told_as_that_and_not_as_lost(call: str) -> None:
    commands = FakeCommands(fails={call: NotBegunError("no permission ssm:SendCommand", "ask for it")})
    ((_, error),) = engine(commands, "a").imap("a", change)
    assert error_of(error) == "a was not touched: no permission ssm:SendCommand"
    assert commands.lists == 0


@pytest.mark.parametrize("call", ["agents", "send", "invocations"])
@pytest.mark.parametrize("error", [JadaError("access denied", "ask for it"), ValueError("x")])
def test_what_aws_refuses_is_told_of_every_host(call: str, error: Exception) -> None:
    results = looked(FakeCommands(fails={call: error}), "a", "b")
    for name, result in results.items():
        message = error_of(result)
        assert message.startswith(name)
        assert ("access denied" in message) == isinstance(error, JadaError)
        assert "ValueError" in message or isinstance(error, JadaError)


def test_an_agent_that_did_not_answer_is_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = FakeCommands(offline=["a"])

    def twice(name: str, connection: SsmConnection) -> str:
        with pytest.raises(HostError, match="does not answer"):
            connection.look()
        commands.offline = ()
        return look(name, connection)

    assert dict(engine(commands, "a").imap("a", twice)) == {"a": "active"}


def test_longer_answers_are_asked_for_where_aws_keeps_more(monkeypatch: pytest.MonkeyPatch) -> None:
    long = [noise(5000).hex()]
    commands = FakeCommands(lines=long)
    connected = engine(commands, "a")
    ((_, lines),) = connected.imap("a", lambda _, connection: connection._say(lambda: "a script"))
    assert lines == long
    # The first time, nobody knew it yet.
    assert commands.whole == 2


def test_an_answer_beyond_that_comes_in_parts() -> None:
    wanted = [noise(30_000).hex()]
    whole: list[str] = []

    def output(token: str) -> str:
        text = commands.texts[-1]
        payload = re.search(r"PAYLOAD=(\S+)", text)
        assert payload
        script = gzip.decompress(base64.b64decode(payload[1])).decode()
        if at := re.search(r"tail -c \+(\d+) \| head -c (\d+)", script):
            start = int(at[1]) - 1
            return packed(token, [whole[0].partition("\n")[2][start : start + int(at[2])]])
        whole[:] = [packed(token, wanted)]
        return whole[0][:MOST_SAID]

    commands = FakeCommands(outputs={"a": output})
    ((_, lines),) = engine(commands, "a").imap("a", lambda _, connection: connection._say(lambda: "a script"))
    assert lines == wanted
    assert ["rm -rf /run/jada-ssm" in text for text in commands.texts[1:]] == [False] * (len(commands.texts) - 1)
    assert len(commands.sent) > 2


@pytest.mark.parametrize("part", [[], ["x"], [noise(30_000).hex()]])
def test_parts_that_are_gone_or_none_are_an_error(part: list[str]) -> None:
    whole = packed("0" * 32, [noise(30_000).hex()])

    def output(token: str) -> str:
        return whole.replace("0" * 32, token) if len(commands.sent) == 1 else packed(token, part)

    commands = FakeCommands(outputs={"a": output})
    ((_, error),) = engine(commands, "a").imap("a", lambda _, connection: connection._say(lambda: "a script"))
    assert "the rest of its answer is not there any more" in error_of(error) or part
    assert len(commands.sent) == 2


def scripts(text: str) -> str:
    payload = re.search(r"PAYLOAD=(\S+)", text)
    assert payload
    return gzip.decompress(base64.b64decode(payload[1])).decode()


def test_a_script_that_fits_into_no_command_goes_in_parts_before_it() -> None:
    script = noise(200_000).hex()
    commands = FakeCommands(lines=["x"])

    def say(name: str, connection: SsmConnection) -> list[str]:
        return connection._say(lambda: script if name == "b" else "a script", changes=True)

    results = dict(engine(commands, "a", "b").imap("ab", say))
    assert results == {"a": ["x"], "b": ["x"]}
    *parts, last = [text for sent, text in zip(commands.sent, commands.texts, strict=True) if sent == ("b",)]
    pieces = [re.search(r"printf %s (\S+) >\S+/\.(\d{3})", scripts(text)) for text in parts]
    packed = "".join(piece[1] for piece in sorted((piece for piece in pieces if piece), key=lambda piece: piece[2]))
    assert gzip.decompress(base64.b64decode(packed)).decode().endswith(f"-\n{script}\n")
    assert (len(parts) > 5, "PAYLOAD=''" in last, sha256(packed.encode()).hexdigest() in last) == (True, True, True)
    assert ["CHANGES=yes" in text for text in (*parts, last)] == [False] * len(parts) + [True]


@pytest.mark.parametrize("answer", ["error=no space", "gone"])
def test_a_part_that_is_not_laid_down_has_nothing_run(answer: str) -> None:
    """The command itself is not sent: so it surely did nothing."""

    def output(token: str) -> str:
        return packed(token, [answer]).replace(" 0 ", " 1 ", 1) if answer != "gone" else ""

    commands = FakeCommands(outputs={"a": output})
    script = noise(60_000).hex()

    def run(name: str, connection: SsmConnection) -> str:
        with pytest.raises(NotBegunError):
            connection._managed.run(lambda: script, 9, changes=True)
        return "not begun"

    assert dict(engine(commands, "a").imap("a", run)) == {"a": "not begun"}
    assert not [text for text in commands.texts if "CHANGES=yes" in text]


def test_a_script_that_is_too_long_for_any_parts_is_that_hosts_trouble() -> None:
    script = noise(MOST_SCRIPT).hex()
    commands = FakeCommands(lines=["x"])

    def say(name: str, connection: SsmConnection) -> list[str]:
        return connection._say(lambda: script if name == "b" else "a script")

    results = dict(engine(commands, "a", "b").imap("ab", say))
    assert results["a"] == ["x"]
    error = results["b"]
    assert isinstance(error, HostError)
    assert ("packed" in error.message, "--engine ssh" in error.hint) == (True, True)


def test_a_script_that_can_not_be_made_is_that_hosts_trouble() -> None:
    def script() -> str:
        raise HostError("b: its settings have no place")

    def say(name: str, connection: SsmConnection) -> list[str]:
        return connection._say(script if name == "b" else lambda: "a script")

    results = dict(engine(FakeCommands(lines=["x"]), "a", "b").imap("ab", say))
    assert results["a"] == ["x"]
    assert "its settings have no place" in error_of(results["b"])


def test_a_command_that_can_not_be_made_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of jada may be replaced while it runs; what had gone before that goes on."""
    commands = FakeCommands()

    def failing(*arguments: Any) -> Iterator[Batch]:
        yield next(batches(*arguments))
        raise FileNotFoundError(2, "No such file", "run-command.sh")

    monkeypatch.setattr(dispatcher, "batches", failing)
    results = looked(commands, *(f"i-{number}" for number in range(60)))
    (sent,) = commands.sent
    assert {name for name, result in results.items() if result == "active"} == set(sent)
    assert {"FileNotFoundError" in error_of(results[name]) for name in results.keys() - set(sent)} == {True}


@pytest.mark.parametrize("url", ["https://me:secret@127.0.0.1/", "http://127.0.0.1/?key=secret"])
def test_a_url_of_a_probe_that_aws_would_keep_is_not_sent(url: str) -> None:
    commands = FakeCommands()
    probes = [Probe(name=name, kind="http", measure="p95", threshold=Threshold(1), url=at) for name, at in
              (("fine", "http://127.0.0.1/"), ("slow", url))]  # fmt: skip
    ((_, error),) = engine(commands, "a").imap("a", lambda _, connection: connection.measure(probes, 10, 15))
    assert "a is not asked slow: AWS would keep its URL" in error_of(error)
    assert "secret" not in error_of(error)
    assert commands.texts == []


def test_a_host_that_is_not_waited_for_any_longer_holds_nobody_up() -> None:
    commands = FakeCommands(statuses={"slow": "InProgress"})
    reached = engine(commands, "slow", "a")
    results = dict(reached.imap(("slow", "a"), look, within=3))
    assert results["a"] == "active"
    assert isinstance(results["slow"], NoAnswerError)
    # The next are not gathered for longer: the count of those who wait is right.
    commands.statuses = {}
    assert dict(reached.imap(("slow", "a"), look)) == {"slow": "active", "a": "active"}
    assert commands.sent[1:] == [("slow", "a")]


def test_a_lock_is_set_by_a_script_that_runs_once() -> None:
    commands = FakeCommands(lines=["jada-held"])
    ((_, answer),) = engine(commands, "a").imap("a", lambda _, connection: connection.set_lock(REQUEST))
    assert not isinstance(answer, HostError)
    assert answer.done
    assert "CHANGES=yes" in commands.texts[0]


def test_nothing_can_be_followed() -> None:
    query = JournalQuery(count=1)
    events = [*engine(FakeCommands(), "a").follow("a", lambda _, connection: connection.follow(query))]
    ((name, error),) = (event for event in events if event)
    assert name == "a"
    assert isinstance(error, HostError)
    assert ("gives no stream" in error.message, "--engine ssh" in error.hint) == (True, True)


def test_a_host_that_can_not_be_reached_is_never_asked() -> None:
    commands, trouble = FakeCommands(), HostError("b is no EC2 instance")
    reached = SsmEngine({"a": ("a", commands), "b": trouble}, SERVICE)
    assert dict(reached.imap("ab", look)) == {"a": "active", "b": trouble}
    assert commands.sent == [("a",)]


def test_what_changes_nothing_is_cancelled_when_jada_ends_and_a_change_is_not() -> None:
    commands = FakeCommands(statuses={"a": "InProgress", "b": "InProgress"})
    reached = engine(commands, "a", "b")

    def act(name: str, connection: SsmConnection) -> object:
        return connection.look() if name == "a" else connection.set_lock(REQUEST)

    results = reached.imap("ab", act)
    running = gevent.spawn(lambda: next(results))
    while len(reached._dispatchers[id(commands)]._running) < 2:
        gevent.sleep(0.001)
    reached.close()
    running.kill()
    looked_at = next(str(number) for number, text in enumerate(commands.texts) if "CHANGES=''" in text)
    assert commands.cancelled == [looked_at]


def test_the_wrapper_says_where_a_part_is_read() -> None:
    assert "SPOOLS=/run/jada-ssm\n" in (Path(dispatcher.__file__).parents[2] / "files/run-command.sh").read_text()
