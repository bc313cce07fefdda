"""The statements of a job's life that differ from PostgreSQL's in more than their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from staffa._internal import json
from staffa.engine import Checkpoint, Lease, Producer, Staged, Statement, Statements
from staffa.engines.statements import jobs as shared
from staffa.engines.statements.area import Area, Rows
from staffa.jobs import Job


class JobStatements(shared.JobStatements):
    """What clients, producers and the acker ask of the jobs table."""

    def enqueue(self, jobs: Sequence[Job], now: str | None = None) -> Statement[list[Job]]:
        """Insert jobs, at a time that another statement of the transaction has read, if given."""

        def decode(rows: Rows) -> list[Job]:
            in_order = sorted(rows, key=lambda row: int(row["id"]))
            return [job.as_enqueued(row) for job, row in zip(jobs, in_order, strict=True)]

        rows = [shared.describe_job(job) for job in jobs]
        return self.statement("enqueue", (orjson.dumps(rows).decode(), now), decode)

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
            lambda rows: frozenset(
                Lease(row["id"], row["attempt"], row["attempted_at"]) for row in rows
            ),
        )


class StageStatements(Area):
    """What the stager asks of the jobs table: first what is due, then which queues have work."""

    folder = "jobs"

    def stage(self, limit: int, queues: Sequence[str]) -> Statements[Staged]:
        """Make due jobs available."""

        def combine(results: list[Any]) -> Staged:
            staged, waiting = results
            return Staged(len(staged), frozenset([*staged, *waiting]))

        return Statements(
            [
                lambda: self.statement("stage", (limit,), _queues),
                lambda: self.statement("waiting", (queues,), _queues),
            ],
            combine,
            self._idiom.dialect,
        )


def _queues(rows: Rows) -> list[str]:
    return [row["queue"] for row in rows]
