"""The job that computes in a process of its own, in a module that takes little time to import.

A process of the pool imports what defines its job, and that is all that it has to import.
"""

from __future__ import annotations

import time

from staffa import job

QUEUE = "bench"
_SECONDS = 0.05


def compute() -> None:
    """Compute for 50 ms, however many others do so at the time."""
    until = time.thread_time() + _SECONDS
    while time.thread_time() < until:
        pass


@job(queue=QUEUE, executor="process")
def compute_in_process(n: int) -> None:
    """Compute in a process of the pool."""
    compute()
