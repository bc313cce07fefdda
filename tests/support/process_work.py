"""Jobs for processes of their own: children import this module."""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staffa import current_job, job


@dataclass(frozen=True)
class Point:
    """An argument with a structure."""

    x: int
    y: int


@job(executor="process", recorded=True)
def count_words(texts: list[str]) -> dict[str, Any]:
    """Count words, and tell how far it is."""
    running = current_job()
    running.progress(0.5, "counting")
    running.update_meta(checkpoint=1)
    running.progress(1.0, "counted")
    return {"words": sum(len(text.split()) for text in texts), "pid": os.getpid()}


@job(executor="process", recorded=True)
async def describe(point: Point) -> str:
    """Say what came."""
    return repr(point)


@job(executor="process", discard_on=LookupError)
def give_up() -> None:
    """Fail for good."""
    raise KeyError("no such page")


@job(executor="process")
def kill_itself() -> None:
    """Die as the kernel would have it."""
    os.kill(os.getpid(), signal.SIGKILL)


@job(executor="process")
def crash() -> None:
    """Die in C."""
    ctypes.string_at(0)


@job(executor="process")
def leave() -> None:
    """End the process behind the back of everybody."""
    os._exit(3)


@job(executor="process")
def compute_for_ever(folder: str) -> None:
    """Keep a core busy."""
    path = Path(folder) / "pid"
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    number = 1
    while True:
        number = number * 3 % 1_000_003
