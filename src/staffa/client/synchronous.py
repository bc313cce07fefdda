"""What the surface for synchronous code, `staffa.sync`, stands on.

Its methods are the client's: they are carried out on the loop's thread, while the caller's thread
waits. What the caller gives stays on its thread: iterables are read there, functions are called
there, and statements for its own connection run there.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from staffa._internal.calls import Call, call, iterate
from staffa.client.batch_handles import check_batch_id
from staffa.client.batch_handles_now import SyncBatchHandle
from staffa.client.bulk import Bulk, check_new, check_notify, flatten
from staffa.client.flows import Flows
from staffa.client.insertion import Insertion
from staffa.client.mixed import Part, handle_of, has_flows, split_flows
from staffa.client.rates import SyncRate
from staffa.client.relays import mark_relayed
from staffa.client.stored_batches import StoredBatches
from staffa.client.workflows_now import SyncWorkflowHandle
from staffa.errors import ConfigError
from staffa.flows import Addition, Batch, Workflow
from staffa.flows.batch_status import BatchStatus
from staffa.flows.status import WorkflowStatus
from staffa.instance import Source, refuse_loop
from staffa.jobs import Job
from staffa.options import BulkOptions, Notify
from staffa.relays import Relays, SyncRelay, SyncRelays

if TYPE_CHECKING:
    from staffa.client import Staffa

T = TypeVar("T")

_CONTAINERS = (str, bytes, dict, list, tuple, set, frozenset)


class Synchronous:
    """The base of the surface for synchronous code.

    Args:
        app: The client.
        insertion: Writes its jobs.
        flows: Its workflows.
        batches: Its batches.
    """

    def __init__(
        self, app: Staffa, insertion: Insertion, flows: Flows, batches: StoredBatches
    ) -> None:
        self._app = app
        self._insertion = insertion
        self._flows = flows
        self._batches = batches

    def __enter__(self) -> Self:
        refuse_loop("with app.sync", "async with app")
        call(self._app.__aenter__)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        refuse_loop("with app.sync", "async with app")
        call(self._app.stop)

    def rate(self, queue: str, *, partition: Mapping[str, Any] | None = None) -> SyncRate:
        """Return the rate limit of a queue, for code outside of jobs to keep to.

        Args:
            queue: The queue.
            partition: Whose tokens, where the rate limit has a partition: a value for each of its
                fields.

        Raises:
            ConfigError: If the queue is no name.

        Example:
            ```python
            app.sync.rate("mail").wait_for(5, timeout=60)
            ```
        """
        return SyncRate(self._app.rate(queue, partition=partition))

    def relay(self, job: Job, *, conn: Any = None, notify: Notify = "after_commit") -> SyncRelay:
        """Write a job whose result is kept, and return its relay.

        Args:
            job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``.
            conn: Your own connection: the job is written in its transaction, on this thread.
                Commit before you wait.
            notify: See `enqueue`.

        Raises:
            InvalidJob: If it is no job, or was enqueued before.
            QueueFull: If too many jobs wait in its queue.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            total = app.sync.relay(add.new(1, 2)).result(timeout=5)
            ```
        """
        refuse_loop("app.sync.relay()", "await app.relay(...)")
        (relay,) = self._relay([job], conn, notify)
        return SyncRelay(relay)

    def relay_many(
        self, *jobs: Source, conn: Any = None, notify: Notify = "after_commit"
    ) -> SyncRelays:
        """Write many jobs whose results are kept: all or none of them.

        Args:
            *jobs: Jobs, or iterables of jobs.
            conn: Your own connection: see `relay`.
            notify: See `enqueue`.

        Raises:
            InvalidJob: If one of them is no job, or was enqueued before.
            QueueFull: If too many jobs wait in a queue.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            relays = app.sync.relay_many(add.new(n, n) for n in range(10))
            sums = relays.results(timeout=30)
            ```
        """
        refuse_loop("app.sync.relay_many()", "await app.relay_many(...)")
        return SyncRelays(self._relay(flatten(jobs), conn, notify))

    def _relay(self, jobs: Iterable[Job], conn: Any, notify: Notify) -> Relays:
        chosen = check_notify(notify, conn)
        conn = self._insertion.find_atomic() if conn is None else conn
        stored = self._insertion.write_here(mark_relayed(jobs), conn, chosen)
        return self._insertion.relays_of(stored, seen=conn is None)

    def workflow(self, id: str) -> SyncWorkflowHandle:  # noqa: A002
        """Return a handle of a stored workflow; whether there is one is seen when it is used.

        Args:
            id: Its id: that of its builder, `Job.workflow_id` inside of one of its jobs.

        Raises:
            InvalidWorkflow: If that is no id.

        Example:
            ```python
            status = app.sync.workflow(workflow_id).status()
            ```
        """
        return SyncWorkflowHandle(self._app.workflow(id))

    def workflows(self, *, limit: int = 100, before: str | None = None) -> list[WorkflowStatus]:
        """Return how workflows stand, the newest first; what is inside of them is not counted.

        Args:
            limit: How many, 1 to 10000.
            before: The id of the last one of the page before.

        Raises:
            ConfigError: If the limit can't be used.

        Example:
            ```python
            for status in app.sync.workflows(limit=10):
                print(status.id, status.name, status.state)
            ```
        """
        return self._call(self._app.workflows, limit=limit, before=before)

    def batch(self, id: str | None) -> SyncBatchHandle:  # noqa: A002
        """Return a handle of a stored batch; whether there is one is seen when it is used.

        Args:
            id: Its id: that of the `Batch`, `Job.batch_id` inside of one of its jobs.

        Raises:
            ConfigError: If that is no id.

        Example:
            ```python
            status = app.sync.batch(batch_id).status()
            ```
        """
        return SyncBatchHandle(check_batch_id(id), self._batches)

    def batches(self, *, limit: int = 100, before: str | None = None) -> list[BatchStatus]:
        """Return how batches stand, the newest first.

        Args:
            limit: How many, 1 to 10000.
            before: The id of the last one of the page before.

        Raises:
            ConfigError: If the limit can't be used.

        Example:
            ```python
            for status in app.sync.batches(limit=10):
                print(status.id, status.name, status.state)
            ```
        """
        return self._call(self._app.batches, limit=limit, before=before)

    def _call(
        self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any
    ) -> T:
        """Call a method of the client, and wait for what it returns."""
        name = function.__name__
        refuse_loop(f"app.sync.{name}()", f"await app.{name}(...)")
        made: Call[T] = Call()
        given = [_bring(value, made) for value in args]
        named = {key: _bring(value, made) for key, value in kwargs.items()}
        return made.run(lambda: function(*given, **named))

    def _iterate(
        self, function: Callable[..., AsyncGenerator[T, None]], *args: Any, **kwargs: Any
    ) -> Iterator[T]:
        """Call a method of the client that yields."""
        name = function.__name__
        refuse_loop(f"app.sync.{name}()", f"async for ... in app.{name}(...)")
        return iterate(function(*args, **kwargs))

    def _enqueue(
        self, job: Any, *, conn: Any, notify: Notify
    ) -> Job | SyncWorkflowHandle | SyncBatchHandle:
        refuse_loop("app.sync.enqueue()", "await app.enqueue(...)")
        chosen = check_notify(notify, conn)
        if isinstance(job, Workflow | Addition):
            return self._write_flow(job, conn, chosen)
        if isinstance(job, Batch):
            return self._write_batch(job, conn, chosen)
        (stored,) = self._insertion.write_here([check_new(job)], conn, chosen)
        return stored

    def _write_flow(
        self, flow: Workflow | Addition, conn: Any, notify: Notify
    ) -> SyncWorkflowHandle:
        if self._insertion.inline:
            return SyncWorkflowHandle(self._insertion.run_flow_here(flow))
        flows = self._flows
        graph = call(flows.make_graph, flow)
        if conn is None:  # what the steps are read from belongs to this thread
            graph = replace(graph, steps=list(graph.steps))
        inserted = self._insertion.write_graph_here(graph, conn, notify)
        return SyncWorkflowHandle(handle_of(flow, inserted, flows))

    def _write_batch(self, batch: Batch, conn: Any, notify: Notify) -> SyncBatchHandle:
        self._batches.write_here(batch, conn, notify)
        return SyncBatchHandle(batch.id, self._batches)

    def _write_mixed(
        self, parts: list[Part], bulk: Bulk
    ) -> list[Job | SyncWorkflowHandle | SyncBatchHandle]:
        loose = [bulk.prepare(job) for part in parts if isinstance(part, list) for job in part]
        stored = iter(bulk.finish(self._insertion.write_here(loose, bulk.conn, bulk.notify)))
        found: list[Job | SyncWorkflowHandle | SyncBatchHandle] = []
        for part in parts:
            if isinstance(part, list):
                found += islice(stored, len(part))
            elif isinstance(part, Batch):
                found.append(self._write_batch(part, bulk.conn, bulk.notify))
            else:
                found.append(self._write_flow(part, bulk.conn, bulk.notify))
        return found

    def _enqueue_many(
        self, *jobs: Any, stream: bool, **options: Any
    ) -> list[Job] | list[Job | SyncWorkflowHandle | SyncBatchHandle] | Iterator[int]:
        instead = "async for ... in app" if stream else "await app"
        refuse_loop("app.sync.enqueue_many()", f"{instead}.enqueue_many(...)")
        for source in jobs:
            if isinstance(source, AsyncIterable):
                raise ConfigError(
                    f"{source!r:.100} is an async iterable: give it to app.enqueue_many on an "
                    "event loop, or give an iterable"
                )
        given: BulkOptions = options  # type: ignore[assignment]  # checked by Bulk
        bulk = Bulk(given)
        if has_flows(jobs):
            return self._write_mixed(split_flows(jobs, bulk, stream=stream), bulk)
        if stream:
            return self._stream(flatten(jobs), bulk)
        prepared = [bulk.prepare(job) for job in flatten(jobs)]
        return bulk.finish(self._insertion.write_here(prepared, bulk.conn, bulk.notify))

    def _stream(self, jobs: Iterable[Job], bulk: Bulk) -> Iterator[int]:
        for chunk in bulk.chunks_now(jobs):
            written = self._insertion.write_here(chunk, bulk.conn, bulk.notify)
            for stored in bulk.finish(written):
                assert stored.id is not None  # noqa: S101  # it was stored
                yield stored.id


def _bring(value: Any, made: Call[Any]) -> Any:
    """Return a caller's value as the loop's thread may use it."""
    if isinstance(value, _CONTAINERS):
        return value
    if isinstance(value, Iterable):
        return list(value)
    if callable(value):
        return made.brought(value)
    return value
