"""The callbacks of batches: jobs that are written once, when something has become of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from staffa._internal.shown import shown
from staffa.errors import InvalidJob, UnknownOption
from staffa.jobs import Job
from staffa.memberships import memberships

Callback = Job | Sequence[Job] | None
"""A job from ``f.new(...)``, or several; or none."""

EVENTS = ("attempted", "completed", "cancelled", "discarded", "retryable", "exhausted")
"""What a callback can be about."""

_PREFIX = "on_"


class Callbacks(TypedDict, total=False):
    """The callbacks of a batch: what is written, each once, and when."""

    on_attempted: Callback
    """Once each member has run to an end at least once, or has ended without."""
    on_completed: Callback
    """Once all members have completed."""
    on_cancelled: Callback
    """When the first member is cancelled."""
    on_discarded: Callback
    """When the first member is discarded."""
    on_retryable: Callback
    """When the first member has failed and will be tried again."""
    on_exhausted: Callback
    """Once all members have ended, in whichever way."""


def check_callbacks(given: Mapping[str, Any]) -> dict[str, tuple[Job, ...]]:
    """Return callbacks by their events.

    Raises:
        UnknownOption: For a callback that does not exist.
        InvalidJob: If one is no job, or one that was enqueued before.
    """
    found: dict[str, tuple[Job, ...]] = {}
    for option, callback in given.items():
        event = option.removeprefix(_PREFIX)
        if not option.startswith(_PREFIX) or event not in EVENTS:
            raise UnknownOption("option of Batch:", option, (f"{_PREFIX}{name}" for name in EVENTS))
        if callback is None:
            continue
        jobs = callback if isinstance(callback, list | tuple) else (callback,)
        found[event] = tuple(_check(job, option) for job in jobs)
    return {event: jobs for event, jobs in found.items() if jobs}


def _check(job: object, option: str) -> Job:
    if not isinstance(job, Job):
        raise InvalidJob(
            f"{option} of a batch is {shown(job)}, which is no job: give one from f.new(...), "
            "Worker.new(...) or Job(worker=...), or a list of them"
        )
    if job.id is not None:
        raise InvalidJob(f"{option} of a batch is job {job.id}, which was enqueued before")
    for flow in memberships(job.meta_json) if job.linked else ():
        raise InvalidJob(
            f"{option} of a batch names the flow {flow!r} in its meta, which it can't be part of: "
            "leave that out of meta"
        )
    return job
