"""The scenario of flows: random workflows, batches and chains, some of which are cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

import asyncpg

from staffa import Batch, Job, Workflow, WorkflowHandle
from staffa._internal.identifiers import quote_identifier
from tests.chaos.acts import cancel_one, store
from tests.chaos.faults import Fault
from tests.chaos.flow_jobs import CALLS, FLOWS, called, graft, grow, link, step
from tests.chaos.flow_notes import make_table
from tests.chaos.flow_oracles import Flows, read_flows
from tests.chaos.history import History
from tests.chaos.oracles import Oracle
from tests.chaos.plans import draw
from tests.chaos.scenario import Scene

_MOST_STEPS = (12, 200)
_LARGE = 0.03
_DEEPEST = 2
_KEYS = 4


class FlowsScenario:
    """See the module."""

    name = "flows"
    module = "tests.chaos.flow_app"
    queues: Mapping[str, int] = {FLOWS: 12, CALLS: 4}
    settings: Mapping[str, Any] = {}
    faults: Sequence[type[Fault]] = ()

    async def prepare(self, connection: asyncpg.Connection, prefix: str) -> None:
        """Make the table of repairs."""
        await make_table(connection, prefix)

    async def enqueue(self, scene: Scene, number: int) -> None:
        """Enqueue a workflow, a batch, a batch around a workflow, or links of chains."""
        ways = (self._workflow, self._batch, self._around, self._links)
        way = scene.random.choices(ways, [4, 3, 1, 3])[0]
        await way(scene, f"{scene.name}-{number}")

    async def operate(self, scene: Scene) -> None:
        """Cancel a job, or a whole workflow."""
        if scene.random.random() < 0.8:
            await cancel_one(scene, f"queue = '{FLOWS}'")
            return
        for workflow in await scene.client.workflows(limit=20):
            if scene.random.random() < 0.2:
                handle = scene.client.workflow(workflow.id)
                await _note_cancelled(scene, handle)
                await handle.cancel()
                await _note_cancelled(scene, handle)  # those that were added meanwhile, too
                return

    async def settle(self, scene: Scene) -> None:
        """Nothing keeps jobs from ending."""

    async def settled(self, connection: asyncpg.Connection, prefix: str) -> bool:
        """Tell whether all flows have ended."""
        flows = f"{quote_identifier(prefix)}.staffa_flows"
        return not await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {flows} WHERE finished_at IS NULL AND kind <> 'chain')"
        )

    async def oracles(
        self, connection: asyncpg.Connection, prefix: str, history: History
    ) -> Mapping[str, Oracle]:
        """Return those of order, counts, callbacks and repairs."""
        return Flows(await read_flows(connection, prefix)).oracles()

    async def _workflow(self, scene: Scene, token: str) -> None:
        await _store(scene, draw_workflow(scene.random, token), token)

    async def _batch(self, scene: Scene, token: str) -> None:
        jobs = [
            step.new(f"{token}.{number}", draw(scene.random))
            for number in range(scene.random.randint(0, 8))
        ]
        await _store(scene, _with_callbacks(jobs, token), token)

    async def _around(self, scene: Scene, token: str) -> None:
        await _store(scene, _with_callbacks(draw_workflow(scene.random, token), token), token)

    async def _links(self, scene: Scene, token: str) -> None:
        random = scene.random
        links = [
            link.new(f"{token}.{number}", f"key {random.randrange(_KEYS)}", draw(random))
            for number in range(random.randint(1, 5))
        ]
        await store(scene, links)


def draw_workflow(random: Random, token: str, depth: int = 0) -> Workflow:
    """Return a workflow at random: steps, groups, workflows inside of it, grafts."""
    tolerant = random.random() < 0.6
    workflow = Workflow(
        token, ignore_cancelled=tolerant, ignore_discarded=tolerant, ignore_deleted=tolerant
    )
    names: list[str] = []
    large = depth == 0 and random.random() < _LARGE
    for number in range(random.randint(1, _MOST_STEPS[large])):
        name, part = f"{number}", f"{token}.{number}"
        deps = random.sample(names, min(len(names), random.choice((0, 1, 1, 2, 3))))
        kinds: tuple[Callable[..., None], ...] = (_add_step, _add_group, _add_graft, _add_inner)
        weights = [8, 1, 1, 1 if depth < _DEEPEST else 0]
        random.choices(kinds, weights)[0](workflow, random, name, part, deps, depth)
        names.append(name)
    return workflow


def _add_step(
    workflow: Workflow, random: Random, name: str, token: str, deps: list[str], depth: int
) -> None:
    maker = grow if random.random() < 0.1 else step
    workflow.add(name, maker.new(token, draw(random)), deps=deps)


def _add_group(
    workflow: Workflow, random: Random, name: str, token: str, deps: list[str], depth: int
) -> None:
    members = [
        step.new(f"{token}.{member}", draw(random)) for member in range(random.randint(0, 4))
    ]
    workflow.add_many(name, members, deps=deps)


def _add_graft(
    workflow: Workflow, random: Random, name: str, token: str, deps: list[str], depth: int
) -> None:
    inner = Workflow(token)
    inner.put_context({"token": token, "seed": random.randrange(1_000)})
    inner.add_graft("graft", graft)
    workflow.add_workflow(name, inner, deps=deps)


def _add_inner(
    workflow: Workflow, random: Random, name: str, token: str, deps: list[str], depth: int
) -> None:
    workflow.add_workflow(name, draw_workflow(random, token, depth + 1), deps=deps)


def _with_callbacks(jobs: Iterable[Job] | Workflow, token: str) -> Batch:
    return Batch(
        jobs,
        id=token,
        on_attempted=called.new(token),
        on_completed=called.new(token),
        on_cancelled=called.new(token),
        on_discarded=called.new(token),
        on_exhausted=called.new(token),
        on_retryable=called.new(token),
    )


async def _note_cancelled(scene: Scene, handle: WorkflowHandle) -> None:
    for job in await handle.jobs():
        scene.notebook.write("cancelling", job=job.id)


async def _store(scene: Scene, composed: Workflow | Batch, token: str) -> None:
    try:
        await scene.client.enqueue(composed)
    except Exception as error:
        scene.notebook.write("uncertain", tokens=[token], error=repr(error))
        raise
    scene.notebook.write("composed", tokens=[token])
