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
from staffa.jobs import Job
from staffa.linking import FlowKind, FlowRow, Followed, Graph, InsertedGraph
from staffa.telemetry import observed

T = TypeVar("T")


@observed("staffa.engine")
@boundaries
class GraphVerbs(ResultVerbs):
    """The base of engines that have these methods."""

    _graphs: GraphStatements
    _following: FollowStatements
    _flows: FlowStatements
    _flow_control: FlowControlStatements
    _operations: OperationStatements
    _forgotten_until: EndedFlow | None = None
    _prepare: Callable[[Any], None] | None = None
    """Registers what statements need on a connection, if anything."""

    async def insert_graph(self, graph: Graph, *, conn: Any = None) -> InsertedGraph:
        """Write flows and jobs."""
        if conn is not None:
            return await run_on(conn, self._inserting(graph))
        if isinstance(graph.steps, Collection):
            return await self._follow(lambda: self._insert(graph))
        return await self._hold(self._insert(graph))  # the steps can be read only once

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
        """Forget flows that ended long ago, and have no jobs any more."""
        page = await self._read(
            self._flow_control.find_ended(age=age, after=self._forgotten_until, limit=limit)
        )
        self._forgotten_until = page[-1] if len(page) == limit else None
        return await self._follow(lambda: self._flow_changes.forget(page)) if page else 0

    @property
    def _flow_changes(self) -> FlowControl:
        return FlowControl(self._flow_control, self._following, self._operations)

    async def change_flow_options(self, flow: str, changes: Mapping[str, Any]) -> bool:
        """Merge into the options of a flow."""
        return await self._change(self._flows.change_options(flow, changes))

    def _inserting(self, graph: Graph) -> Conversation[InsertedGraph]:
        begin = partial(self._insert, graph)
        return Conversation.held(begin, self._graphs.dialect, self._prepare)

    def _insert(self, graph: Graph) -> Dialogue[InsertedGraph]:
        return insert_graph(self._graphs, self._following, graph)
