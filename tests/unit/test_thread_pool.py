"""Threads for jobs that are plain functions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from staffa.queues.pools import thread as module
from staffa.queues.pools.thread import ThreadPool
from tests.support.events import Recorder

number: ContextVar[int] = ContextVar("number", default=0)


@pytest.fixture
async def pool() -> AsyncIterator[ThreadPool]:
    made = ThreadPool()
    yield made
    made.stop()


def nothing() -> None:
    """Stands for a job that is not told to stop."""


async def run(pool: ThreadPool, call: Callable[[], Any]) -> Any:
    return await pool.run(call, ask_to_stop=nothing)


async def join(pool: ThreadPool) -> None:
    """Let the pool's threads end."""
    threads = list(pool._threads)
    pool.stop()
    for one in threads:
        await asyncio.to_thread(one.join, 30)
        assert not one.is_alive()


async def test_a_result_comes_back_from_another_thread(pool: ThreadPool) -> None:
    assert await run(pool, lambda: 5) == 5
    assert await run(pool, threading.get_ident) != threading.get_ident()


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(),
        GeneratorExit(), StopAsyncIteration(), MemoryError(), ExceptionGroup("b", [OSError()]),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_whatever_is_raised_is_raised_to_the_caller(
    pool: ThreadPool, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await run(pool, fail)
    assert caught.value is error or isinstance(error, asyncio.CancelledError)
    assert await run(pool, lambda: "alive") == "alive"


async def test_an_end_of_iteration_that_no_future_can_hold_is_told_in_words(
    pool: ThreadPool,
) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await run(pool, lambda: next(iter(())))


async def test_context_variables_are_seen_there_and_their_changes_not_here(
    pool: ThreadPool,
) -> None:
    def change() -> int:
        before = number.get()
        number.set(99)
        return before

    number.set(7)
    assert await run(pool, change) == 7
    assert await run(pool, change) == 7
    assert number.get() == 7


async def test_calls_do_not_wait_for_each_other(pool: ThreadPool) -> None:
    together = threading.Barrier(40, timeout=30)
    await asyncio.gather(*(run(pool, together.wait) for _ in range(40)))


async def test_many_calls_each_get_their_own_result(pool: ThreadPool) -> None:
    results = await asyncio.gather(*(run(pool, lambda n=n: n * n) for n in range(2000)))  # type: ignore[misc]  # the default binds n
    assert results == [n * n for n in range(2000)]


async def test_a_thread_serves_again_when_its_call_has_ended(pool: ThreadPool) -> None:
    idents = {await run(pool, threading.get_ident) for _ in range(50)}
    assert len(idents) == 1


async def test_a_cancelled_caller_still_gets_what_the_function_returns_in_time(
    pool: ThreadPool,
) -> None:
    begun, told = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert told.wait(30)
        return "stopped in order"

    task = asyncio.ensure_future(pool.run(work, ask_to_stop=told.set))
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    assert await task == "stopped in order"


@pytest.mark.parametrize("error", [None, ValueError("too bad")])
async def test_what_came_before_the_cancellation_and_was_not_told_yet_is_not_lost(
    pool: ThreadPool, error: Exception | None
) -> None:
    release = threading.Event()
    asked: list[str] = []

    def work() -> str:
        assert release.wait(30)
        if error is not None:
            raise error
        return "done"

    task = asyncio.ensure_future(pool.run(work, ask_to_stop=lambda: asked.append("stop")))
    await asyncio.sleep(0)
    release.set()
    while not pool._replies:  # the loop is held up meanwhile
        time.sleep(0.001)  # noqa: ASYNC251
    task.cancel()
    if error is None:
        assert await task == "done"
    else:
        with pytest.raises(ValueError, match="too bad"):
            await task
    assert asked == []


async def test_a_cancelled_caller_gets_the_error_that_the_function_raises_in_time(
    pool: ThreadPool,
) -> None:
    begun, told = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert told.wait(30)
        raise ValueError("could not clean up")

    task = asyncio.ensure_future(pool.run(work, ask_to_stop=told.set))
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    with pytest.raises(ValueError, match="could not clean up"):
        await task


@pytest.mark.parametrize("late", ["result", "error"])
async def test_a_thread_that_does_not_stop_is_left_alone_and_used_again_later(
    pool: ThreadPool, events: Recorder, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    begun, release = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        assert release.wait(30)
        if late == "error":
            raise ValueError("too late")
        return threading.get_ident()

    task = asyncio.ensure_future(run(pool, work))
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(events.of("staffa.thread.stuck")) == 1
    assert await run(pool, lambda: "another thread") == "another thread"
    release.set()
    await join(pool)


async def test_threads_end_when_the_pool_stops_busy_ones_after_their_call(
    pool: ThreadPool,
) -> None:
    begun, release = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert release.wait(30)
        return "done"

    busy = asyncio.ensure_future(run(pool, work))
    await asyncio.to_thread(begun.wait, 30)
    await run(pool, nothing)
    threads = list(pool._threads)
    pool.stop()
    release.set()
    assert await busy == "done"
    for one in threads:
        await asyncio.to_thread(one.join, 30)
        assert not one.is_alive()


async def test_idle_threads_end_by_themselves(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    await asyncio.gather(*(run(pool, nothing) for _ in range(20)))
    for one in list(pool._threads):
        await asyncio.to_thread(one.join, 30)
    assert (pool._sleeping, pool._threads) == ([], set())
    assert await run(pool, lambda: "a new thread") == "a new thread"


async def test_threads_that_come_and_go_lose_no_call(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    for _ in range(300):
        results = await asyncio.gather(*(run(pool, lambda n=n: n) for n in range(4)))  # type: ignore[misc]  # the default binds n
        assert results == [0, 1, 2, 3]


async def test_calls_that_block_do_not_hold_up_those_that_came_with_them(pool: ThreadPool) -> None:
    """Each waits for the one that comes last, and so for a thread of its own."""
    for count in (1, 50, 100):
        together = threading.Barrier(count)
        calls = [run(pool, lambda all_=together: all_.wait(30)) for _ in range(count)]  # type: ignore[misc]  # the default binds it
        assert sorted(await asyncio.gather(*calls)) == list(range(count))


async def test_where_no_thread_can_be_started_others_do_the_work(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release = threading.Event(), threading.Event()

    def blocks() -> None:
        begun.set()
        assert release.wait(30)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    first = asyncio.ensure_future(run(pool, blocks))
    await asyncio.to_thread(begun.wait, 30)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await run(pool, nothing)
    release.set()
    await first
    assert await run(pool, lambda: "again") == "again"


def test_a_thread_that_outlives_the_loop_ends_quietly() -> None:
    release = threading.Event()
    threads: list[threading.Thread] = []

    async def leave() -> None:
        pool = ThreadPool()
        task = asyncio.ensure_future(run(pool, lambda: release.wait(30)))
        await asyncio.sleep(0)
        threads.extend(pool._threads)
        pool.stop()
        task.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PATIENCE_SECONDS", 0.0)
        asyncio.run(leave())
    release.set()
    for one in threads:
        one.join(30)
        assert not one.is_alive()
