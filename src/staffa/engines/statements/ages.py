"""The statements of the prioritizer: a walk along what waits, and the rise of what was found."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.engine import Statement
from staffa.engines.statements.area import Area, Rows
from staffa.waiting import Level, Waiting

_FIRST_LEVEL = ("", 0)
_FIRST_JOB = ("-infinity", -(2**63))


class AgeStatements(Area):
    """What is asked of jobs that wait."""

    folder = "jobs"

    def find_levels(self, *, after: Level | None, limit: int) -> Statement[list[Level]]:
        """Find the priorities of each queue's jobs."""
        place = _FIRST_LEVEL if after is None else (after.queue, after.priority)
        return self.statement(
            "levels", (*place, limit), lambda rows: [Level(**row) for row in rows]
        )

    def find_oldest(
        self, level: Level, *, age: float, after: Waiting | None, limit: int
    ) -> Statement[list[Waiting]]:
        """Walk from the job that has waited longest."""
        place = _FIRST_JOB if after is None else (after.due_since, after.id)

        def decode(rows: Rows) -> list[Waiting]:
            return [Waiting(queue=level.queue, priority=level.priority, **row) for row in rows]

        return self.statement(
            "oldest_waiting", (level.queue, level.priority, age, *place, limit), decode
        )

    def raise_to(
        self, jobs: Sequence[Waiting], priorities: Sequence[int]
    ) -> Statement[frozenset[int]]:
        """Raise what has not changed."""
        return self.statement(
            "raise",
            (
                [job.id for job in jobs],
                [job.due_since for job in jobs],
                [job.priority for job in jobs],
                [job.own_priority for job in jobs],
                list(priorities),
            ),
            lambda rows: frozenset(row["id"] for row in rows),
        )
