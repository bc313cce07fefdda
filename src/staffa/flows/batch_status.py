"""How a stored batch stands: the row that counts its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from staffa.linking import FlowRow
from staffa.types import State


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """How a batch stands.

    Args:
        id: Its id.
        name: What people call it.
        state: ``executing`` until all of its jobs have ended; then ``discarded`` or ``cancelled``
            if one of them was, else ``completed``.
        total: How many jobs it has; callbacks are none of them.
        counts: How many of them are ``suspended`` (they wait for others), ``active``,
            ``completed``, ``cancelled``, ``discarded``, and were ``deleted`` before their end.
        attempted: How many have run to an end at least once, or have ended without.
        fired: The events whose callbacks were written.
        duration: Seconds from its insert to its end, or until now.
        inserted_at: When it was enqueued.
        finished_at: When its last job ended; None while it goes on.
    """

    id: str
    name: str | None
    state: State
    total: int
    counts: Mapping[str, int]
    attempted: int
    fired: tuple[str, ...]
    duration: float
    inserted_at: datetime
    finished_at: datetime | None

    @property
    def finished(self) -> bool:
        """Whether all of its jobs have ended."""
        return self.finished_at is not None


def batch_status_of(row: FlowRow, now: datetime) -> BatchStatus:
    """Return the status of a batch.

    Args:
        row: The batch.
        now: The time.
    """
    until = now if row.finished_at is None else row.finished_at
    return BatchStatus(
        id=row.id,
        name=row.name,
        state=row.state,
        total=row.total,
        counts={
            "suspended": row.suspended,
            "active": row.active,
            "completed": row.completed,
            "cancelled": row.cancelled,
            "discarded": row.discarded,
            "deleted": row.deleted,
        },
        attempted=row.attempted,
        fired=tuple(row.fired),
        duration=max((until - row.inserted_at).total_seconds(), 0.0),
        inserted_at=row.inserted_at,
        finished_at=row.finished_at,
    )
