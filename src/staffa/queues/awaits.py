"""Running jobs that wait for signals: live at first, then parked.

Invariants: a signal is taken from the row alone, so a lost notification costs a second and a dead
process nothing; until when a job waits is in its row before it waits; a wait that is given up is
noted first and looked at once more then, as a signal is refused only after that note, so that each
run of a job sees the same; a job that parks while its signal comes is available at once, which the
statement that writes its outcome sees to; all live waits are looked at in one statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from staffa._internal.backoff import Backoff
from staffa.deadlines import DEADLINE_KEY, read_deadline
from staffa.engine import Engine, Lease, Producer, SignalsSeen
from staffa.errors import DatabaseError, JobCancelled, SignalTimeout
from staffa.jobs import Job
from staffa.queues.checkpoints import Notes
from staffa.service import Service
from staffa.signals import (
    AWAITS_KEY,
    SIGNALS_KEY,
    Parked,
    begin_wait,
    find_object,
    find_signal,
    find_wait,
    read_until,
)
from staffa.telemetry import Outages
from staffa.types import SignalWanted

LOOK_SECONDS = 1.0
_FOR_EVER_SECONDS = 100 * 365 * 86_400.0


class Waits(Protocol):
    """The run of a job, as far as waiting needs it."""

    @property
    def lease(self) -> Lease:
        """Under which it runs."""

    @property
    def job(self) -> Job:
        """The job."""

    def open_wait(self, name: str, seconds: float) -> None:
        """Note that it waits for a signal, for so many seconds more."""

    def close_wait(self, name: str) -> None:
        """Note that it does not any more."""

    def park(self) -> None:
        """Note that its run is to end until one of those signals comes."""


class ReceivesSignals(Protocol):
    """Where running jobs get signals from."""

    async def receive(self, run: Waits, wanted: SignalWanted) -> Any:
        """Return the payload of a signal once it is there."""


class KeptAwaits:
    """For runs that nobody watches by their rows: the job has its signal already, or is parked.

    Args:
        notes: Where until when it waits is noted.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def receive(self, run: Waits, wanted: SignalWanted) -> Any:
        """Return the payload of a signal that the job was given.

        Raises:
            SignalTimeout: If its time is up.
        """
        job, now = run.job, run.lease.attempted_at
        if (signal := find_signal(job.meta, wanted.name)) is not None:
            return signal.get("payload")
        noted = find_wait(job.meta, wanted.name) or begin_wait(now, wanted.wait_for)
        until = read_until(noted)
        if noted.get("timed_out") is True or (until is not None and until <= now):
            await self._notes.write(run.lease, note_wait(job, wanted.name, _given_up(noted)))
            raise _too_late(job, wanted.name)
        await self._notes.write(run.lease, note_wait(job, wanted.name, noted))
        left = _FOR_EVER_SECONDS if until is None else (until - now).total_seconds()
        run.open_wait(wanted.name, _until_deadline(job, left, now))
        run.park()
        raise Parked(wanted.name)


