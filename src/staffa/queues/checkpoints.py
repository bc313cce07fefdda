"""Writes what running jobs note in their rows: progress, now and then, and checkpoints, at once.

Invariants: each write names its lease, so that a job whose lease has ended writes nothing; what
comes while one statement runs goes out together in the next; the progress of all jobs goes out
together, once a second at most, the last one of a job with its outcome; what the database refuses
for its data is halved until it stands alone, and costs no other job anything; nor does a row that
somebody else holds, which is tried again; during an outage progress waits, and checkpoints hold up
the jobs that await them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from staffa._internal.backoff import Backoff
from staffa._internal.clock import Clock
from staffa.engine import Ack, Checkpoint, Engine, Hold, Lease, Producer, Statements
from staffa.errors import DatabaseError, DataRefused, InvalidJob, JobCancelled
from staffa.service import Service
from staffa.telemetry import Outages, report
from staffa.types import State

PROGRESS_SECONDS = 1.0
_LARGEST_BUNDLE = 1000
_RAREST_TRY_SECONDS = 1.0
_LARGEST_CHARACTERS = 32 * 1024 * 1024


class Notes(Protocol):
    """Where running jobs note something."""

    def note(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        """Have progress written, unless newer one comes first."""

    def take(self, lease: Lease) -> Mapping[str, Any] | None:
        """Return what is not written, for the outcome of the job that has ended."""

    async def write(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        """Merge something into a job's meta."""

    def completing(self, ack: Ack, *, linked: bool) -> Statements[dict[int, State]]:
        """Return what completes a job, which may belong to flows, for a user's connection."""


