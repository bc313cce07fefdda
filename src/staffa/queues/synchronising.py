"""Writes plans for dynamic queues and tells of them; a process that starts brings its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from staffa.dynamic import DynamicQueue
from staffa.engine import Control, Engine, QueueChanges
from staffa.errors import ConfigError
from staffa.limits import Limits
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
    engine: Engine,
    name: str,
    make: Callable[[Sequence[DynamicQueue]], Plan],
    *,
    all_limits: bool = False,
) -> tuple[Plan, list[Control]]:
    """Write what a plan says that is made of the rows as they are; return it and what it set.

    Args:
        engine: Where the rows are.
        name: The instance.
        make: Makes the plan.
        all_limits: Whether the limits of all queues are written, not only of those that change.
    """
    plan = Plan()
    limits: dict[str, Limits] = {}

    def decide(rows: Sequence[DynamicQueue]) -> QueueChanges:
        nonlocal plan, limits
        plan = make(rows)
        changes = plan.changes
        limits = _limits([*(rows if all_limits else ()), *changes.rows], _limits(rows))
        return replace(changes, limits=limits)

    written = await engine.change_dynamic_queues(name, decide)
    if limits:
        await engine.notice_partitions()
    return plan, written


def _limits(
    rows: Sequence[DynamicQueue], before: Mapping[str, Limits] = MappingProxyType({})
) -> dict[str, Limits]:
    """Return the limits that rows say; the last row of a queue counts.

    Args:
        rows: The rows.
        before: What they said: those that have none any more are told so.
    """
    found: dict[str, Limits] = {}
    for row in {row.queue: row for row in rows}.values():
        with suppress(ConfigError):  # another version's: the queue does not run here
            limits = row.read().limits
            if (limits.any or row.queue in before) and not row.deleted:
                found[row.queue] = limits
    return found


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
        engine,
        name,
        lambda rows: synchronise(rows, configured, absent=absent),
        all_limits=True,
    )
    tell(plan, name)
    return bool(written)


def tell(plan: Plan, name: str) -> None:
    """Emit what has happened."""
    for happened, row in plan.happened:
        emit(_EVENTS[happened], queue=row.queue, options=row.options, instance=name)
