"""The statements of unique jobs. All that judges them is in one transaction that alone may write.

So, unlike PostgreSQL's one statement, it can read the holders of the keys, judge them here, and
then write what follows from that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from staffa.engine import Statement, Statements
from staffa.engines.sqlite.statements.jobs import JobStatements
from staffa.engines.sqlite.times import add_seconds
from staffa.engines.statements.area import Area, Idiom, Row, Rows
from staffa.engines.statements.jobs import describe_job
from staffa.engines.statements.operations import OperationStatements
from staffa.engines.statements.rounds import Entry, Rounds
from staffa.engines.statements.unique import Pruned
from staffa.jobs import Job
from staffa.statement import Part
from staffa.types import State, to_seconds

_MOST_HOLDERS = 100
_ENDED = frozenset({State.COMPLETED, State.CANCELLED, State.DISCARDED})


@dataclass(slots=True)
class Verdict:
    """What became of the jobs of a round, by their places in the call.

    Args:
        now: The time of the round.
        conflicts: The existing job of each that is not written.
        fields: Which of its columns are overwritten, where any are.
        released: Those whose existing job a queue can see now that could not before.
        staying: For each that is written, the earlier jobs that still hold its key.
        stored: What was written.
    """

    now: str = ""
    conflicts: dict[int, int] = field(default_factory=dict)
    fields: dict[int, Sequence[str]] = field(default_factory=dict)
    released: set[int] = field(default_factory=set)
    staying: dict[int, list[int]] = field(default_factory=dict)
    stored: dict[int, Job] = field(default_factory=dict)


class UniqueStatements(Area):
    """What is asked of the keys of unique jobs."""

    folder = "unique"

    def __init__(self, prefix: str, idiom: Idiom) -> None:
        super().__init__(prefix, idiom)
        self._jobs = JobStatements(prefix, idiom)
        self._operations = OperationStatements(prefix, idiom)

    def attempt(self, plan: Rounds) -> None:
        """Attempt nothing: to judge costs little in a file."""

    def take(self, keys: Sequence[bytes]) -> Statement[None]:
        """Note keys."""
        return self.statement("take", (sorted({key.hex() for key in keys}),), lambda rows: None)

    def write(self, entries: Mapping[int, Entry]) -> Sequence[Part]:
        """Return what inserts jobs; the last result has them by their places."""
        round_ = _Round(self, self._jobs, self._operations, entries)
        return [round_.read, round_.replace, round_.insert, round_.keep, round_.finish]

    def prune(self, after: str, limit: int) -> Statements[Pruned]:
        """Forget the keys of jobs that are gone, among so many after a key."""
        page: list[Row] = []

        def decode(rows: Rows) -> None:
            page[:] = rows

        def stale() -> list[str]:
            return [row["key"] for row in page if row["stale"]]

        def combine(_: list[Any]) -> Pruned:
            return Pruned(page[-1]["key"] if page else "", len(page), len(stale()))

        return Statements(
            [
                lambda: self.statement("page", (after, limit), decode),
                lambda: self.statement("forget", (stale(),), lambda rows: None),
            ],
            combine,
            self._idiom.dialect,
        )


class _Round:
    """The statements of one round; each is made of what those before it have found."""

    def __init__(
        self,
        area: UniqueStatements,
        jobs: JobStatements,
        operations: OperationStatements,
        entries: Mapping[int, Entry],
    ) -> None:
        self._area = area
        self._jobs = jobs
        self._operations = operations
        self._entries = entries
        self._verdict = Verdict()

    def read(self) -> Statement[None]:
        """Read the holders, and judge."""
        keys = [entry.key.hex() for entry in self._entries.values() if entry.key is not None]

        def decode(rows: Rows) -> None:
            self._verdict = _judge(self._entries, rows)

        return self._area.statement("holders", (keys,), decode)

    def replace(self) -> Statement[None]:
        """Overwrite."""
        verdict = self._verdict
        rows = [
            {
                "id": verdict.conflicts[place],
                "fields": {name: name for name in fields},
                "job": describe_job(self._entries[place].job),
            }
            for place, fields in verdict.fields.items()
        ]
        params = (orjson.dumps(rows).decode(), verdict.now)
        return self._area.statement("replace", params, lambda found: None)

    def insert(self) -> Statement[None]:
        """Insert those that are free."""
        free = {
            place: entry.job
            for place, entry in self._entries.items()
            if place not in self._verdict.conflicts
        }

        insert = self._jobs.enqueue(list(free.values()), self._verdict.now)

        def decode(rows: Rows) -> None:
            self._verdict.stored = dict(zip(free, insert.decode(rows), strict=True))

        return Statement(insert.sql, insert.params, decode, insert.dialect)

    def keep(self) -> Statement[None]:
        """Write who holds the keys of what was written."""
        verdict = self._verdict
        pairs = []
        for place, job in verdict.stored.items():
            key = self._entries[place].key
            if key is not None:
                pairs.append([key.hex(), [job.id, *verdict.staying.get(place, [])]])
        return self._area.statement("keep", (pairs,), lambda rows: None)

    def finish(self) -> Statement[dict[int, Job]]:
        """Read the jobs that there were."""
        verdict = self._verdict

        read = self._operations.get(sorted(set(verdict.conflicts.values())))

        def decode(rows: Rows) -> dict[int, Job]:
            existing = {job.id: job for job in read.decode(rows)}
            found = {
                place: existing[number].as_conflict(released=place in verdict.released)
                for place, number in verdict.conflicts.items()
            }
            return {**found, **verdict.stored}

        return Statement(read.sql, read.params, decode, read.dialect)


def _judge(entries: Mapping[int, Entry], rows: Rows) -> Verdict:
    verdict = Verdict(now=rows[0]["now"])
    held: dict[str, list[Row]] = {}
    for row in rows:
        if row["key"] is not None:
            held.setdefault(row["key"], []).append(row)
    for place, entry in entries.items():
        earlier = [] if entry.key is None else held.get(entry.key.hex(), [])
        counting = [row for row in earlier if _counts(entry.job, row, verdict.now)]
        if not counting:
            verdict.staying[place] = _staying(earlier)
            continue
        existing = max(counting, key=_by_id)
        verdict.conflicts[place] = existing["id"]
        fields = (entry.job.replace or {}).get(existing["state"])
        if fields is not None:
            verdict.fields[place] = fields
            if existing["state"] != State.AVAILABLE or "queue" in fields:
                verdict.released.add(place)
    return verdict


def _counts(job: Job, row: Row, now: str) -> bool:
    """Tell whether an earlier job stands in the way of a new one."""
    unique = job.unique
    if unique is None or row["state"] not in unique.watched:
        return False
    if unique.period is None:
        return True
    time: str = row["scheduled" if unique.timestamp == "scheduled_at" else "inserted"]
    try:
        return time >= add_seconds(now, -to_seconds(unique.period, "period"))
    except OverflowError:  # so far back that nothing is older
        return True


def _staying(earlier: Rows) -> list[int]:
    """Return what can still matter: all that has not ended, and the latest that ended each way."""
    stays = {row["id"] for row in earlier if row["state"] not in _ENDED}
    for state in _ENDED:
        ended = [row for row in earlier if row["state"] == state]
        for time in ("inserted", "scheduled"):
            if ended:
                stays.add(max((row[time], row["id"]) for row in ended)[1])
    return sorted(stays, reverse=True)[: _MOST_HOLDERS - 1]


def _by_id(row: Row) -> int:
    number: int = row["id"]
    return number
