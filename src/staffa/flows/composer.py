"""Serves running jobs of workflows: fills their arguments, and writes what grafts return.

Invariants: a graft is written once, though its function may run again: the flow notes in the same
transaction that it has its graft; none is written by a job whose lease has ended, such as one that
was cancelled with its workflow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from staffa._internal.backoff import Backoff
from staffa._internal.kill_points import boundary
from staffa._internal.shown import shown
from staffa.args.encryption import KeyRing
from staffa.errors import DatabaseUnavailable, InvalidWorkflow, StatementConflict
from staffa.flows.builder import Builder
from staffa.flows.filling import Wanted, fill
from staffa.flows.graphs import make_addition
from staffa.flows.sealing import sealed
from staffa.flows.surroundings import surroundings_of
from staffa.flows.workflow import Workflow
from staffa.jobs import Job
from staffa.leases import Lease
from staffa.linking import Graph, Linking
from staffa.memberships import GRAFT_KEY, WORKFLOW_KEY
from staffa.registry import WorkerDefinition

_TRIES = 6


class Composer:
    """What the executor asks about jobs of workflows: to fill their arguments, to write grafts.

    Args:
        engine: Where flows are.
        keys: What args are encrypted with.
        on_available: Called with the queues that have got jobs.
    """

    def __init__(
        self, engine: Linking, keys: KeyRing, on_available: Callable[[Iterable[str]], object]
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._on_available = on_available

    async def fill(self, job: Job, definition: WorkerDefinition) -> None:
        """Give a claimed job the arguments that it lacks.

        Raises:
            InvalidArgs: If one that is required can't be found.
            DatabaseError: If the database can't be reached.
        """
        await fill(job, definition, self._engine)

    async def graft(self, job: Job, result: object) -> str:
        """Write what a function has returned; return whether it was a workflow, list or mapping.

        What an earlier run has returned stands: this one is not even looked at then.

        Raises:
            InvalidWorkflow: If it is something else, or does not fit together.
            DatabaseError: If it could not be written.
        """
        flow = str(job.meta.get(WORKFLOW_KEY))
        place = await surroundings_of(flow, Wanted.of(job).contexts, self._engine)
        if place.grafted is not None:
            return place.grafted
        builder, form = graft_of(result, str(job.meta.get(GRAFT_KEY)))
        graph = sealed(make_addition(builder, place), self._keys)
        lease = None if job.attempted_at is None else Lease.of(job)
        await self._write(replace(graph, grafted=flow, lease=lease, form=form))
        return form

    @boundary("graft_jobs")
    async def _write(self, graph: Graph) -> None:
        backoff = Backoff()
        for last in (*(False,) * _TRIES, True):
            try:
                inserted = await self._engine.insert_graph(graph)
            except (DatabaseUnavailable, StatementConflict):
                if last:
                    raise
                await asyncio.sleep(backoff.next_seconds())
            else:
                self._on_available(inserted.woken)
                return


def graft_of(result: object, name: str) -> tuple[Builder, str]:
    """Return the steps that a function has returned, and their form.

    Raises:
        InvalidWorkflow: If it has returned something else.
    """
    builder = Builder()
    if isinstance(result, Workflow):
        return builder.add_workflow(result.name or name, result), "workflow"
    if isinstance(result, Mapping):
        for key, part in result.items():
            _add(builder, key if isinstance(key, str) else str(key), part)
        return builder, "mapping"
    if isinstance(result, Iterable) and not isinstance(result, str | bytes):
        for number, part in enumerate(result):
            _add(builder, str(number), part)
        return builder, "list"
    raise InvalidWorkflow(
        f"the function of the graft {name!r} returned {shown(result)}: return a Workflow, or a "
        "list or mapping of jobs and workflows, which may be empty"
    )


def _add(builder: Builder, name: str, part: Any) -> None:
    if isinstance(part, Workflow):
        builder.add_workflow(name, part)
    else:
        builder.add(name, part)
