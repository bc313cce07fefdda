"""What a bulk insert does to many jobs: checks, spaces and cuts them, and tells its progress."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from typing import Any

from staffa.engine import Written
from staffa.errors import ConfigError, InvalidJob, UnknownOption
from staffa.flows import Batch
from staffa.flows.builder import Builder
from staffa.instance import Source
from staffa.jobs import Job
from staffa.options import BulkOptions, BulkProgress, Notify
from staffa.telemetry import report
from staffa.types import to_seconds

DEFAULT_CHUNK_SIZE = 1_000
_LARGEST_CHUNK = 10_000
_STEP = 25  # a reply of the database waits for no more than so many
_MAX_CHARACTERS = 8 * 1024 * 1024
_OPTIONS = frozenset(BulkOptions.__annotations__)
_POLICIES = ("return", "skip")


def check_notify(notify: object, conn: object) -> Notify:
    """Return when other nodes are told of jobs.

    Raises:
        ConfigError: If it is something else, or asked for a transaction that there is not.
    """
    if notify == "after_commit":
        return "after_commit"
    if notify != "in_transaction":
        raise ConfigError(f"notify is {notify!r:.100}: give 'after_commit' or 'in_transaction'")
    if conn is None:
        raise ConfigError("notify='in_transaction' is given without conn=: give your connection")
    return "in_transaction"


class Bulk:
    """One bulk insert: its options, and how far it is.

    Args:
        options: What the caller gave.

    Raises:
        ConfigError: If an option can't be used.
    """

    def __init__(self, options: BulkOptions) -> None:
        for key in options:
            if key not in _OPTIONS:
                raise UnknownOption("option of enqueue_many:", key, {*_OPTIONS, "stream"})
        on_conflict = options.get("on_conflict", "return")
        if on_conflict not in _POLICIES:
            raise ConfigError(f"on_conflict is {on_conflict!r:.100}: give 'return' or 'skip'")
        size = options.get("chunk_size", DEFAULT_CHUNK_SIZE)
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _LARGEST_CHUNK:
            raise ConfigError(
                f"chunk_size is {size!r:.100}: give a whole number 1..{_LARGEST_CHUNK}"
            )
        self.conn = options.get("conn")
        self.notify = check_notify(options.get("notify", "after_commit"), self.conn)
        self.skips = on_conflict == "skip"
        self._space = to_seconds(options.get("auto_space", 0.0), "auto_space")
        self._size = size
        self._on_progress = options.get("on_progress")
        self._read = 0
        self._chunk: list[Job] = []
        self._characters = 0
        self._written = 0
        self._conflicts = 0

    def prepare(self, job: object) -> Job:
        """Return a job as it is to be written.

        Raises:
            InvalidJob: If it is no job, or was enqueued before.
        """
        checked = check_new(job)
        chunk, self._read = self._read // self._size, self._read + 1
        return checked.delayed(chunk * self._space) if chunk and self._space else checked

    async def chunks(self, source: AsyncIterable[Job]) -> AsyncIterator[list[Job]]:
        """Yield jobs in chunks of bounded number and size, ready to be written."""
        async for job in source:
            if full := self._add(job):
                yield full
        if self._chunk:
            yield self._chunk

    def chunks_now(self, source: Iterable[Job]) -> Iterator[list[Job]]:
        """Do the same with jobs that are not waited for."""
        for job in source:
            if full := self._add(job):
                yield full
        if self._chunk:
            yield self._chunk

    def steps(self, source: Iterable[Job]) -> Iterator[list[Job]]:
        """Do the same in steps of a few jobs, most of which yield nothing yet."""
        for number, job in enumerate(source, 1):
            full = self._add(job)
            if full or number % _STEP == 0:
                yield full
        if self._chunk:
            yield self._chunk

    def _add(self, given: object) -> list[Job]:
        """Take one more job; return the chunk that was full before it, if it was."""
        job = self.prepare(given)
        job.prepare_unique_key()  # while the chunk before it is written
        size = len(job.args_json) + len(job.meta_json)
        full: list[Job] = []
        if len(self._chunk) == self._size or self._characters + size > _MAX_CHARACTERS:
            full, self._chunk, self._characters = self._chunk, [], 0
        self._chunk.append(job)
        self._characters += size
        return full

    def finish(self, stored: Sequence[Job]) -> list[Job]:
        """Return those of stored jobs that the caller asked for, and tell the progress."""
        conflicts = sum(job.conflict for job in stored)
        self._tell(len(stored), conflicts)
        return [job for job in stored if not (job.conflict and self.skips)]

    def finish_ids(self, written: Written) -> list[int]:
        """Do the same for who wants ids."""
        ids, conflicts = written.ids, written.conflicts
        self._tell(len(ids), len(conflicts))
        if conflicts and self.skips:
            return [number for place, number in enumerate(ids) if place not in conflicts]
        return ids

    def _tell(self, count: int, conflicts: int) -> None:
        self._conflicts += conflicts
        self._written += count - conflicts
        if self._on_progress is not None:
            try:
                self._on_progress(BulkProgress(self._written, self._conflicts))
            except Exception as error:  # noqa: BLE001  # what is written is written
                report("on_progress raised", error)


Turn = Awaitable[None]
"""Ends when the writes before one are over, and who reads the stream asks for more."""


async def write_ahead(
    steps: Iterator[list[Job]], write: Callable[[list[Job], Turn], Coroutine[Any, Any, Written]]
) -> AsyncGenerator[Written, None]:
    """Yield what became of each chunk; while one is written, the next one is gathered and prepared.

    It is gathered in steps and only for as long as the write takes, so that neither the event loop
    nor who waits for what was written is held up by a source that is slow. What the source raises
    is raised once that has been told.

    Args:
        steps: See `Bulk.steps`.
        write: Prepares a chunk, and writes it when its turn has come.
    """
    ahead = _Ahead(write)
    try:
        chunk = next(filter(None, steps), None)
        while chunk:
            writing = ahead.begin(chunk)
            chunk, failure = None, None
            try:
                await asyncio.sleep(0)
                while not (chunk or writing.done()):
                    chunk = next(steps)
                    await asyncio.sleep(0)
            except StopIteration:
                pass
            except Exception as error:  # noqa: BLE001  # raised below
                failure = error
            if chunk:
                ahead.prepare(chunk)
            yield await writing
            if failure is not None:
                raise failure
            chunk = chunk or next(filter(None, steps), None)
    finally:
        await ahead.end()


class _Ahead:
    """The writes of one stream: one that is under way, and one that waits for its turn.

    Args:
        write: Prepares a chunk, and writes it when its turn has come.
    """

    def __init__(self, write: Callable[[list[Job], Turn], Coroutine[Any, Any, Written]]) -> None:
        self._write = write
        self._writing: asyncio.Task[Written] | None = None
        self._next: tuple[asyncio.Task[Written], asyncio.Future[None]] | None = None

    def prepare(self, chunk: list[Job]) -> tuple[asyncio.Task[Written], asyncio.Future[None]]:
        """Have a chunk prepared, beside the write that is under way."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._next = asyncio.ensure_future(self._write(chunk, turn)), turn
        return self._next

    def begin(self, chunk: list[Job]) -> asyncio.Task[Written]:
        """Have a chunk written now: the one that was prepared, if one was."""
        self._writing, turn = self._next or self.prepare(chunk)
        self._next = None
        turn.set_result(None)
        return self._writing

    async def end(self) -> None:
        """Leave nothing under way."""
        left = [task for task in (self._writing, self._next and self._next[0]) if task]
        for task in left:
            task.cancel()
        # What a chunk was refused for that nobody asks for any more is nobody's concern.
        await asyncio.gather(*left, return_exceptions=True)


def check_new(job: object) -> Job:
    """Return a job that was not enqueued before, or refuse it.

    Raises:
        InvalidJob: If it is none.
    """
    if isinstance(job, Builder | Batch):
        raise InvalidJob(
            f"{job!r:.200} is among the jobs of an iterable: give it as an argument of its own, "
            "such as enqueue_many(*workflows)"
        )
    if not isinstance(job, Job):
        raise InvalidJob(
            f"{job!r:.200} is no job: make one with f.new(...), Worker.new(...) or Job(worker=...)"
        )
    if job.id is not None:
        raise InvalidJob(
            f"job {job.id} was enqueued before: retry_job runs it again, a new Job makes "
            "another one"
        )
    return job


def flatten(sources: Iterable[Source]) -> Iterator[Job]:
    """Yield the jobs of jobs and iterables of jobs."""
    for source in sources:
        if isinstance(source, Iterable):
            yield from source
        else:
            yield source


async def as_stream(sources: Sequence[Source | AsyncIterable[Job]]) -> AsyncIterator[Job]:
    """Yield the jobs of jobs, iterables and async iterables of jobs."""
    for source in sources:
        if isinstance(source, AsyncIterable):
            async for job in source:
                yield job
        else:
            for job in flatten([source]):
                yield job
