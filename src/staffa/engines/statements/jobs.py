"""The statements of a job's life; each verb is the file of that name in ``sql/jobs/``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson

from staffa._internal import json
from staffa._internal.epoch import from_epoch
from staffa.engine import (
    Ack,
    Checkpoint,
    Ending,
    Hold,
    Lease,
    Producer,
    Staged,
    Statement,
    Written,
)
from staffa.engines.statements.area import Area, Rows, count
from staffa.jobs import Job
from staffa.leases import as_ack, plain_leases
from staffa.notifier import channel_name, encode_payload
from staffa.running import PROGRESS_KEY
from staffa.types import State

_URGENCY = itemgetter("priority", "scheduled_at", "id")


class JobStatements(Area):
    """What producers, the acker and the stager ask of the jobs table."""

    folder = "jobs"
    signed = False
    """Whether limits are known: then jobs of queues with partitions get their keys at once."""

    def is_single(self, jobs: Sequence[Job]) -> bool:
        """Tell whether jobs are one that a plain insert does for."""
        if len(jobs) != 1 or self.signed:
            return False
        return jobs[0].unique is None and jobs[0].chain is None

    def can_wake(self, jobs: Sequence[Job]) -> bool:
        """Tell whether the insert of jobs wakes their queue for certain if it is to do so."""
        if not self.is_single(jobs):
            return False
        return jobs[0].scheduled_at is None and jobs[0].scheduled_in is None

    def enqueue(self, jobs: Sequence[Job]) -> Statement[list[Job]]:
        """Insert jobs."""

        def decode(found: Rows) -> list[Job]:
            return [job.as_enqueued(row) for job, row in zip(jobs, found, strict=True)]

        if self.signed:
            return self.statement("enqueue_signed", (describe_jobs(jobs),), decode)
        if len(jobs) == 1:
            return self.enqueue_one(jobs[0])
        return self.statement("enqueue", (describe_jobs(jobs),), decode)

    def enqueue_one(self, job: Job, *, wake: bool = False) -> Statement[list[Job]]:
        """Insert a job, and if so wished wake its queue if it is available at once."""
        params = (
            job.queue,
            job.worker,
            job.args_json,
            job.meta_json,
            list(job.tags),
            job.priority,
            job.max_attempts,
            job.scheduled_at,
            job.scheduled_in,
            channel_name(self._prefix, "insert") if wake else None,
            _wake_up(job.queue) if wake else None,
        )
        return self.statement("enqueue_one", params, lambda rows: [job.as_enqueued(rows[0])])

    def write(self, jobs: Sequence[Job]) -> Statement[Written]:
        """Insert jobs, and return no more of them than their ids."""

        def decode(found: Rows) -> Written:
            available = (
                job.queue
                for job, row in zip(jobs, found, strict=True)
                if row["state"] == State.AVAILABLE
            )
            return Written([row["id"] for row in found], {}, Counter(available))

        verb = "enqueue_signed" if self.signed else "write"
        return self.statement(verb, (describe_jobs(jobs),), decode)

    def count_available(self, limits: Mapping[str, int]) -> Statement[dict[str, int]]:
        """Count the available jobs of queues, each up to its limit."""
        return self.statement(
            "count_available",
            (list(limits), list(limits.values())),
            lambda rows: {row["queue"]: row["count"] for row in rows},
        )

    def claim(
        self, queue: str, limit: int, producer: Producer, without: Sequence[str] = ()
    ) -> Statement[list[Job]]:
        """Lease available jobs, but for those of some workers."""
        attempted_by = (producer.node, str(producer.uuid))
        params: tuple[Any, ...] = (queue, limit, *attempted_by)
        if without:
            params = (*params, list(without))
        return self.statement(
            "claim_others" if without else "claim",
            params,
            lambda rows: claimed_jobs(rows, queue, attempted_by),
        )

    def ack(
        self, acks: Sequence[Ending], producer: Producer, *, wait: bool = True
    ) -> Statement[dict[int, State]]:
        """Write outcomes."""
        leases = plain_leases(acks)
        if leases is not None:
            return self._complete(leases, producer, wait=wait)
        return self.ack_any([as_ack(ack) for ack in acks], producer, wait=wait)

    def ack_any(
        self, acks: Sequence[Ack], producer: Producer, *, wait: bool = True
    ) -> Statement[dict[int, State]]:
        """Write outcomes by the statement that can write all kinds of them."""
        return self.statement(
            "ack",
            (
                [ack.lease.id for ack in acks],
                [ack.lease.attempt for ack in acks],
                [ack.lease.attempted_at for ack in acks],
                str(producer.uuid),
                [ack.state.value for ack in acks],
                [ack.refund for ack in acks],
                [ack.error for ack in acks],
                [ack.delay for ack in acks],
                [None if ack.meta is None else json.dumps(dict(ack.meta)) for ack in acks],
            ),
            lambda rows: {row["id"]: State(row["state"]) for row in rows},
            wait=wait,
        )

    def _complete(
        self, leases: Sequence[Lease], producer: Producer, *, wait: bool
    ) -> Statement[dict[int, State]]:
        """Write completions with nothing to them, as by far the most outcomes are."""
        times: dict[datetime, int] = {}  # those of one claim have one
        params = (
            [lease.id for lease in leases],
            [lease.attempt for lease in leases],
            [times.setdefault(lease.attempted_at, len(times) + 1) for lease in leases],
            list(times),
            str(producer.uuid),
        )
        return self.statement(
            "complete",
            params,
            lambda rows: dict.fromkeys(rows[0]["ids"] or (), State.COMPLETED),
            wait=wait,
        )

    def trace(self, acks: Sequence[Ack], producer: Producer) -> Statement[frozenset[int]]:
        """Read whether outcomes had been written before."""
        by_id = {ack.lease.id: ack for ack in acks}

        def decode(rows: Rows) -> frozenset[int]:
            found = {row["id"]: row for row in rows}
            return frozenset(
                number
                for number, ack in by_id.items()
                if number not in found or _shows(found[number], ack, producer)
            )

        return self.statement("trace", (list(by_id),), decode)

    def checkpoint(
        self, checkpoints: Sequence[Checkpoint], producer: Producer
    ) -> Statement[frozenset[Lease]]:
        """Write what running jobs note."""
        return self.statement(
            "checkpoint",
            (
                [checkpoint.lease.id for checkpoint in checkpoints],
                [checkpoint.lease.attempt for checkpoint in checkpoints],
                [checkpoint.lease.attempted_at for checkpoint in checkpoints],
                str(producer.uuid),
                [json.dumps(dict(checkpoint.meta)) for checkpoint in checkpoints],
            ),
            lambda rows: frozenset(checkpoints[row["place"] - 1].lease for row in rows),
        )

    def stage(self, limit: int, queues: Sequence[str]) -> Statement[Staged]:
        """Make due jobs available."""
        return self.statement(
            "stage_signed" if self.signed else "stage",
            (limit, list(queues)),
            lambda rows: Staged(
                sum(row["staged"] for row in rows), frozenset(row["queue"] for row in rows)
            ),
        )

    def stage_queue(self, queue: str, until: datetime | None) -> Statement[int]:
        """Make the jobs of a queue available that are due until a time."""
        return self.statement("stage_queue", (queue, until), count)

    def reset(self) -> Statement[int]:
        """Delete all there is."""
        return self.statement("reset", (), count)

    def find_holds(self, producer: Producer, leases: Sequence[Lease]) -> Statement[list[Hold]]:
        """Read how it stands with leases."""

        def decode(rows: Rows) -> list[Hold]:
            held = {row["place"]: row["held"] for row in rows}
            found = (held.get(place) for place in range(1, len(leases) + 1))
            return [
                Hold.ENDED if some is None else Hold.HELD if some else Hold.FREE for some in found
            ]

        return self.statement(
            "holds",
            (
                [lease.id for lease in leases],
                [lease.attempt for lease in leases],
                [lease.attempted_at for lease in leases],
                str(producer.uuid),
            ),
            decode,
        )

    def find_lost_leases(
        self, producer: Producer, leases: Sequence[Lease]
    ) -> Statement[list[Lease]]:
        """Read which leases have ended."""
        return self.statement(
            "lost_leases",
            (
                [lease.id for lease in leases],
                [lease.attempted_at for lease in leases],
                str(producer.uuid),
            ),
            lambda rows: [leases[row["place"] - 1] for row in rows],
        )


def claimed_jobs(rows: Rows, queue: str, attempted_by: tuple[str, str]) -> list[Job]:
    """Return the jobs that a claim has leased, the most urgent first."""
    if not rows:
        return []
    attempted_at = time_of_claim(rows[0]["attempted_at"])  # one and the same for all
    return [
        Job.from_claim(row, queue, attempted_by, attempted_at) for row in sorted(rows, key=_URGENCY)
    ]


def time_of_claim(told: float | datetime) -> datetime:
    """Return a time that a claim reads; PostgreSQL's tells seconds."""
    return from_epoch(told) if isinstance(told, float) else told


