"""The statement that reads what jobs of flows have come to."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.engine import Statement
from staffa.engines.statements.area import Area, Row, Rows
from staffa.jobs import Job
from staffa.recorded import FlowResults, ResultFlow

_UNREAD = {
    "queue": "default",
    "args": "{}",
    "tags": None,
    "attempt": 0,
    "max_attempts": 1,
    "priority": 0,
    "attempted_by": None,
    "inserted_at": None,
    "scheduled_at": None,
    "attempted_at": None,
    "completed_at": None,
    "cancelled_at": None,
    "discarded_at": None,
}


class ResultStatements(Area):
    """What is asked of the results of flows; the verb is a file in ``sql/flows/``."""

    folder = "flows"

    def results(
        self, flows: Sequence[str], flow: str, names: Sequence[str]
    ) -> Statement[FlowResults]:
        """Read the results of whole flows, and of named jobs of another one."""
        # Its arrays are no columns of rows, which `statement` would make of them for SQLite.
        return self.spelled(self.text("results"), (list(flows), flow, list(names)), _results)


def _results(rows: Rows) -> FlowResults:
    flows: dict[str, ResultFlow] = {}
    jobs: dict[int, tuple[str, Job]] = {}
    for row in rows:
        if row["id"] is None:
            flows[row["flow"]] = ResultFlow(row["parent"], row["place"], row["form"], row["total"])
        else:
            jobs[row["id"]] = (row["flow"], _job(row))
    return FlowResults(flows, list(jobs.values()))


def _job(row: Row) -> Job:
    return Job.from_row({**_UNREAD, **row})
