"""What tests of engines do again and again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from staffa.engine import Ack, Engine, Lease, Producer
from staffa.jobs import Job
from staffa.types import State

QUEUE = "mail"


def new_producer(node: str = "node.1") -> Producer:
    """Return a producer as a start of a worker process makes one."""
    return Producer(uuid4(), "Staffa", node)


def new_job(**options: Any) -> Job:
    """Return a job that is not stored yet."""
    return Job(**{"worker": "tests.Worker", "queue": QUEUE, **options})


async def enqueue(engine: Engine, count: int = 1, **options: Any) -> list[Job]:
    """Store jobs that are all alike."""
    return await engine.enqueue_jobs([new_job(**options) for _ in range(count)])


async def claim_one(engine: Engine, producer: Producer, **options: Any) -> Job:
    """Store a job, and lease it."""
    (job,) = await enqueue(engine, **options)
    (claimed,) = await engine.claim_jobs(job.queue, 1, producer)
    assert claimed.id == job.id
    return await read(engine, claimed)


async def read(engine: Engine, job: Job) -> Job:
    """Return a job as it is stored now."""
    assert job.id is not None
    (found,) = await engine.get_jobs([job.id])
    return found


def outcome(job: Job, state: State, **details: Any) -> Ack:
    """Return the outcome of a claimed job."""
    return Ack(lease=Lease.of(job), state=state, **details)


def ids(jobs: list[Job]) -> list[int]:
    """Return the ids of stored jobs."""
    return [job.id for job in jobs if job.id is not None]