class KeptNotes:
    """Keeps what jobs note until they end: for runs that nobody watches by their rows.

    Args:
        engine: Where their rows are; None if they have none.
        producer: Whose leases they are.
    """

    def __init__(self, engine: Engine | None, producer: Producer) -> None:
        self._engine = engine
        self._producer = producer
        self._kept: dict[Lease, dict[str, Any]] = {}

    def note(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        """Keep progress."""
        self._kept.setdefault(lease, {}).update(patch)

    def take(self, lease: Lease) -> Mapping[str, Any] | None:
        """Return all that was noted."""
        return self._kept.pop(lease, None)

    async def write(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        """Keep a checkpoint."""
        self.note(lease, patch)

    def completing(self, ack: Ack, *, linked: bool) -> Statements[dict[int, State]]:
        """Return what completes a job that has a row.

        Raises:
            InvalidJob: If it has none.
        """
        if self._engine is None:
            raise InvalidJob(
                "a job that runs without a database can't be completed in a transaction: enqueue "
                "it, and let drain_queue run it"
            )
        return self._engine.acknowledging([ack], self._producer, linked=linked)


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
        self._progress: dict[Lease, Mapping[str, Any]] = {}
        self._told_at = -math.inf
        self._waiting: list[tuple[Checkpoint, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._stopped = False
        self._held = False
        self._again_in: float | None = None

    def note(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        """Have progress written, unless newer one comes first."""
        if not self._progress:  # else its second is awaited already
            self._arrived.set()
        self._progress[lease] = patch

    def take(self, lease: Lease) -> Mapping[str, Any] | None:
        """Return progress that is not written, for the outcome of the job that has ended."""
        return self._progress.pop(lease, None) if self._progress else None

    async def write(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        """Merge something into a job's meta, and return once it is stored.

        Raises:
            JobCancelled: If the lease has ended.
            InvalidJob: If the database refuses the data.
        """
        if self._stopped:
            raise JobCancelled(f"job {lease.id} was left behind by its process")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((Checkpoint(lease, patch), future))
        self._arrived.set()
        await future

    def completing(self, ack: Ack, *, linked: bool) -> Statements[dict[int, State]]:
        """Return what completes a job, which may belong to flows, for a user's connection."""
        return self._engine.acknowledging([ack], self._producer, linked=linked)

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        backoff = Backoff()
        outages = Outages("writing what jobs note")
        held = Backoff(cap_seconds=_RAREST_TRY_SECONDS)
        while True:
            await self._wait()
            try:
                self._held = False
                await self._write_all()
                if not self._held:
                    held.reset()
                self._again_in = held.next_seconds() if self._held else None
                backoff.reset()
                outages.end()
            except DatabaseError as error:
                outages.report("what jobs note waits to be written", error)
                self._arrived.set()
                await asyncio.sleep(backoff.next_seconds())

    async def on_start(self) -> None:
        """Accept checkpoints."""
        self._stopped = False

    async def on_stop(self) -> None:
        """End those who wait: their jobs have been left behind."""
        self._stopped = True
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    async def _wait(self) -> None:
        """Return when there is something new, or when it is time for progress or another try."""
        try:
            async with asyncio.timeout(self._pause()):
                await self._arrived.wait()
        except TimeoutError:
            pass
        self._arrived.clear()

    def _pause(self) -> float | None:
        pauses = [] if self._again_in is None else [self._again_in]
        if self._progress:
            pauses.append(max(self._due_at - self._clock.monotonic(), 0.0))
        return min(pauses, default=None)

    @property
    def _due_at(self) -> float:
        return self._told_at + PROGRESS_SECONDS

    async def _write_all(self) -> None:
        now = self._clock.monotonic()
        telling = bool(self._progress) and now >= self._due_at
        for bundle in _bundles(self._entries(telling)):
            await self._write(bundle)
        if telling:
            self._told_at = now

    def _entries(self, telling: bool) -> list[_Entry]:
        """Return what is to be written for each job: checkpoints in their order, then progress."""
        self._waiting = [entry for entry in self._waiting if not entry[1].done()]
        entries: dict[Lease, _Entry] = {}
        for checkpoint, future in self._waiting:
            entry = entries.setdefault(checkpoint.lease, _Entry(checkpoint.lease))
            entry.patch.update(checkpoint.meta)
            entry.futures.append(future)
        for lease, patch in self._progress.items() if telling else ():
            entry = entries.setdefault(lease, _Entry(lease))
            entry.patch.update(patch)
            entry.progress = patch
        return list(entries.values())

    async def _write(self, bundle: Sequence[_Entry]) -> None:
        patches = [Checkpoint(entry.lease, entry.patch) for entry in bundle]
        try:
            written = await self._engine.checkpoint_jobs(patches, self._producer)
        except Exception as error:
            if isinstance(error, DatabaseError) and not isinstance(error, DataRefused):
                raise
            await self._write_apart(bundle, error)
            return
        left = [entry for entry in bundle if entry.lease not in written]
        for entry in bundle:
            if entry.lease in written:
                self._settle(entry, None)
        if not left:
            return
        holds = await self._engine.find_holds([entry.lease for entry in left], self._producer)
        for entry, hold in zip(left, holds, strict=True):
            if hold is Hold.ENDED:
                lost = JobCancelled(f"job {entry.lease.id} is not ours any more: it should stop")
                self._settle(entry, lost)
            else:
                self._held = True

    async def _write_apart(self, bundle: Sequence[_Entry], error: Exception) -> None:
        if len(bundle) > 1:
            middle = len(bundle) // 2
            await self._write(bundle[:middle])
            await self._write(bundle[middle:])
            return
        (entry,) = bundle
        report(f"what job {entry.lease.id} notes can't be stored", error)
        self._settle(entry, InvalidJob(f"meta can't be stored: {error}"))

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


def _bundles(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    """Yield what goes into one statement: not too many, and not too much of it."""
    bundle: list[_Entry] = []
    size = 0
    for entry in entries:
        more = len(repr(entry.patch))
        if len(bundle) == _LARGEST_BUNDLE or (bundle and size + more > _LARGEST_CHARACTERS):
            yield bundle
            bundle, size = [], 0
        bundle.append(entry)
        size += more
    if bundle:
        yield bundle


@dataclass(slots=True)
class _Entry:
    """What one row gets by one statement."""

    lease: Lease
    patch: dict[str, Any] = field(default_factory=dict)
    futures: list[asyncio.Future[None]] = field(default_factory=list)
    progress: Mapping[str, Any] | None = None
