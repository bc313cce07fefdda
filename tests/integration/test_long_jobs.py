"""Jobs that burn CPU for long, while the event loop is blocked: they live, whatever it looks like.

The watcher, a process of its own, would rescue the job of a process that it takes for dead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeClient
from tests.support import app
from tests.support.events import eventually
from tests.support.processes import Spawn
from tests.support.rows import Rows

WORKERS = {"async": app.burn_async, "thread": app.burn_thread, "process": app.burn_process}


@pytest.mark.parametrize("executor", WORKERS)
async def test_a_job_that_burns_cpu_while_the_loop_is_blocked_runs_once(
    executor: str, spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    await _burn(executor, spawn, make_client, rows, tmp_path, seconds=6.0, blocked=4.0)


@pytest.mark.long
@pytest.mark.parametrize("executor", WORKERS)
async def test_a_job_that_burns_cpu_for_ten_minutes_runs_once(
    executor: str, spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    real = {"heartbeat": 5.0, "dead_after": 20.0, "poll": 1.0}
    await _burn(executor, spawn, make_client, rows, tmp_path, seconds=600.0, blocked=120.0, **real)


async def _burn(
    executor: str,
    spawn: Spawn,
    make_client: MakeClient,
    rows: Rows,
    folder: Path,
    *,
    seconds: float,
    blocked: float,
    **settings: Any,
) -> None:
    worker, watcher = spawn(**settings), spawn(queues="other:1", **settings)
    await worker.running()
    await watcher.running()
    sender = make_client()
    burning = await sender.enqueue(WORKERS[executor].new(str(folder), seconds))
    await eventually(lambda: app.steps(folder, "begun"), "the job to begin")
    blocking = await sender.enqueue(app.block.new(str(folder), blocked))
    row = await rows.until(burning.id, "completed", within=2 * seconds + 60)
    await rows.until(blocking.id, "completed", within=blocked + 60)
    assert (row["attempt"], row["errors"]) == (1, [])
    assert "rescued" not in row["meta"]
    begun = [step for step in app.steps(folder, "begun") if step.id == burning.id]
    assert [step.pid == worker.pid for step in begun] == [executor != "process"]
    assert sum(step.id == burning.id for step in app.steps(folder)) == 2
