"""The statements that give up leases: what a stopping or dead producer held, and the unrunnable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from staffa.engine import Producer, Rescued, Statement
from staffa.engines.statements.area import Area, Rows
from staffa.types import State

_OVER_RESCUED = "its process died {count} times while it ran: see max_rescues"
_EXHAUSTED = "no attempts are left"


class RescueStatements(Area):
    """What frees jobs that nobody runs any more."""

    folder = "jobs"

    def release(
        self, producer: Producer, *, queue: str | None, running: Sequence[int]
    ) -> Statement[frozenset[str]]:
        """Put back what a producer holds but does not run."""
        return self.statement(
            "release",
            (str(producer.uuid), queue, list(running)),
            lambda rows: frozenset(row["queue"] for row in rows),
        )

    def rescue(
        self, dead: Mapping[UUID, int], *, max_rescues: int, limit: int
    ) -> Statement[list[Rescued]]:
        """Take jobs away from dead producers."""
        error = _OVER_RESCUED.format(count=max_rescues + 1)
        return self.statement(
            "rescue",
            (list(dead), list(dead.values()), max_rescues, limit, error),
            _rescued,
        )

    def rescue_foreign(self, *, age: float, limit: int) -> Statement[list[Rescued]]:
        """Take old jobs away from other implementations."""
        return self.statement("rescue_foreign", (age, limit, _EXHAUSTED), _rescued)

    def discard_exhausted(self, *, limit: int) -> Statement[list[Rescued]]:
        """Discard available jobs without attempts left."""
        return self.statement("discard_exhausted", (limit, _EXHAUSTED), _rescued)


def _rescued(rows: Rows) -> list[Rescued]:
    return [
        Rescued(row["id"], row["queue"], row["worker"], State(row["state"]), row["attempt"])
        for row in rows
    ]
