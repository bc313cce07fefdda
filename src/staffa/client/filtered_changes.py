"""Changes all jobs of a filter, in portions.

Invariants: each portion is a transaction of its own, so that no lock is held for long; a job is
changed only if it fits the filter when its row is locked. A row that somebody else holds is left
out at first, so that a whole portion is never kept locked while one row is waited for (the
acknowledgements of running jobs would wait as well); then it is waited for alone.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from staffa._internal.backoff import Backoff
from staffa.engine import Changed, Engine
from staffa.errors import DatabaseError, OperationInterrupted, StatementConflict
from staffa.filters import JobFilter

PORTION = 1000
_TRIES = 5

Progress = Callable[[int], object]
"""Called after each portion with how many jobs have been changed so far."""

Then = Callable[[list[Changed]], Awaitable[None]]


class Change(Protocol):
    """Changes the jobs of a filter that names ids."""

    async def __call__(self, wanted: JobFilter, *, wait: bool) -> list[Changed]:
        """Change them, and return which were changed."""


class FilteredChange:
    """One operation on all jobs of a filter.

    Args:
        engine: Where they are stored.
        change: Changes a portion.
        then: Called with the jobs of each portion that were changed.
        on_progress: Called with how many jobs have been changed so far; what it raises ends the
            operation.
    """

    def __init__(
        self, engine: Engine, change: Change, then: Then, on_progress: Progress | None
    ) -> None:
        self._engine = engine
        self._change = change
        self._then = then
        self._on_progress = on_progress
        self._done = 0

    async def run(self, wanted: JobFilter) -> int:
        """Change all jobs, and return how many were changed.

        Raises:
            OperationInterrupted: If the database fails after some were changed.
            DatabaseError: If it fails before.
        """
        try:
            async with aclosing(self._engine.find_jobs(wanted)) as portions:
                async for ids in portions:
                    await self._change_found(wanted, ids)
                    if self._done == wanted.limit:
                        break
        except DatabaseError as error:
            if self._done == 0:
                raise
            raise OperationInterrupted(self._done, error) from error
        return self._done

    async def _change_found(self, wanted: JobFilter, ids: Sequence[int]) -> None:
        while ids and self._done != wanted.limit:
            room = PORTION if wanted.limit is None else min(PORTION, wanted.limit - self._done)
            portion, ids = ids[:room], ids[room:]
            changed = await self._write(replace(wanted, ids=portion), wait=False)
            missed = set(portion).difference(job.id for job in changed)
            if missed:
                await self._wait_for(replace(wanted, ids=missed))
            if self._on_progress is not None:
                told = self._on_progress(self._done)
                if inspect.isawaitable(told):  # that of a synchronous caller is
                    await told

    async def _wait_for(self, missed: JobFilter) -> None:
        """Change those that were held by others, as far as they still fit."""
        async with aclosing(self._engine.find_jobs(missed)) as portions:
            async for ids in portions:
                for number in ids:
                    await self._write(replace(missed, ids=[number]), wait=True)

    async def _write(self, wanted: JobFilter, *, wait: bool) -> list[Changed]:
        changed = await self._repeat(wanted, wait=wait)
        self._done += len(changed)
        if changed:
            await self._then(changed)
        return changed

    async def _repeat(self, wanted: JobFilter, *, wait: bool) -> list[Changed]:
        """Write a portion; a conflict has written nothing, so it is tried again."""
        backoff = Backoff()
        for _ in range(_TRIES - 1):
            try:
                return await self._change(wanted, wait=wait)
            except StatementConflict:
                await asyncio.sleep(backoff.next_seconds())
        return await self._change(wanted, wait=wait)
