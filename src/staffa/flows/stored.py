"""The picture of a workflow that is stored, with the states of its jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from staffa.flows.inner import FORM_OPTION
from staffa.flows.pictures import Node, Picture
from staffa.flows.status import WORST_FIRST
from staffa.jobs import Job
from staffa.linking import FlowRow
from staffa.memberships import CASCADE_KEY, GRAFT_KEY, NEEDS_KEY, STEP_KEY
from staffa.types import State

_GROUPS = ("list", "mapping")


def is_group(row: FlowRow) -> bool:
    """Tell whether a flow is many jobs under one name, which are drawn as one."""
    return row.options.get(FORM_OPTION) in _GROUPS


def picture_of_stored(
    flow: str, rows: Sequence[FlowRow], jobs: Mapping[str, Sequence[Job]]
) -> Picture:
    """Return the picture of a stored workflow.

    Args:
        flow: Its id.
        rows: It, and the flows inside of it, outer ones first.
        jobs: The jobs of those that are no groups, and its own.
    """
    inner: dict[str, list[Node]] = {}  # the last ones first
    states: dict[str, set[State]] = {}
    for row in reversed(rows):
        if row.id == flow:
            break
        within = states.setdefault(row.id, set()) | _states_of(row)
        if row.parent is not None:
            node = _node_of_flow(row, _worst(within), jobs, inner)
            inner.setdefault(row.parent, []).append(node)
            states.setdefault(row.parent, set()).update(within)
    return _picture_of_flow(flow, jobs, inner)


def _picture_of_flow(
    flow: str, jobs: Mapping[str, Sequence[Job]], inner: Mapping[str, list[Node]]
) -> Picture:
    return Picture([*_nodes_of_jobs(jobs.get(flow, ())), *reversed(inner.get(flow, []))])


def _node_of_flow(
    row: FlowRow,
    state: State,
    jobs: Mapping[str, Sequence[Job]],
    inner: Mapping[str, list[Node]],
) -> Node:
    counts = {
        "suspended": row.suspended,
        "active": row.active,
        "completed": row.completed,
        "cancelled": row.cancelled,
        "discarded": row.discarded,
        "deleted": row.deleted,
    }
    form = row.options.get(FORM_OPTION)
    worker = next((j.worker for j in jobs.get(row.id, ()) if GRAFT_KEY in j.meta), None)
    return Node(
        name=row.place or row.name or row.id,
        kind="group" if is_group(row) else "graft" if form == "graft" else "workflow",
        deps=tuple(row.needs),
        worker=worker,
        state=state.value,
        count=row.total,
        counts={state: number for state, number in counts.items() if number},
        inside=None if is_group(row) else _picture_of_flow(row.id, jobs, inner),
    )


def _states_of(row: FlowRow) -> set[State]:
    """Return how a flow's own jobs stand, as far as it matters for what is around it."""
    if row.finished_at is not None:
        return {row.state}
    if row.suspended < row.total:
        return {State.EXECUTING}
    return {State.SUSPENDED} if row.total else set()


def _worst(states: set[State]) -> State:
    """Return the state of a flow by those of all jobs in it."""
    if states == {State.SUSPENDED}:
        return State.SUSPENDED
    if not states.isdisjoint({State.SUSPENDED, State.EXECUTING}):
        return State.EXECUTING
    return next((state for state in WORST_FIRST if state in states), State.COMPLETED)


def _nodes_of_jobs(jobs: Sequence[Job]) -> list[Node]:
    return [_node_of_job(job) for job in jobs if GRAFT_KEY not in job.meta]


def _node_of_job(job: Job) -> Node:
    meta: Mapping[str, Any] = job.meta
    name, deps = meta.get(STEP_KEY), meta.get(NEEDS_KEY)
    return Node(
        name=name if isinstance(name, str) else str(job.id),
        kind="cascade" if CASCADE_KEY in meta else "job",
        deps=tuple(dep for dep in deps if isinstance(dep, str)) if isinstance(deps, list) else (),
        worker=job.worker,
        state=job.state.value,
    )
