"""Marks: what running jobs write into the history, over connections of their own.

The database may be away, so a mark is repeated until it is there; its token makes it one mark. A
function that can't write its mark does not go on: so a mark always comes before what it announces.
Where the history is comes from CHAOS_DSN and CHAOS_PREFIX.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from staffa import Job
from staffa._internal.identifiers import quote_identifier
from tests.chaos.history import Lease

DSN = "CHAOS_DSN"
PREFIX = "CHAOS_PREFIX"
_PAUSE_SECONDS = 0.05
_idle: deque[tuple[int, psycopg.Connection[Any]]] = deque()


@contextmanager
def exported(dsn: str, prefix: str) -> Iterator[None]:
    """Tell the processes that are started meanwhile where the history is."""
    before = {name: os.environ.get(name) for name in (DSN, PREFIX)}
    os.environ.update({DSN: dsn, PREFIX: prefix})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        close()


def lease_of(job: Job) -> Lease:
    """Return the lease of a running job."""
    assert job.id is not None
    assert job.attempted_at is not None
    assert job.attempted_by is not None
    return Lease(job.id, job.attempt, job.attempted_at, job.attempted_by[1])


def mark(job: Job, kind: str, **detail: Any) -> None:
    """Write a mark, and return once it is committed; blocks the thread."""
    lease = lease_of(job)
    parameters = [
        uuid.uuid4(), kind, lease.job, lease.attempt, lease.attempted_at, lease.producer,
        os.getpid(), json.dumps(detail),
    ]  # fmt: skip
    statement = f"""
        INSERT INTO {quote_identifier(os.environ[PREFIX])}.history_marks
            (token, kind, job, attempt, attempted_at, producer, pid, detail)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (token) DO NOTHING
    """
    while True:
        try:
            connection = _take()
            connection.execute(statement, parameters)
        except psycopg.OperationalError:
            time.sleep(_PAUSE_SECONDS)
        else:
            _idle.append((os.getpid(), connection))
            return


async def mark_async(job: Job, kind: str, **detail: Any) -> None:
    """Write a mark from the event loop, without blocking it."""
    await asyncio.to_thread(mark, job, kind, **detail)


def close() -> None:
    """Close the connections that are idle, for tests whose own process writes marks."""
    while _idle:
        _idle.pop()[1].close()


def _take() -> psycopg.Connection[Any]:
    """Return a connection that this thread alone uses; those of a parent process are left alone."""
    while True:
        try:
            pid, connection = _idle.pop()
        except IndexError:
            return psycopg.connect(os.environ[DSN], autocommit=True, connect_timeout=5)
        if pid == os.getpid() and not connection.closed:
            return connection
