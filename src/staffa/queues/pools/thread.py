"""Threads for jobs that are plain functions.

Invariants: a call waits for no other call, since a thread is added where none is idle (the queues'
limits bound them); results reach the event loop in batches, one wake-up for all that came in
between; threads are daemons, so that one that never returns does not keep the process alive.

A thread can't be stopped from outside. When its job must stop, it is told so and has
`PATIENCE_SECONDS` to notice; then it is left alone, as stuck, and its slot is given back.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from staffa.jobs import find_current_job
from staffa.telemetry import emit
from staffa.telemetry.catalogue import ThreadStuck

PATIENCE_SECONDS = 1.0
_IDLE_SECONDS = 30.0

_Call = tuple[Callable[[], Any], contextvars.Context, "asyncio.Future[Any]"]
_Reply = tuple["asyncio.Future[Any]", Any, BaseException | None]


class Threads(Protocol):
    """Where plain functions run."""

    async def run(self, call: Callable[[], Any], *, ask_to_stop: Callable[[], None]) -> Any:
        """Run a function with the context variables of the caller, and return its result."""


class ThreadPool:
    """A pool that grows with what is asked of it.

    It belongs to the event loop on which it is made.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._replies: deque[_Reply] = deque()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._stopped = False

    async def run(self, call: Callable[[], Any], *, ask_to_stop: Callable[[], None]) -> Any:
        """Run a function in a thread, with the context variables of the caller.

        Args:
            call: The function.
            ask_to_stop: Called when the caller is cancelled, to tell the function.

        Returns:
            What the function returns, even after the caller was cancelled, if it does so in time.

        Raises:
            BaseException: What the function raises.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        self._submit((call, contextvars.copy_context(), future))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                ask_to_stop()
                await asyncio.wait([future], timeout=PATIENCE_SECONDS)
            if future.done():
                return future.result()
            emit(ThreadStuck, call=call, job=find_current_job())
            future.add_done_callback(_ignore)
            raise

    def stop(self) -> None:
        """Let idle threads end; busy ones end with their call."""
        with self._lock:
            self._stopped = True  # a call that comes all the same gets a thread of its own
            for _ in self._threads:
                self._calls.put(None)

    def _submit(self, call: _Call) -> None:
        with self._lock:
            if self._idle and not self._stopped:
                self._idle -= 1
            else:
                thread = threading.Thread(target=self._work, name="staffa-thread", daemon=True)
                self._threads.add(thread)
                thread.start()
            self._calls.put(call)

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            call, context, future = entry
            try:
                self._reply((future, context.run(call), None))
            except BaseException as error:  # noqa: BLE001  # the executor judges what a job raises
                self._reply((future, None, error))

    def _next(self) -> _Call | None:
        """Return the next call, or None to end this thread."""
        while True:
            try:
                entry = self._calls.get(timeout=_IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if not self._idle:  # a call for this thread is on its way
                        continue
                    self._idle -= 1
                    entry = None
            if entry is None:
                with self._lock:
                    self._threads.discard(threading.current_thread())
            return entry

    def _reply(self, reply: _Reply) -> None:
        with self._lock:
            self._idle += 1
            first = not self._replies
            self._replies.append(reply)
        if first:
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop was closed while this thread was stuck
                self._replies.clear()

    def _deliver(self) -> None:
        with self._lock:
            replies = list(self._replies)
            self._replies.clear()
        for future, result, error in replies:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            elif isinstance(error, StopIteration):  # a future refuses it
                future.set_exception(RuntimeError(f"the job raised {error!r}"))
            else:
                future.set_exception(error)


def _ignore(future: asyncio.Future[Any]) -> None:
    """Look at a result that comes too late, or asyncio would report it as never retrieved."""
    if not future.cancelled():
        future.exception()
