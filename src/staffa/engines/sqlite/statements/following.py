"""The statements of what follows: where SQLite can't tell what was before, it is read first.

Nobody else writes meanwhile, so what was read is so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from staffa._internal.kill_points import boundaries
from staffa.dialogues import Dialogue
from staffa.engines.sqlite.statements.chains import ChainStatements
from staffa.engines.sqlite.statements.jobs import JobStatements
from staffa.engines.sqlite.statements.unique import UniqueStatements
from staffa.engines.statements import following as shared
from staffa.engines.statements.area import Rows
from staffa.engines.statements.callbacks import Fired, as_fired, as_told
from staffa.engines.statements.enqueueing import EnqueueStatements
from staffa.engines.statements.following import (
    Closed,
    Counted,
    Released,
    as_closed,
    as_counted,
    as_dated,
)
from staffa.jobs import Job


@boundaries
class FollowStatements(shared.FollowStatements):
    """What is asked of flows, steps and edges when jobs have changed their states."""

    @property
    def chains(self) -> ChainStatements:
        """What is asked of chains."""
        return ChainStatements(self._prefix, self._idiom)

    @property
    def enqueueing(self) -> EnqueueStatements:
        """What enqueues callbacks that are unique or in a chain."""
        jobs = JobStatements(self._prefix, self._idiom)
        unique = UniqueStatements(self._prefix, self._idiom)
        return EnqueueStatements(jobs, unique, self.chains)

    def close_jobs(self, ends: Mapping[int, str]) -> Dialogue[Closed]:
        """Close the edges to jobs that have ended."""
        pairs = list(ends.items())
        closed = yield from self._close("jobs", pairs)
        return closed

    def close_flows(self, ids: Sequence[str]) -> Dialogue[Closed]:
        """Close the edges to flows that have ended."""
        ways: list[tuple[Any, ...]] = yield self.statement("ends_of_flows", (list(ids),), _ways)
        if not ways:
            return Closed([])
        closed = yield from self._close("flows", ways)
        return closed

    def _enlist(self, callbacks: Sequence[Job]) -> Dialogue[None]:
        """Note nothing: jobs are found by an index of their own."""
        yield from ()

    def _close(self, what: str, ends: Sequence[tuple[Any, ...]]) -> Dialogue[Closed]:
        steps: list[dict[str, Any]] = yield self.statement(f"look_{what}", (list(ends),), _plain)
        if not steps:
            return Closed([])
        yield self.statement(f"close_{what}", (list(ends),), _nothing)
        lowered = [(step["job_id"], step["closed"]) for step in steps]
        yield self.statement("lower", (lowered,), _nothing)
        return as_closed(
            [
                step
                for step in steps
                if step["ended"] is not None or (step["left"] <= 0 and not step["held"])
            ]
        )

    def release_steps(self, numbers: Sequence[int]) -> Dialogue[list[Released]]:
        """Let steps go on."""
        late: dict[int, tuple[str, float]] = yield self.statement("late", (list(numbers),), _late)
        rows: list[dict[str, Any]] = yield self.statement("release", (list(numbers),), _plain)
        for row in rows:
            row["deadline"], row["late"] = late.get(row["id"], (None, 0.0))
            if row["late"] <= 0:
                row["deadline"] = None
        return as_dated(rows)

    def count_flows(self, changes: Mapping[str, Sequence[int]]) -> Dialogue[list[Counted]]:
        """Change the counts of flows."""
        were_open: frozenset[str] = yield self.statement("open", (list(changes),), _ids)
        given = [(flow, *columns) for flow, columns in changes.items()]
        rows: list[dict[str, Any]] = yield self.statement("count", (given,), _plain)
        return as_counted([{**row, "was_open": row["id"] in were_open} for row in rows])

    def fire_callbacks(
        self, events: Sequence[tuple[str, str]], *, wait: bool = True
    ) -> Dialogue[list[Fired]]:
        """Write callbacks: of a batch, for an event; nobody holds anything meanwhile."""
        fired: list[Fired] = yield self.statement("fire", (list(events),), as_fired)
        told: list[Job] = yield self.statement("told", (list(events),), as_told)
        yield self.statement("note_fired", (list(events),), _nothing)
        return [*fired, *(yield from self.enqueue_callbacks(told))]

    def forget_steps(self, numbers: Sequence[int]) -> Dialogue[None]:
        """Forget what jobs have waited for that are no more."""
        yield self.statement("forget_edges_to_jobs", (list(numbers),), _nothing)
        yield self.statement("forget_edges_to_flows", (list(numbers),), _nothing)
        yield self.statement("forget_steps", (list(numbers),), _nothing)


def _nothing(rows: Rows) -> None:
    return None


def _plain(rows: Rows) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]


def _ways(rows: Rows) -> list[tuple[Any, ...]]:
    return [(row["id"], row["discarded"], row["cancelled"], row["deleted"]) for row in rows]


def _ids(rows: Rows) -> frozenset[str]:
    return frozenset(row["id"] for row in rows)


def _late(rows: Rows) -> dict[int, tuple[str, float]]:
    return {row["id"]: (row["deadline"], row["late"]) for row in rows}
