"""The statements of a job's life that differ from PostgreSQL's in more than their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from staffa.engine import (
    Checkpoint,
    Lease,
    Producer,
    Staged,
    Statement,
    Statements,
    Written,
)
from staffa.engines.sqlite.times import cut_time
from staffa.engines.statements import jobs as shared
from staffa.engines.statements.area import Area, Rows
from staffa.jobs import Job
from staffa.leases import as_ack
from staffa.types import State


class JobStatements(shared.JobStatements):
    """What clients, producers and the acker ask of the jobs table."""

    def enqueue(self, jobs: Sequence[Job], now: str | None = None) -> Statement[list[Job]]:
        """Insert jobs, at a time that another statement of the transaction has read, if given."""

        def decode(rows: Rows) -> list[Job]:
            in_order = sorted(rows, key=lambda row: int(row["id"]))
            return [job.as_enqueued(row) for job, row in zip(jobs, in_order, strict=True)]

        rows = [shared.describe_job(job) for job in jobs]
        verb = "enqueue_signed" if self.signed else "enqueue"
        return self.statement(verb, (orjson.dumps(rows).decode(), now), decode)

    def _complete(
        self, leases: Sequence[Lease], producer: Producer, *, wait: bool
    ) -> Statement[dict[int, State]]:
        """Write completions as other outcomes: SQLite gains nothing by a statement of its own."""
        return self.ack_any([as_ack(lease) for lease in leases], producer, wait=wait)

    def write(self, jobs: Sequence[Job]) -> Statement[Written]:
        """Insert jobs, and return their ids."""
        stored = self.enqueue(jobs)
        return Statement(
            stored.sql, stored.params, lambda rows: Written.of(stored.decode(rows)), stored.dialect
        )

    def count_waiting(self, queue: str, limit: int) -> Statement[int]:
        """Count the available jobs of a queue, up to a limit."""
        return self.statement("count_available", (queue, limit), lambda rows: int(rows[0]["count"]))

    def checkpoint(
        self, checkpoints: Sequence[Checkpoint], producer: Producer
    ) -> Statement[frozenset[Lease]]:
        """Write what running jobs note."""
        noted = super().checkpoint(checkpoints, producer)

        def decode(rows: Rows) -> frozenset[Lease]:
            return frozenset(
                Lease(row["id"], row["attempt"], cut_time(row["attempted_at"])) for row in rows
            )

        return Statement(noted.sql, noted.params, decode, noted.dialect)


class StageStatements(Area):
    """What the stager asks of the jobs table: first what is due, then which queues have work."""

    folder = "jobs"
    signed = False

    def stage(self, limit: int, queues: Sequence[str]) -> Statements[Staged]:
        """Make due jobs available."""

        def combine(results: list[Any]) -> Staged:
            staged, waiting = results
            return Staged(len(staged), frozenset([*staged, *waiting]))

        verb = "stage_signed" if self.signed else "stage"
        return Statements(
            [
                lambda: self.statement(verb, (limit,), _queues),
                lambda: self.statement("waiting", (queues,), _queues),
            ],
            combine,
            self._idiom.dialect,
        )


def _queues(rows: Rows) -> list[str]:
    return [row["queue"] for row in rows]
