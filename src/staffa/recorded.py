"""Recorded results: that of a row, or why there is none; those of flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staffa import erlang
from staffa.errors import InvalidTerm, ResultUnavailable
from staffa.jobs import Job
from staffa.types import State

_ENDED = (State.CANCELLED, State.DISCARDED)


@dataclass(frozen=True, slots=True)
class ResultFlow:
    """A flow whose results were read.

    Args:
        parent: The workflow that it is inside of.
        place: Its name as a step of that.
        form: What it is if it is no workflow of its own, as whoever built it has noted.
        total: How many jobs it has, with those that were deleted.
    """

    parent: str | None
    place: str | None
    form: str | None
    total: int = 0


@dataclass(frozen=True, slots=True)
class FlowResults:
    """What jobs of flows have come to.

    Args:
        flows: The flows by their ids, without jobs too.
        jobs: The jobs in the order of their ids, each with its flow; of a job there is what its
            result takes: id, worker, state, meta and errors.
    """

    flows: Mapping[str, ResultFlow]
    jobs: Sequence[tuple[str, Job]]


def recorded_result(job: Job) -> Any:
    """Return what a job recorded.

    Raises:
        ResultUnavailable: If it has not completed, recorded nothing, or had to drop the result.
    """
    if job.state in _ENDED:
        raise ResultUnavailable(f"job {job.id} was {job.state}: it has no result")
    if job.state is not State.COMPLETED:
        raise ResultUnavailable(
            f"job {job.id} is {job.state}: it has a result once it is completed"
        )
    if job.meta.get("recorded") is not True:
        raise ResultUnavailable(
            f"job {job.id} did not record its result: give {job.worker} recorded=True, or return "
            "Record(value)"
        )
    text = job.meta.get("return")
    if not isinstance(text, str):
        raise ResultUnavailable(f"job {job.id} has no result: {_why_dropped(job)}")
    try:
        return erlang.load(text)
    except InvalidTerm as error:
        raise ResultUnavailable(f"the result of job {job.id} can't be read: {error}") from error


def _why_dropped(job: Job) -> str:
    errors = job.errors
    last = errors[-1] if errors else None
    return str(last.get("error")) if isinstance(last, dict) else "nothing was recorded"
