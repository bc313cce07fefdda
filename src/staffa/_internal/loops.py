"""What is done on one event loop by order of another, and a lock between tasks of several loops."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK_SECONDS = 0.5
_JOIN_SECONDS = 0.005


def call_soon_on(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    """Call a function on a loop: at once if it is ours, else soon; never if it was closed."""
    try:
        ours = asyncio.get_running_loop() is loop
    except RuntimeError:
        ours = False
    if ours:
        function()
        return
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function)


async def join(thread: threading.Thread) -> None:
    """Wait for the end of a thread, also at an exit, when no other one can be made that waits."""
    while thread.is_alive():  # noqa: ASYNC110  # it may outlive any loop that it could tell
        await asyncio.sleep(_JOIN_SECONDS)


async def run_on(
    loop: asyncio.AbstractEventLoop,
    function: Callable[[], Coroutine[Any, Any, T]],
    *,
    within: float | None = None,
) -> T | None:
    """Run a coroutine function on a loop, and wait for it.

    Args:
        loop: The loop; ours or another one.
        function: What is to be run.
        within: After how many seconds it is not waited for any more; it goes on then.

    Returns:
        What it returns; None if the loop does not run, or not any more, or the time is over.
    """
    if asyncio.get_running_loop() is loop:
        return await function()
    if not loop.is_running():
        return None
    future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(), loop))
    left = within
    while loop.is_running() and (left is None or left > 0):
        look = _LOOK_SECONDS if left is None else min(_LOOK_SECONDS, left)
        try:
            done, _ = await asyncio.wait([future], timeout=look)
        except asyncio.CancelledError:
            future.cancel()
            raise
        if done:
            return None if future.cancelled() else future.result()
        left = None if left is None else left - look
    return None


class LoopsLock:
    """A lock that tasks of different event loops can wait for, in the order in which they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[Future[None]] = deque()

    async def __aenter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            turn: Future[None] = Future()
            self._waiting.append(turn)
        try:
            await asyncio.wrap_future(turn)
        except BaseException:
            if not turn.cancel():  # it was ours already
                self._release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release()

    def _release(self) -> None:
        with self._guard:
            while self._waiting:
                turn = self._waiting.popleft()
                if turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            self._taken = False
