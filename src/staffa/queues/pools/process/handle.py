"""One child as the parent sees it, from its start to its end.

Invariants: a child runs one job at a time; one that was asked to stop a job, whatever it answered,
runs no other; its end is told once, after all that it has sent was read, so a result that came
before a death counts; the task that `start` makes lives as long as the process does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable

from staffa._internal.clock import Clock
from staffa.errors import JobError, ProcessDied, ProcessUnavailable
from staffa.queues.pools.process.calls import ProcessCall
from staffa.queues.pools.process.connection import Connection
from staffa.queues.pools.process.failures import describe_death, load_error
from staffa.queues.pools.process.frames import Frame, encode_frame
from staffa.queues.pools.process.launch import launch
from staffa.queues.pools.process.messages import Messages, OnMessage
from staffa.queues.pools.process.results import load_result
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import ProcessEnded, ProcessStarted

PATIENCE_SECONDS = 1.0
"""How long a child has to end when it is asked to; then it is killed."""

_START_SECONDS = 60.0


class NotBegun(Exception):
    """A child died before it began the job that it was given: another one may run it.

    Args:
        error: Of what it died.
    """

    def __init__(self, error: JobError) -> None:
        super().__init__(str(error))
        self.error = error


class Run:
    """One job in a child."""

    __slots__ = ("call", "messages", "number", "outcome", "started")

    def __init__(self, number: int, call: ProcessCall, messages: Messages) -> None:
        self.number = number
        self.call = call
        self.messages = messages
        self.outcome: asyncio.Future[Frame | JobError] = asyncio.get_running_loop().create_future()
        self.started = False


class Child:
    """A child process.

    Args:
        on_gone: Called when the process has ended.
        clock: Measures its age.
    """

    def __init__(self, on_gone: Callable[[Child], None], clock: Clock) -> None:
        self._on_gone = on_gone
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[JobError | None] = self._loop.create_future()
        self._process: asyncio.subprocess.Process | None = None
        self._connection = Connection(self._on_frame, self.kill, self._expect_death)
        self._run: Run | None = None
        self._why: str | None = None
        self._killer: asyncio.TimerHandle | None = None
        self._gone = False
        self._born = clock.monotonic()
        self.task: asyncio.Task[None] | None = None
        self.usable = True
        self.jobs = 0
        self.memory = 0

    @property
    def pid(self) -> int | None:
        """The id of the process; None before it exists."""
        return None if self._process is None else self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return self._clock.monotonic() - self._born

    async def start(self) -> None:
        """Start the process, and wait until it can run jobs.

        Raises:
            ProcessUnavailable: If it can't be started; it is gone then.
        """
        self.task = self._loop.create_task(self._live(), name="staffa-process")
        try:
            async with asyncio.timeout(_START_SECONDS):
                await asyncio.wait([self._ready])
        except TimeoutError:
            self.kill()
            raise ProcessUnavailable(
                f"process {self.pid} was not ready after {_START_SECONDS:g} s"
            ) from None
        except asyncio.CancelledError:
            self.kill()
            raise
        error = self._ready.result()
        if error is not None:
            raise error
        emit(ProcessStarted, pid=self.pid or 0, seconds=self.age)

    async def run(self, call: ProcessCall, on_message: OnMessage | None) -> object:
        """Run a job, and return its result.

        Raises:
            NotBegun: If the process had died before.
            ProcessJobError: If the job raised.
            ProcessDied: If the process died.
            FrameError: If the job is too long to be sent.
            asyncio.CancelledError: When the caller was cancelled, unless the job ended all the same
                in time.
        """
        if self._gone:  # it has told so already, when nobody was waiting
            raise NotBegun(ProcessDied(f"process {self.pid} had ended before the job"))
        frame = encode_frame("run", number=self.jobs + 1, **call.dump())
        self.jobs += 1
        run = self._run = Run(self.jobs, call, Messages(on_message, self._connection.send))
        self._connection.send(frame)
        try:
            cancelled = await self._wait_for(run)
            await run.messages.close(0.0 if cancelled else PATIENCE_SECONDS)
        finally:
            self._run = None
            if not run.outcome.done():
                self.kill()
            run.messages.cancel()
        return self._judge(run, run.outcome.result(), cancelled)

    async def _wait_for(self, run: Run) -> asyncio.CancelledError | None:
        """Wait for the outcome, when cancelled for a moment only; return the cancellation."""
        try:
            await asyncio.wait([run.outcome])
        except asyncio.CancelledError as cancelled:
            self.usable = False
            self._connection.send(encode_frame("stop"))
            await asyncio.wait([run.outcome], timeout=PATIENCE_SECONDS)
            if not run.outcome.done():
                raise
            return cancelled
        return None

    def exit(self) -> None:
        """Let the process end, its own way if it does so in time; it runs nothing any more."""
        self._connection.send(encode_frame("exit"))
        self._expect_death()

    def kill(self, why: str | None = None) -> None:
        """End the process at once, and what its jobs have started."""
        self.usable = False
        self._why = self._why or why
        if self._process is not None and not self._gone:
            _kill_group(self._process.pid)

    def _expect_death(self, why: str | None = None) -> None:
        """Kill the process unless it ends soon by itself."""
        self.usable = False
        if self._killer is None and not self._gone:
            self._killer = self._loop.call_later(PATIENCE_SECONDS, self.kill, why)

    async def _live(self) -> None:
        error: JobError = ProcessUnavailable("the process could not be watched")
        try:
            error = self._describe_end(await self._watch())
        except (OSError, ProcessUnavailable) as refused:
            error = ProcessUnavailable(f"no process can be started: {refused}")
        except Exception as defect:  # noqa: BLE001  # those who wait must not wait for ever
            report("a process of the pool could not be watched", defect)
        finally:
            self.kill()  # it has ended already, unless the event loop is being closed
            self._gone = True
            if self._killer is not None:
                self._killer.cancel()
            self._connection.close()
            self._tell(error)
            self._on_gone(self)

    async def _watch(self) -> int:
        """Start the process, and return its exit code when it has ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            await self._loop.create_unix_connection(lambda: self._connection, sock=ours)
            self._process = await launch(theirs)
        if not self.usable:  # somebody has killed it before it existed
            self.kill()
        code = await self._process.wait()
        self.kill()  # what its jobs have started, and may hold the socket open
        await self._connection.drain(PATIENCE_SECONDS)
        self._connection.close()
        await self._connection.drain(PATIENCE_SECONDS)
        emit(
            ProcessEnded,
            pid=self._process.pid, jobs=self.jobs, exit_code=code, reason=self._why,
        )  # fmt: skip
        return code

    def _describe_end(self, code: int) -> JobError:
        pid = self.pid or 0
        starting = not self._ready.done()
        if self._why is not None:
            text = f"process {pid} was ended: {self._why}"
            return ProcessUnavailable(text) if starting else ProcessDied(text)
        if starting:
            return ProcessUnavailable(
                f"process {pid} ended before it was ready: {describe_death(pid, code)}; what it "
                "printed is in the log of this process"
            )
        return describe_death(pid, code)

    def _tell(self, error: JobError) -> None:
        """Tell those who wait that nothing will come any more."""
        if not self._ready.done():
            self._ready.set_result(error)
        if self._run is not None and not self._run.outcome.done():
            self._run.outcome.set_result(error)

    def _on_frame(self, frame: Frame) -> None:
        run = self._run
        match frame["kind"]:
            case "ready" if not self._ready.done():
                self._ready.set_result(None)
            case "started" if run is not None:
                run.started = True
            case "message":
                if run is not None and frame.get("run") == run.number:
                    run.messages.receive(frame)
            case "result" | "error" if run is not None and not run.outcome.done():
                run.outcome.set_result(frame)
            case kind:
                self.kill(f"it sent a frame of kind {kind!r:.100} out of turn")

    def _judge(
        self, run: Run, outcome: Frame | JobError, cancelled: asyncio.CancelledError | None
    ) -> object:
        """Return the result of a run, or raise what it has come to."""
        if isinstance(outcome, JobError):
            if cancelled is not None:
                raise cancelled from outcome
            if not run.started:
                raise NotBegun(outcome)
            raise outcome
        try:
            self.memory = int(outcome["memory"])
            run.call.job.note_enqueued(map(str, outcome["enqueued"]))
            if outcome["kind"] == "result":
                return load_result(outcome["result"])
            error = load_error(outcome["error"])
            stopped = outcome["stopped"] is True
        except (KeyError, TypeError, ValueError, AttributeError) as unreadable:
            self.kill()
            text = f"process {self.pid} sent an outcome that can't be read: {unreadable!r}"
            raise ProcessDied(text) from None
        if stopped and cancelled is not None:
            raise cancelled from error
        raise error


def _kill_group(leader: int) -> None:
    """Kill a process, and what is left of its group, which may outlive it.

    The id of a process that has ended is not given to another one while the group has members;
    without members it is free, but ids go round, and it is far from its turn.
    """
    with contextlib.suppress(OSError):  # all of them have ended
        os.killpg(leader, signal.SIGKILL)
