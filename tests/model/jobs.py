"""What jobs must do, in the plainest Python: the model that engines are compared with.

It is written from `docs/internals/states.md`, not from the statements: a table of jobs, a clock,
and one method for each thing that can happen. Nothing here is concurrent, set-based or fast.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from staffa.engine import Ack, Lease, Producer
from staffa.types import State

ENDS = frozenset({State.COMPLETED, State.CANCELLED, State.DISCARDED})
LIVE = frozenset(State) - ENDS
WAITING = (State.AVAILABLE, State.SCHEDULED, State.RETRYABLE)
END_TIMES = {
    State.COMPLETED: "completed_at",
    State.CANCELLED: "cancelled_at",
    State.DISCARDED: "discarded_at",
}
_LEDGER = frozenset({"key", "writes", "claims", "given_back", "holder"})


@dataclass
class KnownJob:
    """A job: its columns, and a ledger of what no column tells."""

    id: int
    state: State
    queue: str
    args: dict[str, Any]
    priority: int
    max_attempts: int
    inserted_at: datetime
    scheduled_at: datetime
    attempt: int = 0
    attempted_by: list[str] | None = None
    attempted_at: datetime | None = None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    discarded_at: datetime | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    key: Any = None
    """What is compared of a unique job; None for others."""
    writes: int = 0
    claims: int = 0
    given_back: int = 0
    holder: UUID | None = None

    def columns(self) -> dict[str, Any]:
        """Return its columns."""
        return {name: value for name, value in asdict(self).items() if name not in _LEDGER}

    @property
    def ended_at(self) -> datetime | None:
        """When it ended."""
        name = END_TIMES.get(self.state)
        return None if name is None else getattr(self, name)

    def holds(self, lease: Lease, producer: Producer) -> bool:
        """Tell whether a lease is the one under which it runs."""
        mine = (self.id, self.attempt, self.attempted_at)
        return (
            self.state is State.EXECUTING
            and mine == (lease.id, lease.attempt, lease.attempted_at)
            and self.holder == producer.uuid
        )


class KnownJobs:
    """All jobs, and the processes that run them.

    Args:
        now: What the clock shows.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.jobs: dict[int, KnownJob] = {}
        self.beats: dict[UUID, int] = {}
        self.beat_at: dict[UUID, datetime] = {}

    def columns(self) -> dict[int, dict[str, Any]]:
        """Return the columns of all jobs."""
        return {number: job.columns() for number, job in self.jobs.items()}

    def insert(self, job: KnownJob) -> None:
        """A job was stored under an id that the engine has chosen."""
        job.inserted_at = self.now
        job.state = State.SCHEDULED if job.scheduled_at > self.now else State.AVAILABLE
        self.jobs[job.id] = job

    def rival(self, key: Any) -> int | None:
        """Return the unfinished unique job that is the same, the newest one."""
        same = [job.id for job in self.jobs.values() if job.key == key and job.state in LIVE]
        return max(same, default=None)

    def stage(self, limit: int) -> int:
        """What is due becomes available, what was due first before the rest."""
        due = [
            job
            for job in self.jobs.values()
            if job.state in {State.SCHEDULED, State.RETRYABLE} and job.scheduled_at <= self.now
        ]
        due = sorted(due, key=lambda job: (job.scheduled_at, job.id))[:limit]
        for job in due:
            self._write(job, state=State.AVAILABLE)
        return len(due)

    def claim(self, queue: str, limit: int, producer: Producer) -> list[int]:
        """The most urgent jobs with attempts left are leased."""
        found = [
            job
            for job in self.jobs.values()
            if job.state is State.AVAILABLE
            and job.queue == queue
            and job.attempt < job.max_attempts
        ]
        found = sorted(found, key=lambda job: (job.priority, job.scheduled_at, job.id))[:limit]
        for job in found:
            self._write(
                job,
                state=State.EXECUTING,
                attempt=job.attempt + 1,
                attempted_at=self.now,
                attempted_by=[producer.node, str(producer.uuid)],
            )
            job.holder = producer.uuid
            job.claims += 1
        return [job.id for job in found]

    def ack(self, acks: Iterable[Ack], producer: Producer) -> dict[int, State]:
        """Outcomes are written whose leases still hold."""
        written = {}
        for ack in acks:
            job = self.jobs.get(ack.lease.id)
            if job is not None and job.holds(ack.lease, producer):
                self._end_run(job, ack)
                written[job.id] = job.state
        return written

    def _end_run(self, job: KnownJob, ack: Ack) -> None:
        if ack.error is not None:
            self._note(job, ack.error)
        state = ack.state
        if state is State.RETRYABLE and job.attempt >= job.max_attempts:
            state = State.DISCARDED
        self._write(job, state=state, meta={**job.meta, **(ack.meta or {})})
        if ack.refund:
            self._give_back(job)
        if state in {State.SCHEDULED, State.RETRYABLE}:
            job.scheduled_at = self.now + timedelta(seconds=ack.delay or 0)
        self._end(job)

    def checkpoint(self, lease: Lease, meta: Mapping[str, Any], producer: Producer) -> bool:
        """A running job notes something."""
        job = self.jobs.get(lease.id)
        if job is None or not job.holds(lease, producer):
            return False
        self._write(job, meta={**job.meta, **meta})
        return True

    def cancel(self, ids: Collection[int]) -> set[int]:
        """What has not ended is cancelled; a run is told of in the errors."""
        found = self._choose(ids, lambda job: job.state not in ENDS)
        for job in found:
            if job.state is State.EXECUTING:
                self._note(job, "cancelled while it ran, by cancel_job")
            self._write(job, state=State.CANCELLED)
            self._end(job)
        return {job.id for job in found}

    def retry(self, ids: Collection[int]) -> set[int]:
        """What waits or has ended is available now, with room for an attempt."""
        left_alone = {State.AVAILABLE, State.EXECUTING, State.SUSPENDED}
        found = self._choose(ids, lambda job: job.state not in left_alone)
        for job in found:
            self._write(
                job,
                state=State.AVAILABLE,
                scheduled_at=self.now,
                max_attempts=max(job.max_attempts, job.attempt + 1),
                **dict.fromkeys(END_TIMES.values()),
            )
        return {job.id for job in found}

    def delete(self, ids: Collection[int]) -> set[int]:
        """What does not run is deleted."""
        found = self._choose(ids, lambda job: job.state is not State.EXECUTING)
        return self._forget(found)

    def update(self, ids: Collection[int], changes: Mapping[str, Any]) -> set[int]:
        """Columns are changed; a new time moves only what waits."""
        found = self._choose(ids, lambda job: True)
        for job in found:
            given = dict(changes)
            if "max_attempts" in given:
                given["max_attempts"] = max(given["max_attempts"], job.attempt)
            if "scheduled_at" in given and job.state in WAITING:
                later = given["scheduled_at"] > self.now
                given["state"] = State.SCHEDULED if later else State.AVAILABLE
            self._write(job, **given)
        return {job.id for job in found}

    def release(self, producer: Producer, queue: str | None, running: Collection[int]) -> set[str]:
        """What a producer holds but does not run is put back."""
        found = [
            job
            for job in self._held_by({producer.uuid})
            if queue in {None, job.queue} and job.id not in running
        ]
        for job in found:
            self._write(job, state=State.AVAILABLE)
            self._give_back(job)
        return {job.queue for job in found}

    def beat(self, producer: Producer) -> None:
        """A producer shows that it lives."""
        self.beats[producer.uuid] = self.beats.get(producer.uuid, -1) + 1
        self.beat_at[producer.uuid] = self.now

    def rescue(self, dead: Mapping[UUID, int], max_rescues: int, limit: int) -> dict[int, State]:
        """The jobs of producers that have not beaten since run again, but not for ever."""
        silent = {uuid for uuid, beats in dead.items() if self.beats.get(uuid) == beats}
        found = sorted(self._held_by(silent), key=lambda job: (job.attempted_at, job.id))[:limit]
        for job in found:
            rescued = job.meta.get("rescued", 0)
            if rescued >= max_rescues:
                times = f"{max_rescues + 1} times"
                self._note(job, f"its process died {times} while it ran: see max_rescues")
                self._write(job, state=State.DISCARDED)
                self._end(job)
            else:
                self._write(job, state=State.AVAILABLE)
                self._give_back(job)
            job.meta = {**job.meta, "rescued": min(rescued, max_rescues) + 1}
        return {job.id: job.state for job in found}

    def rescue_foreign(self, age: float, limit: int) -> dict[int, State]:
        """Old runs of processes that nobody knows are taken away, without giving back."""
        before = self.now - timedelta(seconds=age)
        unknown = {job.holder for job in self.jobs.values() if job.holder} - set(self.beats)
        found = [
            job
            for job in self._held_by(unknown)
            if job.attempted_at is not None and job.attempted_at < before
        ]
        found = sorted(found, key=lambda job: (job.attempted_at, job.id))[:limit]
        for job in found:
            if job.attempt >= job.max_attempts:
                self._discard(job)
            else:
                self._write(job, state=State.AVAILABLE)
        return {job.id: job.state for job in found}

    def discard_exhausted(self, limit: int) -> dict[int, State]:
        """What no claim would take ends."""
        found = [
            job
            for job in self.jobs.values()
            if job.state is State.AVAILABLE and job.attempt >= job.max_attempts
        ]
        found = sorted(found, key=lambda job: (job.queue, job.priority, job.scheduled_at, job.id))[
            :limit
        ]
        for job in found:
            self._discard(job)
        return {job.id: job.state for job in found}

    def prune(self, ids: Collection[int]) -> set[int]:
        """Finished jobs are deleted."""
        return self._forget(self._choose(ids, lambda job: job.state in ENDS))

    def remove_producer(self, producer: Producer) -> None:
        """A producer that holds nothing is forgotten."""
        if not self._held_by({producer.uuid}):
            self.beats.pop(producer.uuid, None)

    def reap(self, age: float) -> int:
        """Producers that have been silent for long and hold nothing are forgotten."""
        before = self.now - timedelta(seconds=age)
        found = [
            uuid for uuid in self.beats if self.beat_at[uuid] < before and not self._held_by({uuid})
        ]
        for uuid in found:
            del self.beats[uuid]
        return len(found)

    def finished(self, state: State, age: float, limit: int) -> list[int]:
        """Return jobs that ended so long ago, the one that did first at the beginning."""
        before = self.now - timedelta(seconds=age)
        found = [
            (job.ended_at, job.id)
            for job in self.jobs.values()
            if job.state is state and job.ended_at is not None and job.ended_at <= before
        ]
        return [number for _, number in sorted(found)[:limit]]

    def _held_by(self, holders: Collection[UUID | None]) -> list[KnownJob]:
        running = (job for job in self.jobs.values() if job.state is State.EXECUTING)
        return [job for job in running if job.holder in holders]

    def _choose(self, ids: Collection[int], fits: Callable[[KnownJob], bool]) -> list[KnownJob]:
        return [job for job in self.jobs.values() if job.id in ids and fits(job)]

    def _forget(self, found: Iterable[KnownJob]) -> set[int]:
        gone = {job.id for job in found}
        for number in gone:
            del self.jobs[number]
        return gone

    def _discard(self, job: KnownJob) -> None:
        self._note(job, "no attempts are left")
        self._write(job, state=State.DISCARDED)
        self._end(job)

    def _end(self, job: KnownJob) -> None:
        name = END_TIMES.get(job.state)
        if name is not None:
            setattr(job, name, self.now)

    def _give_back(self, job: KnownJob) -> None:
        job.attempt -= 1
        job.given_back += 1

    def _note(self, job: KnownJob, text: str) -> None:
        element = {"attempt": job.attempt, "at": self.now.isoformat(), "error": text}
        job.errors = [*job.errors, element]

    def _write(self, job: KnownJob, **columns: Any) -> None:
        job.writes += 1
        for name, value in columns.items():
            setattr(job, name, value)
