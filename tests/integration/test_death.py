"""Worker processes that die, stop for a while, or look dead: real ones, real signals."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.conftest import MakeClient
from tests.support.app import PROMPT, block, die, hold, hold_thread, release, steps
from tests.support.events import Recorder, eventually
from tests.support.processes import Spawn
from tests.support.rows import Rows


async def test_the_jobs_of_a_killed_process_run_elsewhere_without_using_attempts(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    first = spawn()
    sender = make_client()
    folder = str(tmp_path)
    stored = await sender.enqueue_many([hold.new(folder), hold_thread.new(folder)])
    await eventually(lambda: len(steps(tmp_path, "begun")) == 2, "two jobs in the first process")
    second = spawn()
    await second.running()
    first.kill()
    await eventually(lambda: len(steps(tmp_path, "begun")) == 4, "two jobs in the second process")
    release(tmp_path)
    for entry in stored:
        row = await rows.until(entry.id, "completed")
        assert row["attempt"] == 1
        assert row["meta"] == {"rescued": 1}
        assert row["errors"] == []
    assert [step.pid for step in steps(tmp_path, "ended")] == [second.pid] * 2


async def test_a_process_that_comes_back_rescues_what_its_last_life_left(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    first = spawn(node="same")
    stored = await make_client().enqueue(hold.new(str(tmp_path)))
    await eventually(lambda: steps(tmp_path, "begun"), "the job in the first process")
    first.kill()
    release(tmp_path)
    spawn(node="same")
    row = await rows.until(stored.id, "completed")
    assert row["meta"] == {"rescued": 1}


async def test_a_job_that_kills_its_process_every_time_ends_discarded_with_that_reason(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path, events: Recorder
) -> None:
    watcher = make_client(queues={"other": 1}, **PROMPT, max_rescues=1)
    stored = await watcher.enqueue(die.new(str(tmp_path)))
    async with watcher:
        for count in (1, 2):
            process = spawn(max_rescues=1)
            assert await process.ended() == -signal.SIGKILL
            name = "rescued" if count == 1 else "discarded"
            await events.wait(f"staffa.job.{name}")
    row = await rows.get(stored.id)
    assert row["state"] == "discarded"
    assert row["discarded_at"] is not None
    assert row["meta"]["rescued"] == 2
    assert [error["attempt"] for error in row["errors"]] == [1]
    assert "its process died 2 times" in row["errors"][0]["error"]


async def test_a_process_that_was_stopped_for_long_can_not_end_a_job_that_was_rescued(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    first = spawn()
    stored = await make_client().enqueue(hold.new(str(tmp_path)))
    await eventually(lambda: steps(tmp_path, "begun"), "the job in the first process")
    first.send(signal.SIGSTOP)
    second = spawn()
    await eventually(lambda: len(steps(tmp_path, "begun")) == 2, "the job in the second process")
    held = await rows.get(stored.id)
    first.send(signal.SIGCONT)
    release(tmp_path)
    row = await rows.until(stored.id, "completed")
    assert row["attempted_by"] == held["attempted_by"]
    assert row["attempted_at"] == held["attempted_at"]
    assert row["attempt"] == 1
    for process in (first, second):
        process.send(signal.SIGTERM)
        assert await process.ended() == 0
    assert (await rows.get(stored.id)) == row
    assert second.pid in {step.pid for step in steps(tmp_path, "ended")}


async def test_a_process_whose_loop_is_blocked_is_not_taken_for_dead(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path, events: Recorder
) -> None:
    blocked = spawn()
    await blocked.running()
    watcher = make_client(queues={"default": 5}, **PROMPT)
    stored = await watcher.enqueue(block.new(str(tmp_path), 3 * PROMPT["dead_after"]))
    await eventually(lambda: steps(tmp_path, "begun"), "the job")
    async with watcher:
        row = await rows.until(stored.id, "completed")
    assert row["meta"] == {}
    assert [step.kind for step in steps(tmp_path)] == ["begun", "ended"]
    assert events.of("staffa.job.rescued") == []


async def test_a_running_job_of_another_implementation_is_given_up_by_age_alone(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    def foreign(hours: float) -> dict[str, object]:
        return {
            "worker": "Ref.OkWorker", "state": "executing", "attempt": 1,
            "attempted_at": f"now() AT TIME ZONE 'UTC' - interval '{hours} hours'",
            "attempted_by": '{node-a,"0e6ea9f5-2d8b-4b3e-9f0a-3c2f3f9d7c10"}',
        }  # fmt: skip

    ages = {"young": 0.5, "old": 2.0, "spent": 2.0}
    ids = {}
    for name, hours in ages.items():
        columns = foreign(hours)
        age = columns.pop("attempted_at")
        limits = {"max_attempts": 1} if name == "spent" else {}
        ids[name] = await rows.insert(**columns, **limits)
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET attempted_at = {age} WHERE id = $1", ids[name]
        )
    async with make_client(queues={"other": 1}) as app:
        await events.wait("staffa.leader.elected")
        assert app._node is not None
        app._node._lifeline.wake()
        row = await rows.until(ids["old"], "available")
        await rows.until(ids["spent"], "discarded")
    assert row["attempt"] == 1
    assert (await rows.get(ids["young"]))["state"] == "executing"
