"""What a child is to run: a job, and where its worker is found. It travels as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from staffa._internal import json
from staffa.jobs import Job
from staffa.registry import WorkerDefinition

_TIMES = ("inserted_at", "scheduled_at", "attempted_at")
_AS_THEY_ARE = ("id", "worker", "queue", "attempt", "max_attempts", "priority")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessCall:
    """One run of a job in a child.

    Args:
        job: As it was claimed.
        worker: The name under which its worker is registered.
        source: Where the worker was defined, as ``module.qualname``: the child imports the module.
        modules: Modules to import after that one, until the worker is known.
    """

    job: Job
    worker: str
    source: str
    modules: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: Job, definition: WorkerDefinition, modules: Sequence[str] = ()) -> Self:
        """Return the call of a job by its worker's definition."""
        return cls(
            job=job, worker=definition.name, source=definition.source, modules=tuple(modules)
        )

    def dump(self) -> dict[str, Any]:
        """Return the fields of the frame that asks for this run."""
        return {
            "job": _dump_job(self.job),
            "worker": self.worker,
            "source": self.source,
            "modules": self.modules,
        }

    @classmethod
    def load(cls, fields: Mapping[str, Any]) -> Self:
        """Return the call that a frame asks for."""
        return cls(
            job=_load_job(fields["job"]),
            worker=fields["worker"],
            source=fields["source"],
            modules=tuple(fields["modules"]),
        )


def _dump_job(job: Job) -> dict[str, Any]:
    columns = {name: getattr(job, name) for name in _AS_THEY_ARE}
    for name in _TIMES:
        time = getattr(job, name)
        columns[name] = None if time is None else time.isoformat()
    return {
        **columns,
        # as they were decoded: what came out of a row may exceed what may be put into one
        "args": job.plain_args_json,
        "meta": json.dumps(job.meta),
        "errors": _dump_errors(job),
        "tags": job.tags,
        "attempted_by": job.attempted_by,
    }


def _dump_errors(job: Job) -> str | None:
    """Return the errors so far; what can't be decoded must not keep the job from running."""
    try:
        return json.dumps(job.errors)
    except ValueError:
        return None


def _load_job(columns: Mapping[str, Any]) -> Job:
    row = dict(columns)
    for name in _TIMES:
        time = row[name]
        row[name] = None if time is None else datetime.fromisoformat(time)
    node, *producer = row["attempted_by"] or ("",)
    return Job.from_claim(row, row["queue"], (node, *producer), row["attempted_at"])
