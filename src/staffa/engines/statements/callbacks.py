"""Callbacks of batches as their rows hold them until they are due.

One statement writes most of them. Those that are unique or in a chain are made jobs again, which
are enqueued as any such job is; so the rows hold these options, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from staffa._internal import json
from staffa.engines.statements.area import Rows
from staffa.engines.statements.jobs import describe_job
from staffa.jobs import Job
from staffa.memberships import BATCH_KEY, CALLBACK_KEY
from staffa.types import State


@dataclass(frozen=True, slots=True)
class Fired:
    """A callback that was written: its queue, and whether it waits there already."""

    queue: str
    available: bool


def describe_callback(job: Job) -> dict[str, Any]:
    """Return a callback as its row holds it, its args encrypted already if they are to be.

    Example:
        >>> described = describe_callback(Job(worker="report", unique=True))
        >>> described["worker"], described["unique"]["fields"]
        ('report', ['worker', 'queue', 'args'])
    """
    described = describe_job(job.on_chain())
    if job.chain is not None:
        described["chain"] = job.chain.as_options()
    if job.unique is not None and job.unique_key is not None:
        described["unique"] = job.unique.as_options()
        described["unique_key"] = job.unique_key.hex()
        described["replace"] = job.replace
    return described


def read_callback(batch: str, event: str, given: str) -> Job:
    """Return the job of a callback that is due.

    Args:
        batch: The batch.
        event: What has become of it.
        given: The callback as its row holds it.
    """
    told: Mapping[str, Any] = json.loads(given)
    at = told["scheduled_at"]
    job = Job(
        worker=told["worker"],
        queue=told["queue"],
        args=told["args"],
        meta={**told["meta"], BATCH_KEY: batch, CALLBACK_KEY: event},
        tags=told["tags"],
        priority=told["priority"],
        max_attempts=told["max_attempts"],
        scheduled_at=None if at is None else datetime.fromisoformat(at),
        scheduled_in=told["scheduled_in"],
        unique=told.get("unique"),
        replace=told.get("replace"),
        chain=told.get("chain"),
    )
    if job.unique is not None:
        job.keep_unique_key(bytes.fromhex(told["unique_key"]))
    return job


def as_fired(rows: Rows) -> list[Fired]:
    """Return the callbacks of rows that were written."""
    return [
        Fired(row["queue"], row["state"] == State.AVAILABLE)
        for row in rows
        if row["state"] is not None
    ]


def as_told(rows: Rows) -> list[Job]:
    """Return the callbacks of rows that are to be enqueued."""
    return [
        read_callback(row["batch"], row["event"], row["given"])
        for row in rows
        if row["given"] is not None
    ]


def as_enqueued(jobs: Sequence[Job]) -> list[Fired]:
    """Return callbacks that were enqueued."""
    return [Fired(job.queue, job.wakes_its_queue) for job in jobs]
