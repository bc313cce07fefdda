"""What scenarios do to jobs, with notes of what they know of it."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from staffa import Job
from staffa._internal.identifiers import quote_identifier
from tests.chaos.scenario import Scene

_LATEST = 40


async def store(scene: Scene, jobs: Sequence[Job]) -> None:
    """Enqueue jobs, all or none."""
    tokens = [job.args["token"] for job in jobs]
    try:
        stored = await scene.client.enqueue_many(jobs)
    except Exception as error:
        scene.notebook.write("uncertain", tokens=tokens, error=repr(error))
        raise
    scene.notebook.write("committed", ids=[job.id for job in stored], tokens=tokens)


async def cancel_one(scene: Scene, condition: str = "true") -> None:
    """Cancel one of the latest jobs that have not ended."""
    states = "'available', 'executing', 'scheduled', 'retryable'"
    chosen = await choose(scene, states, condition)
    if chosen is not None:
        scene.notebook.write("cancelling", job=chosen)
        await scene.client.cancel_job(chosen)


async def choose(scene: Scene, states: str, condition: str = "true") -> int | None:
    """Return one of the latest jobs in some states."""
    jobs = f"{quote_identifier(scene.prefix)}.oban_jobs"
    connection = await asyncpg.connect(scene.dsn, timeout=5)
    try:
        found = await connection.fetch(
            f"SELECT id FROM {jobs} WHERE state IN ({states}) AND {condition}"
            f" ORDER BY id DESC LIMIT {_LATEST}"
        )
    finally:
        connection.terminate()
    return scene.random.choice(found)["id"] if found else None
