"""Threads for jobs that are plain functions.

Invariants: a call waits for no other call, since a thread is added where none is idle (the queues'
limits bound them); results reach the event loop in batches, one wake-up for all that came in
between; threads are daemons, so that one that never returns does not keep the process alive.

To wake a thread for each call would cost more than short calls do themselves. So one is woken, and
wakes the next before it begins its call if more are waiting. Until that one has the interpreter,
which it gets at once where the first one blocks, the first goes on with them.

A thread can't be stopped from outside. When its job must stop, it is told so and has
`PATIENCE_SECONDS` to notice; then it is left alone, as stuck, and its slot is given back.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from staffa.jobs import find_current_job
from staffa.telemetry import emit
from staffa.telemetry.catalogue import ThreadStuck

PATIENCE_SECONDS = 1.0
_IDLE_SECONDS = 30.0

_Sleeper = threading.Lock
"""Held while a thread sleeps; who lets it go wakes that."""


class _Call:
    """A function to be called, and who waits for what becomes of it.

    The future is awaited as it is, without `asyncio.shield`, which takes as long as all the rest of
    a call. So it ends when the caller is cancelled, and another one takes its place.
    """

    __slots__ = ("context", "function", "future")

    def __init__(self, function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        self.function = function
        self.context = contextvars.copy_context()
        self.future = future

    def answer(self, result: Any, error: BaseException | None) -> None:
        """Tell what became of it."""
        if self.future.cancelled():  # the caller will look soon
            self.renew()
        if error is None:
            self.future.set_result(result)
        elif isinstance(error, StopIteration):  # a future refuses it
            self.future.set_exception(RuntimeError(f"the job raised {error!r}"))
        else:
            self.future.set_exception(error)

    def renew(self) -> None:
        """Take another future, in place of one that was cancelled with the caller."""
        self.future = self.future.get_loop().create_future()
        self.future.add_done_callback(_ignore)


_Reply = tuple[_Call, Any, BaseException | None]


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
        self._lock = threading.Lock()
        self._calls: deque[_Call] = deque()
        self._replies: list[_Reply] = []
        self._threads: set[threading.Thread] = set()
        self._sleeping: list[_Sleeper] = []
        self._waking = False  # some thread is about to look for a call
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
        made = _Call(call, self._loop.create_future())
        self._submit(made)
        try:
            return await made.future
        except asyncio.CancelledError:
            if made.future.cancelled():
                made.renew()
                ask_to_stop()
                await asyncio.wait([made.future], timeout=PATIENCE_SECONDS)
            if made.future.done():
                return made.future.result()
            emit(ThreadStuck, call=call, job=find_current_job())
            raise

    def stop(self) -> None:
        """Let idle threads end; busy ones end with their call."""
        with self._lock:
            self._stopped = True  # a call that comes all the same gets a thread of its own
            while self._sleeping:
                self._sleeping.pop().release()

    def _submit(self, call: _Call) -> None:
        with self._lock:
            self._calls.append(call)
            try:
                self._wake_one()
            except BaseException:
                self._calls.pop()
                raise

    def _wake_one(self) -> None:
        """Have a thread look for a call, if some wait and none is on its way to them."""
        if self._waking or not self._calls:
            return
        self._waking = True
        if self._sleeping:
            self._sleeping.pop().release()  # the one that slept last: its memory is warm
            return
        thread = threading.Thread(target=self._work, name="staffa-thread", daemon=True)
        try:
            thread.start()
        except BaseException:
            self._waking = False
            raise
        self._threads.add(thread)

    def _work(self) -> None:
        sleeper = threading.Lock()
        sleeper.acquire()
        call = self._next(sleeper)
        while call is not None:
            try:
                reply: _Reply = (call, call.context.run(call.function), None)
            except BaseException as error:  # noqa: BLE001  # the executor judges what a job raises
                reply = (call, None, error)
            call = self._reply(reply) or self._next(sleeper)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _next(self, sleeper: _Sleeper) -> _Call | None:
        """Return the next call, which may be long in coming; None to end this thread."""
        while True:
            with self._lock:
                self._waking = False
                if self._calls:
                    return self._take()
                if self._stopped:
                    return None
                self._sleeping.append(sleeper)
            if not sleeper.acquire(timeout=_IDLE_SECONDS):
                with self._lock:
                    if sleeper in self._sleeping:
                        self._sleeping.remove(sleeper)
                        return None
                sleeper.acquire()  # it was woken just now

    def _take(self) -> _Call:
        call = self._calls.popleft()
        with suppress(RuntimeError):  # no thread can be started: this one goes on with the others
            self._wake_one()
        return call

    def _reply(self, reply: _Reply) -> _Call | None:
        """Hand over what has become of a call; return the next one that waits."""
        with self._lock:
            first = not self._replies
            self._replies.append(reply)
            call = self._take() if self._calls else None
            if call is None:
                self._waking = True  # this thread itself will look before it sleeps
        if first:
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop was closed while this thread was stuck
                self._replies.clear()
        return call

    def _deliver(self) -> None:
        with self._lock:
            replies, self._replies = self._replies, []
        for call, result, error in replies:
            call.answer(result, error)


def _ignore(future: asyncio.Future[Any]) -> None:
    """Look at what may come too late, or asyncio would report it as never retrieved."""
    if not future.cancelled():
        future.exception()
