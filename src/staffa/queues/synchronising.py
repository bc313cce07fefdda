"""Writes plans for dynamic queues and tells of them; a process that starts brings its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from staffa.dynamic import DynamicQueue
from staffa.engine import Control, Engine, QueueChanges
from staffa.queue import Queue
from staffa.queues.dynamic import Plan, synchronise
from staffa.telemetry import emit
from staffa.telemetry.catalogue import QueueDeleted, QueueInserted, QueueUpdated

_EVENTS: Mapping[str, type[QueueInserted | QueueUpdated | QueueDeleted]] = {
    "inserted": QueueInserted,
    "updated": QueueUpdated,
    "deleted": QueueDeleted,
}


async def change(
    engine: Engine, name: str, make: Callable[[Sequence[DynamicQueue]], Plan]
) -> tuple[Plan, list[Control]]:
    """Write what a plan says that is made of the rows as they are; return it and what it set."""
    plan = Plan()

    def decide(rows: Sequence[DynamicQueue]) -> QueueChanges:
        nonlocal plan
        plan = make(rows)
        return plan.changes

    written = await engine.change_dynamic_queues(name, decide)
    changed = {row.queue: row for happened, row in plan.happened if happened != "deleted"}
    limits = {queue: row.read().limits for queue, row in changed.items()}
    if limits := {queue: one for queue, one in limits.items() if one.any}:
        await engine.configure_limits(limits)
    return plan, written


async def synchronise_queues(
    engine: Engine, name: str, configured: Mapping[str, Queue], *, absent: bool
) -> bool:
    """Bring the configuration of a process to the rows; tell whether that has changed any.

    Args:
        engine: Where the rows are.
        name: The instance.
        configured: The queues of the configuration.
        absent: Whether queues that it does not have are deleted.
    """
    plan, written = await change(
        engine, name, lambda rows: synchronise(rows, configured, absent=absent)
    )
    tell(plan, name)
    return bool(written)


def tell(plan: Plan, name: str) -> None:
    """Emit what has happened."""
    for happened, row in plan.happened:
        emit(_EVENTS[happened], queue=row.queue, options=row.options, instance=name)
