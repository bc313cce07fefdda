"""Processes that have had their time are replaced, after their job."""

from __future__ import annotations

from pathlib import Path

import pytest

from staffa import Config
from staffa.errors import ProcessDied, ProcessJobError
from staffa.queues.pools.process import ProcessPoolSettings
from staffa.queues.pools.process.child.memory import resident_bytes
from staffa.queues.pools.process.settings import usable_cores
from staffa.share import Share
from tests.support import process_jobs as jobs
from tests.support.events import Recorder
from tests.unit.process_pool.calls import gone, run
from tests.unit.process_pool.conftest import MakePool

MEBIBYTE = 1024 * 1024


async def test_a_process_runs_as_many_jobs_as_it_may(make_pool: MakePool) -> None:
    pool = make_pool(max_jobs=3)
    pids = [await run(pool, jobs.pid) for _ in range(7)]
    assert pids == [pids[0]] * 3 + [pids[3]] * 3 + [pids[6]]
    assert len(set(pids)) == 3
    await gone(pids[0])


async def test_processes_that_come_and_go_are_told_of(
    make_pool: MakePool, events: Recorder
) -> None:
    pool = make_pool(max_jobs=1)
    pid = await run(pool, jobs.pid)
    with pytest.raises(ProcessDied):
        await run(pool, jobs.die, how="SIGKILL")
    ended = await events.wait("staffa.process.ended", 2)
    assert [event.data["exit_code"] for event in ended] == [0, -9]
    assert [event.data["jobs"] for event in ended] == [1, 1]
    started = events.of("staffa.process.started")
    assert [event.data["pid"] for event in started] == [event.data["pid"] for event in ended]
    assert started[0].data["pid"] == pid
    assert started[0].data["seconds"] > 0


async def test_jobs_that_fail_are_counted(make_pool: MakePool) -> None:
    pool = make_pool(max_jobs=2)
    first = await run(pool, jobs.pid)
    with pytest.raises(ProcessJobError):
        await run(pool, jobs.fail, kind="value")
    assert await run(pool, jobs.pid) != first


async def test_a_process_is_replaced_when_it_is_too_old(make_pool: MakePool) -> None:
    pool = make_pool(max_age=0.0)
    assert len({await run(pool, jobs.pid) for _ in range(3)}) == 3
    pool = make_pool(max_age=3600.0)
    assert len({await run(pool, jobs.pid) for _ in range(3)}) == 1


async def test_a_process_that_has_grown_too_large_is_replaced_after_its_job(
    make_pool: MakePool,
) -> None:
    most = resident_bytes() + 200 * MEBIBYTE
    pool = make_pool(max_memory=most)
    first = await run(pool, jobs.pid)
    assert await run(pool, jobs.keep_memory, size=MEBIBYTE) == first
    assert await run(pool, jobs.keep_memory, size=most) == first
    assert await run(pool, jobs.pid) != first


def test_memory_is_told_also_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    known = resident_bytes()
    monkeypatch.setattr(
        "staffa.queues.pools.process.child.memory._PAGES", Path("/there/is/no/such/file")
    )
    assert resident_bytes() > known / 2
    assert known > 5 * MEBIBYTE


def test_the_settings_of_a_client_are_those_of_its_pool() -> None:
    config = Config(processes=3, process_max_jobs=4, process_max_age=5, process_max_memory=MEBIBYTE)
    assert ProcessPoolSettings.of(config) == ProcessPoolSettings(
        size=3, max_jobs=4, max_age=5.0, max_memory=MEBIBYTE
    )
    assert ProcessPoolSettings.of(Config()) == ProcessPoolSettings(size=usable_cores())
    assert usable_cores() >= 1
    shares = [Share(index, 4) for index in range(4)]
    sizes = [ProcessPoolSettings.of(config.with_share(share)).size for share in shares]
    assert sizes == [1, 1, 1, 1]  # a process that shares may still have one
    larger = Config(processes=6)
    sizes = [ProcessPoolSettings.of(larger.with_share(share)).size for share in shares]
    assert sizes == [2, 2, 1, 1]
