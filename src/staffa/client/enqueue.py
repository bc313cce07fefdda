"""Enqueueing jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable
from contextlib import aclosing
from functools import partial
from itertools import islice
from typing import Any, Literal, Unpack, overload

from staffa.client.batch_handles import BatchHandle
from staffa.client.bulk import (
    Bulk,
    Turn,
    as_stream,
    check_new,
    check_notify,
    flatten,
    write_ahead,
)
from staffa.client.following import Following
from staffa.client.inline_flows import run_flow
from staffa.client.mixed import Part, handle_of, has_flows, on_connection, split_flows
from staffa.client.workflow_handles import WorkflowHandle
from staffa.engine import Written
from staffa.flows import Addition, Batch, Workflow
from staffa.instance import Source
from staffa.jobs import Job
from staffa.linking import Graph
from staffa.options import BulkOptions, Notify


class Enqueueing(Following):
    """Writing jobs."""

    @overload
    async def enqueue(
        self, job: Job, *, conn: Any = None, notify: Notify = "after_commit"
    ) -> Job: ...
    @overload
    async def enqueue(
        self, job: Workflow | Addition, *, conn: Any = None, notify: Notify = "after_commit"
    ) -> WorkflowHandle: ...
    @overload
    async def enqueue(
        self, job: Batch, *, conn: Any = None, notify: Notify = "after_commit"
    ) -> BatchHandle: ...
    async def enqueue(
        self,
        job: Job | Workflow | Addition | Batch,
        *,
        conn: Any = None,
        notify: Notify = "after_commit",
    ) -> Job | WorkflowHandle | BatchHandle:
        """Write a job, and return it with its id; or a workflow or batch, and return its handle.

        A workflow or a batch is written as a whole, with all of its jobs or none.

        A unique job that there is already is not written: the existing one is returned, with
        `conflict` true. So is the handle of a unique workflow.

        Args:
            job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``; a `Workflow`, or what is
                to be added to a stored one; or a `Batch`.
            conn: Your own connection, session or cursor, or the alias of a Django database: the job
                is written in its transaction, and exists if that commits. Workers are woken then
                where the library tells of it; else they find the job within seconds.
            notify: With `conn`, "in_transaction" has your transaction carry the notification, so
                that workers hear of the job at its commit. PostgreSQL makes all transactions that
                notify commit one after the other, on the whole server.

        Raises:
            InvalidJob: If it is no job, or was enqueued before.
            InvalidWorkflow: If the steps of a workflow don't fit together.
            FlowExists: If the id of a workflow or batch, or the name of a step that is added, is
                taken.
            UnknownFlow: If there is no workflow to add to.
            QueueFull: If too many jobs wait in its queue; see the setting `max_depth`.
            SchemaMissing: If the tables are not there.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            job = await app.enqueue(send_mail.new("a@example.com"))
            ```
        """
        chosen = check_notify(notify, conn)
        if isinstance(job, Workflow | Addition | Batch):
            return await self._write_flow(job, await self._make_graph(job, conn), conn, chosen)
        (stored,) = await self._insertion.write([check_new(job)], conn, chosen)
        return stored

    async def _make_graph(self, flow: Workflow | Addition | Batch, conn: Any) -> Graph | None:
        """Return what is to be written of a flow; None if it runs inline."""
        if isinstance(flow, Batch):
            return self._batches.make_graph(flow)
        if self._insertion.inline:
            return None
        return await self._flows.make_graph(flow, on_connection(conn))

    async def _write_flow(
        self, flow: Workflow | Addition | Batch, graph: Graph | None, conn: Any, notify: Notify
    ) -> WorkflowHandle | BatchHandle:
        if isinstance(flow, Batch):
            assert graph is not None  # noqa: S101  # batches don't run inline
            await self._insertion.write_graph(graph, conn, notify)
            return BatchHandle(flow.id, self._batches)
        if graph is None:
            return await run_flow(flow, self.config, self._clock)
        inserted = await self._insertion.write_graph(graph, conn, notify)
        return handle_of(flow, inserted, self._flows)

    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[False] = False, **options: Unpack[BulkOptions]
    ) -> Coroutine[Any, Any, list[Job]]: ...
    @overload
    def enqueue_many(
        self,
        flow: Workflow | Addition | Batch,
        /,
        *jobs: Source | Workflow | Addition | Batch,
        stream: Literal[False] = False,
        **options: Unpack[BulkOptions],
    ) -> Coroutine[Any, Any, list[Job | WorkflowHandle | BatchHandle]]: ...
    @overload
    def enqueue_many(  # with the others, `jobs` of any kind would have jobs alone be any of both
        self,
        first: Source,
        flow: Workflow | Addition | Batch,
        /,
        *jobs: Source | Workflow | Addition | Batch,
        stream: Literal[False] = False,
        **options: Unpack[BulkOptions],
    ) -> Coroutine[Any, Any, list[Job | WorkflowHandle | BatchHandle]]: ...
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
        *jobs: Source | Workflow | Addition | Batch | AsyncIterable[Job],
        stream: bool = False,
        **options: Unpack[BulkOptions],
    ) -> (
        Coroutine[Any, Any, list[Job]]
        | Coroutine[Any, Any, list[Job | WorkflowHandle | BatchHandle]]
        | AsyncGenerator[int, None]
    ):
        """Write many jobs: all or none of them, or as a stream, with workflows and batches if any.

        Without `conn`, the jobs are written in one transaction, and each workflow or batch in one.

        Args:
            *jobs: Jobs, iterables of jobs, or an async iterable, which makes it a stream. Or
                workflows and batches, then nothing can be a stream.
            stream: Whether to write chunk by chunk, each in a transaction of its own, with never
                more than two of them in memory: the next one is read while one is written.
            **options: See `BulkOptions`.

        Returns:
            To be awaited: the stored jobs in the order given, with handles of workflows and
            batches where they were given. Or, of a stream, an async iterator of
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
        if has_flows(jobs):
            return self._write_mixed(split_flows(jobs, bulk, stream=stream), bulk)
        waits = any(isinstance(source, AsyncIterable) for source in jobs)
        if not (stream or waits):
            return self._write_all(flatten(jobs), bulk)  # type: ignore[arg-type]  # none is async
        if waits or bulk.conn is not None:  # which may be what the jobs are read from
            return self._stream(self._write_each(as_stream(jobs), bulk), bulk)  # type: ignore[arg-type]  # no flows
        steps = bulk.steps(flatten(jobs))  # type: ignore[arg-type]  # none is async
        return self._stream(write_ahead(steps, partial(self._write_in_turn, bulk)), bulk)

    async def _write_mixed(
        self, parts: list[Part], bulk: Bulk
    ) -> list[Job | WorkflowHandle | BatchHandle]:
        graphs = {
            id(part): await self._make_graph(part, bulk.conn)
            for part in parts
            if not isinstance(part, list)
        }
        loose = [job for part in parts if isinstance(part, list) for job in part]
        stored = iter(await self._write_all(loose, bulk))
        found: list[Job | WorkflowHandle | BatchHandle] = []
        for part in parts:
            if isinstance(part, list):
                found += islice(stored, len(part))
            else:
                graph = graphs[id(part)]
                found.append(await self._write_flow(part, graph, bulk.conn, bulk.notify))
        return found

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

    async def _write_in_turn(self, bulk: Bulk, jobs: list[Job], turn: Turn) -> Written:
        return await self._insertion.write_for_ids(jobs, None, bulk.notify, turn)

    async def _write(self, bulk: Bulk, jobs: list[Job]) -> Written:
        return await self._insertion.write_for_ids(jobs, bulk.conn, bulk.notify)
