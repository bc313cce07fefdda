"""Notices when a job blocks the event loop, and names it with its stack.

A thread asks the loop for a sign now and then. While the loop is blocked it can't answer, so what
the thread sees of it, the task and its stack, is the culprit's. Each block is told once, and its
length when it is over.

Options: `loop_blocked_after`.
Events: `staffa.loop.blocked`, `staffa.loop.freed`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from staffa._internal.clock import Clock
from staffa._internal.loops import join
from staffa.jobs import Job
from staffa.telemetry import emit, report, working_for
from staffa.telemetry.catalogue import LoopBlocked, LoopFreed

logger = logging.getLogger("staffa")

_LOOKS = 4


class Watchdog:
    """Watches the event loop on which it is started.

    Args:
        instance: The client whose events these are.
        blocked_after: Seconds without a sign of the loop after which it counts as blocked.
        clock: Measures them.
        job_of: Returns the job that runs in a task; called on the watchdog's thread.
    """

    def __init__(
        self,
        instance: str,
        blocked_after: float,
        *,
        clock: Clock,
        job_of: Callable[[asyncio.Task[Any] | None], Job | None],
    ) -> None:
        self._instance = instance
        self._blocked_after = blocked_after
        self._clock = clock
        self._job_of = job_of
        self._answered = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked_at: float | None = None
        self.culprit: Job | None = None

    @property
    def blocked_seconds(self) -> float:
        """How long the event loop has given no sign when it was asked for one; any thread may ask.

        `culprit` is the job that blocks it, once that was told.
        """
        asked_at = self._asked_at
        if asked_at is None or self._answered.is_set():
            return 0.0
        return self._clock.monotonic() - asked_at

    def start(self) -> None:
        """Watch from now on."""
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._watch,
            args=(asyncio.get_running_loop(), threading.get_ident()),
            name="staffa-watchdog",
            daemon=True,
        )
        self._thread.start()

    async def stop(self) -> None:
        """Let the thread end."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        self._answered.set()
        if thread is not None:
            await join(thread)

    def _watch(self, loop: asyncio.AbstractEventLoop, ident: int) -> None:
        with working_for(self._instance):
            while not self._stopping.wait(self._blocked_after / _LOOKS):
                asked_at = self._asked_at = self._clock.monotonic()
                self._answered.clear()
                try:
                    loop.call_soon_threadsafe(self._answered.set)
                except RuntimeError:  # the loop was closed without stopping us
                    return
                if self._answered.wait(self._blocked_after):
                    continue
                try:
                    self._tell(loop, ident, asked_at)
                except Exception as error:  # noqa: BLE001  # it watches on whatever it meets
                    report("the watchdog could not tell what blocks the event loop", error)

    def _tell(self, loop: asyncio.AbstractEventLoop, ident: int, asked_at: float) -> None:
        job = self._job_of(asyncio.current_task(loop))
        frame = sys._current_frames().get(ident)  # noqa: SLF001  # the documented way to a stack
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        del frame
        if self._answered.is_set() or self._stopping.is_set() or not loop.is_running():
            return  # it answered while we looked, or has nothing to answer with
        seconds = self._clock.monotonic() - asked_at
        culprit = "something outside of jobs" if job is None else f"job {job.id} {job.worker}"
        logger.warning(
            "the event loop is blocked by %s for %.1f s: all jobs of this process wait; make it "
            "wait with await, or give it executor='thread' or 'process'\n%s",
            culprit,
            seconds,
            stack,
        )
        self.culprit = job
        emit(LoopBlocked, seconds=seconds, job=job, stack=stack)
        while not self._answered.wait(self._blocked_after):
            if loop.is_closed():
                return
        self.culprit = None
        if not self._stopping.is_set():
            emit(LoopFreed, seconds=self._clock.monotonic() - asked_at, job=job)
