"""Many jobs of everybody for everybody on one table, while our processes are killed.

Ours and the package `oban` enqueue for each other and for themselves, the stand-in of an Elixir
node for us and we for it. What each job did is in a table beside: it ran once, and once more for
each time that it lost its process.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from staffa import Job, Staffa
from tests.conftest import MakeClient
from tests.support.app import PROMPT
from tests.support.elixir_node import OK, ElixirNode, Outcome
from tests.support.events import eventually
from tests.support.oban_peer import ObanPeer
from tests.support.processes import Spawn, WorkerProcess
from tests.support.rows import Rows

logger = logging.getLogger(__name__)

WITHIN_SECONDS = 600.0


@pytest.fixture
def spawn(dsn: str, prefix: str, tmp_path: Path) -> Iterator[Spawn]:
    """Starts worker processes of ours, each ended with the test."""
    made: list[WorkerProcess] = []

    def start(**options: Any) -> WorkerProcess:
        log = tmp_path / f"process-{len(made)}.log"
        options = {"queues": "ours:10", "module": "tests.support.peer_jobs", **PROMPT, **options}
        made.append(WorkerProcess(dsn, prefix, log, **options))
        return made[-1]

    yield start
    for process in made:
        process.kill()


async def enqueue_ours(app: Staffa, worker: str, queue: str, count: int) -> list[int]:
    """Enqueue jobs as our clients do, in portions."""
    found: list[int] = []
    for start in range(0, count, 200):
        numbers = range(start, min(start + 200, count))
        jobs = [Job(worker=worker, queue=queue, args={"number": number}) for number in numbers]
        found.extend(one.id or 0 for one in await app.enqueue_many(jobs))
    return found


@pytest.mark.parametrize(
    ("count", "kills"), [(1000, 2), pytest.param(10_000, 8, marks=pytest.mark.long)]
)
async def test_jobs_of_everybody_for_everybody_run_once_but_for_rescues(
    count: int,
    kills: int,
    dsn: str,
    prefix: str,
    peer: ObanPeer,
    spawn: Spawn,
    make_client: MakeClient,
    rows: Rows,
) -> None:
    portion = count // 5
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=4)

    async def note(job: Mapping[str, Any]) -> Outcome:
        await pool.execute(
            f"INSERT INTO {prefix}.runs (job_id, side) VALUES ($1, 'elixir')", job["id"]
        )
        return OK

    async def completed(least: int) -> bool:
        found = await pool.fetchval(
            f"SELECT count(*) FROM {rows.jobs} WHERE state = 'completed' AND queue = 'ours'"
        )
        return int(found) >= least

    async def kill_some() -> list[int]:
        """Kill a process of ours again and again, in the middle of a job at least, and others."""
        living = {name: spawn(node=name) for name in ("node-0", "node-1")}
        hanging = []
        for number in range(1, kills + 1):
            least = portion * 5 // 2 * number // (kills + 2)
            await eventually(lambda: completed(least), f"{least} of ours", WITHIN_SECONDS)  # noqa: B023
            (one,) = await enqueue_ours(app, "ours.hang", "ours", 1)
            hanging.append(one)
            node = await runner_of(one)
            living.pop(node).send(signal.SIGKILL)
            living[f"node-{number + 1}"] = spawn(node=f"node-{number + 1}")
        return hanging

    async def runner_of(number: int) -> str:
        """Return the node that has noted to run a job."""

        async def runs() -> bool:
            return bool(
                await pool.fetchval(f"SELECT 1 FROM {prefix}.runs WHERE job_id = $1", number)
            )

        await eventually(runs, f"a run of job {number}", WITHIN_SECONDS)
        node = await pool.fetchval(f"SELECT attempted_by[1] FROM {rows.jobs} WHERE id = $1", number)
        return str(node)

    app = make_client(name="sender")
    elixir = ElixirNode(dsn, prefix, {"elixir": 5}, {"Shop.Note": note})
    async with elixir:
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(kill_some())
            enqueueing = [
                group.create_task(enqueue)
                for enqueue in (
                    enqueue_ours(app, "ours.note", "ours", portion),
                    enqueue_ours(app, "peer_program.Note", "theirs", portion),
                    enqueue_ours(app, "Shop.Note", "elixir", portion // 2),
                    elixir.insert_all("ours.note", portion // 2, queue="ours"),
                    enqueue_theirs(peer, portion),
                )
            ]
        hanging = killing.result()

        async def all_completed() -> bool:
            return await rows.count() == {"completed": count + kills}

        await eventually(all_completed, "the end of all jobs", WITHIN_SECONDS)
    known = {number for task in (*enqueueing, killing) for number in task.result()}
    assert len(known) == count + kills
    found = await pool.fetch(
        f"SELECT job.id, job.queue, coalesce((job.meta->>'rescued')::int, 0) AS rescued,"
        f" array_agg(DISTINCT runs.side) AS sides, count(runs.job_id)::int AS runs"
        f" FROM {rows.jobs} AS job LEFT JOIN {prefix}.runs ON runs.job_id = job.id"
        f" GROUP BY job.id"
    )
    await pool.close()
    assert {row["id"] for row in found} == known
    wrong = [dict(row) for row in found if not 1 <= row["runs"] <= 1 + row["rescued"]]
    assert wrong == []
    rescued = Counter(row["queue"] for row in found if row["rescued"])
    assert set(rescued) <= {"ours"}, "none but our processes died"
    assert {row["id"] for row in found if row["rescued"]} >= set(hanging)
    assert {(row["queue"], *row["sides"]) for row in found} == {
        ("ours", "ours"),
        ("theirs", "theirs"),
        ("elixir", "elixir"),
    }
    twice = sum(row["runs"] > 1 for row in found)
    logger.info(
        "%d jobs, %d rescued, %d of them had noted it before", count, rescued["ours"], twice
    )


async def enqueue_theirs(peer: ObanPeer, portion: int) -> list[int]:
    """Enqueue jobs as the package does, for us and for itself, in portions."""
    found: list[int] = []
    for start in range(0, portion, 200):
        count = min(200, portion - start)
        for worker, queue in (("ours.note", "ours"), ("peer_program.Note", "theirs")):
            found.extend(await peer.enqueue_same(count, worker=worker, queue=queue))
    return found
