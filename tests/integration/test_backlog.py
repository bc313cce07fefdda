"""Twenty thousand jobs through a worker process, which may die in the middle."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from staffa import Job, State, current_job, job
from staffa.engines.postgres import PostgresEngine
from staffa.queues import backlog
from tests.conftest import MakeClient
from tests.plans.test_pruning import add_finished
from tests.support.events import eventually
from tests.support.processes import Spawn
from tests.support.rows import Rows

COUNT = 20_000

MODULE = """
from staffa import job

@job(name="noop")
async def noop() -> None: ...
"""


async def enqueue(make_client: MakeClient) -> None:
    async with make_client() as sender:
        await sender.enqueue_many(Job(worker="noop") for _ in range(COUNT))


async def test_every_one_of_many_jobs_ends_completed(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(MODULE)
    await enqueue(make_client)
    process = spawn(module="jobs", folder=tmp_path, queues="default:200")
    await rows.until_count(completed=COUNT)
    process.send(signal.SIGTERM)
    assert await process.ended() == 0
    assert await rows.connection.fetchval(f"SELECT max(attempt) FROM {rows.jobs}") == 1


async def test_a_queue_claims_no_more_while_many_outcomes_wait_to_be_written(
    make_client: MakeClient, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, largest, count = 100, 500, 3000
    monkeypatch.setattr(backlog, "LARGEST_BACKLOG", largest)
    door = asyncio.Event()
    ack = PostgresEngine.ack_jobs

    async def ack_later(self: PostgresEngine, *args: Any, **options: Any) -> dict[int, State]:
        await door.wait()
        return await ack(self, *args, **options)

    monkeypatch.setattr(PostgresEngine, "ack_jobs", ack_later)
    ran: list[int | None] = []

    @job(name="noop")
    async def noop() -> None:
        ran.append(current_job().id)

    async with make_client(queues={"default": limit}) as app:
        await app.enqueue_many(noop.new() for _ in range(count))
        await eventually(lambda: len(ran) >= largest, "a backlog of outcomes")
        await asyncio.sleep(0.5)  # claims would go on in this time
        assert len(ran) <= 2 * (largest + limit)  # as many are being written
        door.set()
        await rows.until_count(completed=count)
    assert len(ran) == len(set(ran)) == count


async def test_no_job_is_lost_when_the_process_is_killed_in_the_middle(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(MODULE)
    await enqueue(make_client)
    options = {"module": "jobs", "folder": tmp_path, "queues": "default:500"}
    first = spawn(**options)

    async def under_way() -> bool:
        return (await rows.count())["completed"] > COUNT / 10

    await eventually(under_way, "the first jobs")
    first.kill()

    async def gone() -> bool:
        return not await rows.backends()

    await eventually(gone, "the end of what the server did for the first process")
    left = await rows.count()
    second = spawn(**options)
    await rows.until_count(completed=COUNT)
    second.send(signal.SIGTERM)
    assert await second.ended() == 0
    rescued = await rows.connection.fetchval(
        f"SELECT count(*) FROM {rows.jobs} WHERE meta ->> 'rescued' = '1'"
    )
    assert rescued == left["executing"]


@pytest.mark.long
async def test_jobs_run_and_old_ones_go_beside_ten_million_of_history(
    spawn: Spawn, make_client: MakeClient, rows: Rows, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(MODULE)
    await add_finished(rows.connection, prefix, 10_000_000)
    await rows.connection.execute(f"DELETE FROM {rows.jobs} WHERE id % 1000 = 0")  # dead rows
    await enqueue(make_client)
    process = spawn(module="jobs", folder=tmp_path, queues="default:200")

    async def none_waits() -> bool:
        waiting = await rows.connection.fetchval(
            f"SELECT count(*) FROM {rows.jobs} WHERE state IN ('available', 'executing')"
        )
        return bool(waiting == 0)

    await eventually(none_waits, "the end of all jobs", within=600)

    async def pruned() -> bool:
        found = await rows.connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {rows.jobs} WHERE id > 9999000 AND id <= 10000000)"
        )
        return not found

    await eventually(pruned, "the pruner to begin with what ended first", within=600)
    process.send(signal.SIGTERM)
    assert await process.ended() == 0
