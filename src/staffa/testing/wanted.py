"""What a test looks for among the enqueued jobs, and how a job differs from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from staffa._internal import json
from staffa.args.plain import dump_object
from staffa.errors import ConfigError, UnknownOption
from staffa.filters import MAX_LIMIT, JobFilter
from staffa.jobs import Job
from staffa.options import check_tags, check_time
from staffa.types import Seconds, State, to_seconds

ENQUEUED = (State.AVAILABLE, State.SCHEDULED, State.SUSPENDED)
"""The states of a job that has been enqueued and has not run."""

DEFAULT_DELTA = 1.0


class Wanted(TypedDict, total=False):
    """What jobs are looked for; what is not given restricts nothing."""

    worker: Any
    """A decorated function or class, or a worker's name."""
    queue: str
    """The queue."""
    args: Mapping[str, Any]
    """Arguments that it has, maybe beside others."""
    meta: Mapping[str, Any]
    """Data that it has, maybe beside other."""
    tags: Iterable[str]
    """Tags that it has, maybe beside others."""
    priority: int
    """The priority."""
    max_attempts: int
    """How often it may run."""
    state: str
    """Its state, in place of `ENQUEUED`."""
    scheduled_at: datetime
    """When it is due, give or take `delta`."""
    scheduled_in: Seconds
    """How long after it was enqueued it is due, give or take `delta`."""
    delta: Seconds
    """How far a time may be off; a second if not given."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """Compares jobs with what is wanted.

    Args:
        described: What is wanted, for messages.
        rows: What a query can tell by itself.
        checks: The rest: by name, whether a job has it.
    """

    described: str
    rows: JobFilter
    checks: Mapping[str, Callable[[Job], bool]]

    @classmethod
    def of(cls, wanted: Wanted) -> Matcher:
        """Return what compares jobs with what is wanted.

        Raises:
            UnknownOption: For something that can't be looked for.
            ConfigError: If a value can't be used.
        """
        for key in wanted:
            if key not in Wanted.__annotations__:
                raise UnknownOption("property of an enqueued job", key, Wanted.__annotations__)
        given: dict[str, Any] = {**wanted}
        delta = to_seconds(given.pop("delta", DEFAULT_DELTA), "delta")
        if "worker" in given:
            given["worker"] = name_of_worker(given["worker"])
        checks = {key: _check(key, value, delta) for key, value in given.items()}
        described = ", ".join(f"{key}={value!r:.300}" for key, value in given.items())
        states = [given["state"]] if "state" in given else ENQUEUED
        return cls(described or "anything", JobFilter(states=states, limit=MAX_LIMIT), checks)

    def differences(self, job: Job) -> list[str]:
        """Return in what a job differs."""
        return [key for key, check in self.checks.items() if not check(job)]


def name_of_worker(worker: Any) -> str:
    """Return the name in the rows of a worker, given by its name or as what was decorated.

    Raises:
        ConfigError: If it is no worker.
    """
    definition = getattr(worker, "_definition", None)
    name = worker if definition is None else definition.name
    if not isinstance(name, str):
        raise ConfigError(
            f"{worker!r:.200} is no worker: give what @job or @worker decorated, or its name"
        )
    return name


def _check(key: str, value: Any, delta: float) -> Callable[[Job], bool]:
    match key:
        case "args" | "meta":
            plain = json.loads(dump_object(value, key))
            return lambda job: _has(getattr(job, key), plain)
        case "tags":
            tags = set(check_tags(value))
            return lambda job: tags <= set(job.tags)
        case "scheduled_at":
            moment = check_time(value)
            return lambda job: (
                job.scheduled_at is not None
                and _near((job.scheduled_at - moment).total_seconds(), delta)
            )
        case "scheduled_in":
            seconds = to_seconds(value, "scheduled_in")
            return lambda job: (
                job.scheduled_at is not None
                and job.inserted_at is not None
                and _near((job.scheduled_at - job.inserted_at).total_seconds() - seconds, delta)
            )
        case _:
            return lambda job: bool(getattr(job, key) == value)


def _has(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(key in found and found[key] == value for key, value in wanted.items())


def _near(difference: float, delta: float) -> bool:
    return abs(difference) <= delta
