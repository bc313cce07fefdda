"""Enqueueing jobs whose results are awaited."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from staffa.client.bulk import check_new, check_notify, flatten
from staffa.client.rates import Rates
from staffa.instance import Source
from staffa.jobs import Job
from staffa.options import Notify
from staffa.relays import Relay, Relays, new_secret


class Relaying(Rates):
    """Enqueueing jobs, and waiting for what they return."""

    async def relay(self, job: Job, *, conn: Any = None, notify: Notify = "after_commit") -> Relay:
        """Write a job whose result is kept, and return its relay.

        Args:
            job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``.
            conn: Your own connection: the job is written in its transaction. Commit before you
                wait: until then nobody can run the job, and `result` ends with `RelayTimeout`.
            notify: See `enqueue`.

        Raises:
            InvalidJob: If it is no job, or was enqueued before.
            QueueFull: If too many jobs wait in its queue.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            relay = await app.relay(add.new(1, 2))
            total = await relay.result(timeout=5)
            ```
        """
        (relay,) = await self._relay([job], conn, notify)
        return relay

    async def relay_many(
        self, *jobs: Source, conn: Any = None, notify: Notify = "after_commit"
    ) -> Relays:
        """Write many jobs whose results are kept: all or none of them.

        Args:
            *jobs: Jobs, or iterables of jobs.
            conn: Your own connection: see `relay`.
            notify: See `enqueue`.

        Returns:
            Relays, in the order given: ``await relays.results(timeout=30)`` waits for all of them,
            ``async for relay in relays`` yields them as they end.

        Raises:
            InvalidJob: If one of them is no job, or was enqueued before.
            QueueFull: If too many jobs wait in a queue.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            relays = await app.relay_many(add.new(n, n) for n in range(10))
            async for relay in relays:
                print(relay.id, await relay.result())
            ```
        """
        return await self._relay(flatten(jobs), conn, notify)

    async def _relay(self, jobs: Iterable[Job], conn: Any, notify: Notify) -> Relays:
        marked = mark_relayed(jobs)
        stored = await self._insertion.write(marked, conn, check_notify(notify, conn))
        return self._insertion.relays_of(stored, seen=conn is None)


def mark_relayed(jobs: Iterable[Job]) -> list[Job]:
    """Return new jobs whose results will be kept and told.

    Raises:
        InvalidJob: If one of them is no job, or was enqueued before.
    """
    secret = new_secret()  # one for all: jobs that are alike are written at once
    return [check_new(job).relayed(secret) for job in jobs]
