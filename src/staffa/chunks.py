"""Chunks: many jobs of a worker that run together, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staffa._internal import json
from staffa._internal.shown import shown
from staffa.errors import ConfigError, InvalidJob
from staffa.jobs import Job
from staffa.limits import Partition, read_field
from staffa.types import Seconds, to_seconds

MOST_TOGETHER = 20_000
"""How many jobs a chunk has at most: what one statement takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The option `chunk`: a worker is given many of its jobs at once.

    A chunk forms as soon as so many jobs are available, or when the one that has waited longest
    has waited for so long; until then they stay available.

    Args:
        size: How many jobs run together, 1 to 20000.
        timeout: For how long the first one waits for others, in seconds or as a timedelta, from
            when it is due.
        by: What the jobs of a chunk have in common: a field such as "args.account_id", a list of
            them, or a `Partition`. The worker always is the same.

    Raises:
        ConfigError: If a value can't be used.

    Example:
        >>> Chunk(size=50, timeout=0.5, by="args.account_id").fields
        ('args.account_id',)
    """

    size: int = 100
    timeout: Seconds = 1.0
    by: Partition | str | Iterable[str] | None = None

    def __post_init__(self) -> None:
        if type(self.size) is not int or not 1 <= self.size <= MOST_TOGETHER:
            raise ConfigError(
                f"size of chunk is {shown(self.size, 100)}: give a whole number from 1 to "
                f"{MOST_TOGETHER}"
            )
        object.__setattr__(self, "timeout", to_seconds(self.timeout, "timeout of chunk"))
        if self.by is not None:
            try:
                object.__setattr__(self, "by", Partition.parse(self.by))
            except ConfigError as error:
                raise ConfigError(f"by of chunk: {error}") from None

    @property
    def seconds(self) -> float:
        """The time-out in seconds."""
        return to_seconds(self.timeout, "timeout of chunk")

    @property
    def fields(self) -> tuple[str, ...]:
        """What the jobs of a chunk have in common besides their worker."""
        fields = self.by.fields if isinstance(self.by, Partition) else ()
        return tuple(field for field in fields if field != "worker")

    @property
    def reads_args(self) -> bool:
        """Whether it matters what the args of the jobs are."""
        return any(field.startswith("args.") for field in self.fields)

    def key_of(self, job: Job) -> str:
        """Return what is equal for jobs that may run together."""
        roots = {"args": json.loads(job.plain_args_json), "meta": job.meta}
        return json.dumps([read_field(roots, field) for field in self.fields])


def share_result(result: object, jobs: Sequence[Job]) -> dict[Job, Any]:
    """Return what the result of a chunk says of each of its jobs.

    Args:
        result: A mapping of jobs, or their ids, to results of theirs; anything else holds for all.
        jobs: The jobs.

    Raises:
        InvalidJob: If a key of the mapping is no job of the chunk.
    """
    if not isinstance(result, Mapping):
        return dict.fromkeys(jobs, result)
    by_id = {job.id: job for job in jobs}
    shared: dict[Job, Any] = dict.fromkeys(jobs)
    for key, value in result.items():
        job = by_id.get(key.id if isinstance(key, Job) else key)
        if job is None:
            raise InvalidJob(
                f"{shown(key, 200)} is a key of the result of a chunk, but no job of it: name the "
                "jobs that are not simply completed, or their ids"
            )
        shared[job] = value
    return shared


def check_chunk(value: object) -> Chunk:
    """Return the option `chunk`, or refuse it.

    Raises:
        ConfigError: If it is no `Chunk`.
    """
    if isinstance(value, Chunk):
        return value
    raise ConfigError(
        f"chunk is {shown(value, 100)}: give Chunk(size=100, timeout=1.0), from staffa"
    )
