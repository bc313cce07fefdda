"""One of the N: a child, and the next one when it has ended.

Invariants: there is one process at a time; after each end that nobody wanted comes a pause, which
grows up to `LONGEST_PAUSE_SECONDS` while children do not run for long; a stop ends the pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from staffa._internal.backoff import Backoff
from staffa._internal.exits import tell_exit
from staffa.cli.options import EXIT_REFUSED, EXIT_USAGE
from staffa.cli.processes.child import Child, OnOpen, OnRunning
from staffa.services.health import Question, Verdict
from staffa.share import Share

logger = logging.getLogger("staffa")

LONGEST_PAUSE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.2
_STEADY_SECONDS = 60.0
_SIGNALLED = 128


class Place:
    """Keeps one child running.

    Args:
        command: Runs queues.
        share: This child's part of the limits.
        on_open: Opens a health port.
        on_running: Called when a child's queues run, with the version of the changes of queues that
            it knew at its start.
        on_refused: Called with the exit code of a child that can't run and should not be replaced.
    """

    def __init__(
        self,
        command: Sequence[str],
        share: Share,
        on_open: OnOpen,
        on_running: OnRunning,
        on_refused: Callable[[int], None],
    ) -> None:
        self._command = command
        self._share = share
        self._on_open = on_open
        self._on_running = on_running
        self._on_refused = on_refused
        self._label = f"worker process {share.index + 1} of {share.count}"
        self._name = self._label
        self._child: Child | None = None
        self._state = "it has not been started yet"
        self._stopping = asyncio.Event()
        self._hurried = False
        self._refused = False  # whether the next one would most likely end the same way
        self._backoff = Backoff(
            first_seconds=_FIRST_PAUSE_SECONDS, cap_seconds=LONGEST_PAUSE_SECONDS
        )
        self.has_run = asyncio.Event()
        self.exit_code = 0

    async def keep(self) -> None:
        """Start a child, and another one whenever it has ended, until told to stop."""
        while not self._stopping.is_set():
            try:
                code = await self._live()
            except OSError as error:
                how, code = f"could not be started: {error}", EXIT_REFUSED
                self._refused = not self.has_run.is_set()
            else:
                how = tell_exit(code)
            if self._stopping.is_set():
                break
            if self._refused:
                logger.error("%s %s: it can't start, so all end", self._name, how)
                self._on_refused(code)
                break
            await self._pause(how)
        self._state = "it has ended"

    def hold_since(self, control_version: int) -> None:
        """Have changes of queues hold for the next child that are later than this version."""
        self._share = replace(self._share, since=control_version)

    def stop(self) -> None:
        """Have the child stop in order, and start no other."""
        self._stopping.set()
        if self._child is not None:
            self._child.send("stop")

    def hurry(self) -> None:
        """End the grace period of a child that stops."""
        self._hurried = True
        if self._child is not None:
            self._child.send("hurry")

    async def judge(self, host: str, port: int, question: Question) -> Verdict:
        """Return what the child says of its health; a child that is replaced is not ready."""
        child = self._child
        details = {"process": self._share.index + 1, "pid": None if child is None else child.pid}
        if child is None or not child.greeted:
            return Verdict([self._state] if question.word == "ready" else [], details)
        try:
            answer = await child.ask(host, port, question)
        except TimeoutError:
            if self._child is not child:
                return Verdict([self._state] if question.word == "ready" else [], details)
            return Verdict(["it does not answer"], details)
        if "reasons" not in answer:  # its client has not begun, or has stopped
            state = "it is starting" if child.running_since is None else "it has stopped"
            return Verdict([state] if question.word == "ready" else [], details)
        return Verdict(answer["reasons"], {**details, **answer["details"]})

    async def _live(self) -> int:
        """Start a child, and return its exit code."""
        self._state = "it is starting"
        child = await Child.start(self._command, self._share, self._on_open, self._note_running)
        self._child = child
        self._name = f"{self._label}, pid {child.pid},"
        if self._stopping.is_set():  # while it was being started
            child.send("hurry" if self._hurried else "stop")
        code = await child.ended()
        self._child = None
        if child.age > _STEADY_SECONDS:
            self._backoff.reset()
        if self._stopping.is_set():
            self._judge_end(child, code)
        self._refused = child.running_since is None and (
            code == EXIT_USAGE or (code > 0 and not self.has_run.is_set())
        )
        return code

    def _note_running(self, control_version: int | None) -> None:
        self.has_run.set()
        self._on_running(control_version)

    def _judge_end(self, child: Child, code: int) -> None:
        """Note how a child has ended that was told to.

        One that was killed by the same signal as all before it had heard of anything has lost
        nothing.
        """
        if code and (child.running_since is not None or code > 0):
            logger.warning("%s %s", self._name, tell_exit(code))
            self.exit_code = code if code > 0 else _SIGNALLED - code

    async def _pause(self, how: str) -> None:
        seconds = self._backoff.next_seconds()
        self._state = f"it {how}, and is replaced"
        logger.warning("%s %s: the next one starts in %.1f s", self._name, how, seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
