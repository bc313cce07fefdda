"""The statements of unique jobs; each verb is the file of that name in ``sql/unique/``.

A statement can judge each key once. Jobs of one call that share a key are therefore written in
rounds: the first of each key, then, seeing what became of those, the second, and so on. Most of
them need no round of their own, since it is certain what would become of them (`_is_sure`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from staffa.engine import Statement
from staffa.engines.statements.area import Area, Rows
from staffa.engines.statements.jobs import describe_kind, join_args, kind_of
from staffa.jobs import Job
from staffa.types import State
from staffa.unique import Unique

_NEW_STATES = frozenset({State.AVAILABLE, State.SCHEDULED})


class Entry(NamedTuple):
    """A job that is to be written, with the key of a unique one."""

    job: Job
    key: bytes | None


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
    """What is asked of the keys of unique jobs."""

    folder = "unique"

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


@dataclass(frozen=True, slots=True)
class Rounds:
    """How the jobs of one call are written, by their places in it.

    Args:
        rounds: Those that one statement takes, in turn.
        sure: Those that are sure to be in conflict with whatever becomes of an earlier one.
    """

    rounds: Sequence[Mapping[int, Entry]]
    sure: Mapping[int, int]

    @classmethod
    def plan(cls, entries: Sequence[Entry]) -> Rounds:
        """Return the rounds of jobs."""
        rounds: list[dict[int, Entry]] = [{}]
        sure: dict[int, int] = {}
        last: dict[bytes, tuple[int, int]] = {}
        for place, entry in enumerate(entries):
            turn = 0
            if entry.key is not None:
                before, turns = last.get(entry.key, (place, 0))
                if turns and _is_sure(entries[before].job, entry.job):
                    sure[place] = before
                    continue
                turn = turns
                last[entry.key] = (place, turns + 1)
            if turn == len(rounds):
                rounds.append({})
            rounds[turn][place] = entry
        return cls(rounds, sure)

    def combine(self, results: Sequence[Mapping[int, Job]]) -> list[Job]:
        """Return all jobs in the order given, from the results of the rounds."""
        stored: dict[int, Job] = {}
        for result in results:
            stored.update(result)
        for place, before in self.sure.items():
            stored[place] = stored[before].as_conflict()
        return [stored[place] for place in sorted(stored)]


def _existing(row: Mapping[str, Any]) -> Job:
    return Job.from_row(row).as_conflict(released=row["released"])


def _is_sure(before: Job, job: Job) -> bool:
    """Tell whether a job conflicts with what becomes of another, the last one of its key.

    If that is in conflict, so is this one, with the same job, as long as nothing is overwritten and
    both look at the same. If it is written, it counts at once, in whichever state it begins.
    """
    unique = job.unique
    if unique is None or unique != before.unique or job.replace or before.replace:
        return False
    counts_at_once = unique.timestamp == "inserted_at" or before.scheduled_at is None
    return unique.watched >= _NEW_STATES and (unique.period is None or counts_at_once)


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
