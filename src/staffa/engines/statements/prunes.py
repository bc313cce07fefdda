"""The statements of the pruner: a walk along what has ended, and the deletion of what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staffa.engine import Statement
from staffa.engines.statements.area import Area, Rows
from staffa.maintenance import Finished
from staffa.types import State

_FIRST = ("-infinity", -(2**63))
_LAST = ("infinity", 2**63 - 1)


class PruneStatements(Area):
    """What is asked of finished jobs."""

    folder = "jobs"

    def find_oldest(
        self, state: State, *, age: float, after: Finished | None, limit: int
    ) -> Statement[list[Finished]]:
        """Walk from the job that ended first."""
        place = _FIRST if after is None else (after.ended_at, after.id)
        return self.statement("oldest_finished", (state.value, age, *place, limit), _decode(state))

    def find_newest(
        self, state: State, *, age: float, before: Finished | None, limit: int
    ) -> Statement[list[Finished]]:
        """Walk from the job that ended last."""
        place = _LAST if before is None else (before.ended_at, before.id)
        return self.statement("newest_finished", (state.value, age, *place, limit), _decode(state))

    def prune(self, jobs: Sequence[Finished]) -> Statement[frozenset[int]]:
        """Delete what has not changed."""
        return self.statement(
            "prune",
            ([job.id for job in jobs], [job.version for job in jobs]),
            lambda rows: frozenset(row["id"] for row in rows),
        )


def _decode(state: State) -> Callable[[Rows], list[Finished]]:
    def decode(rows: Rows) -> list[Finished]:
        return [Finished(state=state, **row) for row in rows]

    return decode
