"""What really happened to jobs, written down by the database and by the jobs themselves.

Three sources, none of which is ever changed or deleted:

- **changes**: a trigger on the jobs table writes each change of state or lease in the transaction
  that makes it, so they are exactly what the database has committed, in order for each job;
- **marks**: jobs write that they begin, and how they are about to end, under their lease, over
  connections of their own in autocommit (`tests.chaos.marks`);
- **notes**: what those who enqueue, cancel and kill know, as lines of a file (`tests.chaos.notes`).

`install` makes the tables in the schema of the jobs, `read_history` reads them into a `History`,
which the oracles judge. Times are of the database's clock, or of the machine that it runs on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import asyncpg

from staffa._internal.identifiers import quote_identifier

FINAL = frozenset({"completed", "cancelled", "discarded"})
_INSTALL = Path(__file__).with_name("install.sql")


class Step(StrEnum):
    """What a change did; a change that is none of these is one that nothing in Staffa makes."""

    INSERT = "insert"
    CLAIM = "claim"
    COMPLETE = "complete"
    FAIL = "fail"
    SNOOZE = "snooze"
    CANCEL = "cancel"
    DISCARD = "discard"
    PUT_BACK = "put back"
    RESCUE = "rescue"
    STAGE = "stage"
    RETRY = "retry"
    RELEASE = "release"
    SUSPEND = "suspend"
    DELETE = "delete"
    EDIT = "edit"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to end one run of a job."""

    job: int
    attempt: int
    attempted_at: datetime
    producer: str


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of a job that a change is told by."""

    state: str
    attempt: int = 0
    max_attempts: int = 20
    attempted_at: datetime | None = None
    producer: str | None = None
    scheduled_at: datetime | None = None
    rescued: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a job's row that was committed.

    Args:
        seq: Its place; exact among the changes of one job, and of those that wait for each other.
        at: When.
        job: Whose.
        before: The row before it; None if the job was inserted.
        after: The row after it; None if it was deleted.
        worker: The job's worker.
        args: The job's args.
        meta: The job's meta when it was inserted; empty later.
    """

    seq: int
    at: datetime
    job: int
    before: Row | None
    after: Row | None
    worker: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended_lease(self) -> Lease | None:
        """The lease that it ended, if it did."""
        ended = self.step not in {Step.CLAIM, Step.EDIT}
        return _lease(self.job, self.before) if ended else None

    @property
    def begun_lease(self) -> Lease | None:
        """The lease that it began, if it did."""
        before, after = _lease(self.job, self.before), _lease(self.job, self.after)
        return after if after != before else None

    @property
    def step(self) -> Step:
        """What it did."""
        before, after = self.before, self.after
        if before is None:
            return Step.INSERT
        if after is None:
            return Step.DELETE
        if before.state == after.state:
            same = _lease(self.job, before) == _lease(self.job, after)
            return Step.EDIT if same else Step.UNKNOWN
        if before.state == "executing" and after.state == "available":
            return Step.RESCUE if after.rescued > before.rescued else Step.PUT_BACK
        if before.state == "suspended" and after.state == "available":
            return Step.RELEASE
        if after.state == "available" and before.scheduled_at != after.scheduled_at:
            return Step.RETRY if before.state != "executing" else Step.UNKNOWN
        return _STEPS.get((before.state, after.state), Step.UNKNOWN)


