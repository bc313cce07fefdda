"""Which callbacks of a batch are due."""

from __future__ import annotations

from staffa.engines.statements.following import Counted


def due_events(batch: Counted, *, retried: bool) -> list[str]:
    """Return the events that have occurred, of those whose callbacks were not written yet.

    Args:
        batch: Its row, as it is now.
        retried: Whether a job of it has failed just now and will be tried again.

    Example:
        >>> batch = Counted("b", None, True, False, 2, 1, 0, 1, 0, 2, ["completed", "exhausted"])
        >>> due_events(batch, retried=False)
        ['exhausted']
    """
    occurred = {
        "attempted": batch.attempted >= batch.total,
        "completed": batch.completed >= batch.total,
        "cancelled": batch.cancelled > 0,
        "discarded": batch.discarded > 0,
        "retryable": retried,
        "exhausted": batch.ended >= batch.total,
    }
    return [event for event in batch.pending if occurred.get(event, False)]
