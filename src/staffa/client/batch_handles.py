"""A handle of a stored batch: what can be asked about it, and done with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable
from typing import Any

from staffa.client.bulk import check_notify
from staffa.client.endings import wait_until_ended
from staffa.client.stored_batches import StoredBatches
from staffa.errors import ConfigError
from staffa.filters import JobFilter
from staffa.flows.batch import Member
from staffa.flows.batch_status import BatchStatus
from staffa.jobs import Job
from staffa.options import Notify
from staffa.types import Seconds

States = Collection[str]
"""States of jobs, such as ``["discarded"]``."""


class BatchHandle:
    """A batch that is stored; `enqueue` and `app.batch` return these.

    Args:
        id: Its id.
        batches: The batches of the client.

    Example:
        ```python
        news = await app.enqueue(Batch(mails, on_exhausted=report.new()))
        status = await news.wait(timeout=60)
        ```
    """

    def __init__(self, id: str, batches: StoredBatches) -> None:  # noqa: A002  # as everywhere
        self.id = id
        self._batches = batches

    @property
    def batches(self) -> StoredBatches:
        """The batches of the client."""
        return self._batches

    async def status(self) -> BatchStatus:
        """Return how it stands: its state, and how many of its jobs are in which. It is one row.

        Raises:
            UnknownFlow: If there is no such batch, or none any more.

        Example:
            ```python
            status = await app.batch(batch_id).status()
            print(status.state, status.counts["completed"], "of", status.total)
            ```
        """
        return await self._batches.status(self.id)

    async def wait(self, timeout: Seconds | None = None) -> BatchStatus:  # noqa: ASYNC109
        """Wait until all of its jobs have ended, and return how it stands then.

        Callbacks are not waited for: they are jobs of their own.

        Args:
            timeout: For how long, in seconds or as a timedelta; for ever if not given.

        Raises:
            TimeoutError: If it has not ended in time.
            UnknownFlow: If there is no such batch, or none any more.

        Example:
            ```python
            status = await app.batch(batch_id).wait(timeout=60)
            ```
        """
        await wait_until_ended(lambda: self._batches.read(self.id), timeout)
        return await self.status()

    async def jobs(self, *, states: States | None = None) -> list[Job]:
        """Return its jobs, in the order in which they were written; callbacks are none of them.

        Args:
            states: Only those in one of these states.

        Raises:
            UnknownFlow: If there is no such batch, or none any more.
            ConfigError: If there is no such state.

        Example:
            ```python
            for job in await app.batch(batch_id).jobs(states=["discarded"]):
                print(job.id, job.errors[-1]["error"])
            ```
        """
        return [job async for job in self.stream(states=states)]

    def stream(self, *, states: States | None = None) -> AsyncGenerator[Job, None]:
        """Yield the same jobs, of which a thousand are in memory.

        Args:
            states: Only those in one of these states.

        Raises:
            UnknownFlow: If there is no such batch, or none any more.
            ConfigError: If there is no such state.

        Example:
            ```python
            async for job in app.batch(batch_id).stream():
                print(job.id)
            ```
        """
        wanted = JobFilter(states=states).states
        return self._batches.stream(self.id, None if wanted is None else frozenset(wanted))

    async def results(self) -> list[Any]:
        """Return what its jobs have recorded so far, in the order in which they were written.

        That of a job that has recorded nothing, or has not completed, is None.

        Raises:
            UnknownFlow: If there is no such batch, or none any more.

        Example:
            ```python
            pages = await app.batch(batch_id).results()
            ```
        """
        return await self._batches.results(self.id)

    async def cancel(self) -> None:
        """Cancel all of its jobs that have not ended; those that run are stopped.

        Raises:
            UnknownFlow: If there is no such batch, or none any more.

        Example:
            ```python
            await app.batch(batch_id).cancel()
            ```
        """
        await self._batches.cancel(self.id)

    async def append(
        self,
        jobs: Iterable[Member] | Member,
        *,
        conn: Any = None,
        notify: Notify = "after_commit",
    ) -> list[int]:
        """Add jobs or workflows, and return the ids of the jobs that were written.

        Inside of one of its jobs it can't end before that has: what is added there is waited for by
        the callbacks that wait for all. One that has ended goes on again, and its callbacks that
        were written are not written again.

        Args:
            jobs: As for `Batch`.
            conn: Your own connection: the jobs are written in its transaction.
            notify: See `app.enqueue`.

        Raises:
            InvalidJob: If one of them is none, or can't be one of a batch.
            UnknownFlow: If there is no such batch, or none any more.

        Example:
            ```python
            batch = app.batch(current_job().batch_id)
            await batch.append(crawl.new(link) for link in links)
            ```
        """
        return await self._batches.append(self.id, jobs, conn, check_notify(notify, conn))

    def __repr__(self) -> str:
        return f"<BatchHandle {self.id}>"


def check_batch_id(value: object) -> str:
    """Return the id of a batch.

    Raises:
        ConfigError: If it is none, such as that of a job that belongs to no batch.
    """
    if not isinstance(value, str) or not value:
        raise ConfigError(
            f"{value!r:.100} is no id of a batch: give that of a Batch, or Job.batch_id in one of "
            "its jobs"
        )
    return value
