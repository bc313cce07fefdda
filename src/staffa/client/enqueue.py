"""Enqueueing jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any, Literal, Unpack, overload

from staffa.client.bulk import (
    Bulk,
    as_stream,
    check_new,
    check_notify,
    flatten,
    write_ahead,
)
from staffa.client.lifecycle import Lifecycle
from staffa.engine import Written
from staffa.instance import Source
from staffa.jobs import Job
from staffa.options import BulkOptions, Notify


class Enqueueing(Lifecycle):
    """Writing jobs."""

    async def enqueue(self, job: Job, *, conn: Any = None, notify: Notify = "after_commit") -> Job:
        """Write a job, and return it with its id.

        A unique job that there is already is not written: the existing one is returned, with
        `conflict` true.

        Args:
            job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``.
            conn: Your own connection, session or cursor, or the alias of a Django database: the job
                is written in its transaction, and exists if that commits. Workers are woken then
                where the library tells of it; else they find the job within seconds.
            notify: With `conn`, "in_transaction" has your transaction carry the notification, so
                that workers hear of the job at its commit. PostgreSQL makes all transactions that
                notify commit one after the other, on the whole server.

        Raises:
            InvalidJob: If it is no job, or was enqueued before.
            QueueFull: If too many jobs wait in its queue; see the setting `max_depth`.
            SchemaMissing: If the tables are not there.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            job = await app.enqueue(send_mail.new("a@example.com"))
            ```
        """
        (stored,) = await self._insertion.write([check_new(job)], conn, check_notify(notify, conn))
        return stored

    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[False] = False, **options: Unpack[BulkOptions]
    ) -> Coroutine[Any, Any, list[Job]]: ...
    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[True], **options: Unpack[BulkOptions]
    ) -> AsyncGenerator[int, None]: ...
    @overload
    def enqueue_many(
        self, jobs: AsyncIterable[Job], /, *, stream: bool = ..., **options: Unpack[BulkOptions]
    ) -> AsyncGenerator[int, None]: ...
    def enqueue_many(
        self,
        *jobs: Source | AsyncIterable[Job],
        stream: bool = False,
        **options: Unpack[BulkOptions],
    ) -> Coroutine[Any, Any, list[Job]] | AsyncGenerator[int, None]:
        """Write many jobs: all or none of them, or as a stream.

        Args:
            *jobs: Jobs, iterables of jobs, or an async iterable, which makes it a stream.
            stream: Whether to write chunk by chunk, each in a transaction of its own, with never
                more than two of them in memory: the next one is read while one is written.
            **options: See `BulkOptions`.

        Returns:
            To be awaited: the stored jobs in the order given. Or, of a stream, an async iterator of
            their ids as they are written; it writes only as far as it is read.

        Raises:
            ConfigError: If an option can't be used.
            InvalidJob: If one of them is no job, or was enqueued before.
            QueueFull: If too many jobs wait in a queue; see the setting `max_depth`.
            SchemaMissing: If the tables are not there.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            jobs = await app.enqueue_many(send_mail.new(to) for to in recipients)

            async for number in app.enqueue_many(read_jobs(), stream=True):
                print("job", number, "is written")
            ```
        """
        bulk = Bulk(options)
        waits = any(isinstance(source, AsyncIterable) for source in jobs)
        if not (stream or waits):
            return self._write_all(flatten(jobs), bulk)  # type: ignore[arg-type]  # none is async
        if waits or bulk.conn is not None:  # which may be what the jobs are read from
            return self._stream(self._write_each(as_stream(jobs), bulk), bulk)
        steps = bulk.steps(flatten(jobs))  # type: ignore[arg-type]  # none is async
        return self._stream(write_ahead(steps, partial(self._write, bulk)), bulk)

    async def _write_all(self, jobs: Iterable[Job], bulk: Bulk) -> list[Job]:
        prepared = [bulk.prepare(job) for job in jobs]
        return bulk.finish(await self._insertion.write(prepared, bulk.conn, bulk.notify))

    async def _write_each(
        self, jobs: AsyncIterable[Job], bulk: Bulk
    ) -> AsyncGenerator[Written, None]:
        async for chunk in bulk.chunks(jobs):
            yield await self._write(bulk, chunk)

    async def _stream(
        self, chunks: AsyncGenerator[Written, None], bulk: Bulk
    ) -> AsyncGenerator[int, None]:
        async with aclosing(chunks):
            async for written in chunks:
                for number in bulk.finish_ids(written):
                    yield number

    async def _write(self, bulk: Bulk, jobs: list[Job]) -> Written:
        return await self._insertion.write_for_ids(jobs, bulk.conn, bulk.notify)
