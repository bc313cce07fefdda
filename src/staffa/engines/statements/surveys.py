"""The statements of looking at what goes on."""

from __future__ import annotations

from uuid import UUID

from staffa.engine import Statement
from staffa.engines.statements.area import Area, Row, Rows
from staffa.engines.statements.queues import control_of
from staffa.survey import ControlStatus, Outcomes, ProducerStatus, Running, Waiting
from staffa.types import State

MOST_LATER = 10_000
"""How many scheduled and retryable jobs are looked at for those that failed."""
MOST_OUTCOMES = 100_000
"""How many jobs of a state are counted by worker, in about a second: that is asked by hand."""


class SurveyStatements(Area):
    """What is asked of the jobs table to look on."""

    folder = "jobs"

    def count_running(self) -> Statement[list[Running]]:
        """Count running jobs."""
        return self.statement("count_running", (), lambda rows: [Running(**row) for row in rows])

    def count_waiting(self, most: int) -> Statement[list[Waiting]]:
        """Count waiting jobs."""
        return self.statement(
            "count_waiting",
            (most,),
            lambda rows: [Waiting(**{**row, "state": State(row["state"])}) for row in rows],
        )

    def count_ended(self, seconds: float) -> Statement[dict[tuple[str, State], int]]:
        """Count attempts that have ended lately."""
        return self.statement(
            "count_ended",
            (seconds, MOST_LATER),
            lambda rows: {(row["queue"], State(row["state"])): row["count"] for row in rows},
        )

    def count_outcomes(self, seconds: float) -> Statement[list[Outcomes]]:
        """Count by worker how attempts have ended lately."""
        return self.statement(
            "count_outcomes",
            (seconds, MOST_OUTCOMES),
            lambda rows: [Outcomes(**row) for row in rows],
        )

    def list_running(self, limit: int) -> Statement[list[int]]:
        """Read the ids of running jobs."""
        return self.statement("list_running", (limit,), _ids)

    def list_failed(self, limit: int) -> Statement[list[int]]:
        """Read the ids of failed jobs."""
        return self.statement("list_failed", (limit, MOST_LATER), _ids)

    def count_workers(self) -> Statement[dict[str, int]]:
        """Count waiting jobs by worker."""
        return self.statement(
            "count_workers",
            (),
            lambda rows: {row["worker"]: row["count"] for row in rows},
        )


class NodeSurveyStatements(Area):
    """What is asked of the producers' rows to look on."""

    folder = "producers"

    def list_producers(self) -> Statement[list[ProducerStatus]]:
        """Read producers."""
        return self.statement("list", (), lambda rows: [_producer_of(row) for row in rows])


class QueueSurveyStatements(Area):
    """What is asked of the queues' rows to look on."""

    folder = "queues"

    def list_controls(self, instance: str) -> Statement[list[ControlStatus]]:
        """Read what is set about queues."""
        return self.statement(
            "list",
            (instance,),
            lambda rows: [
                ControlStatus(control=control_of(row), changed_at=row["changed_at"]) for row in rows
            ],
        )


def _ids(rows: Rows) -> list[int]:
    return [row["id"] for row in rows]


def _producer_of(row: Row) -> ProducerStatus:
    known = {"uuid": UUID(str(row["uuid"])), "leads": bool(row["leads"])}
    return ProducerStatus(**{**row, **known})
