"""The recorded result of a row, or why there is none."""

from __future__ import annotations

from typing import Any

from staffa import erlang
from staffa.errors import InvalidTerm, ResultUnavailable
from staffa.jobs import Job
from staffa.types import State

_ENDED = (State.CANCELLED, State.DISCARDED)


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
