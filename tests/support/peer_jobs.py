"""Jobs that our worker processes run beside other implementations; they note that they ran.

Where the database is comes from STAFFA_DSN and STAFFA_PREFIX.
"""

from __future__ import annotations

import asyncio
import os

import asyncpg

from staffa import current_job, job

_lock = asyncio.Lock()
_pools: list[asyncpg.Pool] = []


async def _pool() -> asyncpg.Pool:
    async with _lock:
        if not _pools:
            made = await asyncpg.create_pool(os.environ["STAFFA_DSN"], min_size=1, max_size=4)
            assert made is not None
            _pools.append(made)
        return _pools[0]


@job(queue="ours", name="ours.hang")
async def hang() -> None:
    """Note that it ran, and hang until the process is killed, but for the next time."""
    await _note()
    if not current_job().meta.get("rescued"):
        await asyncio.Event().wait()


@job(queue="ours", name="ours.note")
async def note(number: int = 0) -> None:
    """Note that it ran."""
    await _note()


async def _note() -> None:
    pool = await _pool()
    await pool.execute(
        f"INSERT INTO {os.environ['STAFFA_PREFIX']}.runs (job_id, side) VALUES ($1, 'ours')",
        current_job().id,
    )