_WAITING = ("available", "scheduled", "retryable", "suspended")
_STEPS: Mapping[tuple[str, str], Step] = {
    ("available", "executing"): Step.CLAIM,
    ("executing", "completed"): Step.COMPLETE,
    ("executing", "retryable"): Step.FAIL,
    ("executing", "scheduled"): Step.SNOOZE,
    ("executing", "discarded"): Step.DISCARD,
    ("available", "discarded"): Step.DISCARD,
    ("scheduled", "available"): Step.STAGE,
    ("retryable", "available"): Step.STAGE,
    ("available", "scheduled"): Step.EDIT,
    ("suspended", "scheduled"): Step.RELEASE,
    **{(state, "suspended"): Step.SUSPEND for state in (*FINAL, "available", "scheduled")},
    **{(state, "cancelled"): Step.CANCEL for state in ("executing", *_WAITING)},
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What a running job wrote.

    Args:
        seq: Its place among the marks.
        at: When it was written, on the database's clock.
        kind: "begun"; "completing", "failing", "snoozing", "cancelling" or "discarding" right
            before the function ends in that way, "dying" before it takes its process along;
            "stored" after its `checkpoint` is; or what a scenario adds.
        lease: Under which lease.
        pid: In which process.
        detail: What a scenario adds.
    """

    seq: int
    at: datetime
    kind: str
    lease: Lease
    pid: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life of a producer; the one without a number is the removal of its row."""

    seq: int
    at: datetime
    producer: str
    node: str
    beats: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody outside of the database knows.

    Args:
        kind: "committed" or "uncertain" with `ids` and `tokens`; "cancelling" or "retrying" with
            `job`, before that is done; "child killed" with `node`, before it; "died" with `node`,
            and "outage" with `seconds`, after it.
        at: When, on the clock of this machine.
        data: The rest.
    """

    kind: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tenure:
    """A lease from its claim to its end."""

    lease: Lease
    claim: Change
    end: Change | None


@dataclass(frozen=True)
class History:
    """All that is known of a run.

    Args:
        changes: By their place.
        marks: By their place.
        beats: By their place.
        notes: In any order.
        effects: Tokens of the rows that were written beside jobs in the same transaction.
    """

    changes: Sequence[Change] = ()
    marks: Sequence[Mark] = ()
    beats: Sequence[Beat] = ()
    notes: Sequence[Note] = ()
    effects: frozenset[str] = frozenset()

    @cached_property
    def of_job(self) -> Mapping[int, list[Change]]:
        """The changes of each job."""
        found: dict[int, list[Change]] = {}
        for change in self.changes:
            found.setdefault(change.job, []).append(change)
        return found

    @cached_property
    def marks_of(self) -> Mapping[Lease, list[Mark]]:
        """The marks of each lease."""
        found: dict[Lease, list[Mark]] = {}
        for mark in self.marks:
            found.setdefault(mark.lease, []).append(mark)
        return found

    @cached_property
    def tenures(self) -> Sequence[Tenure]:
        """All leases, in the order of their claims."""
        ends = {lease: change for change in self.changes if (lease := change.ended_lease)}
        return [
            Tenure(lease, change, ends.get(lease))
            for change in self.changes
            if (lease := change.begun_lease) is not None
        ]

    def noted(self, *kinds: str) -> Iterable[Note]:
        """Return the notes of some kinds."""
        return (note for note in self.notes if note.kind in kinds)

    def steps(self, step: Step) -> int:
        """Return how often something was done."""
        return sum(change.step is step for change in self.changes)

    def last_state(self, job: int) -> str | None:
        """Return the state that a job is in at the end; None if it is gone, or never was."""
        changes = self.of_job.get(job)
        after = changes[-1].after if changes else None
        return None if after is None else after.state


async def install(connection: asyncpg.Connection, prefix: str) -> None:
    """Have a schema's history kept from now on."""
    statements = _INSTALL.read_text("utf-8").replace(':"prefix"', quote_identifier(prefix))
    await connection.execute(statements)


async def read_history(
    connection: asyncpg.Connection,
    prefix: str,
    *,
    notes: Sequence[Note] = (),
    effects: Iterable[str] = (),
) -> History:
    """Return what a schema's history says.

    Args:
        connection: Where it is.
        prefix: The schema of the jobs.
        notes: What was noted outside of it.
        effects: Tokens of what was written beside jobs.
    """
    schema = quote_identifier(prefix)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        changes = await connection.fetch(f"SELECT * FROM {schema}.history_changes ORDER BY seq")
        marks = await connection.fetch(f"SELECT * FROM {schema}.history_marks ORDER BY seq")
        beats = await connection.fetch(f"SELECT * FROM {schema}.history_beats ORDER BY seq")
    return History(
        changes=[_change(dict(row)) for row in changes],
        marks=[_mark(dict(row)) for row in marks],
        beats=[Beat(*row.values()) for row in beats],
        notes=notes,
        effects=frozenset(effects),
    )


def _lease(job: int, row: Row | None) -> Lease | None:
    if row is None or row.state != "executing":
        return None
    if row.attempted_at is None or row.producer is None:
        return None
    return Lease(job, row.attempt, row.attempted_at, row.producer)


def _change(row: Mapping[str, Any]) -> Change:
    return Change(
        seq=row["seq"],
        at=row["at"],
        job=row["job"],
        before=_row(row["before"]),
        after=_row(row["after"]),
        worker=row["worker"],
        args=json.loads(row["args"]),
        meta=json.loads(row["meta"]),
    )


def _row(text: str | None) -> Row | None:
    if text is None:
        return None
    columns = json.loads(text)
    for name in ("attempted_at", "scheduled_at"):
        if columns[name] is not None:
            columns[name] = datetime.fromisoformat(columns[name])
    return Row(**columns)


def _mark(row: Mapping[str, Any]) -> Mark:
    lease = Lease(row["job"], row["attempt"], row["attempted_at"], row["producer"])
    detail = json.loads(row["detail"])
    return Mark(row["seq"], row["at"], row["kind"], lease, row["pid"], detail)
