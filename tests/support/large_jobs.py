"""Jobs that measure their args, in each executor."""

from __future__ import annotations

from pathlib import Path

from staffa import job

SIZE = 1_000_000
"""Bytes of the text that they are given."""


def _measure(folder: str, name: str, text: str) -> None:
    (Path(folder) / name).write_text(str(len(text.encode())))


@job
async def measure_async(folder: str, text: str) -> None:
    """Measure on the event loop."""
    _measure(folder, "async", text)


@job
def measure_thread(folder: str, text: str) -> None:
    """Measure in a thread."""
    _measure(folder, "thread", text)


@job(executor="process")
def measure_process(folder: str, text: str) -> None:
    """Measure in a process of its own."""
    _measure(folder, "process", text)
