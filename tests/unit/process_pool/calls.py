"""Calls of jobs in a pool, and what becomes of its processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

from staffa import Job
from staffa.queues.pools.process import OnMessage, ProcessCall, ProcessPool
from tests.support.events import eventually
from tests.unit.rows import claimed


def call_of(function: Any, job: Job | None = None, **args: Any) -> ProcessCall:
    """Return a call of a function that `job` decorated."""
    definition = function._definition
    made = claimed(worker=definition.name, args=args) if job is None else job
    return ProcessCall.of(made, definition)


async def run(
    pool: ProcessPool, function: Any, *, on_message: OnMessage | None = None, **args: Any
) -> Any:
    """Run a function in a pool with arguments."""
    return await pool.run(call_of(function, **args), on_message=on_message)


def begin(pool: ProcessPool, function: Any, **args: Any) -> asyncio.Task[Any]:
    """Begin to run a function."""
    return asyncio.create_task(run(pool, function, **args))


async def told(folder: Path, name: str = "begun") -> int:
    """Return what a job has told in a file, the number of its process for one."""
    await eventually((folder / name).exists, f"the file {name}")
    return int((folder / name).read_text())


def is_alive(pid: int | None) -> bool:
    """Tell whether a process runs, or is a child of ours that is dead but not waited for."""
    if pid is None:
        return False
    shown = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state = shown.stdout.strip()
    return _parent(pid) == os.getpid() if state.startswith("Z") else bool(state)


def _parent(pid: int) -> int:
    shown = subprocess.run(
        ["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return int(shown.stdout.strip() or 0)


async def gone(pid: int) -> None:
    """Wait for the end of a process."""
    await eventually(lambda: not is_alive(pid), f"the end of process {pid}")
