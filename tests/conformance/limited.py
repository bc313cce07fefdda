"""Limits, jobs of tenants, and claims under limits, as tests of engines make them."""

from __future__ import annotations

from typing import Any

from staffa import GlobalLimit, RateLimit
from staffa.engine import Ack, Engine, Lease, Producer
from staffa.jobs import Job
from staffa.limiting import LimitedClaim
from staffa.limits import Limits
from staffa.types import State
from tests.conformance.work import new_job

BY_TENANT = "args.tenant"


def at_once(allowed: int, **options: Any) -> Limits:
    """Return a global limit."""
    return Limits(global_limit=GlobalLimit(allowed, **options))


def in_a_time(allowed: int, **options: Any) -> Limits:
    """Return a rate limit, of an hour if no period is given."""
    return Limits(rate_limit=RateLimit(allowed, **{"period": 3600, **options}))


async def enqueue_for(engine: Engine, tenants: str, **options: Any) -> list[Job]:
    """Insert a job for each letter, in their order."""
    jobs = [new_job(args={"tenant": tenant}, **options) for tenant in tenants]
    return await engine.enqueue_jobs(jobs)


def tenants(claimed: LimitedClaim) -> str:
    """Return whose jobs were claimed, in the order of turns."""
    return "".join(job.args["tenant"] for job in claimed.jobs)


async def complete(engine: Engine, producer: Producer, jobs: list[Job]) -> None:
    """End jobs."""
    acks = [Ack(lease=Lease.of(job), state=State.COMPLETED) for job in jobs]
    assert len(await engine.ack_jobs(acks, producer)) == len(jobs)
