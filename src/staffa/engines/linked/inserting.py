"""Writes flows, and jobs that wait for each other, all or none.

Invariants: the roots of stored flows that are added to are locked first of all, so what was read of
them after that stays so: nothing ends unseen between the look at what a step needs and its commit.
New flows are written before their jobs, with counts of nothing, and these are added at the end:
nobody sees a flow before the commit. Jobs come in portions, of which one is in memory; of those
before it there are their ids. A step that waits is written suspended, even if what it needs has
ended in a way that cancels it: that is done, and followed, once all of them are written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from staffa.dialogues import Dialogue
from staffa.engines.linked.graph_flows import GraphFlows
from staffa.engines.linked.roots import lock_roots
from staffa.engines.linked.writing import Writing
from staffa.engines.statements.chains import chains_of
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.graphs import GraphStatements
from staffa.errors import FlowExists
from staffa.linking import Graph, InsertedGraph, NewFlow, NewStep

_PORTION_JOBS = 2_000
_PORTION_CHARACTERS = 4 * 1024 * 1024


def insert_graph(
    statements: GraphStatements,
    following: FollowStatements,
    control: FlowControlStatements,
    graph: Graph,
) -> Dialogue[InsertedGraph]:
    """Write flows and jobs; what waits for nothing that is open is available at once.

    Args:
        statements: The engine's statements that insert.
        following: Those that follow what has ended.
        control: Those that change flows as a whole.
        graph: The flows and jobs.

    Raises:
        UnknownFlow: If a root, or a flow that a job names, is not stored.
        FlowExists: If the id of a flow, or the name of a step, is taken.
        InvalidJob: If a job can't be part of the graph.
    """
    locked: frozenset[str] = frozenset()
    chains = _chains(graph.steps)
    if graph.roots or chains:
        locked = yield from lock_roots(following, sorted({*graph.roots, *chains}))
    if chains:
        yield following.chains.lock(chains)
    flows = GraphFlows(statements, graph.flows, locked)
    yield from flows.read(_stored(graph))
    existing = yield from _begin(statements, graph)
    if existing is not None:
        return InsertedGraph((), {}, existing)
    writing = Writing(statements, following, control, flows)
    for portion in portions(graph.steps):
        yield from writing.write(portion)
    return (yield from writing.finish())


def _chains(steps: Iterable[NewStep]) -> frozenset[str]:
    """Return the chains of jobs; none if these can be read only once: portions take their own."""
    if not isinstance(steps, Collection):
        return frozenset()
    return chains_of(step.job for step in steps)


def portions(steps: Iterable[NewStep]) -> Iterator[list[NewStep]]:
    """Yield steps as statements can take them, read no further than that."""
    portion: list[NewStep] = []
    characters = 0
    for step in steps:
        size = len(step.job.args_json) + len(step.job.meta_json)
        if portion and (len(portion) == _PORTION_JOBS or characters + size > _PORTION_CHARACTERS):
            yield portion
            portion, characters = [], 0
        portion.append(step)
        characters += size
    if portion:
        yield portion


def _stored(graph: Graph) -> Iterator[str]:
    """Yield the flows that it adds to, as far as it tells without its steps."""
    yield from graph.roots
    for flow in graph.flows:
        yield flow.root
        if flow.parent is not None:
            yield flow.parent
    if graph.grafted is not None:
        yield graph.grafted


def _begin(statements: GraphStatements, graph: Graph) -> Dialogue[str | None]:
    """Write the flows; return the one that stands for them already, if there is one."""
    if graph.grafted is not None:
        written = yield statements.graft(graph.grafted, graph.lease, graph.form)
        if not written:
            return graph.grafted
    if not graph.flows:
        return None
    if graph.once is not None:
        existing = yield from _create_once(statements, graph.flows[0], graph.once)
        if existing is None and graph.flows[1:]:
            yield from _create(statements, graph.flows[1:])
        return existing
    yield from _create(statements, graph.flows)
    return None


def _create_once(statements: GraphStatements, outermost: NewFlow, key: str) -> Dialogue[str | None]:
    """Write the outermost flow unless one of its key goes on, whose id is returned then.

    Whoever writes such a one at the same time is waited for. It may have been rolled back then, or
    the flow may have ended before it is looked for: then it is tried again.
    """
    while True:
        if (yield statements.create_flows([outermost], key)):
            return None
        existing: str | None = yield statements.find_once(key)
        if existing is not None:
            return existing
        if (yield statements.known([outermost.id])):
            raise _taken(outermost.id)


def _create(statements: GraphStatements, flows: Sequence[NewFlow]) -> Dialogue[None]:
    created: frozenset[str] = yield statements.create_flows(flows, None)
    for flow in flows:
        if flow.id not in created:
            raise _taken(flow.id)


def _taken(flow: str) -> FlowExists:
    return FlowExists(
        f"the id {flow!r} is taken: give another one, or none; to add jobs to what is stored, "
        "append to it"
    )
