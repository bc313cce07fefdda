"""Graphs of flows, as tests of engines make them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from staffa.engine import Ack, Engine, Lease, Producer
from staffa.linking import (
    FlowKind,
    FlowRow,
    Graph,
    Need,
    NeedsStep,
    NewFlow,
    NewStep,
    Policies,
)
from staffa.types import State
from tests.conformance.work import QUEUE, new_job

COUNTS = (
    "total", "suspended", "completed", "cancelled", "discarded", "deleted", "attempted", "inner",
)  # fmt: skip


def workflow(name: str = "order", parent: str | None = None, **options: Any) -> NewFlow:
    """Return a workflow that stands alone, or is inside of the one that is its root."""
    return NewFlow(name, FlowKind.WORKFLOW, options.pop("root", parent or name), parent, **options)


def batch(name: str = "bunch", **options: Any) -> NewFlow:
    """Return a batch."""
    return NewFlow(name, FlowKind.BATCH, options.pop("root", name), **options)


def step(
    flow: str = "order",
    needs: Iterable[Need | int] = (),
    *,
    name: str | None = None,
    batch_id: str | None = None,
    policies: Policies = Policies(),  # noqa: B008  # it is frozen
    held: bool = False,
    **options: Any,
) -> NewStep:
    """Return a step; a number among its needs is the place of an earlier one."""
    meta = options.pop("meta", {}) | ({"workflow_id": flow} if flow else {})
    meta |= {"name": name} if name is not None else {}
    meta |= {"batch_id": batch_id} if batch_id is not None else {}
    found = [NeedsStep(need) if isinstance(need, int) else need for need in needs]
    return NewStep(new_job(meta=meta, **options), found, policies, held)


def members(count: int, flow: str = "order", *needs: Need | int) -> list[NewStep]:
    """Return steps that are all alike."""
    return [step(flow, needs, args={"n": number}) for number in range(count)]


def graph(*steps: NewStep, flows: Sequence[NewFlow] | None = None, **options: Any) -> Graph:
    """Return a graph, by default of one workflow."""
    return Graph([workflow()] if flows is None else flows, list(steps), **options)


async def states(engine: Engine, ids: Iterable[int]) -> list[str]:
    """Return the states of jobs, in the order of their ids."""
    return [job.state.value for job in await engine.get_jobs(list(ids))]


async def flow_of(engine: Engine, name: str = "order") -> FlowRow:
    """Return a flow as it is stored."""
    (row,) = await engine.read_flows([name])
    return row


def counts(row: FlowRow) -> dict[str, int]:
    """Return the counts of a flow that are not 0."""
    return {name: getattr(row, name) for name in COUNTS if getattr(row, name)}


async def finish(
    engine: Engine, producer: Producer, job: int, state: State = State.COMPLETED, **details: Any
) -> None:
    """Run a job that is available to an end."""
    claimed = await engine.claim_jobs(QUEUE, 1_000, producer)
    acks = [Ack(lease=Lease.of(one), state=state, **details) for one in claimed if one.id == job]
    assert len(acks) == 1, f"job {job} was not available"
    await engine.ack_linked_jobs(acks, producer)
    await engine.release_jobs(producer, queue=QUEUE)
