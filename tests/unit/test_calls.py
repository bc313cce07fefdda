"""Synchronous calls of coroutine functions, without any database."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from staffa._internal.calls import Call, call, iterate
from staffa._internal.loop_thread import loop_thread
from tests.support.events import eventually

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def add(first: int, *, second: int) -> int:
    await asyncio.sleep(0)
    return first + second


def test_it_returns_what_the_coroutine_function_returns() -> None:
    assert call(add, 1, second=2) == 3


def test_it_raises_what_the_coroutine_function_raises() -> None:
    async def fail() -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        call(fail)


def test_all_calls_of_a_process_share_one_loop_on_a_daemon_thread() -> None:
    async def where() -> tuple[object, threading.Thread]:
        return asyncio.get_running_loop(), threading.current_thread()

    loop, thread = call(where)
    assert call(where) == (loop, thread)
    assert loop is loop_thread().loop
    assert thread.daemon
    assert thread is not threading.current_thread()


def test_context_variables_travel_with_a_call_and_do_not_come_back() -> None:
    async def change() -> str:
        before = variable.get()
        variable.set("changed")
        return before

    variable.set("ours")
    assert call(change) == "ours"
    assert variable.get() == "ours"


def test_the_callers_functions_are_called_on_its_thread() -> None:
    made: Call[list[Any]] = Call()
    where: list[threading.Thread] = []

    def look(number: int) -> int:
        where.append(threading.current_thread())
        return 2 * number

    async def look_later(number: int) -> int:
        where.append(threading.current_thread())
        return await add(number, second=1)

    async def ask() -> list[Any]:
        return [await made.brought(look)(4), await made.brought(look_later)(5)]

    assert made.run(ask) == [8, 6]
    assert where[0] is threading.current_thread()
    assert where[1] is not threading.current_thread()  # a coroutine runs where the others do


class InterruptingLoop:
    """The loop of calls; whoever hands something over to it is interrupted once that is done."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._interrupted = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_soon_threadsafe(self, *args: Any, **options: Any) -> None:
        self._loop.call_soon_threadsafe(*args, **options)
        if not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt


def test_an_interruption_while_a_call_is_handed_over_cancels_it() -> None:
    written: list[int] = []
    made: Call[None] = Call()
    made._loop = InterruptingLoop(made._loop)  # type: ignore[assignment]
    room = asyncio.Event()

    async def write() -> None:
        await room.wait()
        written.append(1)

    with pytest.raises(KeyboardInterrupt):
        made.run(write)
    loop_thread().loop.call_soon_threadsafe(room.set)
    call(asyncio.sleep, 0)
    assert made._task is not None
    assert made._task.cancelled()
    assert written == []


@pytest.mark.parametrize(
    ("error", "raised"), [(KeyError("x"), KeyError), (StopIteration(), RuntimeError)]
)
def test_what_a_function_of_the_caller_raises_goes_through_the_call(
    error: Exception, raised: type[Exception]
) -> None:
    made: Call[str] = Call()
    seen: list[BaseException] = []

    def fail() -> None:
        raise error

    async def ask() -> str:
        try:
            await made.brought(fail)()
        except Exception as told:
            seen.append(told)
            raise
        return "nothing was raised"

    with pytest.raises(raised):
        made.run(ask)
    assert isinstance(seen[0], raised)


def test_an_interruption_of_the_caller_cancels_the_call_and_is_passed_on() -> None:
    made: Call[None] = Call()
    ended: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def ask() -> None:
        try:
            await made.brought(interrupt)()
        finally:
            ended.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        made.run(ask)
    assert ended == ["cleaned up"]


def test_a_function_that_enters_another_call_does_not_block_the_loop() -> None:
    made: Call[int] = Call()

    async def ask() -> int:
        answer: int = await made.brought(lambda: call(add, 1, second=1))()
        return answer

    assert made.run(ask) == 2


async def count(closed: list[int]) -> AsyncGenerator[int, None]:
    number = 0
    try:
        while True:
            yield number
            number += 1
            await asyncio.sleep(0)
    finally:
        closed.append(number)


def test_a_generator_is_read_only_as_far_as_it_is_asked_and_closed_with_its_reader() -> None:
    closed: list[int] = []
    numbers = iterate(count(closed))
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    assert closed == []
    numbers.close()  # type: ignore[attr-defined]  # of a generator
    assert closed == [2]


async def test_a_reader_that_is_dropped_on_a_loop_does_not_block_it() -> None:
    closed: list[int] = []
    readers: list[Iterator[int]] = []

    def begin() -> None:
        readers.append(iterate(count(closed)))
        next(readers[0])

    await asyncio.to_thread(begin)
    readers.clear()
    await eventually(lambda: closed, "the end of the generator")


def test_a_generator_that_ends_or_fails_does_so_for_its_reader() -> None:
    async def fail() -> AsyncGenerator[int, None]:
        yield 1
        raise LookupError("lost")

    numbers = iterate(fail())
    assert next(numbers) == 1
    with pytest.raises(LookupError):
        next(numbers)
    with pytest.raises(StopIteration):
        next(numbers)
