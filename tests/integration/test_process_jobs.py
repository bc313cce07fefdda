"""Jobs in processes of their own, from the row to the outcome."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from staffa import job
from tests.conftest import MakeClient
from tests.support import process_work as work
from tests.support.app import hold_process, release, steps
from tests.support.events import Recorder, eventually
from tests.support.processes import Spawn
from tests.support.rows import Rows


async def test_a_job_runs_in_another_process_and_its_result_is_recorded(
    make_client: MakeClient, rows: Rows
) -> None:
    async with make_client(queues={"default": 2}) as app:
        stored = await app.enqueue(work.count_words.new(["a b", "c"]))
        row = await rows.until(stored.id, "completed")
        result = await app.fetch_result(stored)
    assert result["words"] == 3
    assert result["pid"] != os.getpid()
    assert row["meta"]["progress"] == {"value": 1.0, "note": "counted"}
    assert row["meta"]["checkpoint"] == 1


async def test_an_async_function_runs_there_too_and_gets_its_structured_args(
    make_client: MakeClient, rows: Rows
) -> None:
    async with make_client(queues={"default": 2}) as app:
        stored = await app.enqueue(work.describe.new(work.Point(1, 2)))
        await rows.until(stored.id, "completed")
        assert await app.fetch_result(stored) == "Point(x=1, y=2)"


async def test_the_error_of_a_process_is_kept_and_judged_by_its_class(
    make_client: MakeClient, rows: Rows
) -> None:
    async with make_client(queues={"default": 2}) as app:
        given_up = await app.enqueue(work.give_up.new())
        row = await rows.until(given_up.id, "discarded")
        assert "no such page" in row["errors"][0]["error"]
        assert "give_up" in row["errors"][0]["error"]


async def test_a_killed_child_fails_one_attempt_and_names_the_signal(
    make_client: MakeClient, rows: Rows
) -> None:
    async with make_client(queues={"default": 2}) as app:
        killed = await app.enqueue(work.kill_itself.new())
        other = await app.enqueue(work.count_words.new(["a"]))
        row = await rows.until(killed.id, "retryable")
        await rows.until(other.id, "completed")
    assert row["attempt"] == 1
    assert "SIGKILL" in row["errors"][0]["error"]


async def test_children_that_are_killed_from_outside_or_crash_or_leave_fail_one_attempt_each(
    make_client: MakeClient, rows: Rows, events: Recorder, tmp_path: Path
) -> None:
    async with make_client(queues={"default": 3}, processes=3) as app:
        killed = await app.enqueue(work.compute_for_ever.new(str(tmp_path)))
        crashed = await app.enqueue(work.crash.new())
        left = await app.enqueue(work.leave.new())
        await eventually((tmp_path / "pid").exists, "the job to begin")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # as the kernel without memory
        reasons = {killed: "killed by SIGKILL", crashed: "killed by SIGSEGV", left: "exit code 3"}
        for stored, reason in reasons.items():
            row = await rows.until(stored.id, "retryable")
            assert (row["attempt"], len(row["errors"]), row["meta"]) == (1, 1, {})
            assert reason in row["errors"][0]["error"]
        after = await app.enqueue(work.count_words.new(["a"]))
        await rows.until(after.id, "completed")
    assert events.of("staffa.job.rescued") == []


async def test_a_cancel_from_another_client_ends_a_process_that_computes(
    make_client: MakeClient, rows: Rows, events: Recorder, tmp_path: Path
) -> None:
    sender = make_client()
    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.compute_for_ever.new(str(tmp_path)))
        await eventually((tmp_path / "pid").exists, "the job to begin")
        pid = int((tmp_path / "pid").read_text())
        assert await sender.cancel_job(stored)
        await events.wait("staffa.job.lease_lost")
        await eventually(lambda: not _lives(pid), "the end of the child")
    assert (await rows.get(stored.id))["state"] == "cancelled"


async def test_a_process_that_takes_too_long_fails_with_job_timeout(
    make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.compute_for_ever.options(timeout=0.5).new(str(tmp_path)))
        row = await rows.until(stored.id, "retryable")
    assert "JobTimeout" in row["errors"][0]["error"]


async def test_encrypted_args_are_readable_in_the_process_alone(
    make_client: MakeClient, rows: Rows
) -> None:
    keys = {"first": os.urandom(32)}
    async with make_client(queues={"default": 1}, encryption_keys=keys) as app:
        call = work.count_words.options(encrypted=True)
        stored = await app.enqueue(call.new(["a secret"]))
        row = await rows.until(stored.id, "completed")
        assert (await app.fetch_result(stored))["words"] == 2
    assert "secret" not in str(row["args"])


async def test_shutdown_puts_a_computing_job_back(
    make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    app = make_client(queues={"default": 1})
    await app.start()
    stored = await app.enqueue(work.compute_for_ever.new(str(tmp_path)))
    await eventually((tmp_path / "pid").exists, "the job to begin")
    pid = int((tmp_path / "pid").read_text())
    await app.stop(grace=0)
    row = await rows.get(stored.id)
    assert (row["state"], row["attempt"]) == ("available", 0)
    assert not _lives(pid)


async def test_the_children_of_a_killed_node_die_with_it_and_their_jobs_run_elsewhere(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    first = spawn()
    stored = await make_client().enqueue(hold_process.new(str(tmp_path)))
    await eventually(lambda: steps(tmp_path, "begun"), "the job to begin")
    (begun,) = steps(tmp_path, "begun")
    second = spawn()
    await second.running()
    first.kill()
    await eventually(lambda: not _lives(begun.pid), "the end of the child")
    await eventually(lambda: len(steps(tmp_path, "begun")) == 2, "the second run")
    release(tmp_path)
    row = await rows.until(stored.id, "completed")
    assert row["meta"]["rescued"] == 1


async def test_jobs_on_the_loop_go_on_while_processes_compute(
    make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    @job(queue="other")
    async def quick() -> None:
        await asyncio.sleep(0)

    async with make_client(queues={"default": 1, "other": 1}) as app:
        await app.enqueue(work.compute_for_ever.new(str(tmp_path)))
        await eventually((tmp_path / "pid").exists, "the job to begin")
        stored = await app.enqueue(quick.new())
        await rows.until(stored.id, "completed")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