class _Live:
    """A wait that keeps its slot."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.seen: SignalsSeen | None = None
        self.looked = asyncio.Event()
        self.hurried = asyncio.Event()


class Awaits(Service):
    """Looks for the signals of running jobs.

    Args:
        engine: Where their rows are.
        producer: Whose leases they are.
        notes: Where until when they wait is noted.
    """

    def __init__(self, engine: Engine, producer: Producer, notes: Notes) -> None:
        super().__init__()
        self._engine = engine
        self._producer = producer
        self._notes = notes
        self._live: set[_Live] = set()
        self._due: set[_Live] = set()
        self._arrived = asyncio.Event()
        self._draining = False

    def hear(self, numbers: Iterable[object]) -> None:
        """Look at once at the rows of jobs that have got signals."""
        known = {number for number in numbers if isinstance(number, int)}
        for live in self._live:
            if live.lease.id in known:
                live.hurried.set()

    def look_at_all(self) -> None:
        """Look at all rows at once: notifications may have been missed."""
        self.hear([live.lease.id for live in self._live])

    def drain(self) -> None:
        """Park all jobs that wait, those too that are going to."""
        self._draining = True
        self.look_at_all()

    async def on_start(self) -> None:
        """Wait live."""
        self._draining = False

    async def receive(self, run: Waits, wanted: SignalWanted) -> Any:
        """Return the payload of a signal once it is there.

        Raises:
            SignalTimeout: If it has not come in time.
            Parked: If the job is to end until it comes.
            JobCancelled: If the lease has ended.
        """
        name, job = wanted.name, run.job
        if (signal := find_signal(job.meta, name)) is not None:
            return signal.get("payload")
        noted = find_wait(job.meta, name)
        if noted is not None and noted.get("timed_out") is True:
            raise _too_late(job, name)
        live = _Live(run.lease)
        self._live.add(live)
        try:
            return await self._wait(run, wanted, live, noted)
        finally:
            self._live.discard(live)
            self._due.discard(live)
            run.close_wait(name)

    async def _wait(
        self, run: Waits, wanted: SignalWanted, live: _Live, noted: dict[str, Any] | None
    ) -> Any:
        name, job = wanted.name, run.job
        live_until = asyncio.get_running_loop().time() + wanted.live
        while True:
            live.hurried.clear()
            seen = await self._look(live)
            if (signal := _take(job, seen, name)) is not None:
                return signal.get("payload")
            if noted is None:
                noted = begin_wait(seen.read_at, wanted.wait_for)
                await self._notes.write(run.lease, note_wait(job, name, noted))
            until = read_until(noted)
            left = _FOR_EVER_SECONDS
            if until is not None:
                left = (until - seen.read_at).total_seconds()
            if left <= 0:
                return await self._give_up(run, name, live, noted)
            run.open_wait(name, _until_deadline(job, left, seen.read_at))
            live_left = live_until - asyncio.get_running_loop().time()
            if self._draining or live_left <= 0:
                run.park()
                raise Parked(name)
            await _within(live.hurried, min(left, live_left, LOOK_SECONDS))

    async def _give_up(self, run: Waits, name: str, live: _Live, noted: Mapping[str, Any]) -> Any:
        """Note that a signal is not awaited any more, and look whether it came before that."""
        await self._notes.write(run.lease, note_wait(run.job, name, _given_up(noted)))
        signal = _take(run.job, await self._look(live), name)
        if signal is None:
            raise _too_late(run.job, name)
        return signal.get("payload")

    async def _look(self, live: _Live) -> SignalsSeen:
        """Read the row, together with those of others.

        Raises:
            JobCancelled: If the lease has ended.
        """
        live.looked.clear()
        self._due.add(live)
        self._arrived.set()
        await live.looked.wait()
        if live.seen is None:
            raise JobCancelled(f"job {live.lease.id} is not ours any more: it should stop")
        return live.seen

    async def run(self) -> None:
        """Read the rows that are to be looked at, until cancelled."""
        backoff = Backoff(cap_seconds=LOOK_SECONDS)
        outages = Outages("looking for signals")
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            due = list(self._due)
            leases = list(dict.fromkeys(live.lease for live in due))
            if not leases:
                continue
            try:
                found = await self._engine.find_signals(leases, self._producer)
            except DatabaseError as error:
                outages.report("jobs wait to look for their signals", error)
                self._arrived.set()
                await asyncio.sleep(backoff.next_seconds())
                continue
            backoff.reset()
            outages.end()
            for live in due:
                self._due.discard(live)
                live.seen = found.get(live.lease)
                live.looked.set()


def note_wait(job: Job, name: str, noted: Mapping[str, Any]) -> dict[str, Any]:
    """Note a wait in a running job's meta, and return what is merged into that of its row."""
    patch = {AWAITS_KEY: {**find_object(job.meta, AWAITS_KEY), name: dict(noted)}}
    job.meta.update(patch)
    return patch


def _take(job: Job, seen: SignalsSeen, name: str) -> dict[str, Any] | None:
    """Let a running job have the signals of its row, and return one of them if it is there."""
    if seen.signals:
        job.meta[SIGNALS_KEY] = dict(seen.signals)
    return find_signal(job.meta, name)


def _given_up(noted: Mapping[str, Any]) -> dict[str, Any]:
    return {**noted, "timed_out": True}


def _too_late(job: Job, name: str) -> SignalTimeout:
    return SignalTimeout(f"signal {name!r} of job {job.id} has not come in time")


def _until_deadline(job: Job, seconds: float, now: datetime) -> float:
    """Return for how long a job is parked at most: its own deadline ends it."""
    found = read_deadline(job.meta, job.inserted_at) if DEADLINE_KEY in job.meta else None
    if found is None:
        return seconds
    return max(min(seconds, (found[0] - now + timedelta(seconds=1)).total_seconds()), 0.0)


async def _within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
