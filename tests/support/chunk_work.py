"""Jobs of chunks that worker processes of tests run; they write what `tests.support.app` reads.

The queue is one of their own, so that whoever imports this claims from all others as before.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from staffa import Chunk, Job, job


def tell(jobs: list[Job], kind: str) -> None:
    """Add a step of each job, all at once."""
    lines = [f"{kind} {one.id} {one.attempt} {os.getpid()}\n" for one in jobs]
    with (Path(jobs[0].args["folder"]) / "history").open("ab", buffering=0) as file:
        file.write("".join(lines).encode())


@job(queue="chunks", chunk=Chunk(size=10, timeout=0.3))
async def load(jobs: list[Job]) -> None:
    """Note which jobs came together."""
    tell(jobs, "loaded")


@job(queue="chunks", chunk=Chunk(size=3, timeout=0.3))
async def hold(jobs: list[Job]) -> None:
    """Run until released."""
    tell(jobs, "begun")
    while not (Path(jobs[0].args["folder"]) / "released").exists():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    tell(jobs, "ended")
