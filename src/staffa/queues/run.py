"""One run of a job: what the job may ask of its executor, from the event loop or from a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Mapping
from concurrent.futures import CancelledError
from enum import Enum, auto
from typing import Any, TypeVar

from staffa._internal.done import Done
from staffa.engine import Ack, Lease, Statements
from staffa.errors import InvalidJob, JobCancelled, SignalTimeout
from staffa.jobs import Job
from staffa.queues.awaits import KeptAwaits, ReceivesSignals
from staffa.queues.checkpoints import Notes
from staffa.queues.completions import complete_on, complete_on_sync, dump_statements
from staffa.queues.outcomes import Parking, of_completion
from staffa.queues.pools.process.messages import COMPLETE, META, PROGRESS, SIGNAL
from staffa.registry import WorkerDefinition
from staffa.signals import Parked
from staffa.types import SignalWanted, State

T = TypeVar("T")

_LOOK_SECONDS = 0.5


class Stop(Enum):
    """Why a running job is asked to stop."""

    LEASE_ENDED = auto()
    SHUTDOWN = auto()


class Run:
    """One job while it runs: its context.

    Args:
        job: As it was claimed.
        checkpoints: Takes what the job notes.
        loop: Where the executor runs.
        awaits: Where it gets signals from; its own meta if not given.
    """

    __slots__ = (
        "__weakref__",
        "_awaits",
        "_checkpoints",
        "_loop",
        "_thread",
        "begun",
        "completion",
        "definition",
        "ended",
        "job",
        "lease",
        "parking",
        "stopping",
        "task",
        "waits",
        "why",
    )

    def __init__(
        self,
        job: Job,
        checkpoints: Notes,
        loop: asyncio.AbstractEventLoop,
        awaits: ReceivesSignals | None = None,
    ) -> None:
        self.job = job
        self.lease = Lease.of(job)
        self.task: asyncio.Task[None] | None = None
        self.why: Stop | None = None
        self.definition: WorkerDefinition | None = None
        self.completion: Ack | None = None
        self.begun = False
        self.ended = False
        self.stopping = False
        self.parking: Parking | None = None
        self.waits: dict[str, float] | None = None
        self._awaits = KeptAwaits(checkpoints) if awaits is None else awaits
        self._checkpoints = checkpoints
        self._loop = loop
        self._thread = threading.get_ident()

    @property
    def cancelled(self) -> bool:
        """Whether the job should stop."""
        return self.stopping

    @property
    def lease_ended(self) -> bool:
        """Whether the row is somebody else's by now."""
        return self.why is Stop.LEASE_ENDED

    @property
    def ends_task(self) -> bool:
        """Whether its task has nothing left to do once this run has been asked to stop."""
        return True

    def end(self) -> None:
        """Let go of the job, which refers to this: else only the garbage collector would free both.

        Its passes over the jobs of large claims took a third of the time of a worker.
        """
        self.ended = True
        self.task = None
        del self.job

    def ask_to_stop(self) -> None:
        """Let `Job.cancelled` tell the job."""
        self.stopping = True

    def note_progress(self, patch: Mapping[str, Any]) -> Awaitable[None]:
        """Have progress written soon; only the last of a second is."""
        if threading.get_ident() == self._thread:
            self._note(patch)
        else:
            self._call_soon(patch)
        return Done()

    def _note(self, patch: Mapping[str, Any]) -> None:
        if not self.ended:  # what outlives its job (a thread, a task) may still tell something
            self._checkpoints.note(self.lease, patch)

    def write_meta(self, patch: Mapping[str, Any]) -> Awaitable[None]:
        """Merge into the row's meta: to be awaited on the loop, done at once in a thread.

        Raises:
            JobCancelled: If the lease has ended.
        """
        writing = self._checkpoints.write(self.lease, patch)
        if threading.get_ident() == self._thread:
            return writing
        self._wait_for(writing)
        return Done()

    def complete_in(self, conn: Any, result: object) -> Awaitable[None]:
        """Complete the job on a user's connection: awaited on the loop, done at once elsewhere.

        Raises:
            JobCancelled: If the lease has ended.
        """
        self._check_it_runs()
        statements = self._completing(of_completion(self.job, result, self.definition))
        if threading.get_ident() == self._thread:
            return complete_on(conn, statements, self.lease.id)
        complete_on_sync(conn, statements, self.lease.id)
        return Done()

    def receive_signal(self, wanted: SignalWanted) -> Awaitable[Any]:
        """Wait for a signal, on the loop."""
        return self._receive(wanted)

    def receive_signal_sync(self, wanted: SignalWanted) -> Any:
        """Wait for a signal in a thread.

        Raises:
            InvalidJob: On the loop, which the wait would block.
        """
        if threading.get_ident() == self._thread:
            raise InvalidJob(
                "await_signal_sync would block the event loop: use 'await await_signal(...)' in an "
                "async def"
            )
        return self._wait_for(self._receive(wanted))

    async def _receive(self, wanted: SignalWanted) -> Any:
        if self.ended:
            raise JobCancelled(f"job {self.lease.id} has ended: it can't wait for signals any more")
        return await self._awaits.receive(self, wanted)

    def open_wait(self, name: str, seconds: float) -> None:
        """Note that the job waits for a signal, for so many seconds more."""
        if self.waits is None:
            self.waits = {}
        self.waits[name] = seconds

    def close_wait(self, name: str) -> None:
        """Note that it does not any more."""
        if self.waits is not None:
            self.waits.pop(name, None)

    def park(self) -> None:
        """Note that the run is to end until one of the signals comes that the job waits for."""
        if not self.waits:
            return
        names, seconds = tuple(self.waits), min(self.waits.values())
        if self.parking is not None:  # of another task, or one that the function has swallowed
            names = (*self.parking.names, *names)
            seconds = min(self.parking.seconds, seconds)
        self.parking = Parking(tuple(dict.fromkeys(names)), seconds)

    def _check_it_runs(self) -> None:
        if self.ended:  # what outlives its job may not end it
            raise JobCancelled(f"job {self.lease.id} has ended: it can't be completed any more")

    def _completing(self, ack: Ack) -> Statements[dict[int, State]]:
        """Return what writes a completion; from now on it may have been written."""
        self._check_it_runs()
        self.completion = ack
        return self._checkpoints.completing(ack, linked=self.job.linked)

    async def take_message(self, kind: str, patch: dict[str, Any]) -> Mapping[str, Any] | None:
        """Serve what the job asks for in a process of its own.

        Raises:
            JobCancelled: If the lease has ended.
            InvalidJob: If there is no such message.
        """
        if kind == PROGRESS:
            await self.note_progress(patch)
        elif kind == META:
            await self.write_meta(patch)
        elif kind == COMPLETE:
            ack = Ack(
                lease=self.lease, state=State.COMPLETED, error=patch["error"], meta=patch["meta"]
            )
            return dump_statements(self._completing(ack))
        elif kind == SIGNAL:
            return await self._receive_for_child(patch)
        else:
            raise InvalidJob(f"message {kind!r:.100} is unknown here")
        return None

    async def _receive_for_child(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the job gets in a process of its own; how a wait ends is told, not raised."""
        try:
            payload = await self._receive(
                SignalWanted(wanted["name"], wanted["wait_for"], wanted["live"])
            )
        except Parked as parked:
            return {"parked": str(parked)}
        except SignalTimeout as error:
            return {"late": str(error)}
        return {"payload": payload}

    def _call_soon(self, patch: Mapping[str, Any]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._note, patch)
        except RuntimeError:  # the loop has gone on without this thread
            raise JobCancelled(f"job {self.lease.id} was left behind by its process") from None

    def _wait_for(self, writing: Coroutine[Any, Any, T]) -> T:
        """Wait in a thread; not for ever, as the loop may stop without it."""
        try:
            future = asyncio.run_coroutine_threadsafe(writing, self._loop)
        except RuntimeError:
            writing.close()
            raise JobCancelled(f"job {self.lease.id} was left behind by its process") from None
        while True:
            try:
                return future.result(timeout=_LOOK_SECONDS)
            except TimeoutError:
                if self.stopping:
                    future.cancel()
                    raise JobCancelled(f"job {self.lease.id} was asked to stop") from None
            except CancelledError:
                raise JobCancelled(f"job {self.lease.id} was asked to stop") from None
