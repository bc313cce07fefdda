"""The statements of operations on stored jobs; each verb is the file of that name in ``sql/jobs/``.

What they are about is a filter, or ids; its condition takes the place of a mark in the file, and
its parameters follow the file's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from staffa._internal import json
from staffa.engine import Changed, Statement, Statements
from staffa.engines.statements.area import Area, Rows
from staffa.engines.statements.conditions import (
    FILTER_MARK,
    SKIP_LOCKED,
    WAIT_MARK,
    Wanted,
    condition,
)
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.types import State

T = TypeVar("T")

CANCELLED = "cancelled while it ran, by cancel_job"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was found in a stretch of the table.

    Args:
        ids: Jobs that fit, in order.
        last: Where the stretch ended; None if nothing was left to look at.
    """

    ids: list[int]
    last: int | None


class OperationStatements(Area):
    """What clients ask of jobs that were stored before."""

    folder = "jobs"

    def get(self, ids: Sequence[int]) -> Statement[list[Job]]:
        """Read jobs by id."""
        return self.statement("get", (list(ids),), _jobs)

    def lock(self, number: int, idle: float) -> Statement[Job | None]:
        """Read a job and hold its row, for a transaction that is idle for some seconds at most."""
        return self.statement(
            "lock",
            (number, f"{int(idle * 1000)}ms"),
            lambda rows: Job.from_row(rows[0]) if rows else None,
        )

    def select(self, wanted: JobFilter, limit: int) -> Statement[list[Job]]:
        """Read jobs, the newest first."""
        return self._filtered("list", wanted, (limit,), _jobs)

    def span(self, before: int, rows: int) -> Statement[int | None]:
        """Measure a stretch of the table."""
        return self.statement("span", (before, rows), lambda found: found[0]["first"])

    def find(self, wanted: JobFilter, after: int, last: int, rows: int) -> Statement[Stretch]:
        """Read the ids of jobs in a stretch of the table."""
        return self._filtered(
            "find",
            wanted,
            (after, last, rows),
            lambda found: Stretch(list(found[0]["ids"] or ()), found[0]["last"]),
        )

    def pick(self, wanted: JobFilter) -> Statement[list[int]]:
        """Read which of a filter's ids are jobs that fit."""
        return self._filtered("pick", wanted, (), lambda rows: [row["id"] for row in rows])

    def bounds(self, wanted: JobFilter) -> Statement[tuple[int, int] | None]:
        """Read the least and the greatest id of unfinished jobs."""
        coarse = JobFilter(states=wanted.states, queues=wanted.queues)
        return self._filtered("bounds", coarse, (), _bounds, indexed=True)

    def count(self, wanted: JobFilter) -> Statement[dict[tuple[str, State], int]]:
        """Count jobs."""
        return self._filtered(
            "count",
            wanted,
            (),
            lambda rows: {(row["queue"], State(row["state"])): row["count"] for row in rows},
            indexed=wanted.ids is None,
        )

    def cancel(self, wanted: Wanted, *, wait: bool = True) -> Statement[list[Changed]]:
        """Cancel unfinished jobs."""
        return self._filtered("cancel", wanted, (CANCELLED,), _changed, wait=wait)

    def retry(self, wanted: Wanted, *, wait: bool = True) -> Statement[list[Changed]]:
        """Make jobs available at once."""
        return self._filtered("retry", wanted, (), _changed, wait=wait)

    def delete(self, wanted: Wanted, *, wait: bool = True) -> Statement[list[Changed]]:
        """Delete jobs that do not run."""
        return self._filtered("delete", wanted, (), _changed, wait=wait)

    def cancelling(self, wanted: Wanted, *, wait: bool = True) -> Statements[list[Changed]]:
        """Return all that cancels unfinished jobs."""
        return Statements.of(self.cancel(wanted, wait=wait))

    def retrying(self, wanted: Wanted, *, wait: bool = True) -> Statements[list[Changed]]:
        """Return all that makes jobs available at once."""
        return Statements.of(self.retry(wanted, wait=wait))

    def deleting(self, wanted: Wanted, *, wait: bool = True) -> Statements[list[Changed]]:
        """Return all that deletes jobs that do not run."""
        return Statements.of(self.delete(wanted, wait=wait))

    def update(self, wanted: Wanted, changes: Mapping[str, Any]) -> Statement[list[Job]]:
        """Change columns, and return the jobs."""
        return self._filtered("update", wanted, (json.dumps(dict(changes)), True), _jobs)

    def change(
        self, wanted: Wanted, changes: Mapping[str, Any], *, wait: bool = True
    ) -> Statement[list[Changed]]:
        """Change columns, and return which jobs were changed."""
        params = (json.dumps(dict(changes)), False)
        return self._filtered("update", wanted, params, _changed, wait=wait)

    def _filtered(
        self,
        verb: str,
        wanted: Wanted,
        params: tuple[Any, ...],
        decode: Callable[[Rows], T],
        *,
        wait: bool = True,
        indexed: bool = False,
    ) -> Statement[T]:
        text, more = condition(
            wanted, len(params) + 1, indexed=indexed, phrases=self._idiom.phrases
        )
        sql = self.text(verb).replace(FILTER_MARK, text)
        if not wait:
            sql = sql.replace(WAIT_MARK, SKIP_LOCKED)
        return self.spelled(sql, (*params, *more), decode)


def narrowed(wanted: JobFilter, after: int, before: int) -> JobFilter:
    """Return a filter for those of its jobs whose ids lie between two others.

    Example:
        >>> narrowed(JobFilter(before_id=5), 2, 9).before_id
        5
    """
    return replace(
        wanted,
        after_id=max(after, wanted.after_id or 0),
        before_id=before if wanted.before_id is None else min(before, wanted.before_id),
    )


def _jobs(rows: Rows) -> list[Job]:
    return [Job.from_row(row) for row in rows]


def _changed(rows: Rows) -> list[Changed]:
    return [
        Changed(
            row["id"], row["queue"], row["worker"], State(row["previous_state"]), row["attempt"]
        )
        for row in rows
    ]


def _bounds(rows: Rows) -> tuple[int, int] | None:
    (row,) = rows
    return None if row["first"] is None else (row["first"], row["last"])
