"""The engine's verbs that insert flows, read and change them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from staffa._internal.kill_points import boundaries
from staffa.dialogues import Conversation, Dialogue
from staffa.drivers.connections import run_on, run_on_sync
from staffa.engine import Changes
from staffa.engines.linked.control import FlowControl
from staffa.engines.linked.inserting import insert_graph
from staffa.engines.linked.results import ResultVerbs
from staffa.engines.statements.flow_control import EndedFlow, FlowControlStatements
from staffa.engines.statements.flows import FlowStatements
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.graphs import GraphStatements
from staffa.engines.statements.operations import OperationStatements
from staffa.errors import StatementConflict
from staffa.jobs import Job
from staffa.linking import FlowKind, FlowRow, Followed, Graph, InsertedGraph
from staffa.telemetry import observed

T = TypeVar("T")

_FLOWS_AT_ONCE = 1_000
_WORTH_GOING_ON = 0.5  # the share of a page that makes the next one worth a look


class Beginning:
    """Begins to insert a graph, again only if its steps can be read again.

    Args:
        begin: Begins.
        graph: The graph.
    """

    def __init__(self, begin: Callable[[], Dialogue[InsertedGraph]], graph: Graph) -> None:
        self._begin = begin
        self._repeatable = isinstance(graph.steps, Collection)
        self._begun = False

    def __call__(self) -> Dialogue[InsertedGraph]:
        """Begin.

        Raises:
            StatementConflict: If the steps were read before.
        """
        if self._begun and not self._repeatable:
            raise StatementConflict(
                "the transaction lost against another one's locks, and the stream of its jobs "
                "can't be read again: nothing was written; give the jobs anew"
            )
        self._begun = True
        return self._begin()


@observed("staffa.engine")
@boundaries
class GraphVerbs(ResultVerbs):
    """The base of engines that have these methods."""

    _graphs: GraphStatements
    _following: FollowStatements
    _flows: FlowStatements
    _flow_control: FlowControlStatements
    _operations: OperationStatements
    _walked_until: EndedFlow | None = None
    _prepare: Callable[[Any], None] | None = None
    """Registers what statements need on a connection, if anything."""

    async def insert_graph(self, graph: Graph, *, conn: Any = None) -> InsertedGraph:
        """Write flows and jobs."""
        if conn is not None:
            return await run_on(conn, self._inserting(graph))
        return await self._follow(Beginning(partial(self._insert, graph), graph))

    def insert_graph_on(self, graph: Graph, conn: Any) -> InsertedGraph:
        """Do the same in the transaction of a user's connection, on this thread."""
        return run_on_sync(conn, self._inserting(graph))

    async def read_flows(self, ids: Sequence[str], *, inner: bool = False) -> list[FlowRow]:
        """Read flows, outer ones before inner ones."""
        return await self._read(self._flows.read(ids, inner=inner))

    async def list_flows(
        self, kind: FlowKind, *, limit: int, before: str | None = None
    ) -> list[FlowRow]:
        """Read outermost flows of a kind, the newest first."""
        return await self._read(self._flows.newest(kind, limit=limit, before=before))

    async def find_steps(self, flow: str, names: Sequence[str] | None = None) -> Mapping[str, int]:
        """Read the ids of the named jobs of a workflow."""
        return await self._read(self._flows.steps(flow, names))

    async def list_linked_jobs(
        self, flow: str, *, after: int = 0, limit: int = 1000, callbacks: bool = False
    ) -> list[Job]:
        """Read jobs of a flow in the order of their ids."""
        found = self._flows.jobs(flow, after=after, limit=limit, callbacks=callbacks)
        return await self._read(found)

    async def cancel_flow(self, flow: str) -> Changes:
        """Cancel all unfinished jobs of a flow and of those inside of it."""
        return await self._follow(lambda: self._flow_changes.cancel(flow))

    async def retry_flow(self, flow: str, *, whole: bool = False) -> Followed:
        """Run jobs of a flow, and of those inside of it, again."""
        return await self._follow(lambda: self._flow_changes.retry(flow, whole=whole))

    async def release_step(self, job: int) -> Followed:
        """Let a step go that was held."""
        return await self._follow(lambda: self._flow_changes.release(job))

    async def forget_flows(self, *, age: float, limit: int) -> int:
        """Forget flows that ended long ago, and have no jobs any more.

        Those that ended first mostly lose their jobs first, so it is begun there each time, and
        gone on with as long as that is worth it. As jobs of some are kept for longer, the others
        are walked through as well, a page each time.
        """
        forgotten, looked, last = 0, 0, None
        while looked < limit:
            found, page = await self._forget_page(age, last, limit - looked)
            forgotten, looked = forgotten + found, looked + len(page)
            if not page or found < len(page) * _WORTH_GOING_ON:
                break
            last = page[-1]
        found, page = await self._forget_page(age, self._walked_until, limit)
        self._walked_until = page[-1] if page else None
        return forgotten + found

    async def _forget_page(
        self, age: float, after: EndedFlow | None, limit: int
    ) -> tuple[int, list[EndedFlow]]:
        limit = min(limit, _FLOWS_AT_ONCE)
        page = await self._read(self._flow_control.find_ended(age=age, after=after, limit=limit))
        if not page:
            return 0, page
        return await self._follow(partial(self._flow_changes.forget, page)), page

    @property
    def _flow_changes(self) -> FlowControl:
        return FlowControl(self._flow_control, self._graphs, self._following, self._operations)

    def _inserting(self, graph: Graph) -> Conversation[InsertedGraph]:
        begin = Beginning(partial(self._insert, graph), graph)
        return Conversation.held(begin, self._graphs.dialect, self._prepare)

    def _insert(self, graph: Graph) -> Dialogue[InsertedGraph]:
        return insert_graph(self._graphs, self._following, self._flow_control, graph)
