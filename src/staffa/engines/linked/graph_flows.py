"""Which flows a graph writes to: its new ones, and stored ones whose roots are locked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from staffa.dialogues import Dialogue
from staffa.engines.statements.graphs import GraphStatements, KnownFlow
from staffa.errors import FlowExists, InvalidJob, UnknownFlow
from staffa.linking import NewFlow

_LONGEST_ID = 127  # which is what the indexes of jobs by their flows hold


class GraphFlows:
    """The flows of one graph, those that are stored read when they are first met.

    Args:
        statements: The engine's statements.
        new: The flows that it writes.
        locked: The roots that are locked.
    """

    def __init__(
        self, statements: GraphStatements, new: Iterable[NewFlow], locked: Collection[str]
    ) -> None:
        self._statements = statements
        self._locked = locked
        self.new: Mapping[str, NewFlow] = _by_id(new)
        self._stored: dict[str, KnownFlow] = {}

    def read(self, ids: Iterable[str]) -> Dialogue[None]:
        """Read the flows that are not known yet.

        Raises:
            UnknownFlow: If one of them is not stored.
            InvalidJob: If the root of one of them is not locked.
        """
        missing = sorted(
            {flow for flow in ids if flow not in self.new and flow not in self._stored}
        )
        if not missing:
            return
        found: dict[str, KnownFlow] = yield self._statements.known(missing)
        for flow in missing:
            known = found.get(flow)
            if known is None:
                raise _unknown(flow)
            if known.root not in self._locked:
                raise InvalidJob(
                    f"{flow!r} belongs to {known.root!r}, which is not among the roots of the "
                    "graph: name it there"
                )
        self._stored.update(found)

    def root(self, flow: str) -> str:
        """Return the root of a flow that is known."""
        known = self.new.get(flow) or self._stored[flow]
        return known.root

    def had_ended(self, flow: str) -> bool:
        """Tell whether a known flow had ended before."""
        known = self._stored.get(flow)
        return known is not None and known.ended

    def is_inside(self, flow: str, outer: str) -> bool:
        """Tell whether a flow is another one, or inside of it, as far as they are known."""
        inner: str | None = flow
        while inner is not None:
            if inner == outer:
                return True
            known = self.new.get(inner) or self._stored.get(inner)
            inner = None if known is None else known.parent
        return False


def _by_id(flows: Iterable[NewFlow]) -> dict[str, NewFlow]:
    found: dict[str, NewFlow] = {}
    for flow in flows:
        if not 1 <= len(flow.id) <= _LONGEST_ID:
            raise InvalidJob(
                f"the id {flow.id!r:.200} of a flow has {len(flow.id)} characters: give 1 to "
                f"{_LONGEST_ID}"
            )
        if found.setdefault(flow.id, flow) is not flow:
            raise FlowExists(f"two flows of the graph have the id {flow.id!r}: give each its own")
    return found


def _unknown(flow: str) -> UnknownFlow:
    """Return the error of a flow that is not stored."""
    return UnknownFlow(
        f"no workflow, batch or chain {flow!r} is stored: it was not enqueued, or its jobs were "
        "deleted long ago"
    )
