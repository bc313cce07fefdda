"""Sending signals to jobs that await them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from staffa.client.changes import check_ids
from staffa.client.lifecycle import Lifecycle
from staffa.errors import DatabaseError
from staffa.jobs import Job
from staffa.signals import DEFAULT_NAME, check_signal_name, dump_payload
from staffa.telemetry import report
from staffa.types import State

_PORTION = 200


class Signals(Lifecycle):
    """Sending signals."""

    async def signal(
        self,
        jobs: int | Job | Iterable[int | Job],
        payload: Any = None,
        *,
        name: str = DEFAULT_NAME,
    ) -> list[int]:
        """Send a signal to jobs that wait for it, or will.

        A job that waits for it gets it at once, a parked one is made available. One that does not
        wait yet keeps it until it does. The first signal of a name stays: a later one changes
        nothing, nor does one that comes after the job has given up.

        Args:
            jobs: An id, a job, or several.
            payload: Plain JSON, up to 64 KiB.
            name: Which signal it is, where jobs wait for several.

        Returns:
            The ids of the jobs that have got it; not those that have ended, are not there, or had
            one of that name.

        Raises:
            InvalidArgs: If the payload is no plain JSON, or too large.
            ConfigError: If the name can't be used.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            await app.signal(job, {"approved": True})
            ```
        """
        name, text = check_signal_name(name), dump_payload(payload)
        several = [jobs] if isinstance(jobs, int | Job) else jobs
        ids = sorted(set(check_ids(several)))
        if not ids:
            return []
        backend = await self._open()
        signalled = await backend.engine.signal_jobs(ids, name, text)
        await self._tell_signalled([job.id for job in signalled if job.state is State.EXECUTING])
        await self._wake({job.queue for job in signalled if job.state is State.AVAILABLE})
        return sorted(job.id for job in signalled)

    async def _tell_signalled(self, running: Sequence[int]) -> None:
        """Have running jobs look at their rows at once; else they do within a second."""
        if not running:
            return
        self._tell_node(lambda node: node.supervisor.awaits.hear(running))
        backend = await self._open()
        try:
            await backend.notifier.notify(
                ("signalled", {"ids": list(running[start : start + _PORTION])})
                for start in range(0, len(running), _PORTION)
            )
        except DatabaseError as error:
            report("a signal was not notified; its job looks for it", error, level=logging.INFO)
