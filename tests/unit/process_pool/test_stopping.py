"""Stopping jobs in processes, the pool, and the process that holds it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from staffa.errors import ProcessDied, ProcessJobError, ProcessUnavailable
from staffa.queues.pools.process import ProcessPool, handle
from tests.support import process_jobs as jobs
from tests.support.database import PROJECT
from tests.support.events import eventually
from tests.unit.process_pool.calls import begin, gone, is_alive, run, told
from tests.unit.process_pool.conftest import MakePool


async def begun(pool: ProcessPool, function: Any, folder: Path) -> tuple[asyncio.Task[Any], int]:
    """Begin a job, and return it with what it has told: its process."""
    task = begin(pool, function, folder=str(folder))
    return task, await told(folder)


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slow machine take its time: what ends in order is not killed for being slow."""
    monkeypatch.setattr(handle, "PATIENCE_SECONDS", 30.0)


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill soon what will not end anyway."""
    monkeypatch.setattr(handle, "PATIENCE_SECONDS", 0.05)


@pytest.mark.usefixtures("no_hurry")
@pytest.mark.parametrize("function", [jobs.spin, jobs.doze, jobs.hold, jobs.wait])
async def test_a_job_that_is_cancelled_is_interrupted_wherever_it_is(
    pool: ProcessPool, tmp_path: Path, function: Any
) -> None:
    task, pid = await begun(pool, function, tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    cause = caught.value.__cause__
    assert isinstance(cause, ProcessJobError)  # it answered, and tells where it was
    assert f"in {function.__name__}" in cause.traceback
    assert await run(pool, jobs.pid) != pid  # its state is not to be relied on
    await gone(pid)


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize(
    "function",
    [jobs.ignore_everything, jobs.hold_the_lock, jobs.block, jobs.swallow_cancellation],
)
async def test_a_job_that_does_not_end_when_it_is_cancelled_is_killed(
    pool: ProcessPool, tmp_path: Path, function: Any
) -> None:
    task, pid = await begun(pool, function, tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(pid)
    assert await run(pool, jobs.echo) == {}


async def test_the_patience_with_such_a_job_is_a_second() -> None:
    assert handle.PATIENCE_SECONDS == 1.0


@pytest.mark.usefixtures("no_hurry")
async def test_a_result_in_time_counts_and_the_job_knows_that_it_was_cancelled(
    pool: ProcessPool, tmp_path: Path
) -> None:
    task, pid = await begun(pool, jobs.stop_in_order, tmp_path)
    task.cancel()
    assert await task is True
    assert await run(pool, jobs.pid) != pid


@pytest.mark.usefixtures("no_hurry")
async def test_an_error_in_time_counts(pool: ProcessPool, tmp_path: Path) -> None:
    task, _ = await begun(pool, jobs.fail_to_stop, tmp_path)
    task.cancel()
    with pytest.raises(ProcessJobError, match="could not clean up"):
        await task


async def test_a_timeout_is_told_as_one(pool: ProcessPool, tmp_path: Path) -> None:
    await run(pool, jobs.echo)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run(pool, jobs.doze, folder=str(tmp_path))


async def test_a_call_that_is_cancelled_while_its_process_starts_leaves_none(
    make_pool: MakePool,
) -> None:
    pool = make_pool()
    task = begin(pool, jobs.pid)
    await eventually(lambda: any(child.pid for child in pool._children), "a process")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not pool._children, "the end of the process")


async def test_a_second_cancellation_kills_at_once(
    pool: ProcessPool, tmp_path: Path, no_hurry: None
) -> None:
    task, pid = await begun(pool, jobs.ignore_everything, tmp_path)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(pid)


async def test_what_a_job_has_started_is_killed_with_it(pool: ProcessPool, tmp_path: Path) -> None:
    task = begin(pool, jobs.start_program, folder=str(tmp_path))
    program = await told(tmp_path)
    assert is_alive(program)
    await pool.stop()
    with pytest.raises(ProcessDied, match="the pool was stopped"):
        await task
    await gone(program)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_from_outside_leave_it_to_the_parent_to_stop_a_job(
    pool: ProcessPool, tmp_path: Path, number: signal.Signals
) -> None:
    task, pid = await begun(pool, jobs.hold, tmp_path)
    os.kill(pid, number)
    (tmp_path / "released").touch()
    assert await task == pid
    os.kill(pid, number)  # and while it is idle
    assert await run(pool, jobs.pid) == pid
    assert os.getsid(pid) == pid  # Ctrl-C does not reach it in the first place


async def test_a_pool_that_is_stopped_ends_idle_and_busy_and_starting_processes(
    make_pool: MakePool, tmp_path: Path
) -> None:
    pool = make_pool(size=3)
    both = begin(pool, jobs.hold, folder=str(tmp_path), name="first"), begin(pool, jobs.pid)
    await told(tmp_path, "first")
    idle = await both[1]
    busy, pid = await begun(pool, jobs.ignore_everything, tmp_path)
    starting = begin(pool, jobs.pid)
    waiting = [begin(pool, jobs.pid) for _ in range(5)]
    await eventually(lambda: len(pool._children) == 3, "three processes")
    await pool.stop()
    for task in (both[0], busy):
        with pytest.raises(ProcessDied, match="the pool was stopped"):
            await task
    for task in (starting, *waiting):
        with pytest.raises(ProcessUnavailable, match="stopped"):
            await task
    assert not is_alive(idle)
    assert not is_alive(pid)
    await pool.stop()
    with pytest.raises(ProcessUnavailable, match="has stopped"):
        await run(pool, jobs.pid)


async def test_an_idle_process_ends_by_itself_with_what_it_has_registered(
    make_pool: MakePool,
) -> None:
    pool = make_pool(idle=0.0)
    pid = await run(pool, jobs.pid)
    await eventually(lambda: not pool._children, "the end of the idle process")
    assert not is_alive(pid)
    assert await run(pool, jobs.pid) != pid


PARENT = """
import asyncio, sys
from tests.support import process_jobs as jobs
from tests.unit.process_pool.calls import run
from staffa.queues.pools.process import ProcessPool, ProcessPoolSettings

async def main(name, folder):
    pool = ProcessPool(ProcessPoolSettings(size=1))
    await run(pool, getattr(jobs, name), **({"folder": folder} if folder else {}))
    open("idle", "w").close()
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("name", ["spin", "doze", "ignore_everything", "block", "start_program"])
async def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path, name: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        name,
        str(tmp_path),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    try:
        pid = await told(tmp_path)
        assert is_alive(pid)
    finally:
        parent.kill()
        await parent.wait()
    await gone(pid)


async def test_a_pool_that_nobody_stops_ends_with_its_event_loop(tmp_path: Path) -> None:
    script = PARENT.replace(
        "await asyncio.Event().wait()", "print(*(c.pid for c in pool._children))"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, "pid", ""],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    await gone(int(done.stdout))
