"""Jobs that worker processes of tests run: what they did is read from files of the test's folder.

A line of ``history`` is one step of one run: its kind, the job's id, the attempt, the process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from staffa import await_signal, await_signal_sync, current_job, job

PROMPT: dict[str, float] = {"heartbeat": 0.2, "dead_after": 2.5, "poll": 0.1}
"""Settings of nodes that judge each other, with room for a machine that is busy."""


@dataclass(frozen=True)
class Step:
    """A line of the history."""

    kind: str
    id: int
    attempt: int
    pid: int


def steps(folder: Path, kind: str | None = None) -> list[Step]:
    """Return what jobs have done so far, all of it or one kind."""
    path = folder / "history"
    lines = path.read_text().splitlines() if path.exists() else []
    found = [Step(line.split()[0], *map(int, line.split()[1:])) for line in lines]
    return [step for step in found if kind in {None, step.kind}]


def tell(folder: str | Path, kind: str) -> None:
    """Add a step of the running job, whole whoever else writes."""
    running = current_job()
    line = f"{kind} {running.id} {running.attempt} {os.getpid()}\n"
    with (Path(folder) / "history").open("ab", buffering=0) as file:
        file.write(line.encode())


def release(folder: Path) -> None:
    """Let the jobs that hold end."""
    (folder / "released").touch()


@job
async def note(folder: str) -> None:
    """Do next to nothing."""
    tell(folder, "noted")


@job
async def hold(folder: str) -> None:
    """Run until released."""
    tell(folder, "begun")
    while not (Path(folder) / "released").exists():  # noqa: ASYNC110  # it comes from outside
        await asyncio.sleep(0.01)
    tell(folder, "ended")


@job
def hold_thread(folder: str) -> None:
    """Run in a thread until released, or asked to stop."""
    tell(folder, "begun")
    while not (Path(folder) / "released").exists():
        if current_job().cancelled():
            tell(folder, "stopped")
            current_job().raise_if_cancelled()
        time.sleep(0.01)
    tell(folder, "ended")


@job
def ignore_everything(folder: str) -> None:
    """Run in a thread that never looks whether it should stop."""
    tell(folder, "begun")
    threading.Event().wait()


@job
async def swallow_cancellation(folder: str) -> None:
    """Go on whenever it is cancelled."""
    tell(folder, "begun")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            tell(folder, "cancelled")


@job
async def block(folder: str, seconds: float) -> None:
    """Block the event loop, as no job should."""
    tell(folder, "begun")
    time.sleep(seconds)  # noqa: ASYNC251
    tell(folder, "ended")


def _burn(folder: str, seconds: float) -> None:
    """Keep a core busy with Python."""
    tell(folder, "begun")
    until = time.monotonic() + seconds
    number = 1
    while time.monotonic() < until:
        for _ in range(10_000):
            number = number * 3 % 1_000_003
    tell(folder, "ended")


@job
async def burn_async(folder: str, seconds: float) -> None:
    """Burn on the event loop, where nothing else goes on meanwhile."""
    _burn(folder, seconds)


@job
def burn_thread(folder: str, seconds: float) -> None:
    """Burn in a thread."""
    _burn(folder, seconds)


@job(executor="process")
def burn_process(folder: str, seconds: float) -> None:
    """Burn in a process of its own."""
    _burn(folder, seconds)


@job(executor="process")
def hold_process(folder: str) -> None:
    """Run in a process of its own until released."""
    tell(folder, "begun")
    while not (Path(folder) / "released").exists():
        time.sleep(0.01)
    tell(folder, "ended")


@job
async def die(folder: str) -> None:
    """Take the process along."""
    tell(folder, "begun")
    os.kill(os.getpid(), signal.SIGKILL)


@job(recorded=True)
async def wait_for_signal(folder: str, live: float) -> object:
    """Return the payload of a signal."""
    tell(folder, "waits")
    return await await_signal(wait_for=600, live=live)


@job(recorded=True)
def wait_in_thread(folder: str, live: float) -> object:
    """Do so in a thread."""
    tell(folder, "waits")
    return await_signal_sync(wait_for=600, live=live)


@job(recorded=True, executor="process")
def wait_in_process(folder: str, live: float) -> object:
    """Do so in a process."""
    tell(folder, "waits")
    return await_signal_sync(wait_for=600, live=live)
