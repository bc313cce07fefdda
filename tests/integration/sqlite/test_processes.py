"""Several processes on one SQLite file: they share its jobs, die, and obey each other."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from staffa import Cron, job
from staffa.client.backend import make_migrator
from staffa.drivers.sqlite import FileSettings
from staffa.engines.sqlite import SqliteEngine
from staffa.engines.sqlite.functions import install
from tests.conftest import MakeClient
from tests.support.app import hold, hold_process, hold_thread, note, release, steps
from tests.support.events import eventually
from tests.support.files import JobsFile
from tests.support.processes import Spawn
from tests.support.program import Program


async def test_the_jobs_of_a_killed_process_run_elsewhere_without_using_attempts(
    file: JobsFile, spawn: Spawn, make_client: MakeClient, tmp_path: Path
) -> None:
    first = spawn()
    sender = make_client()
    folder = str(tmp_path)
    stored = await sender.enqueue_many(
        [hold.new(folder), hold_thread.new(folder), hold_process.new(folder)]
    )
    await eventually(lambda: len(steps(tmp_path, "begun")) == 3, "three jobs in the first process")
    second = spawn()
    await second.running()
    first.kill()
    await eventually(lambda: len(steps(tmp_path, "begun")) == 6, "three jobs in the second one")
    release(tmp_path)
    for entry in stored:
        row = await file.until(entry.id, "completed")
        assert (row["attempt"], row["meta"], row["errors"]) == (1, {"rescued": 1}, [])
    assert file.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


async def test_processes_that_die_while_they_write_lose_and_repeat_nothing(
    file: JobsFile, spawn: Spawn, make_client: MakeClient, tmp_path: Path
) -> None:
    sender = make_client()
    stored = await sender.enqueue_many(note.new(str(tmp_path)) for _ in range(2000))
    for _ in range(3):
        process = spawn()
        enough = len(steps(tmp_path, "noted")) + 50

        def went_on(enough: int = enough) -> bool:
            return len(steps(tmp_path, "noted")) > enough

        await eventually(went_on, "some jobs")
        process.kill()
    survivor = spawn()
    await file.until_count(completed=len(stored))
    survivor.send(signal.SIGTERM)
    assert await survivor.ended() == 0
    runs = {step.id for step in steps(tmp_path, "noted")}
    assert runs == {entry.id for entry in stored}
    assert file.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


async def test_a_backlog_is_shared_by_all_processes(
    file: JobsFile, spawn: Spawn, make_client: MakeClient, tmp_path: Path
) -> None:
    processes = [spawn(queues="default:5", poll=0.5) for _ in range(3)]
    for process in processes:
        await process.running()
    stored = await make_client().enqueue_many(note.new(str(tmp_path)) for _ in range(3000))
    await file.until_count(within=90, completed=3000)
    done = steps(tmp_path, "noted")
    assert sorted(step.id for step in done) == [entry.id for entry in stored], "each ran once"
    shares = [sum(step.pid == process.pid for step in done) for process in processes]
    assert min(shares) > 3000 / 3 / 3, f"nobody is shut out: {shares}"


async def test_slow_jobs_are_never_more_than_the_limit_of_each_process(
    file: JobsFile, spawn: Spawn, make_client: MakeClient, tmp_path: Path
) -> None:
    for process in [spawn(queues="default:2") for _ in range(3)]:
        await process.running()
    await make_client().enqueue_many(hold.new(str(tmp_path)) for _ in range(9))
    await eventually(lambda: len(steps(tmp_path, "begun")) == 6, "two jobs in each")
    assert sorted(file.nodes().values()) == [2, 2, 2]
    assert file.count() == {"executing": 6, "available": 3}
    release(tmp_path)
    await file.until_count(completed=9)


async def test_a_process_that_stands_still_does_not_stop_the_others(
    file: JobsFile, spawn: Spawn, make_client: MakeClient, tmp_path: Path
) -> None:
    still, other = spawn(), spawn()
    await still.running()
    await other.running()
    still.send(signal.SIGSTOP)
    sender = make_client()
    await sender.enqueue_many(note.new(str(tmp_path)) for _ in range(200))
    await file.until_count(completed=200)
    assert {step.pid for step in steps(tmp_path, "noted")} == {other.pid}
    still.send(signal.SIGCONT)


async def test_a_queue_that_is_paused_elsewhere_stands_still_within_a_heartbeat(
    file: JobsFile, spawn: Spawn, make_client: MakeClient, tmp_path: Path
) -> None:
    process = spawn(name="Staffa")
    await process.running()
    operator = make_client(name="Staffa")
    await operator.pause_queue("default")
    beats = "SELECT sum(beats) AS beats FROM staffa_producers"
    seen = file.query(beats)[0]["beats"]
    await eventually(lambda: file.query(beats)[0]["beats"] >= seen + 2, "two heartbeats")
    stored = await operator.enqueue(note.new(str(tmp_path)))
    seen = file.query(beats)[0]["beats"]
    await eventually(lambda: file.query(beats)[0]["beats"] >= seen + 3, "three heartbeats")
    assert file.get(stored.id)["state"] == "available"
    await operator.resume_queue("default")
    await file.until(stored.id, "completed")


async def test_a_job_is_cancelled_from_another_process_within_a_heartbeat(
    file: JobsFile, spawn: Spawn, make_client: MakeClient, tmp_path: Path
) -> None:
    process = spawn()
    await process.running()
    operator = make_client()
    stored = await operator.enqueue(hold_thread.new(str(tmp_path)))
    await eventually(lambda: steps(tmp_path, "begun"), "the job")
    await operator.cancel_job(stored.id or 0)
    await eventually(lambda: steps(tmp_path, "stopped"), "the end of the job")
    assert file.get(stored.id)["state"] == "cancelled"


async def test_a_tick_that_was_taken_is_taken_by_no_other_leader(
    file: JobsFile, make_client: MakeClient
) -> None:
    @job
    async def tick() -> None: ...

    entry = Cron("@reboot", worker=tick, name="boot")
    async with make_client(name="Staffa", queues={"default": 1}, cron=[entry]):
        await file.until_count(completed=1)
        others = [SqliteEngine(FileSettings(file.path, install)) for _ in range(4)]
        board = await others[0].read_crons("Staffa", reader=None, dead_after=3600)
        (stored,) = board.entries
        taken = await asyncio.gather(
            *(
                other.enqueue_tick("Staffa", "boot", stored.booted_at, stored.new_job())
                for other in others
            )
        )
        for other in others:
            await other.close()
    assert taken == [None] * 4
    assert file.count() == {"completed": 1}


@pytest.mark.parametrize("count", [4])
async def test_migrations_of_several_processes_at_once_are_made_once(
    tmp_path: Path, count: int
) -> None:
    path = tmp_path / "new.db"
    program = Program(tmp_path, STAFFA_DSN=f"sqlite:///{path}")
    finished = await asyncio.gather(*(program.run("migrate", "up") for _ in range(count)))
    assert [run.code for run in finished] == [0] * count, finished
    with closing(sqlite3.connect(path)) as raw:
        versions = raw.execute("SELECT version FROM staffa_migrations ORDER BY version").fetchall()
    steps_ = len(make_migrator(f"sqlite:///{path}", "public").migrations)
    assert versions == [(number,) for number in range(1, steps_ + 1)]
    assert sum("applied 0001" in run.out for run in finished) == 1
