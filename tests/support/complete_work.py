"""Jobs that complete in transactions of their own, for worker processes of tests."""

from __future__ import annotations

import os
import signal

import psycopg

from staffa import current_job, job


def write(dsn: str, note: str, *, end: str) -> None:
    """Write a note and complete the running job, both or neither."""
    connection = psycopg.connect(dsn)
    connection.execute("INSERT INTO effects (note) VALUES (%s)", [note])
    current_job().complete_in(connection)
    if end == "killed before":
        os.kill(os.getpid(), signal.SIGKILL)
    connection.commit()
    connection.close()
    if end == "killed after":
        os.kill(os.getpid(), signal.SIGKILL)


@job
def write_once(dsn: str, note: str, end: str) -> None:
    """Write a note; the first run may die."""
    write(dsn, note, end=end if current_job().meta.get("rescued") is None else "")


@job(executor="process", recorded=True)
def write_in_process(dsn: str, note: str) -> str:
    """Write a note in a process of its own."""
    connection = psycopg.connect(dsn)
    connection.execute("INSERT INTO effects (note) VALUES (%s)", [note])
    current_job().complete_in(connection, result="kept")
    connection.commit()
    connection.close()
    return "not kept"


@job(executor="process")
async def write_in_process_async(dsn: str, note: str) -> None:
    """Write a note in a process of its own, as a coroutine."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute("INSERT INTO effects (note) VALUES (%s)", [note])
        await current_job().complete_in(connection)
