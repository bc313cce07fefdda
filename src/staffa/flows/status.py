"""How a stored workflow stands: made of the rows that count its jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from staffa.flows.inner import META_OPTION
from staffa.linking import FlowRow
from staffa.types import State

WORST_FIRST = (State.EXECUTING, State.DISCARDED, State.CANCELLED, State.COMPLETED)
"""Of the states in a workflow, the first of these is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStatus:
    """How a workflow stands.

    Args:
        id: Its id.
        name: What people call it.
        state: ``executing`` until all of its jobs have ended; then ``discarded`` or ``cancelled``
            if one of them was, else ``completed``.
        total: How many jobs it has; those inside of it are among them if they were asked for.
        counts: How many of them are ``suspended`` (they wait for others), ``active``,
            ``completed``, ``cancelled``, ``discarded``, and were ``deleted`` before their end.
        duration: Seconds from its insert to its end, or until now.
        inserted_at: When it was enqueued.
        finished_at: When its last job ended; None while it goes on.
        meta: What was noted about it.
        subs: The same of what is inside of it, by name: groups, grafts and workflows.
    """

    id: str
    name: str | None
    state: State
    total: int
    counts: Mapping[str, int]
    duration: float
    inserted_at: datetime
    finished_at: datetime | None
    meta: Mapping[str, Any] = field(default_factory=dict)
    subs: Mapping[str, WorkflowStatus] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether all of its jobs have ended."""
        return self.finished_at is not None


def status_of(rows: Sequence[FlowRow], now: datetime) -> WorkflowStatus:
    """Return the status of a workflow.

    Args:
        rows: The flow, then those inside of it that are wanted, outer ones first.
        now: The time.
    """
    inner: dict[str, dict[str, WorkflowStatus]] = {}  # the last ones first
    status = None
    for row in reversed(rows):
        subs = dict(reversed(inner.get(row.id, {}).items()))
        status = _status(row, subs, now)
        if row.parent is not None:
            inner.setdefault(row.parent, {})[row.place or row.name or row.id] = status
    assert status is not None  # noqa: S101  # there is at least one row
    return status


def _status(row: FlowRow, subs: Mapping[str, WorkflowStatus], now: datetime) -> WorkflowStatus:
    counts = Counter(
        {
            "suspended": row.suspended,
            "active": row.active,
            "completed": row.completed,
            "cancelled": row.cancelled,
            "discarded": row.discarded,
            "deleted": row.deleted,
        }
    )
    for sub in subs.values():
        counts.update(sub.counts)
    states = (
        {row.state} if row.finished_at is None else {row.state, *(s.state for s in subs.values())}
    )
    meta = row.options.get(META_OPTION)
    until = now if row.finished_at is None else row.finished_at
    return WorkflowStatus(
        id=row.id,
        name=row.name,
        state=next(state for state in WORST_FIRST if state in states),
        total=row.total + sum(sub.total for sub in subs.values()),
        counts=dict(counts),
        duration=max((until - row.inserted_at).total_seconds(), 0.0),
        inserted_at=row.inserted_at,
        finished_at=row.finished_at,
        meta=meta if isinstance(meta, dict) else {},
        subs=subs,
    )
