"""Jobs of processes that are killed; what they do is in the history, see `tests.chaos.marks`."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import asyncpg

from staffa import Job, current_job, job
from staffa._internal.identifiers import quote_identifier

DSN = "CHAOS_DSN"
PREFIX = "CHAOS_PREFIX"
SCHEMA: ContextVar[str | None] = ContextVar("schema", default=None)
"""The schema of the jobs, where one process has nodes for several."""


def schema() -> str:
    """Return the schema of the jobs, quoted."""
    return quote_identifier(SCHEMA.get() or os.environ[PREFIX])


async def mark(kind: str, **detail: Any) -> None:
    """Write a mark of the running job, and return once it is committed."""
    running = current_job()
    assert running.attempted_by is not None
    connection = await asyncpg.connect(os.environ[DSN])
    await connection.execute(
        f"INSERT INTO {schema()}.history_marks"
        " (token, kind, job, attempt, attempted_at, producer, pid, detail)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(uuid.uuid4(), kind, running.id, running.attempt, running.attempted_at),
        *(running.attempted_by[1], os.getpid(), json.dumps(detail)),
    )
    await connection.close()


@job
async def note() -> None:
    """Do next to nothing."""
    await mark("begun")
    await mark("completing")


@job
async def graft() -> list[Job]:
    """Return more jobs."""
    await mark("begun")
    await mark("completing")
    return [note.new() for _ in range(3)]


@job(max_attempts=1)
async def note_once() -> None:
    """Have one attempt, which a death must not use up."""
    await mark("begun")
    await mark("completing")


@job(unique=True)
async def note_unique(key: str) -> None:
    """Be the only one of its key."""
    await mark("begun")
    await mark("completing")


@job
async def turn_page() -> None:
    """Keep a checkpoint."""
    running = current_job()
    page = running.meta.get("page", 0)
    await mark("begun", checkpoint=page)
    await running.update_meta(page=page + 1)
    await mark("stored", checkpoint=page + 1)
    await mark("completing")


@job
async def bill() -> None:
    """Complete in a transaction of its own, with an effect."""
    await mark("begun")
    await _bill()


async def _bill() -> None:
    connection = await asyncpg.connect(os.environ[DSN])
    try:
        async with connection.transaction():
            await connection.execute(
                f"INSERT INTO {schema()}.effects VALUES ($1)", current_job().id
            )
            await mark("completing")
            await current_job().complete_in(connection)
    finally:
        await connection.close()


@job
async def hold(folder: str) -> None:
    """Run until released."""
    await mark("begun")
    while not (Path(folder) / "released").exists():  # noqa: ASYNC110  # it comes from outside
        await asyncio.sleep(0.01)
    await mark("completing")


@job
async def hold_on(folder: str) -> None:
    """Run until released, and go on whenever it is cancelled."""
    await mark("begun")
    while not (Path(folder) / "released").exists():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            continue
    await mark("completing")


async def _pause_if_rescued(folder: str) -> None:
    while current_job().meta.get("rescued") and not (Path(folder) / "released").exists():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@job
async def note_or_hold(folder: str) -> None:
    """Do next to nothing; but run until released if another process has died over it."""
    await mark("begun")
    await _pause_if_rescued(folder)
    await mark("completing")


@job
async def turn_page_or_hold(folder: str) -> None:
    """Keep a checkpoint; but first run until released if another process has died over it."""
    await mark("begun")
    await _pause_if_rescued(folder)
    await current_job().update_meta(page=current_job().attempted_by[1])  # type: ignore[index]
    await mark("completing")


@job
async def bill_or_hold(folder: str) -> None:
    """Complete in a transaction; but run until released if another process has died over it."""
    await mark("begun")
    await _pause_if_rescued(folder)
    await _bill()
