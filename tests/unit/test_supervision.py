"""Both ends of the line between a supervisor and a child, without a process."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from staffa import Config, Staffa
from staffa._internal.backoff import Backoff
from staffa.cli import main
from staffa.cli.processes.messages import Message, decode, encode
from staffa.cli.processes.parent import Parent
from staffa.cli.processes.place import Place
from staffa.client.backend import make_backend
from staffa.client.temporary import TemporaryFolder
from staffa.errors import ConfigError
from staffa.services.health import Question, Verdict
from staffa.share import Share


class Line:
    """The supervisor's end of a line, and what has become of the child's process."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(20)
        self.interrupted = threading.Semaphore(0)
        self.died = threading.Event()
        self.parent = Parent(theirs, interrupt=self.interrupted.release, die=self.died.set)
        self._lines = self.socket.makefile("rb")

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.socket.sendall(encode(kind, **fields))

    def hear(self) -> Message:
        """Return the next message."""
        return decode(self._lines.readline())

    def hang_up(self) -> None:
        """End as a supervisor that was killed."""
        self._lines.close()
        self.socket.close()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    made.parent.patience = 0.0
    made.parent.start()
    assert made.hear() == {"kind": "hello"}
    yield made
    made.hang_up()
    made.parent._thread.join(20)
    made.parent._connection.close()


def test_a_first_word_asks_and_only_a_second_one_hurries(line: Line) -> None:
    line.say("stop")
    assert line.interrupted.acquire(timeout=20)
    assert not line.parent.hurried
    line.say("hurry")
    assert line.interrupted.acquire(timeout=20)
    assert line.parent.hurried


def test_a_child_whose_supervisor_has_gone_stops_in_order_and_then_at_once(line: Line) -> None:
    line.hang_up()
    assert line.interrupted.acquire(timeout=20)
    assert not line.parent.hurried
    assert line.died.wait(20)


def test_a_stop_is_hurried_when_the_supervisor_goes_meanwhile(line: Line) -> None:
    line.say("stop")
    assert line.interrupted.acquire(timeout=20)
    line.hang_up()
    assert line.interrupted.acquire(timeout=20)
    assert line.parent.hurried


def test_a_child_that_has_stopped_is_not_interrupted_any_more(line: Line) -> None:
    line.parent.leave()
    line.say("hurry")
    line.hang_up()
    line.parent._thread.join(20)
    assert not line.interrupted.acquire(blocking=False)
    assert not line.died.is_set()


def test_health_is_told_on_the_line_also_when_it_can_not_be_told(line: Line) -> None:
    verdicts = iter([Verdict(["it is starting"], {"clients": {}})])

    def judge(question: Question) -> Verdict:
        assert question == Question("alive", 3.0)
        return next(verdicts, None) or 1 / 0  # type: ignore[return-value]  # it raises

    threading.Thread(
        target=line.say, args=("port",), kwargs={"number": 80, "refused": None}
    ).start()
    port = line.parent.open_port("::1", 0, judge)
    assert line.hear() == {"kind": "open", "host": "::1", "port": 0}
    assert port.number == 80
    asked = {"host": "::1", "port": 0, "word": "alive", "longest_block": 3.0}
    line.say("question", id=1, **asked)
    assert line.hear() == {
        "kind": "verdict", "id": 1, "reasons": ["it is starting"], "details": {"clients": {}},
    }  # fmt: skip
    line.say("question", id=2, **asked)
    assert line.hear()["reasons"] == ["its health can't be told: see the log"]
    port.close()
    line.say("question", id=3, **asked)
    assert line.hear() == {"kind": "verdict", "id": 3}


def test_a_port_that_the_supervisor_can_not_open_is_an_error_in_the_child(line: Line) -> None:
    line.say("port", number=None, refused="health_port 80 is in use")
    with pytest.raises(ConfigError, match="in use"):
        line.parent.open_port("::1", 80, lambda question: Verdict())


_CHILD = """
import json, os, socket, sys
at = sys.argv.index("--parent")
line = socket.socket(fileno=int(sys.argv[at + 1]))
words = line.makefile("rb")
{does}
"""
_RUNS = 'line.sendall(b\'{"kind": "hello"}\\n{"kind": "running", "control_version": 4}\\n\'); '


async def keep(
    does: str, monkeypatch: pytest.MonkeyPatch, *, pauses: int = 0, has_run: bool = False
) -> tuple[Place, list[int]]:
    """Keep a child that does something, until it is refused or has ended so many times."""
    refused: list[int] = []
    ended = 0

    def no_pause(backoff: Backoff) -> float:
        nonlocal ended
        ended += 1
        if ended >= pauses:
            place.stop()
        return 0.0

    monkeypatch.setattr(Backoff, "next_seconds", no_pause)

    async def no_port(host: str, port: int) -> Message:
        return {}

    command = [sys.executable, "-c", _CHILD.format(does=does)]
    place = Place(command, Share(1, 3), no_port, lambda version: None, refused.append)
    if has_run:
        place.has_run.set()
    async with asyncio.timeout(60):
        await place.keep()
    return place, refused


