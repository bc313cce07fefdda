"""One event loop on a thread of its own: where synchronous calls of this process are carried out.

Invariants: there is at most one such loop in a process; it is made when it is first needed, and
again after a fork, for threads don't survive one. What the child has inherited of the parent's loop
it neither uses, closes nor collects: both loops would share one epoll and one set of sockets, and
the parent's would go deaf. At the exit of the interpreter, those who asked for it close what they
have open on the loop, then it ends; the thread is a daemon, so that nothing of this can keep the
process alive for longer than `END_SECONDS`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakMethod

from staffa._internal.clock import SYSTEM_CLOCK

T = TypeVar("T")

END_SECONDS = 5.0

Closing = Callable[[], Coroutine[Any, Any, None]]


class LoopThread:
    """A running event loop on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._closings: set[WeakMethod[Closing]] = set()
        self._thread = threading.Thread(target=self._run, name="staffa-loop", daemon=True)
        self._thread.start()

    def before_end(self, closing: Closing) -> None:
        """Have a method called before the loop ends, if its object is still there."""
        self._closings.add(WeakMethod(closing))

    def end(self) -> None:
        """Close what is open, and end the loop; it is too late for what takes longer."""
        until = SYSTEM_CLOCK.monotonic() + END_SECONDS
        closings = [closing for found in self._closings if (closing := found()) is not None]
        closed = asyncio.run_coroutine_threadsafe(self._close(closings), self.loop)
        with suppress(TimeoutError):
            closed.result(END_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(max(until - SYSTEM_CLOCK.monotonic(), 0.0))

    async def _close(self, closings: list[Closing]) -> None:
        # The usual threads are refused by now: the interpreter has ended its executors already.
        asyncio.get_running_loop().set_default_executor(_LastThreads())
        await asyncio.gather(*(closing() for closing in closings), return_exceptions=True)
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:  # their callers would wait for ever
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()


class _LastThreads(ThreadPoolExecutor):
    """A thread for each call, where no other executor takes any."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  # handed to whoever waits
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future


_lock = threading.Lock()
_current: LoopThread | None = None
_inherited: list[LoopThread] = []


def loop_thread() -> LoopThread:
    """Return the loop of this process, made now if there is none."""
    global _current  # noqa: PLW0603
    with _lock:
        if _current is None:
            _current = LoopThread()
        return _current


def is_loop_thread(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether a loop is the one of this process."""
    current = _current
    return current is not None and current.loop is loop


def _forget() -> None:
    """Begin anew after a fork, in which another thread may have held the lock."""
    global _lock, _current  # noqa: PLW0603
    _lock = threading.Lock()
    if _current is not None:
        _inherited.append(_current)
        _current = None


def _end() -> None:
    if _current is not None:
        _current.end()


os.register_at_fork(after_in_child=_forget)
atexit.register(_end)
