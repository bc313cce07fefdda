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
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from staffa._internal.calls import Call, call, iterate
from staffa._internal.lazy import load
from staffa.client.batch_handles import BatchHandle
from staffa.client.bulk import Bulk, check_new, check_notify, flatten
from staffa.client.flows import Flows
from staffa.client.insertion import Insertion
from staffa.client.mixed import Part, handle_of, has_flows, split_flows
from staffa.client.rates import SyncRate
from staffa.client.relays import mark_relayed
from staffa.client.stored_batches import StoredBatches, read_here
from staffa.client.sync_handles import SyncBatchHandle, SyncWorkflowHandle
from staffa.errors import ConfigError
from staffa.flows import Addition, Batch, Workflow
from staffa.instance import Source, refuse_loop
from staffa.jobs import Job
from staffa.linking import Graph
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

    def _rate(self, queue: str, *, partition: Mapping[str, Any] | None) -> SyncRate:
        return SyncRate(self._app.rate(queue, partition=partition))

    def _relay(self, job: Job, *, conn: Any, notify: Notify) -> SyncRelay:
        refuse_loop("app.sync.relay()", "await app.relay(...)")
        (relay,) = self._write_relayed([job], conn, notify)
        return SyncRelay(relay)

    def _relay_many(self, *jobs: Source, conn: Any, notify: Notify) -> SyncRelays:
        refuse_loop("app.sync.relay_many()", "await app.relay_many(...)")
        return SyncRelays(self._write_relayed(flatten(jobs), conn, notify))

    def _write_relayed(self, jobs: Iterable[Job], conn: Any, notify: Notify) -> Relays:
        chosen = check_notify(notify, conn)
        conn = self._insertion.find_atomic() if conn is None else conn
        stored = self._insertion.write_here(mark_relayed(jobs), conn, chosen)
        return self._insertion.relays_of(stored, seen=conn is None)

    def _workflow(self, id: str) -> SyncWorkflowHandle:  # noqa: A002  # as everywhere
        return SyncWorkflowHandle(self._app.workflow(id))

    def _batch(self, id: str | None) -> SyncBatchHandle:  # noqa: A002
        return SyncBatchHandle(self._app.batch(id))

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
        if isinstance(job, Workflow | Addition | Batch):
            return self._write_flow(job, self._make_graph(job, conn), conn, chosen)
        (stored,) = self._insertion.write_here([check_new(job)], conn, chosen)
        return stored

    def _make_graph(self, flow: Workflow | Addition | Batch, conn: Any) -> Graph | None:
        """Return what is to be written of a flow; None if it runs inline."""
        if isinstance(flow, Batch):
            return self._batches.make_graph(flow)
        if self._insertion.inline:
            return None
        flows = self._flows
        conn = self._insertion.find_atomic() if conn is None else conn
        if conn is None or isinstance(flow, Workflow):
            return call(flows.make_graph, flow)
        made: Call[Graph] = Call()
        execute = made.brought(partial(load("staffa.drivers.connections:run_on_sync"), conn))
        return made.run(lambda: flows.make_graph(flow, execute))

    def _write_flow(
        self, flow: Workflow | Addition | Batch, graph: Graph | None, conn: Any, notify: Notify
    ) -> SyncWorkflowHandle | SyncBatchHandle:
        if graph is None:
            assert not isinstance(flow, Batch)  # noqa: S101  # batches don't run inline
            return SyncWorkflowHandle(self._insertion.run_flow_here(flow))
        inserted = self._insertion.write_graph_here(read_here(graph, conn), conn, notify)
        if isinstance(flow, Batch):
            return SyncBatchHandle(BatchHandle(flow.id, self._batches))
        return SyncWorkflowHandle(handle_of(flow, inserted, self._flows))

    def _write_mixed(
        self, parts: list[Part], bulk: Bulk
    ) -> list[Job | SyncWorkflowHandle | SyncBatchHandle]:
        graphs = {
            id(part): self._make_graph(part, bulk.conn)
            for part in parts
            if not isinstance(part, list)
        }
        loose = [bulk.prepare(job) for part in parts if isinstance(part, list) for job in part]
        stored = iter(bulk.finish(self._insertion.write_here(loose, bulk.conn, bulk.notify)))
        found: list[Job | SyncWorkflowHandle | SyncBatchHandle] = []
        for part in parts:
            if isinstance(part, list):
                found += islice(stored, len(part))
            else:
                found.append(self._write_flow(part, graphs[id(part)], bulk.conn, bulk.notify))
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
