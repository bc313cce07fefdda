"""The statements of unique jobs; each verb is the file of that name in ``sql/unique/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

import orjson

from staffa.engine import Statement
from staffa.engines.statements.area import Area, Rows
from staffa.engines.statements.attempts import Attempt
from staffa.engines.statements.jobs import describe_jobs, describe_kind, join_args, kind_of
from staffa.engines.statements.rounds import Entry, Rounds
from staffa.jobs import Job
from staffa.unique import Unique

_LOOKED_FOR = 32
_WARY = 100


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one look at a page of keys found.

    Args:
        stopped_at: The last key, in hexadecimal; empty at the end of the table.
        seen: How many keys there were.
        forgotten: How many of them went.
    """

    stopped_at: str
    seen: int
    forgotten: int


class UniqueStatements(Area):
    """What is asked of the keys of unique jobs.

    To look for each key before it is taken is a sixth of what a new job costs. So of many, some are
    looked for, which finds those that are enqueued once more; until a key was there that was not
    looked for: then all are, for a while.
    """

    folder = "unique"
    _wary = 0

    @property
    def wary(self) -> bool:
        """Whether somebody had a key a short while ago."""
        return self._wary > 0

    def note_known(self) -> None:
        """Note that somebody had a key: the next ones are looked for, each of them."""
        self._wary = _WARY

    def attempt(self, plan: Rounds) -> Attempt:
        """Return what inserts the jobs of one round, at once if all of their keys are new."""
        return Attempt(self, plan)

    def insert_new(self, entries: Sequence[Entry]) -> Statement[Rows]:
        """Insert jobs if all of their keys are new, in a transaction of its own."""
        return self._new("insert_new", entries)

    def write_new(self, entries: Sequence[Entry]) -> Statement[Rows]:
        """Do the same in a transaction that goes on, whatever comes of it."""
        return self._new("write_new", entries)

    def _new(self, verb: str, entries: Sequence[Entry]) -> Statement[Rows]:
        keys = [None if entry.key is None else entry.key.hex() for entry in entries]
        step = 1 if self._wary else max(len(keys) // _LOOKED_FOR, 1)
        self._wary = max(self._wary - 1, 0)
        params = (describe_jobs([entry.job for entry in entries]), keys, keys[::step])
        return self.statement(verb, params, lambda rows: rows)

    def take_back(self, ids: Sequence[int]) -> Statement[None]:
        """Delete jobs that were just written."""
        return self.statement("take_back", (list(ids),), lambda rows: None)

    def take(self, keys: Sequence[bytes]) -> Statement[None]:
        """Take keys, in their order."""
        return self.statement("take", (sorted({key.hex() for key in keys}),), lambda rows: None)

    def enqueue(self, entries: Mapping[int, Entry]) -> Statement[dict[int, Job]]:
        """Insert jobs whose keys were taken, by their places; no two have the same key."""

        def decode(rows: Rows) -> dict[int, Job]:
            return {
                place: _existing(row) if row["conflict"] else entry.job.as_enqueued(row)
                for (place, entry), row in zip(entries.items(), rows, strict=True)
            }

        kinds: list[dict[str, Any]] = []
        places: list[int] = []
        for _, alike in groupby(entries.values(), _kind_of):
            run = list(alike)
            kinds.append(_describe(run[0]))
            places += [len(kinds)] * len(run)
        keys = [None if entry.key is None else entry.key.hex() for entry in entries.values()]
        args = join_args(entry.job for entry in entries.values())
        params = (_dump(kinds), args, _dump(keys), _dump(places))
        return self.statement("enqueue", params, decode)

    def write(self, entries: Mapping[int, Entry]) -> Sequence[Callable[[], Statement[Any]]]:
        """Return what inserts jobs whose keys were taken: here it is one statement."""
        return [partial(self.enqueue, entries)]

    def prune(self, after: str, limit: int) -> Statement[Pruned]:
        """Forget the keys of jobs that are gone, among so many after a key."""

        def decode(rows: Rows) -> Pruned:
            (row,) = rows
            return Pruned(row["stopped_at"] or "", row["seen"], row["forgotten"])

        return self.statement("prune", (after, limit), decode)


def _existing(row: Mapping[str, Any]) -> Job:
    return Job.from_row(row).as_conflict(released=row["released"])


def _kind_of(entry: Entry) -> tuple[Any, ...]:
    job = entry.job
    return kind_of(job), job.unique, job.replace


def _describe(entry: Entry) -> dict[str, Any]:
    """Return what jobs of a kind have in common, as enqueue.sql reads it."""
    described = describe_kind(entry.job)
    unique = entry.job.unique
    if entry.key is not None and unique is not None:
        described["replace"] = entry.job.replace
        described.update(_describe_options(unique))
    return described


def _dump(value: list[Any]) -> str:
    return orjson.dumps(value).decode()


@lru_cache(maxsize=256)
def _describe_options(unique: Unique) -> dict[str, Any]:
    return {
        "states": sorted(unique.watched),
        "period": unique.period,
        "by_schedule": unique.timestamp == "scheduled_at",
    }
