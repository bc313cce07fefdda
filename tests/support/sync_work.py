"""A module with a client of its own, as programs have it, and jobs that enqueue through it.

Where the database is comes from STAFFA_DSN and STAFFA_PREFIX.
"""

from __future__ import annotations

from staffa import Staffa, job

app = Staffa()


@job(queue="later")
def noted(number: int) -> None:
    """Do nothing: what counts is that it was enqueued."""


@job(executor="process")
def enqueue_from_process(number: int) -> None:
    """Enqueue from a process of its own."""
    noted.enqueue_sync(number)
    app.sync.enqueue(noted.new(number + 1))


@job(executor="process")
async def enqueue_from_async_process(number: int) -> None:
    """Enqueue from a coroutine function in a process of its own."""
    await noted.enqueue(number)
    try:
        noted.enqueue_sync(number)
    except RuntimeError:
        await app.enqueue(noted.new(number + 1))


@job
def enqueue_from_thread(number: int) -> None:
    """Enqueue from a thread, beside the loop that runs the queues."""
    noted.enqueue_sync(number)
    assert app.sync.count_jobs()


@job
async def enqueue_from_loop(number: int) -> None:
    """Try to block the loop."""
    noted.enqueue_sync(number)
