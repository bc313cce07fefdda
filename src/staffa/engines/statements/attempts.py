"""Jobs whose keys are new, as most are: written and their keys taken by one statement.

It judges nobody, so it needs no snapshot that is younger than its locks. Nothing is written where
it finds one of the keys. Where somebody else has one that it did not look for, or that was taken
meanwhile, it fails if it is a transaction of its own; else what it wrote is taken back, before
anybody has seen it. Then all jobs of the call are judged, by other statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from staffa.engine import Alone, Statement, Written
from staffa.engines.statements.area import Row
from staffa.engines.statements.rounds import Entry, Rounds
from staffa.jobs import Job
from staffa.types import State

T = TypeVar("T")


class WritesNew(Protocol):
    """The statements that an attempt consists of."""

    @property
    def wary(self) -> bool:
        """Whether keys of the next jobs are likely to be there."""

    def insert_new(self, entries: Sequence[Entry]) -> Statement[Sequence[Row]]:
        """Insert jobs if all of their keys are new, in a transaction of its own."""

    def write_new(self, entries: Sequence[Entry]) -> Statement[Sequence[Row]]:
        """Insert jobs if all of their keys are new."""

    def note_known(self) -> None:
        """Note that somebody had a key, or was likely to."""

    def take_back(self, ids: Sequence[int]) -> Statement[None]:
        """Delete jobs that were just written."""

    def enqueue(self, entries: Mapping[int, Entry]) -> Statement[dict[int, Job]]:
        """Insert jobs whose keys were taken, by their places."""


class Attempt:
    """The statements of one call, each made of what the one before it has found.

    Args:
        statements: Makes them.
        plan: The jobs, in a single round.
    """

    def __init__(self, statements: WritesNew, plan: Rounds) -> None:
        self.parts: Sequence[Callable[[], Statement[Any] | None]] = [
            self._write_new,
            self._take_back,
            self._judge,
        ]
        self._statements = statements
        self._plan = plan
        (self._entries,) = plan.rounds
        self._groups: Sequence[Row] = ()
        self._lost = False

    def alone(self, tell: Callable[[Sequence[Any]], T]) -> Alone[T] | None:
        """Return what mostly does all of it by one statement; None where it would not.

        Args:
            tell: `written` or `jobs` of this attempt.
        """
        if self._statements.wary:
            return None

        def make() -> Statement[T | None]:
            statement = self._statements.insert_new(list(self._entries.values()))

            def decode(rows: Sequence[Row]) -> T | None:
                self._groups = statement.decode(rows)
                return tell([None]) if self._groups else None

            return Statement(statement.sql, statement.params, decode, statement.dialect)

        return Alone(make, self._statements.note_known)

    def written(self, results: Sequence[Any]) -> Written:
        """Return what became of the jobs."""
        if results[-1] is not None or self._plan.sure:
            return Written.of(self.jobs(results))
        available = {
            number
            for group in self._groups
            if group["state"] == State.AVAILABLE
            for number in group["ids"]
        }
        ids = self._ids()
        woken = (
            entry.job.queue
            for entry, number in zip(self._entries.values(), ids, strict=True)
            if number in available
        )
        return Written(ids, {}, Counter(woken))

    def jobs(self, results: Sequence[Any]) -> list[Job]:
        """Return the jobs in the order given."""
        judged: Mapping[int, Job] | None = results[-1]
        return self._plan.combine([self._stored() if judged is None else judged])

    def _stored(self) -> dict[int, Job]:
        groups = {number: group for group in self._groups for number in group["ids"]}
        return {
            place: entry.job.as_enqueued({**groups[number], "id": number})
            for (place, entry), number in zip(self._entries.items(), self._ids(), strict=True)
        }

    def _ids(self) -> list[int]:
        """Return the ids of what was written, in the order given."""
        return sorted(number for group in self._groups for number in group["ids"])

    def _write_new(self) -> Statement[None]:
        statement = self._statements.write_new(list(self._entries.values()))

        def decode(rows: Sequence[Row]) -> None:
            self._groups = statement.decode(rows)
            self._lost = any(group["lost"] for group in self._groups)
            if self._lost or not self._groups:
                self._statements.note_known()

        return Statement(statement.sql, statement.params, decode, statement.dialect)

    def _take_back(self) -> Statement[None] | None:
        if not self._lost:
            return None
        return self._statements.take_back(self._ids())

    def _judge(self) -> Statement[dict[int, Job]] | None:
        if self._groups and not self._lost:
            return None
        return self._statements.enqueue(self._entries)
