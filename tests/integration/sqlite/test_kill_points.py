"""Processes on a file that kill themselves at boundaries; `tests/chaos` does so at all of them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import MakeClient
from tests.support.app import note, steps
from tests.support.events import Recorder
from tests.support.files import JobsFile
from tests.support.processes import Spawn

LEFT = {
    "claim_jobs.before": {"available"},
    "claim_jobs.after": {"executing"},
    "ack_jobs.before": {"executing"},
    "ack_jobs.after": {"completed", "executing"},
}


@pytest.mark.parametrize("point", LEFT)
async def test_a_process_that_dies_at_a_boundary_loses_and_repeats_nothing(
    point: str,
    file: JobsFile,
    make_client: MakeClient,
    spawn: Spawn,
    events: Recorder,
    tmp_path: Path,
) -> None:
    stored = await make_client().enqueue_many(note.new(str(tmp_path)) for _ in range(3))
    process = spawn(kill_point=point)
    assert await process.ended() == -signal.SIGKILL
    assert f"SIGKILL at {point}\n" in process.log.read_text()
    left = [file.get(job.id) for job in stored]
    assert {row["state"] for row in left} <= LEFT[point]
    assert any(row["state"] == "completed" for row in left) == (point == "ack_jobs.after")
    async with make_client(queues={"default": 5}):
        await file.until_count(completed=3)
    for before in left:
        after = file.get(before["id"])
        rescued = before["state"] == "executing"
        runs = sum(step.id == before["id"] for step in steps(tmp_path))
        assert after == before or before["state"] != "completed"
        assert (after["attempt"], after["errors"]) == (1, [])
        assert after["meta"].get("rescued", 0) == rescued
        assert 1 <= runs <= 1 + rescued
    assert events.of("staffa.job.lease_lost") == []
