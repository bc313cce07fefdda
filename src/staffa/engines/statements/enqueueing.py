"""What is run to enqueue jobs: mostly one statement, several in a transaction where one won't do.

A statement takes a limited number of jobs and characters of JSON. Unique jobs need their keys taken
first: all keys of the call, in their order, before any job is judged, so that calls that share
keys wait for each other instead of ending in a deadlock. Where one statement can do it, it is
attempted to write the jobs with their keys, which comes off if all keys are new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from operator import itemgetter
from typing import Any, Protocol, TypeVar

from staffa.engine import Alone, Prepared, Statement, Statements, Told, Written
from staffa.engines.statements.chains import ChainedWrite, ChainStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.rounds import Entry, Rounds
from staffa.jobs import Job
from staffa.statement import Part

MAX_JOBS = 5_000
MAX_CHARACTERS = 8 * 1024 * 1024
MAX_KEYS = 50_000

T = TypeVar("T")


class Attempts(Protocol):
    """The statements of a call that may come off at once; the results of all tell the outcome."""

    @property
    def parts(self) -> Sequence[Part]:
        """Make the statements."""

    def alone(self, tell: Callable[[Sequence[Any]], T]) -> Alone[T] | None:
        """Return what mostly does all of it by one statement; None where it would not."""

    def jobs(self, results: Sequence[Any]) -> list[Job]:
        """Return the jobs in the order given."""

    def written(self, results: Sequence[Any]) -> Written:
        """Return what became of them for who wants their ids alone."""


class WritesUnique(Protocol):
    """The statements of unique jobs."""

    def attempt(self, plan: Rounds) -> Attempts | None:
        """Return what inserts the jobs of one round at once if all keys are new; None for nothing.

        It takes the keys itself.
        """

    def take(self, keys: Sequence[bytes]) -> Statement[None]:
        """Take keys, in their order."""

    def write(self, entries: Mapping[int, Entry]) -> Sequence[Part]:
        """Return what inserts jobs no two of which have the same key, once their keys are taken.

        The last part's result has what became of them, by their places.
        """


class _Chunk(Protocol):
    """The jobs that are written by some statements one after the other."""

    @property
    def parts(self) -> Sequence[Part]:
        """Make the statements."""

    def combine(self, results: list[Any]) -> list[Job]:
        """Return the jobs in the order given."""


class EnqueueStatements:
    """Puts together what enqueues jobs.

    Args:
        jobs: The statements of jobs.
        unique: The statements of unique jobs.
        chains: The statements of chains.
        prepare: What they need on a connection, if anything.
    """

    def __init__(
        self,
        jobs: JobStatements,
        unique: WritesUnique,
        chains: ChainStatements,
        prepare: Callable[[Any], None] | None = None,
    ) -> None:
        self._jobs = jobs
        self._unique = unique
        self._chains = chains
        self._dialect = jobs.dialect
        self._prepare = prepare

    def statements(self, jobs: Sequence[Job] | Prepared, told: Told) -> Statements[Any]:
        """Return what inserts jobs and returns them, or what is enough for who wants their ids."""
        if isinstance(jobs, Prepared):
            return jobs.statements
        return self.enqueue(jobs) if told == "jobs" else self.write(jobs)

    def single(
        self, jobs: Sequence[Job] | Prepared, told: Told, *, wake: bool
    ) -> Statement[Any] | None:
        """Return what inserts jobs if they are one that a plain insert does for."""
        if isinstance(jobs, Prepared) or told != "jobs" or not self._jobs.is_single(jobs):
            return None
        return self._jobs.enqueue_one(jobs[0], wake=wake)

    def prepare(self, jobs: Sequence[Job]) -> Prepared:
        """Return the second of these with as much done as can be done without the database."""
        return Prepared(self.write(jobs).begun())

    def enqueue(self, jobs: Sequence[Job]) -> Statements[list[Job]]:
        """Return what inserts jobs, all or none, in the order given."""
        if any(job.chain is not None for job in jobs):
            return self._enqueue_chained([job.on_chain() for job in jobs])
        return self._enqueue(jobs)

    def _enqueue_chained(self, jobs: Sequence[Job]) -> Statements[list[Job]]:
        write = ChainedWrite(self._chains, jobs, self._enqueue(jobs))
        return self._together(write.parts, write.combine)

    def _enqueue(self, jobs: Sequence[Job]) -> Statements[list[Job]]:
        if len(jobs) == 1 and jobs[0].unique is None:  # as most calls have it
            return self._together([partial(self._jobs.enqueue, jobs)], itemgetter(0))
        entries = [Entry(job, job.unique_key) for job in jobs]
        attempt = self._attempt(entries)
        if attempt is not None:
            return self._together(attempt.parts, attempt.jobs, attempt.alone(attempt.jobs))
        keys = sorted({entry.key for entry in entries if entry.key is not None})
        takes: list[Part] = [
            partial(self._unique.take, keys[start : start + MAX_KEYS])
            for start in range(0, len(keys), MAX_KEYS)
        ]
        chunks = [self._chunk(entries[piece]) for piece in _pieces(jobs)]

        def combine(results: list[Any]) -> list[Job]:
            stored: list[Job] = []
            start = len(takes)
            for chunk in chunks:
                end = start + len(chunk.parts)
                stored.extend(chunk.combine(results[start:end]))
                start = end
            return stored

        return self._together(
            [*takes, *(part for chunk in chunks for part in chunk.parts)], combine
        )

    def write(self, jobs: Sequence[Job]) -> Statements[Written]:
        """Return what does the same for who wants their ids alone."""
        if any(job.chain is not None for job in jobs):
            chained = self.enqueue(jobs)
            return self._together(
                chained.parts, lambda results: Written.of(chained.combine(results))
            )
        if any(job.unique is not None for job in jobs):
            attempt = self._attempt([Entry(job, job.unique_key) for job in jobs])
            if attempt is not None:
                alone = attempt.alone(attempt.written)
                return self._together(attempt.parts, attempt.written, alone)
            unique = self.enqueue(jobs)
            return self._together(unique.parts, lambda results: Written.of(unique.combine(results)))
        parts = [partial(self._jobs.write, jobs[piece]) for piece in _pieces(jobs)]
        return self._together(parts, Written.together)

    def _attempt(self, entries: Sequence[Entry]) -> Attempts | None:
        """Return what may come off at once, if one statement can take jobs some of them unique."""
        if all(entry.key is None for entry in entries):
            return None
        if len(list(_pieces([entry.job for entry in entries]))) > 1:
            return None
        plan = Rounds.plan(entries)
        return self._unique.attempt(plan) if len(plan.rounds) == 1 else None

    def _together(
        self,
        parts: Sequence[Part],
        combine: Callable[[list[Any]], T],
        alone: Alone[T] | None = None,
    ) -> Statements[T]:
        return Statements(parts, combine, self._dialect, self._prepare, alone)

    def _chunk(self, entries: Sequence[Entry]) -> _Chunk:
        if any(entry.key is not None for entry in entries):
            return _UniqueChunk(self._unique, Rounds.plan(entries))
        return _PlainChunk(self._jobs, [entry.job for entry in entries])


class _PlainChunk:
    """Jobs that are written whatever else there is."""

    def __init__(self, statements: JobStatements, jobs: Sequence[Job]) -> None:
        self.parts: Sequence[Part] = [partial(statements.enqueue, jobs)]

    def combine(self, results: list[Any]) -> list[Job]:
        """Return the jobs in the order given."""
        stored: list[Job] = results[0]
        return stored


class _UniqueChunk:
    """Jobs some of which are unique."""

    def __init__(self, statements: WritesUnique, plan: Rounds) -> None:
        rounds = [statements.write(entries) for entries in plan.rounds]
        self.parts: Sequence[Part] = [part for parts in rounds for part in parts]
        self._ends = [end - 1 for end in accumulate(map(len, rounds))]
        self._plan = plan

    def combine(self, results: list[Any]) -> list[Job]:
        """Return the jobs in the order given."""
        return self._plan.combine([results[end] for end in self._ends])


def _pieces(jobs: Sequence[Job]) -> Iterator[slice]:
    """Yield where pieces are that a statement can take."""
    start, characters = 0, 0
    for place, job in enumerate(jobs):
        size = len(job.args_json) + len(job.meta_json)
        if place > start and (place - start == MAX_JOBS or characters + size > MAX_CHARACTERS):
            yield slice(start, place)
            start, characters = place, 0
        characters += size
    if start < len(jobs):
        yield slice(start, len(jobs))
