"""What several event loops do with each other."""

from __future__ import annotations

import asyncio
import threading

import pytest

from staffa._internal.calls import call
from staffa._internal.loop_thread import loop_thread
from staffa._internal.loops import LoopsLock, call_soon_on, run_on
from tests.support.events import eventually


async def thread() -> threading.Thread:
    return threading.current_thread()


async def test_a_coroutine_function_runs_on_the_loop_that_is_named() -> None:
    assert await run_on(asyncio.get_running_loop(), thread) is threading.current_thread()
    elsewhere = await run_on(loop_thread().loop, thread)
    assert elsewhere is not threading.current_thread()


async def test_on_a_loop_that_has_ended_nothing_runs() -> None:
    ended = asyncio.new_event_loop()
    assert await run_on(ended, thread) is None
    ended.close()
    assert await run_on(ended, thread) is None
    call_soon_on(ended, lambda: pytest.fail("it was called"))


async def test_a_loop_that_ends_meanwhile_is_not_waited_for() -> None:
    other = asyncio.new_event_loop()
    begun = threading.Event()

    def live() -> None:
        other.run_forever()
        for task in asyncio.all_tasks(other):
            task.cancel()
            other.run_until_complete(asyncio.wait([task]))
        other.close()

    async def hang() -> str:
        begun.set()
        await asyncio.Event().wait()
        return "it went on"

    running = threading.Thread(target=live)
    running.start()
    waiting = asyncio.ensure_future(run_on(other, hang))
    await asyncio.to_thread(begun.wait, 10)
    other.call_soon_threadsafe(other.stop)
    assert await waiting is None
    await asyncio.to_thread(running.join)


async def test_a_blocked_loop_is_waited_for_only_so_long() -> None:
    blocked, released = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        released.wait()

    loop_thread().loop.call_soon_threadsafe(block)
    await asyncio.to_thread(blocked.wait, 10)
    assert await run_on(loop_thread().loop, thread, within=0.01) is None
    released.set()


async def test_errors_come_back_and_a_cancellation_goes_along() -> None:
    ended = threading.Event()

    async def fail() -> None:
        raise LookupError("lost")

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(LookupError):
        await run_on(loop_thread().loop, fail)
    waiting = asyncio.ensure_future(run_on(loop_thread().loop, hang))
    await asyncio.sleep(0)
    await asyncio.to_thread(call, asyncio.sleep, 0)  # it has begun by now
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await eventually(ended.is_set)


async def test_tasks_of_two_loops_take_turns_with_a_lock() -> None:
    lock = LoopsLock()
    inside: list[int] = []

    async def enter(number: int) -> None:
        async with lock:
            inside.append(number)
            await asyncio.sleep(0)
            assert inside == [number]
            inside.clear()

    await asyncio.gather(
        *(enter(number) for number in range(20)),
        *(run_on(loop_thread().loop, lambda number=number: enter(number)) for number in range(20)),  # type: ignore[misc]  # a default of a lambda
    )


async def test_who_gives_up_waiting_for_a_lock_does_not_keep_it() -> None:
    lock = LoopsLock()

    async def enter() -> None:
        async with lock:
            pass

    async with lock:
        first, second = (asyncio.ensure_future(enter()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
    await second
    async with lock:
        pass


async def test_who_gives_up_just_as_its_turn_comes_passes_it_on() -> None:
    lock = LoopsLock()

    async def enter() -> None:
        async with lock:
            pass

    async with lock:
        first = asyncio.ensure_future(enter())
        await asyncio.sleep(0)
    first.cancel()  # its turn has come, and it has not run since
    await asyncio.wait([first])
    await asyncio.wait_for(enter(), 10)
