"""Random workflows: whatever they are made of, each job waits for all that its step depends on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from staffa import Job, Workflow, job
from staffa.flows.graphs import make_graph
from staffa.flows.parts import FlowPart, GraftPart, GroupPart, Part
from staffa.linking import Graph, NeedsFlow, NeedsStep, NewStep

DEEPEST = 3


@job
def expand() -> list[Job]:
    return []


@job
def write(element: int) -> int:
    return element


def task() -> Job:
    return Job(worker="shop.task")


def random_workflow(dice: random.Random, depth: int = 0) -> Workflow:
    """Return a workflow of steps of all kinds, which depend on others, added in any order."""
    names = [f"s{number}" for number in range(dice.randrange(6))]
    deps = {
        name: dice.sample(names[:place], dice.randint(0, place)) for place, name in enumerate(names)
    }
    made = Workflow()
    for name in dice.sample(names, len(names)):
        kind = dice.choice(["job", "group", "fan-out", "graft", "cascade", "workflow"])
        if kind == "group":
            made.add_many(name, iter([task() for _ in range(dice.randrange(3))]), deps[name])
        elif kind == "fan-out":
            made.add_cascade(name, (range(dice.randrange(3)), write), deps[name])
        elif kind == "graft":
            made.add_graft(name, expand, deps[name])
        elif kind == "workflow" and depth < DEEPEST:
            made.add_workflow(name, random_workflow(dice, depth + 1), deps[name])
        else:
            made.add(name, task(), deps[name])
    return made


class Written:
    """What is written, and what each job waits for in the end."""

    def __init__(self, graph: Graph) -> None:
        self.parents = {flow.id: flow.parent for flow in graph.flows}
        self.steps: list[NewStep] = []
        self.before: list[set[int]] = []
        for step in graph.steps:
            self.before.append(self._all_before(step))
            self.steps.append(step)

    def _all_before(self, step: NewStep) -> set[int]:
        found: set[int] = set()
        for need in step.needs:
            if isinstance(need, NeedsStep):
                assert need.place < len(self.steps)
                found.add(need.place)
            else:
                assert isinstance(need, NeedsFlow)
                found |= set(self.members(need.id))
        return found.union(*(self.before[place] for place in found)) if found else found

    def members(self, flow: str) -> Iterator[int]:
        """Yield the jobs of a flow, and of those inside of it."""
        for place, step in enumerate(self.steps):
            around: str | None = step.job.meta["workflow_id"]
            while around is not None and around != flow:
                around = self.parents[around]
            if around == flow:
                yield place

    def of_part(self, workflow: Workflow, part: Part) -> set[int]:
        """Return the jobs of a step."""
        if isinstance(part, FlowPart):
            return set(self.members(part.workflow.id))
        if isinstance(part, GroupPart | GraftPart):
            return set(self.members(part.flow))
        return {
            place
            for place, step in enumerate(self.steps)
            if step.job.meta["workflow_id"] == workflow.id and step.job.meta["name"] == part.name
        }


def all_deps(workflow: Workflow, name: str) -> set[str]:
    """Return all names that a step depends on, by way of others too."""
    found: set[str] = set()
    waiting = list(workflow.parts[name].deps)
    while waiting:
        dep = waiting.pop()
        found.add(dep)
        waiting += workflow.parts[dep].deps
    return found


def check(workflow: Workflow, written: Written, outer: set[int]) -> None:
    for name, part in workflow.parts.items():
        needed = outer.union(
            *(written.of_part(workflow, workflow.parts[dep]) for dep in all_deps(workflow, name))
        )
        for place in written.of_part(workflow, part):
            assert needed <= written.before[place]
        if isinstance(part, FlowPart):
            check(part.workflow, written, needed)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_job_waits_for_all_that_its_step_depends_on(seed: int) -> None:
    workflow: Any = random_workflow(random.Random(seed))
    check(workflow, Written(make_graph(workflow)), set())
