"""Writes what running jobs note in their rows: progress, now and then, and checkpoints, at once.

Invariants: each write names its lease, so that a job whose lease has ended writes nothing; what
comes while one statement runs goes out together in the next; of a job's progress at most one a
second is written, the last one with its outcome; during an outage progress waits and checkpoints
hold up the jobs that await them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from staffa._internal.backoff import Backoff
from staffa._internal.clock import Clock
from staffa.engine import Checkpoint, Engine, Lease, Producer
from staffa.errors import DatabaseError, DataRefused, InvalidJob, JobCancelled
from staffa.service import Service
from staffa.telemetry import report

PROGRESS_SECONDS = 1.0
_LARGEST_BUNDLE = 1000


class Checkpoints(Service):
    """Writes notes of running jobs.

    Args:
        engine: Where to.
        producer: Whose leases they are.
        clock: Measures the time between two writes of progress.
    """

    def __init__(self, engine: Engine, producer: Producer, clock: Clock) -> None:
        super().__init__()
        self._engine = engine
        self._producer = producer
        self._clock = clock
        self._progress: dict[Lease, dict[str, Any]] = {}
        self._written_at: dict[Lease, float] = {}
        self._waiting: list[tuple[Checkpoint, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()

    def note(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        """Have progress written, unless newer one comes first."""
        self._progress[lease] = dict(patch)
        self._arrived.set()

    def take(self, lease: Lease) -> dict[str, Any] | None:
        """Return progress that is not written, for the outcome of the job that has ended."""
        self._written_at.pop(lease, None)
        return self._progress.pop(lease, None)

    async def write(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        """Merge something into a job's meta, and return once it is stored.

        Raises:
            JobCancelled: If the lease has ended.
            InvalidJob: If the database refuses the data.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((Checkpoint(lease, patch), future))
        self._arrived.set()
        await future

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        backoff = Backoff()
        while True:
            await self._wait()
            bundle = self._next_bundle()
            try:
                await self._write(bundle)
                backoff.reset()
            except DatabaseError as error:
                report(f"{len(bundle)} checkpoints wait", error, level=logging.WARNING)
                self._arrived.set()
                await asyncio.sleep(backoff.next_seconds())

    async def on_stop(self) -> None:
        """End those who wait: their jobs have been left behind."""
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    async def _wait(self) -> None:
        """Return when there is something new, or progress whose second is over."""
        due = min((self._due_at(lease) for lease in self._progress), default=None)
        pause = None if due is None else max(due - self._clock.monotonic(), 0.0)
        try:
            async with asyncio.timeout(pause):
                await self._arrived.wait()
        except TimeoutError:
            pass
        self._arrived.clear()

    def _due_at(self, lease: Lease) -> float:
        written = self._written_at.get(lease)
        return self._clock.monotonic() if written is None else written + PROGRESS_SECONDS

    def _next_bundle(self) -> list[_Entry]:
        """Return what is to be written: checkpoints in their order, and progress that is due."""
        self._waiting = [entry for entry in self._waiting if not entry[1].done()]
        bundle: dict[Lease, _Entry] = {}
        for checkpoint, future in self._waiting[:_LARGEST_BUNDLE]:
            entry = bundle.setdefault(checkpoint.lease, _Entry(checkpoint.lease))
            entry.patch.update(checkpoint.meta)
            entry.futures.append(future)
        now = self._clock.monotonic()
        due = (lease for lease in self._progress if self._due_at(lease) <= now)
        for lease in islice(due, _LARGEST_BUNDLE):
            entry = bundle.setdefault(lease, _Entry(lease))
            entry.progress = self._progress[lease]
            entry.patch.update(entry.progress)
        return list(bundle.values())

    async def _write(self, bundle: Sequence[_Entry]) -> None:
        if not bundle:
            return
        patches = [Checkpoint(entry.lease, entry.patch) for entry in bundle]
        try:
            written = await self._engine.checkpoint_jobs(patches, self._producer)
        except DataRefused as error:
            if len(bundle) == 1:
                self._settle(bundle[0], InvalidJob(f"meta can't be stored: {error}"))
                return
            for entry in bundle:
                await self._write([entry])
            return
        for entry in bundle:
            lost = JobCancelled(f"job {entry.lease.id} is not ours any more: it should stop")
            self._settle(entry, None if entry.lease in written else lost)

    def _settle(self, entry: _Entry, error: Exception | None) -> None:
        for future in entry.futures:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        if entry.progress is not None and self._progress.get(entry.lease) is entry.progress:
            del self._progress[entry.lease]
            self._written_at[entry.lease] = self._clock.monotonic()


@dataclass(slots=True)
class _Entry:
    """What one row gets by one statement."""

    lease: Lease
    patch: dict[str, Any] = field(default_factory=dict)
    futures: list[asyncio.Future[None]] = field(default_factory=list)
    progress: dict[str, Any] | None = None
