"""The watchdog: whom it names when the event loop is blocked, and how often."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from staffa import Job
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.queues.watchdog import Watchdog
from tests.support.events import Recorder, eventually
from tests.unit.rows import claimed

SHORT = 0.05
JOB = claimed(id=42, worker="myapp.resize")
JobOf = Callable[[asyncio.Task[Any] | None], Job | None]


def nobody(task: asyncio.Task[Any] | None) -> None: ...


def make(job_of: JobOf = nobody, blocked_after: float = SHORT) -> Watchdog:
    return Watchdog("test", blocked_after, clock=SYSTEM_CLOCK, job_of=job_of)


@pytest.fixture
async def watched(events: Recorder) -> AsyncIterator[Callable[..., Watchdog]]:
    started: list[Watchdog] = []

    def start(job_of: JobOf = nobody, blocked_after: float = SHORT) -> Watchdog:
        started.append(make(job_of, blocked_after))
        started[-1].start()
        return started[-1]

    yield start
    for watchdog in started:
        await watchdog.stop()


def block_until(condition: Callable[[], object]) -> None:
    """Block the event loop as a careless job does."""
    give_up = time.monotonic() + 30
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.001)


def told(events: Recorder, name: str) -> list[Any]:
    return list(events.of(f"staffa.loop.{name}"))


async def test_a_block_is_told_once_with_its_stack_while_it_lasts_and_its_length_at_the_end(
    watched: Callable[..., Watchdog], events: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    watched()

    def careless_resize() -> None:
        block_until(lambda: told(events, "blocked"))
        time.sleep(4 * SHORT)

    careless_resize()
    (blocked,) = told(events, "blocked")
    assert blocked.instance == "test"
    assert blocked.job is None
    assert blocked.seconds >= SHORT
    assert "careless_resize" in blocked.stack
    await events.wait("staffa.loop.freed")
    (freed,) = told(events, "freed")
    assert freed.seconds >= blocked.seconds + 4 * SHORT
    assert len(told(events, "blocked")) == 1
    (line,) = [record for record in caplog.records if "is blocked by" in record.message]
    assert line.levelno == logging.WARNING
    assert "something outside of jobs" in line.message
    assert "careless_resize" in line.message


async def test_the_job_of_the_task_that_blocks_is_named(
    watched: Callable[..., Watchdog], events: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    guilty = asyncio.current_task()
    watched(lambda task: JOB if task is guilty else None)
    block_until(lambda: told(events, "blocked"))
    assert told(events, "blocked")[0].job is JOB
    assert "job 42 myapp.resize" in caplog.text
    await events.wait("staffa.loop.freed")
    assert told(events, "freed")[0].job is JOB


async def test_a_block_within_a_callback_is_told_of_no_task(
    watched: Callable[..., Watchdog], events: Recorder
) -> None:
    asked: list[asyncio.Task[Any] | None] = []
    watched(asked.append)
    asyncio.get_running_loop().call_soon(block_until, lambda: told(events, "blocked"))
    await events.wait("staffa.loop.blocked")
    assert asked == [None]


async def test_each_block_is_told(watched: Callable[..., Watchdog], events: Recorder) -> None:
    watched()
    for count in (1, 2, 3):
        block_until(lambda: len(told(events, "blocked")) >= count)  # noqa: B023
        await events.wait("staffa.loop.freed", count)
    assert len(told(events, "blocked")) == len(told(events, "freed")) == 3


async def test_a_loop_that_goes_on_is_never_told(
    watched: Callable[..., Watchdog], events: Recorder
) -> None:
    looks: list[float] = []

    class Counting:
        def now(self) -> datetime:
            return datetime.now(UTC)

        def monotonic(self) -> float:
            looks.append(0)
            return time.monotonic()

    quiet = Watchdog("test", 5.0, clock=Counting(), job_of=nobody)
    quiet._stopping.wait = lambda timeout=None: quiet._stopping.is_set()  # type: ignore[method-assign]
    quiet.start()
    await eventually(lambda: len(looks) > 200, "many looks at an idle loop")
    await quiet.stop()
    assert events.events == []


async def test_what_can_not_be_told_ends_no_watch(
    watched: Callable[..., Watchdog], events: Recorder
) -> None:
    asked: list[int] = []

    def fail(task: asyncio.Task[Any] | None) -> Job:
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError("no such job")
        return JOB

    watched(fail)
    block_until(lambda: told(events, "blocked"))
    await events.wait("staffa.loop.freed")
    assert "could not tell" in events.of("staffa.error")[0].data["what"]


async def test_a_handler_that_raises_ends_no_watch(
    watched: Callable[..., Watchdog], events: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    from staffa import telemetry  # noqa: PLC0415

    def fail(event: object) -> None:
        raise RuntimeError

    telemetry.attach(fail, events="staffa.loop")
    try:
        watched()
        block_until(lambda: told(events, "blocked"))
        await events.wait("staffa.loop.freed")
    finally:
        telemetry.detach(fail)
    assert "a handler of staffa.loop.blocked raised" in caplog.text


async def test_it_stops_at_once_however_seldom_it_looks(
    watched: Callable[..., Watchdog],
) -> None:
    watchdog = watched(blocked_after=3600.0)
    thread = watchdog._thread
    async with asyncio.timeout(30):
        await watchdog.stop()
    assert thread is not None
    assert not thread.is_alive()
    await watchdog.stop()


async def test_it_can_be_stopped_before_it_was_started() -> None:
    await make().stop()


def test_a_loop_that_is_closed_while_it_is_watched_ends_the_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start() -> threading.Thread:
        watchdog = make()
        watchdog.start()
        assert watchdog._thread is not None
        return watchdog._thread

    thread = asyncio.run(start())
    thread.join(30)
    assert not thread.is_alive()


def test_a_loop_that_does_not_run_is_not_blocked(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    watchdog = make()
    looks: list[int] = []

    def look(task: asyncio.Task[Any] | None) -> None:
        looks.append(1)

    watchdog._job_of = look

    async def start() -> None:
        watchdog.start()

    loop.run_until_complete(start())
    while len(looks) < 3:
        threading.Event().wait(0.005)
    loop.run_until_complete(watchdog.stop())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert caplog.records == []
