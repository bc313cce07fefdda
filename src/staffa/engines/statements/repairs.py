"""The statements of the sweep that looks for what was not followed; verbs of ``sql/flows/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from staffa.engine import Statement
from staffa.engines.statements.area import Area, Row, Rows

COLUMNS = (
    "total",
    "suspended",
    "completed",
    "cancelled",
    "discarded",
    "deleted",
    "attempted",
    "inner_open",
)


@dataclass(frozen=True, slots=True)
class Stray:
    """What has ended though edges to it are open.

    Args:
        root: The root of what waits for it.
        needs: A job, or a flow.
        ended: How a job has ended.
        own: Whether a node of ours has ended it.
    """

    root: str
    needs: int | str
    ended: str
    own: bool


@dataclass(frozen=True, slots=True)
class Recount:
    """A flow: the counts that it has, and what was counted anew.

    Args:
        id: The flow.
        root: Its root.
        counts: By column, what its row says.
        found: By column, what its jobs say; nothing of those that were deleted.
    """

    id: str
    root: str
    counts: Mapping[str, int]
    found: Mapping[str, int]


class RepairStatements(Area):
    """What is asked of flows that nobody has looked at for long."""

    folder = "flows"

    def take(self, age: float, age_for_each: float, limit: int) -> Statement[list[str]]:
        """Take open flows that were not looked at for an age in seconds, longer for large ones."""
        return self.statement(
            "take_unchecked",
            (age, age_for_each, limit),
            lambda rows: [row["id"] for row in rows],
        )

    def find_strays(self, roots: Sequence[str], limit: int) -> Statement[list[Stray]]:
        """Read what has ended though something waits for it."""
        return self.statement("strays", (list(roots), limit), _strays)

    def recount(self, flows: Sequence[str]) -> Statement[list[Recount]]:
        """Count the jobs of flows anew."""
        return self.statement("count_jobs", (list(flows),), lambda rows: list(map(_recount, rows)))


def _strays(rows: Rows) -> list[Stray]:
    return [
        Stray(
            row["root"],
            row["needs_flow"] if row["needs_job"] is None else row["needs_job"],
            row["ended"],
            bool(row["own"]),
        )
        for row in rows
    ]


def _recount(row: Row) -> Recount:
    found = {name: row[f"found_{name}"] for name in COLUMNS if name != "deleted"}
    return Recount(row["id"], row["root"], {name: row[name] for name in COLUMNS}, found)