@lru_cache
def _wake_up(queue: str) -> str:
    return encode_payload({"queue": queue})


def describe_job(job: Job) -> dict[str, Any]:
    """Return the columns of a new job, as its statement reads them."""
    return {**describe_kind(job), "args": orjson.Fragment(job.args_json)}


def describe_kind(job: Job) -> dict[str, Any]:
    """Return the same without the args: what it often has in common with its neighbours."""
    return {
        "queue": job.queue,
        "worker": job.worker,
        "meta": orjson.Fragment(job.meta_json),
        "tags": job.tags,
        "priority": job.priority,
        "max_attempts": job.max_attempts,
        "scheduled_at": job.scheduled_at,
        "scheduled_in": job.scheduled_in,
    }


def kind_of(job: Job) -> tuple[Any, ...]:
    """Return what is equal for jobs that differ by nothing but their args."""
    return (
        job.queue,
        job.worker,
        job.meta_json,
        job.tags,
        job.priority,
        job.max_attempts,
        job.scheduled_at,
        job.scheduled_in,
    )


def join_args(jobs: Iterable[Job]) -> str:
    """Return the args of jobs as one JSON array."""
    return f"[{','.join([job.args_json for job in jobs])}]"


def describe_jobs(jobs: Sequence[Job]) -> str:
    """Return new jobs as the statements read them that insert many.

    What jobs in a row have in common is sent and read once: that halves what an insert in bulk
    costs the database.
    """
    runs = []
    for _, alike in groupby(jobs, kind_of):
        run = list(alike)
        runs.append({**describe_kind(run[0]), "args": orjson.Fragment(join_args(run))})
    return orjson.dumps(runs).decode()


def _shows(row: Mapping[str, Any], ack: Ack, producer: Producer) -> bool:
    """Tell whether a row bears the mark of an outcome: the same lease, and what it wrote."""
    if row["attempted_at"] != ack.lease.attempted_at or row["producer"] != str(producer.uuid):
        return False
    if row["state"] == State.EXECUTING:
        return False
    if ack.error is not None:
        errors = json.loads(row["errors"])
        ours = {"attempt": ack.lease.attempt, "error": ack.error}
        return any(isinstance(error, dict) and ours.items() <= error.items() for error in errors)
    marks = {key: value for key, value in (ack.meta or {}).items() if key != PROGRESS_KEY}
    if marks:
        meta = json.loads(row["meta"] or "{}")
        return isinstance(meta, dict) and all(
            meta.get(key) == value for key, value in marks.items()
        )
    return bool(row["state"] == ack.state)
