"""Workflows of a client that works inline: they run where they are enqueued, without a database.

What has come of them is kept in memory, in the form in which an engine tells of it; so handles and
running jobs ask this as they would ask an engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any, cast

from staffa._internal.clock import Clock
from staffa.client.flows import flows_on
from staffa.client.workflow_handles import WorkflowHandle
from staffa.config import Config
from staffa.engine import Changed, Changes, Engine
from staffa.errors import ConfigError
from staffa.flows import Addition, Workflow
from staffa.flows.composer import Composer
from staffa.flows.graphs import make_graph
from staffa.flows.inner import FORM_OPTION
from staffa.jobs import Job
from staffa.linking import (
    NOTHING,
    FlowRow,
    Followed,
    Graph,
    InsertedGraph,
    NeedsFlow,
    NeedsStep,
    NewFlow,
    NewStep,
    Policies,
    Policy,
)
from staffa.memberships import STEP_KEY, WORKFLOW_KEY
from staffa.queues.inline import InlineRunner, next_number, raise_failure
from staffa.queues.pools.thread import Threads
from staffa.recorded import FlowResults, ResultFlow
from staffa.types import State

_ENDED = (State.COMPLETED, State.CANCELLED, State.DISCARDED)
_WORST_FIRST = (State.DISCARDED, State.CANCELLED)


async def run_flow(
    flow: Workflow | Addition, config: Config, clock: Clock, threads: Threads | None = None
) -> WorkflowHandle:
    """Run the jobs of a workflow once, each after those that it depends on.

    Args:
        flow: The workflow.
        config: The client's settings.
        clock: Measures.
        threads: Where plain functions run; in threads of their own if not given.

    Raises:
        Exception: What made an attempt fail; the jobs after it do not run.
        ConfigError: If steps are to be added: what has run inline is not stored.
    """
    if isinstance(flow, Addition):
        raise ConfigError(
            "a client that works inline stores nothing that steps could be added to: give "
            "testing='manual', and use run_workflow"
        )
    graph = make_graph(flow)
    flows = InlineFlows(clock)
    engine = cast("Engine", flows)  # nothing more is asked here
    composer = Composer(engine, config.encryption_keys, lambda queues: None)
    async with InlineRunner(config, clock, threads, composer=composer) as runner:
        await flows.run(graph, runner)
    return WorkflowHandle(flow.id, flows_on(engine, clock))


class InlineFlows:
    """What has come of the jobs of a workflow.

    Args:
        clock: Tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flows: dict[str, NewFlow] = {}
        self._jobs: dict[int, Job] = {}
        self._times: dict[str, datetime] = {}
        self._ends: dict[str, datetime] = {}
        self._held: set[int] = set()
        self._runner: InlineRunner | None = None

    async def run(self, graph: Graph, runner: InlineRunner) -> None:
        """Run the jobs of a workflow."""
        self._runner = runner
        try:
            await self.insert_graph(graph)
        finally:
            self._runner = None

    async def insert_graph(self, graph: Graph) -> InsertedGraph:
        """Run jobs: at first those of the workflow, then those of its grafts while they run."""
        for flow in graph.flows:
            self._flows[flow.id] = flow
            self._times[flow.id] = self._clock.now()
        places: list[int] = []
        for step in graph.steps:
            places.append(await self._run_step(step, places))
        return InsertedGraph(places, {})

    async def read_flows(self, ids: Sequence[str], *, inner: bool = False) -> list[FlowRow]:
        """Return flows, with those inside of them if wanted."""
        wanted = [number for number in ids if number in self._flows]
        if inner:
            wanted = [one for number in wanted for one in self._tree(number)]
        return [self._row_of(self._flows[number]) for number in wanted]

    async def read_results(
        self, flows: Sequence[str], *, flow: str = "", names: Sequence[str] = ()
    ) -> FlowResults:
        """Return what jobs have come to."""
        tree = [one for number in flows if number in self._flows for one in self._tree(number)]
        found = {number: self._result_flow(number) for number in tree}
        jobs = [(number, job) for number in tree for job in self._members(number)]
        jobs += [(flow, job) for job in self._members(flow) if job.meta.get(STEP_KEY) in names]
        return FlowResults(found, jobs)

    async def find_steps(self, flow: str, names: Sequence[str] | None = None) -> Mapping[str, int]:
        """Return the ids of named jobs."""
        named = {job.meta.get(STEP_KEY): job.id or 0 for job in self._members(flow)}
        return {
            name: number
            for name, number in named.items()
            if name is not None and (names is None or name in names)
        }

    async def list_linked_jobs(
        self, flow: str, *, after: int = 0, limit: int = 1000, callbacks: bool = False
    ) -> list[Job]:
        """Return jobs of a flow."""
        return [job for job in self._members(flow) if (job.id or 0) > after][:limit]

    async def get_jobs(self, ids: Sequence[int]) -> list[Job]:
        """Return jobs."""
        return [self._jobs[number] for number in ids if number in self._jobs]

    async def cancel_flow(self, flow: str) -> Changes:
        """Cancel what has not run: steps that were held, and what waits for them."""
        for one in self._tree(flow):
            for job in self._members(one):
                if job.state not in _ENDED:
                    job.state = State.CANCELLED
                    self._held.discard(job.id or 0)
        return Changes()

    async def signal_jobs(self, ids: Sequence[int], name: str, payload: str) -> list[Changed]:
        """Refuse: nothing waits for signals.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            "a client that works inline runs a workflow once, when it is enqueued, and no step of "
            "it waits for signals: give testing='manual', and use run_workflow"
        )

    async def retry_flow(self, flow: str, *, whole: bool = False) -> Followed:
        """Leave it, too."""
        return NOTHING

    async def release_step(self, job: int) -> Followed:
        """Refuse: a step that was held has no turn any more; leave others alone.

        Raises:
            ConfigError: If it is held.
        """
        if job not in self._held:
            return NOTHING
        raise ConfigError(
            "a client that works inline runs a workflow once, when it is enqueued: a step that is "
            "held can't be released; give testing='manual', and use run_workflow"
        )

    async def _run_step(self, step: NewStep, places: Sequence[int]) -> int:
        """Run the job of a step if it can run; return its id."""
        assert self._runner is not None  # noqa: S101  # it runs
        verdict = self._judge(step, places)
        if verdict is None and step.held:
            verdict = State.SUSPENDED
        if verdict is None:
            outcome, row = await self._runner.perform(step.job)
            raise_failure(outcome)
        else:
            row = copy(step.job)
            row.id, row.state = next_number(), verdict
        assert row.id is not None  # noqa: S101  # it was given one
        self._jobs[row.id] = row
        if step.held:
            self._held.add(row.id)
        return row.id

    def _judge(self, step: NewStep, places: Sequence[int]) -> State | None:
        """Return the state of a step that does not run, by what it needs; None if it does."""
        verdict = None
        for need in step.needs:
            ends: set[State] = {State.SUSPENDED}
            if isinstance(need, NeedsStep):
                ends = {self._jobs[places[need.place]].state}
            elif isinstance(need, NeedsFlow):
                ends = self._states_in(need.id)
            if ends.difference(_ENDED):
                verdict = State.SUSPENDED
            elif any(_policy(step.policies, ended) is Policy.CANCEL for ended in ends):
                return State.CANCELLED
        return verdict

    def _states_in(self, flow: str) -> set[State]:
        """Return the states of the jobs of a flow, with all inside of it."""
        return {job.state for one in self._tree(flow) for job in self._members(one)}

    def _state_of(self, flow: str) -> State:
        """Return how a flow has ended, with all inside of it, or that it has not."""
        states = self._states_in(flow)
        if states.difference(_ENDED):
            return State.EXECUTING
        return next((state for state in _WORST_FIRST if state in states), State.COMPLETED)

    def _tree(self, flow: str) -> Iterator[str]:
        yield flow
        for number, one in list(self._flows.items()):
            if one.parent == flow:
                yield from self._tree(number)

    def _members(self, flow: str) -> list[Job]:
        return [job for job in self._jobs.values() if job.meta.get(WORKFLOW_KEY) == flow]

    def _result_flow(self, number: str) -> ResultFlow:
        flow = self._flows[number]
        total = len(self._members(number))
        return ResultFlow(flow.parent, flow.place, flow.options.get(FORM_OPTION), total)

    def _row_of(self, flow: NewFlow) -> FlowRow:
        states = Counter(job.state for job in self._members(flow.id))
        options: dict[str, Any] = dict(flow.options)
        ended = self._state_of(flow.id) in _ENDED
        finished_at = self._ends.setdefault(flow.id, self._clock.now()) if ended else None
        return FlowRow(
            id=flow.id,
            kind=flow.kind,
            root=flow.root,
            parent=flow.parent,
            name=flow.name,
            place=flow.place,
            options=options,
            needs=flow.needs,
            total=sum(states.values()),
            suspended=states[State.SUSPENDED],
            completed=states[State.COMPLETED],
            cancelled=states[State.CANCELLED],
            discarded=states[State.DISCARDED],
            deleted=0,
            attempted=sum(states[state] for state in _ENDED),
            inner=0,
            fired=(),
            inserted_at=self._times[flow.id],
            finished_at=finished_at,
        )


def _policy(policies: Policies, ended: State) -> Policy:
    if ended is State.COMPLETED:
        return Policy.IGNORE
    return policies.discarded if ended is State.DISCARDED else policies.cancelled
