"""Runs one job in a child, from the frame that asks for it to the frame that answers."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
from collections.abc import Callable
from typing import Any

from staffa import registry
from staffa.errors import JobCancelled, UnknownWorker
from staffa.jobs import Job, set_current_job
from staffa.queues.pools.process.calls import ProcessCall
from staffa.queues.pools.process.child.context import ChildContext
from staffa.queues.pools.process.child.interruption import Interruption
from staffa.queues.pools.process.child.memory import resident_bytes
from staffa.queues.pools.process.failures import dump_error
from staffa.queues.pools.process.frames import Frame, encode_frame
from staffa.queues.pools.process.results import dump_result
from staffa.queues.recording import record, wants_record
from staffa.registry import WorkerDefinition
from staffa.results import Cancel, Discard, Snooze


class Performer:
    """Runs jobs on the main thread.

    Args:
        interruption: How the parent stops them.
    """

    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption

    def perform(self, frame: Frame, context: ChildContext) -> bytes:
        """Run a job, whatever it does, and return the frame that tells of it."""
        call = ProcessCall.load(frame)
        job = call.job
        job.bind(context)
        context.job = job
        found = contextvars.copy_context()
        definitions: list[WorkerDefinition] = []
        result, error = self._interruption.guard(
            lambda: found.run(_begin, call, definitions, context)
        )
        if error is None and inspect.iscoroutine(result):
            result, error = self._interruption.run(result, found)
        if error is None and _is_kept(job, result, definitions[0]):
            result = record(job, result, definitions[0])
        return self._answer(job, result, error)

    def _answer(self, job: Job, result: object, error: BaseException | None) -> bytes:
        after = {"memory": resident_bytes(), "enqueued": sorted(job.take_enqueued())}
        if error is None:
            try:
                return encode_frame("result", result=dump_result(result), **after)
            except BaseException as broken:  # noqa: BLE001  # the result's own code, or too long
                error = broken
        stopped = self._interruption.wanted and isinstance(
            error, JobCancelled | asyncio.CancelledError
        )
        return encode_frame("error", error=dump_error(error), stopped=stopped, **after)


def _begin(call: ProcessCall, definitions: list[WorkerDefinition], context: ChildContext) -> Any:
    """Call the job's function; a coroutine function only makes its coroutine here.

    The worker's definition is left in the list, for what comes after the call.
    """
    definition = _resolve(call)
    definitions.append(definition)
    context.definition = definition
    begin: Callable[[], Any] = definition.prepare(call.job)
    set_current_job(call.job)
    return begin()


def _is_kept(job: Job, result: object, definition: WorkerDefinition) -> bool:
    ends_otherwise = isinstance(result, Cancel | Discard | Snooze)
    return not ends_otherwise and wants_record(job, result, definition)


def _resolve(call: ProcessCall) -> WorkerDefinition:
    """Return the definition of the worker, importing what defines it if it is not known yet."""
    for source in ("", call.source, *(f"{module}." for module in call.modules)):
        registry.import_source(source)
        with contextlib.suppress(UnknownWorker):
            return registry.resolve(call.worker)
    tried = ", ".join((call.source, *call.modules))
    raise UnknownWorker(
        f"no worker {call.worker!r} is known in a process of its own after the import of {tried}: "
        "define it at the top level of a module that sys.path leads to"
    )
