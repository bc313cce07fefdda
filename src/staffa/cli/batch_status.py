"""What `staffa batch` shows: rows of a table, and a batch with its counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from staffa.cli.output import one_line, printable, tell_seconds
from staffa.flows.batch_status import BatchStatus

COLUMNS = ("id", "name", "state", "jobs", "active", "ended", "callbacks", "inserted_at", "took")


def describe(status: BatchStatus) -> dict[str, Any]:
    """Return the status of a batch for programs."""
    return {
        "id": status.id,
        "name": status.name,
        "state": status.state.value,
        "total": status.total,
        "counts": dict(status.counts),
        "attempted": status.attempted,
        "fired": list(status.fired),
        "duration": status.duration,
        "inserted_at": status.inserted_at,
        "finished_at": status.finished_at,
    }


def row_of(status: BatchStatus) -> tuple[Any, ...]:
    """Return a row of the table of batches."""
    return (
        status.id,
        status.name,
        status.state,
        status.total,
        status.counts["active"] + status.counts["suspended"],
        _ended(status.counts),
        " ".join(status.fired),
        status.inserted_at,
        tell_seconds(status.duration),
    )


def lines_of(status: BatchStatus) -> Iterator[str]:
    """Yield the lines that tell of a batch."""
    name = "" if status.name is None else f"{printable(one_line(status.name))}  "
    yield f"{name}{printable(one_line(status.id))}"
    done = f"{_ended(status.counts)} of {status.total} jobs have ended"
    yield f"{status.state}, {done}, {tell_seconds(status.duration)}"
    for state, count in status.counts.items():
        if count:
            yield f"  {state:<10} {count}"
    if status.fired:
        yield f"callbacks: {', '.join(status.fired)}"


def _ended(counts: Mapping[str, int]) -> int:
    return sum(counts[state] for state in ("completed", "cancelled", "discarded", "deleted"))