async def test_a_child_that_ends_before_it_has_run_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place, refused = await keep("sys.exit(3)", monkeypatch)
    assert refused == [3]
    assert "worker process 2 of 3, pid" in caplog.text
    assert "ended with exit code 3: it can't start, so all end" in caplog.text
    told = await place.judge("::1", 80, Question("ready"))
    assert list(told.reasons) == ["it has ended"]
    assert not (await place.judge("::1", 80, Question("alive"))).reasons


async def test_one_that_could_run_before_is_replaced_but_for_an_error_of_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await keep("sys.exit(3)", monkeypatch, pauses=3, has_run=True))[1] == []
    assert (await keep("sys.exit(2)", monkeypatch, has_run=True))[1] == [2]


async def test_a_job_that_ends_its_process_is_no_error_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await keep(f"{_RUNS} os._exit(2)", monkeypatch, pauses=2))[1] == []
    assert caplog.text.count("ended with exit code 2: the next one starts in 0.0 s") == 2


async def test_a_child_killed_before_it_has_run_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await keep("os.kill(os.getpid(), 11)", monkeypatch, pauses=2))[1] == []
    assert caplog.text.count("was killed by SIGSEGV (code in C has crashed): the next one") == 2


async def test_what_can_not_be_started_ends_all() -> None:
    refused: list[int] = []

    async def no_port(host: str, port: int) -> Message:
        return {}

    place = Place(["/nowhere/python"], Share(), no_port, lambda version: None, refused.append)
    await place.keep()
    assert refused == [1]


async def test_a_child_that_says_nonsense_is_killed_and_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    says = f"{_RUNS} line.sendall(b'nonsense\\n'); words.read()"
    assert (await keep(says, monkeypatch, pauses=1))[1] == []
    assert "says what it should not" in caplog.text
    assert "was killed by SIGKILL" in caplog.text


@pytest.mark.parametrize(
    ("does", "code"),
    [
        (f"{_RUNS} words.readline(); sys.exit(0)", 0),
        (f"{_RUNS} words.readline(); sys.exit(5)", 5),
        (f"{_RUNS} words.readline(); os.kill(os.getpid(), {signal.SIGABRT})", 128 + signal.SIGABRT),
        (f"words.readline(); os.kill(os.getpid(), {signal.SIGTERM})", 0),  # it had no jobs yet
    ],
)
async def test_the_exit_code_tells_whether_a_child_has_stopped_in_order(
    does: str, code: int
) -> None:
    async def no_port(host: str, port: int) -> Message:
        return {}

    command = [sys.executable, "-c", _CHILD.format(does=does)]
    place = Place(command, Share(), no_port, lambda version: None, lambda code: None)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(place.keep())
        if _RUNS in does:
            await place.has_run.wait()
        else:
            await asyncio.sleep(0)  # the stop comes while it is being started
        place.stop()
    assert place.exit_code == code


def test_a_line_that_is_no_message_is_refused() -> None:
    for text in (b"[]", b"{}", b'{"kind": 1}', json.dumps("stop").encode()):
        with pytest.raises(ValueError, match="no message"):
            decode(text)


def test_a_client_runs_in_one_process() -> None:
    with pytest.raises(ConfigError, match="STAFFA_WORKER_PROCESSES"):
        Staffa(worker_processes=2)  # type: ignore[call-arg]  # types refuse it, too


async def test_a_temporary_database_is_not_shared() -> None:
    config = Config(dsn="sqlite://").with_share(Share(0, 2))
    with pytest.raises(ConfigError, match=r"sqlite:///jobs\.db"):
        make_backend(config, "sqlite://", lambda: None, temporary=TemporaryFolder())


@pytest.mark.parametrize(
    "given",
    [
        ("--processes", "0"), ("--processes", "257"), ("--processes", "two"),
        ("--part", "3/2"), ("--part", "0/2"), ("--part", "x"), ("--parent", "-1"),
    ],
)  # fmt: skip
def test_a_number_that_is_none_is_refused(given: tuple[str, str]) -> None:
    finished = CliRunner().invoke(main, ["start", "--queues", "mail:9", *given])
    assert finished.exit_code == 2
    assert given[0] in finished.output
    assert given[1] in finished.output


def test_a_line_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="--parent 977"):
        Parent.join(977)
