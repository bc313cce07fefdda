"""Synchronous calls of coroutine functions: carried out on the loop's thread, awaited on ours.

The caller's thread does more than wait: what the coroutine function calls of the caller's own code
is called there, for that may belong to its thread (a session, a cursor), and must not block the
loop of all callers. An interruption of the waiting caller, such as Ctrl-C, cancels the call.
Context variables travel with it.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, ParamSpec, TypeVar

from staffa._internal.loop_thread import loop_thread

P = ParamSpec("P")
T = TypeVar("T")

_CANCEL_SECONDS = 1.0


class Call(Generic[T]):
    """One call. It is made and run on the caller's thread, which must not run a loop itself."""

    def __init__(self) -> None:
        self._loop = loop_thread().loop
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._ended = threading.Event()
        self._task: asyncio.Task[T] | None = None
        self._unwanted = False

    def run(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine to its end, and do meanwhile what it asks for.

        Args:
            begin: Makes the coroutine; called on the loop.
        """
        context = contextvars.copy_context()
        try:  # from here on: it may be interrupted as soon as the loop has heard of it
            self._loop.call_soon_threadsafe(self._begin, begin, context=context)
            while (asked := self._asked.get()) is not None:
                asked()
        except BaseException:
            self._loop.call_soon_threadsafe(self._cancel)
            self._ended.wait(_CANCEL_SECONDS)
            raise
        assert self._task is not None  # noqa: S101  # it has ended
        return self._task.result()

    def brought(self, function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return a coroutine function that calls a function of the caller's on its thread."""

        async def ask(*args: Any) -> Any:
            answer = self._loop.create_future()
            self._asked.put(partial(self._serve, answer, partial(function, *args)))
            result = await answer
            return await result if inspect.isawaitable(result) else result

        return ask

    def _begin(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._task = self._loop.create_task(begin(), name="staffa-call")
        self._task.add_done_callback(self._end)
        if self._unwanted:
            self._task.cancel()

    def _cancel(self) -> None:
        self._unwanted = True
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: asyncio.Task[T]) -> None:
        if self._unwanted and not task.cancelled():
            task.exception()  # nobody else will look at it
        self._ended.set()
        self._asked.put(None)

    def _serve(self, answer: asyncio.Future[Any], function: Callable[[], Any]) -> None:
        try:
            result = function()
        except StopIteration as error:  # a future refuses it
            self._answer(answer, None, RuntimeError(f"a function raised {error!r}"))
        except Exception as error:  # noqa: BLE001  # it goes through the call, and comes back
            self._answer(answer, None, error)
        else:
            self._answer(answer, result, None)

    def _answer(self, answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        def give() -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(give)


def call(function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a coroutine function and return what it returns.

    Example:
        >>> async def double(number: int) -> int:
        ...     return 2 * number
        >>> call(double, 21)
        42
    """
    made: Call[T] = Call()
    return made.run(lambda: function(*args, **kwargs))


def iterate(source: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield what an asynchronous generator yields; it goes on only as far as it is read."""
    try:
        while True:
            try:
                item = call(source.__anext__)
            except StopAsyncIteration:
                return
            yield item
    finally:
        _close(source)


def _close(source: AsyncGenerator[Any, None]) -> None:
    """Close a generator, also where the collector does it on some loop's thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        call(source.aclose)
        return
    closing = partial(asyncio.ensure_future, source.aclose())
    loop_thread().loop.call_soon_threadsafe(closing)
