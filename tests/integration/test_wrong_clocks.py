"""Processes whose clocks are wrong, and a database whose clock steps: only the latter is believed.

The processes are real; what they take for the wall clock is not (`tests.support.ahead`, `behind`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from staffa.client.backend import make_migrator
from tests.conftest import MakeClient
from tests.support.app import PROMPT, hold, note, release, steps
from tests.support.clocks import ServerClock
from tests.support.database import create_database, drop_database
from tests.support.events import eventually
from tests.support.processes import WorkerProcess
from tests.support.rows import Rows

PREFIX = "wrong clocks"
HOUR = timedelta(hours=1)


@pytest.fixture
def stepped_dsn(server_dsn: str) -> Iterator[str]:
    """A database of the test's own."""
    made = asyncio.run(create_database(server_dsn))
    yield made
    asyncio.run(drop_database(server_dsn, made))


@pytest.fixture
async def server_clock(stepped_dsn: str) -> AsyncIterator[ServerClock]:
    """Its clock; there are tables by then."""
    clock = ServerClock(stepped_dsn)
    await clock.install()
    await make_migrator(stepped_dsn, PREFIX).up()
    yield clock
    await clock.close()


@pytest.fixture
async def stepped_rows(stepped_dsn: str, server_clock: ServerClock) -> AsyncIterator[Rows]:
    """Its rows."""
    connection = await asyncpg.connect(stepped_dsn)
    yield Rows(connection, PREFIX)
    await connection.close()


async def test_wrong_clocks_of_processes_make_nothing_due_and_nobody_dead(
    stepped_dsn: str,
    server_clock: ServerClock,
    stepped_rows: Rows,
    make_client: MakeClient,
    tmp_path: Path,
) -> None:
    folder = str(tmp_path)
    sender = make_client(dsn=stepped_dsn, prefix=PREFIX)
    made: list[WorkerProcess] = []

    def start(module: str) -> WorkerProcess:
        log = tmp_path / f"{module}.log"
        options: dict[str, Any] = {**PROMPT, "module": f"tests.support.{module}"}
        made.append(WorkerProcess(stepped_dsn, PREFIX, log, **options))
        return made[-1]

    try:
        ahead = start("ahead")
        held = await sender.enqueue(hold.new(folder))
        later = await sender.enqueue(note.options(scheduled_in=HOUR / 2).new(folder))
        await eventually(lambda: steps(tmp_path, "begun"), "the job in the first process")
        behind = start("behind")
        await behind.running()
        notes = await sender.enqueue_many(note.new(folder) for _ in range(20))
        for each in notes:
            await stepped_rows.until(each.id, "completed")
        await eventually(lambda: len(steps(tmp_path, "noted")) == 20, "twenty notes")
        assert len(steps(tmp_path, "begun")) == 1, "nobody was taken for dead"

        ahead.kill()
        await eventually(lambda: len(steps(tmp_path, "begun")) == 2, "the rescue")
        assert (await stepped_rows.get(later.id))["state"] == "scheduled"

        await server_clock.go(HOUR)
        row = await stepped_rows.until(later.id, "completed")
        assert row["attempted_at"] > row["scheduled_at"]
        await server_clock.go(-HOUR)
        again = await sender.enqueue(note.new(folder))
        row = await stepped_rows.until(again.id, "completed")
        assert row["completed_at"] < (await stepped_rows.get(later.id))["inserted_at"]

        release(tmp_path)
        row = await stepped_rows.until(held.id, "completed")
        assert row["meta"] == {"rescued": 1}
        assert row["attempt"] == 1
        assert len(steps(tmp_path, "begun")) == 2
    finally:
        for process in made:
            process.kill()
