"""Refuses jobs that would wait for themselves by way of their chains: nothing would let them go.

A step can depend only on what there is before it, so steps alone are never a circle. A chain adds
another order: a new job waits for what came before it in its chain, which may wait for a flow that
the new job is part of, however indirectly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

from staffa.dialogues import Dialogue
from staffa.engines.statements.chains import ChainStatements, Wait
from staffa.errors import InvalidJob

ANOTHER_CHAIN = "give the new ones another chain, or another key of it"


def refuse_circles(
    chains: ChainStatements,
    jobs: Collection[int],
    steps: Sequence[int] = (),
    remedy: str = ANOTHER_CHAIN,
) -> Dialogue[None]:
    """Look whether jobs wait for themselves that this transaction has tied to chains.

    Or that wait again by it for what goes on once more: one may have come behind another of its
    chain while that had no need to wait for it.

    Args:
        chains: The statements.
        jobs: Their ids.
        steps: The ids of all jobs of the graph, in its order.
        remedy: What the user can do.

    Raises:
        InvalidJob: If they do.
    """
    circle = yield from _look_for_circle(chains, jobs)
    if circle is not None:
        told = _tell(circle, steps)
        raise InvalidJob(f"jobs of a chain would wait for themselves: {told}; {remedy}")


def _look_for_circle(
    chains: ChainStatements, jobs: Collection[int]
) -> Dialogue[list[int | str] | None]:
    waits = yield chains.waits(jobs)
    if not _may_close(waits):
        return None
    alone = chains.alone()
    if alone is not None:
        yield alone
        waits = yield chains.waits(jobs)
    return find_circle(waits)


def find_circle(waits: Iterable[Wait]) -> list[int | str] | None:
    """Return what waits for itself, each before what it waits for; the first is the last as well.

    Example:
        >>> find_circle([(1, 2), (2, "flow"), (3, 1)])
        >>> find_circle([(1, 2), (2, "flow"), ("flow", 1)])
        [1, 2, 'flow', 1]
    """
    sorter: TopologicalSorter[int | str] = TopologicalSorter()
    for waiting, needed in waits:
        sorter.add(waiting, needed)
    try:
        sorter.prepare()
    except CycleError as error:
        circle: list[int | str] = error.args[1]
        return circle[::-1]
    return None


def _may_close(waits: Iterable[Wait]) -> bool:
    """Tell whether a job waits for a flow: without that there is no circle."""
    return any(isinstance(waiting, int) and isinstance(needed, str) for waiting, needed in waits)


def _tell(circle: list[int | str], steps: Sequence[int]) -> str:
    places = {step: place for place, step in enumerate(steps)}
    start = next((place for place, node in enumerate(circle) if node in places), 0)
    turned = [*circle[start:-1], *circle[:start], circle[start]]
    told = [
        f"the flow {node!r}"
        if isinstance(node, str)
        else f"step {places[node]} of the graph"
        if node in places
        else f"job {node}"
        for node in turned
    ]
    return f"{told[0]} waits for " + ", that for ".join(told[1:])
