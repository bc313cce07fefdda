"""The engine's verbs that insert flows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from staffa._internal.kill_points import boundaries
from staffa.dialogues import Dialogue
from staffa.drivers.connections import hold_on, hold_on_sync
from staffa.engines.linked.inserting import insert_graph
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.graphs import GraphStatements
from staffa.linking import Graph, InsertedGraph
from staffa.telemetry import observed

T = TypeVar("T")


@observed("staffa.engine")
@boundaries
class GraphVerbs:
    """The base of engines that have these methods."""

    _graphs: GraphStatements
    _follows: FollowStatements
    _prepare: Callable[[Any], None] | None = None
    """Registers what statements need on a connection, if anything."""

    async def _hold(self, dialogue: Dialogue[T]) -> T:
        """Hold a dialogue in a transaction."""
        raise NotImplementedError

    async def _hold_again(self, make: Callable[[], Dialogue[T]]) -> T:
        """Do so, again if it loses against another one's locks."""
        raise NotImplementedError

    async def insert_graph(self, graph: Graph, *, conn: Any = None) -> InsertedGraph:
        """Write flows and jobs."""
        if conn is not None:
            dialect = self._graphs.dialect
            return await hold_on(conn, self._insert(graph), dialect, self._prepare)
        if isinstance(graph.steps, Collection):
            return await self._hold_again(lambda: self._insert(graph))
        return await self._hold(self._insert(graph))  # the steps can be read only once

    def insert_graph_on(self, graph: Graph, conn: Any) -> InsertedGraph:
        """Do the same in the transaction of a user's connection, on this thread."""
        return hold_on_sync(conn, self._insert(graph), self._graphs.dialect, self._prepare)

    def _insert(self, graph: Graph) -> Dialogue[InsertedGraph]:
        return insert_graph(self._graphs, self._follows, graph)
