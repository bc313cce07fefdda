"""Recorded results: what a function returned, kept in the row's meta as other programs read it.

The function has done its work when this begins. So whatever is wrong with the value, the job
completes: the value is dropped, and the errors of the job say why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from staffa import erlang
from staffa._internal.json import clean
from staffa.args.converter import Mismatch
from staffa.errors import InvalidTerm
from staffa.jobs import Job
from staffa.registry import WorkerDefinition
from staffa.results import Record, record_limit, recorded_meta
from staffa.telemetry import report

_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Recording:
    """A result as it is to be written.

    Args:
        meta: What is merged into the job's meta.
        error: Why the result was dropped, if it was.
    """

    meta: Mapping[str, Any]
    error: str | None = None

    @property
    def value(self) -> Any:
        """The result, as whoever fetches it will get it; None if it was dropped."""
        text = self.meta.get("return")
        return None if text is None else erlang.load(text)


def wants_record(job: Job, result: object, definition: WorkerDefinition | None) -> bool:
    """Tell whether a result is to be kept: the job, its worker or the result itself says so."""
    if isinstance(result, Record) or job.meta.get("recorded") is True:
        return True
    return definition is not None and bool(definition.options.get("recorded"))


def record(job: Job, result: object, definition: WorkerDefinition | None) -> Recording:
    """Return what is written of a result, or why it is dropped."""
    value = result.value if isinstance(result, Record) else result
    meta = {} if definition is None else recorded_meta(definition.options.get("recorded", False))
    limit = record_limit({**meta, **job.meta})
    if isinstance(result, Record) and result.limit is not None:
        limit = result.limit
    try:
        return Recording({"recorded": True, "return": _dump(value, definition, limit)})
    except InvalidTerm as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  # the value is users' own: it may do anything
        report(f"recording the result of job {job.id} failed", error)
        reason = type(error).__name__
    stale = {"return": None} if "return" in job.meta else {}
    text = f"the result was dropped, it could not be recorded: {reason}"
    return Recording({"recorded": True, **stale}, clean(text)[:_LONGEST_REASON])


def _dump(value: object, definition: WorkerDefinition | None, limit: int) -> str:
    """Return a value's text: made plain by the annotation if it is what that says, else as is."""
    if definition is not None and definition.encode_result is not None:
        try:
            value = definition.encode_result(value)
        except Mismatch:
            return erlang.dump(value, limit=limit)
    return erlang.dump(value, limit=limit)
