"""Jobs whose keys are new, as most are: written and their keys taken by one statement.

It judges nobody, so it needs no snapshot that is younger than its locks. Nothing is written where
it finds one of the keys, and what it wrote is taken back where somebody else has one that it did
not look for, or that was taken meanwhile, before anybody has seen it: then all jobs of the call are
judged, by other statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

from staffa.engine import Statement, Written
from staffa.engines.statements.area import Row
from staffa.engines.statements.rounds import Entry, Rounds
from staffa.jobs import Job
from staffa.types import State


class WritesNew(Protocol):
    """The statements that an attempt consists of."""

    def write_new(self, entries: Sequence[Entry]) -> Statement[Sequence[Row]]:
        """Insert jobs if all of their keys are new."""

    def note_known(self) -> None:
        """Note that somebody had a key."""

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
        self._written: Sequence[tuple[int, Row]] = ()
        self._lost = False

    def written(self, results: Sequence[Any]) -> Written:
        """Return what became of the jobs."""
        if results[-1] is not None or self._plan.sure:
            return Written.of(self.jobs(results))
        woken = (
            entry.job.queue
            for entry, (_, row) in zip(self._entries.values(), self._written, strict=True)
            if row["state"] == State.AVAILABLE
        )
        return Written([number for number, _ in self._written], {}, Counter(woken))

    def jobs(self, results: Sequence[Any]) -> list[Job]:
        """Return the jobs in the order given."""
        judged: Mapping[int, Job] | None = results[-1]
        return self._plan.combine([self._stored() if judged is None else judged])

    def _stored(self) -> dict[int, Job]:
        return {
            place: entry.job.as_enqueued({**row, "id": number})
            for (place, entry), (number, row) in zip(
                self._entries.items(), self._written, strict=True
            )
        }

    def _write_new(self) -> Statement[None]:
        statement = self._statements.write_new(list(self._entries.values()))

        def decode(rows: Sequence[Row]) -> None:
            found = statement.decode(rows)
            self._lost = any(row["lost"] for row in found)
            written = [(number, row) for row in found for number in row["ids"]]
            if len(found) > 1:
                written.sort(key=itemgetter(0))
            self._written = written
            if self._lost or not written:
                self._statements.note_known()

        return Statement(statement.sql, statement.params, decode, statement.dialect)

    def _take_back(self) -> Statement[None] | None:
        if not self._lost:
            return None
        return self._statements.take_back([number for number, _ in self._written])

    def _judge(self) -> Statement[dict[int, Job]] | None:
        if self._written and not self._lost:
            return None
        return self._statements.enqueue(self._entries)
