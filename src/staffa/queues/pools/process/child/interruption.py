"""Stops what the main thread runs, when the parent asks for it.

A coroutine's task is cancelled. A function is interrupted by a signal that the reader's thread
sends to its own main thread: it ends `time.sleep` and the like, and its handler raises
`JobCancelled` where the function is. The signal comes from within on purpose. Service managers send
SIGTERM to all processes of a service when they stop it; jobs then still have the grace period that
the parent gives them. So a SIGTERM from outside does nothing here; SIGINT neither.

A call into C that does not return is not interrupted: the parent kills the child soon after.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

from staffa.errors import JobCancelled

_WAKE = signal.SIGTERM


class Interruption:
    """The way in which the parent stops the jobs of this child. Made on the main thread."""

    def __init__(self) -> None:
        self.wanted = False
        self._armed = False
        self._cancel: Callable[[], None] | None = None
        self._main = threading.get_ident()
        signal.signal(signal.SIGINT, lambda number, frame: None)
        signal.signal(_WAKE, self._on_signal)

    def request(self) -> None:
        """Stop what runs and what would run; called on the reader's thread.

        The child runs nothing after that: it is replaced.
        """
        self.wanted = True
        cancel = self._cancel
        if cancel is not None:
            cancel()
        signal.pthread_kill(self._main, _WAKE)

    def guard(self, call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        """Call a function, and return its result or what it raised, the interruption included.

        The handler raises once at most. It may do so after the function has returned, before it is
        disarmed: hence the outer `try`.
        """
        try:
            try:
                self._armed = True
                self._raise_if_wanted()
                return call(), None
            except BaseException as error:  # noqa: BLE001  # a job may raise anything
                self._armed = False
                return None, error
            finally:
                self._armed = False
        except JobCancelled as error:
            return None, error

    def run(
        self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context
    ) -> tuple[Any, BaseException | None]:
        """Run a coroutine on an event loop of its own, and return its result or what it raised."""

        async def perform() -> tuple[Any, BaseException | None]:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None  # noqa: S101  # this is one

            def cancel() -> None:
                with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                    loop.call_soon_threadsafe(task.cancel)

            self._cancel = cancel
            try:
                self._raise_if_wanted()
                return await coroutine, None
            except BaseException as error:  # noqa: BLE001  # a job may raise anything
                return None, error
            finally:
                self._cancel = None
                coroutine.close()

        try:
            with asyncio.Runner() as runner:
                return runner.run(perform(), context=context)
        except BaseException as error:  # noqa: BLE001  # what the loop raised while it was closed
            return None, error

    def _raise_if_wanted(self) -> None:
        if self.wanted:
            raise JobCancelled("the job was asked to stop")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.wanted and self._armed:
            self._armed = False
            raise JobCancelled("the job was asked to stop")
