"""What handles of batches ask of the client: to read what is stored, and to change it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from staffa._internal.calls import call
from staffa._internal.clock import Clock
from staffa.client.flows import ignore, side_of
from staffa.client.insertion import Insertion
from staffa.engine import Changed, Engine
from staffa.errors import ConfigError, ResultUnavailable, UnknownFlow
from staffa.flows.batch import Batch, check_members, graph_of
from staffa.flows.batch_status import BatchStatus, batch_status_of
from staffa.jobs import Job
from staffa.linking import FlowKind, FlowRow, Graph
from staffa.options import Notify
from staffa.recorded import recorded_result

if TYPE_CHECKING:
    from staffa.client.backend import Backend

_PAGE = 1_000


class StoredBatches:
    """The batches of one client.

    Args:
        open_backend: Returns the database's side for the running loop.
        after_cancel: Sees to what follows when jobs were cancelled.
        insertion: Writes jobs; None where none can be.
        clock: Tells the time.
    """

    def __init__(
        self,
        open_backend: Callable[[], Awaitable[Backend]],
        after_cancel: Callable[[Sequence[Changed]], Awaitable[None]],
        insertion: Insertion | None,
        clock: Clock,
    ) -> None:
        self._open = open_backend
        self._after_cancel = after_cancel
        self._insertion = insertion
        self._clock = clock

    async def read(self, batch: str) -> FlowRow:
        """Return the row of a batch.

        Raises:
            UnknownFlow: If there is none.
        """
        rows = await (await self._open()).engine.read_flows([batch])
        if not rows or rows[0].kind is not FlowKind.BATCH:
            raise UnknownFlow(
                f"there is no batch {batch!r}: it may have been deleted with its jobs"
            )
        return rows[0]

    async def status(self, batch: str) -> BatchStatus:
        """Return how a batch stands."""
        return batch_status_of(await self.read(batch), self._clock.now())

    async def list_statuses(self, limit: int, before: str | None) -> list[BatchStatus]:
        """Return how the newest batches stand."""
        engine = (await self._open()).engine
        found = await engine.list_flows(FlowKind.BATCH, limit=limit, before=before)
        now = self._clock.now()
        return [batch_status_of(row, now) for row in found]

    async def stream(
        self, batch: str, states: Collection[str] | None = None
    ) -> AsyncGenerator[Job, None]:
        """Yield the jobs of a batch, those in some states if these are given."""
        await self.read(batch)
        engine = (await self._open()).engine
        after = 0
        while page := await engine.list_linked_jobs(batch, after=after, limit=_PAGE):
            for job in page:
                if states is None or job.state in states:
                    yield job
            assert page[-1].id is not None  # noqa: S101  # it was read
            after = page[-1].id
            if len(page) < _PAGE:
                break

    async def results(self, batch: str) -> list[Any]:
        """Return what the jobs of a batch have recorded; None for those that have not."""
        return [_result_of(job) async for job in self.stream(batch)]

    async def cancel(self, batch: str) -> None:
        """Cancel all unfinished jobs of a batch; those that run are stopped."""
        await self.read(batch)
        await self._after_cancel(await (await self._open()).engine.cancel_flow(batch))

    def make_graph(self, batch: Batch) -> Graph:
        """Return what is to be written of a batch.

        Raises:
            ConfigError: If the client works inline.
            InvalidWorkflow: If the steps of a workflow don't fit together.
        """
        _ = self._writer
        return batch.graph()

    async def append(
        self, batch: str, jobs: Iterable[Any] | Any, conn: Any, notify: Notify
    ) -> list[int]:
        """Add jobs to a batch, and return their ids."""
        writer = self._writer
        graph = graph_of(check_members(jobs), batch)
        if conn is None:  # else its transaction may be the one that has written it
            await self.read(batch)
        return list((await writer.write_graph(graph, conn, notify)).ids)

    def append_here(
        self, batch: str, jobs: Iterable[Any] | Any, conn: Any, notify: Notify
    ) -> list[int]:
        """Do the same from a thread without a loop, which the jobs are read on."""
        writer = self._writer
        graph = read_here(graph_of(check_members(jobs), batch), conn)
        if conn is None:
            call(self.read, batch)
        return list(writer.write_graph_here(graph, conn, notify).ids)

    @property
    def _writer(self) -> Insertion:
        if self._insertion is None:
            raise ConfigError("this handle only looks at a batch: add jobs by app.batch(id)")
        if self._insertion.inline:
            raise ConfigError(
                "a client that works inline stores no batches: give testing='manual', and use "
                "run_batch"
            )
        return self._insertion


def batches_on(engine: Engine, clock: Clock) -> StoredBatches:
    """Return the batches that an engine has, to look at and to cancel."""
    return StoredBatches(side_of(engine), ignore, None, clock)


def read_here(graph: Graph, conn: Any) -> Graph:
    """Return a graph whose jobs are read on this thread, where the caller's iterables belong."""
    return graph if conn is not None else replace(graph, steps=list(graph.steps))


def _result_of(job: Job) -> Any:
    try:
        return recorded_result(job)
    except ResultUnavailable:
        return None
