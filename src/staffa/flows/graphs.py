"""Makes of a workflow what the engine writes: flows, and jobs with what they wait for.

A group, a fan-out, a graft and a workflow inside of another one are each a flow of their own, so
that whatever waits for one of them has a single edge. Jobs come after those that they wait for; of
a group they are read while they are written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from staffa.errors import InvalidWorkflow
from staffa.flows.builder import Builder, inner_builders
from staffa.flows.checks import check, in_order
from staffa.flows.inner import contexts_of, flows_within, make_flows, outermost_flow
from staffa.flows.parts import (
    UNSAID,
    CascadePart,
    FlowPart,
    GraftPart,
    GroupPart,
    Ignoring,
    JobPart,
    Part,
    check_step_job,
)
from staffa.flows.workflow import Workflow
from staffa.jobs import Job
from staffa.linking import Graph, Need, NeedsFlow, NeedsStep, NewStep, Policies
from staffa.memberships import (
    BATCH_KEY,
    CASCADE_KEY,
    GRAFT_KEY,
    NEEDS_KEY,
    STEP_KEY,
    WORKFLOW_KEY,
)

_CANCEL = Policies()
_MOST_IN_MEMORY = 10_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a workflow is put into: nothing, or a flow that is stored.

    Args:
        flow: The id of the flow; its steps are new ones of this.
        root: The root of that.
        batch: The batch that it belongs to.
        contexts: The flows whose contexts hold, outer ones first.
        known: The names in those contexts.
        ignoring: What its steps ignore.
        steps: What steps of it, which are stored, are waited for by, by their names.
        flows: Those of them that are flows, with their ids.
        entry: What the flow as a whole waits for.
        entry_policies: What its steps do where something of that did not complete.
        grafted: What its graft has returned, if it is that of one.
    """

    flow: str
    root: str
    batch: str | None = None
    contexts: tuple[str, ...] = ()
    known: Collection[str] = ()
    ignoring: Ignoring = UNSAID
    steps: Mapping[str, Sequence[Need]] = field(default_factory=dict)
    flows: Mapping[str, str] = field(default_factory=dict)
    entry: Sequence[Need] = ()
    entry_policies: Policies = _CANCEL
    grafted: str | None = None


@dataclass(slots=True)
class _Frame:
    """A workflow while its steps are told: where it is, and what waits for what in it."""

    flow: str
    contexts: tuple[str, ...]
    ignoring: Ignoring
    parts: Iterator[Part]
    needs: dict[str, list[Need]]
    flows: dict[str, str]
    entry: Sequence[Need] = ()
    entry_policies: Policies = _CANCEL
    part: FlowPart | None = None
    first: int = 0


def make_graph(workflow: Workflow) -> Graph:
    """Return what is to be written of a workflow.

    Raises:
        InvalidWorkflow: If its steps don't fit together.
    """
    check(workflow)
    key = workflow.unique_key
    return Graph(
        flows=make_flows([outermost_flow(workflow)]),
        steps=_read_if_few(workflow, _Steps([_outermost(workflow, workflow.id, (), UNSAID)])),
        once=None if key is None else f"workflow:{key}",
    )


def make_addition(builder: Builder, place: Surroundings) -> Graph:
    """Return what is to be written of steps that a stored workflow gets.

    Raises:
        InvalidWorkflow: If they don't fit together, or to what is stored.
    """
    check(builder, place.steps.keys(), place.known)
    inner = flows_within(builder, place.flow, place.root, place.contexts, place.ignoring)
    frame = _Frame(
        flow=place.flow,
        contexts=place.contexts,
        ignoring=place.ignoring,
        parts=iter(in_order(builder, place.steps.keys())),
        needs={name: list(needs) for name, needs in place.steps.items()},
        flows=dict(place.flows),
        entry=place.entry,
        entry_policies=place.entry_policies,
    )
    steps: Iterable[NewStep] = _Steps([frame])
    if place.batch is not None:
        steps = in_batch(steps, place.batch)
    return Graph(flows=make_flows(inner), steps=_read_if_few(builder, steps), roots=[place.root])


def in_batch(steps: Iterable[NewStep], batch: str) -> Iterator[NewStep]:
    """Yield steps whose jobs belong to a batch as well."""
    for step in steps:
        yield replace(step, job=step.job.with_meta({BATCH_KEY: batch}))


def _outermost(
    workflow: Workflow, flow: str, contexts: tuple[str, ...], ignoring: Ignoring
) -> _Frame:
    return _Frame(
        flow=flow,
        contexts=contexts_of(workflow, contexts),
        ignoring=workflow.ignoring.over(ignoring),
        parts=iter(in_order(workflow)),
        needs={},
        flows={},
    )


def _read_if_few(builder: Builder, steps: Iterable[NewStep]) -> Iterable[NewStep]:
    """Return steps as a list if they are not very many: then a transaction can be tried again."""
    count = 0
    for around in inner_builders(builder):
        for part in around.parts.values():
            number = part.elements.count if isinstance(part, GroupPart) else 1
            count += _MOST_IN_MEMORY + 1 if number is None else number
        if count > _MOST_IN_MEMORY:
            return steps
    return list(steps)


class _Steps:
    """The jobs of a workflow, in order, told once."""

    def __init__(self, frames: list[_Frame]) -> None:
        self._frames = frames
        self._count = 0

    def __iter__(self) -> Iterator[NewStep]:
        frames = self._frames
        while frames:
            frame = frames[-1]
            part = next(frame.parts, None)
            if part is None:
                frames.pop()
                if frame.part is not None:
                    self._leave(frames[-1], frame)
            elif isinstance(part, FlowPart):
                frames.append(self._enter(frame, part))
            else:
                yield from self._steps_of(part, frame)

    def _enter(self, frame: _Frame, part: FlowPart) -> _Frame:
        needs, policies = self._needs_of(part, frame)
        inner = _outermost(part.workflow, part.workflow.id, frame.contexts, frame.ignoring)
        inner.entry, inner.entry_policies = needs, policies
        inner.part, inner.first = part, self._count
        return inner

    def _leave(self, frame: _Frame, inner: _Frame) -> None:
        assert inner.part is not None  # noqa: S101  # only those are left
        self._ended(inner.part, inner.flow, frame, inner.entry, inner.first)

    def _ended(
        self, part: Part, flow: str, frame: _Frame, needs: Sequence[Need], first: int
    ) -> None:
        """Note how a flow is waited for: without jobs, by what it waits for itself, too."""
        frame.flows[part.name] = flow
        whole = NeedsFlow(flow)
        frame.needs[part.name] = [*needs, whole] if self._count == first else [whole]

    def _steps_of(self, part: Part, frame: _Frame) -> Iterator[NewStep]:
        needs, policies = self._needs_of(part, frame)
        first = self._count
        if isinstance(part, GroupPart):
            for name, job in self._members(part, frame):
                yield self._step(job, part.flow, name, part.deps, needs, policies)
            self._ended(part, part.flow, frame, needs, first)
        elif isinstance(part, GraftPart):
            meta = {
                WORKFLOW_KEY: part.flow,
                GRAFT_KEY: part.name,
                CASCADE_KEY: _filling(part, frame),
            }
            job = _unfilled(part, part.name, {}).with_meta(
                meta | ({NEEDS_KEY: list(part.deps)} if part.deps else {})
            )
            self._count += 1
            yield NewStep(job, needs, policies, part.held)
            self._ended(part, part.flow, frame, needs, first)
        else:
            assert isinstance(part, JobPart | CascadePart)  # noqa: S101  # there are no others
            frame.needs[part.name] = [NeedsStep(self._count)]
            yield self._step(
                _job_of(part, frame),
                frame.flow,
                part.name,
                part.deps,
                needs,
                policies,
                held=part.held,
            )

    def _members(self, part: GroupPart, frame: _Frame) -> Iterator[tuple[str, Job]]:
        if part.call is None:
            for name, given in part.elements:
                yield name, check_step_job(given, f"{part.name}.{name}")
            return
        parameters = part.call.definition.parameters
        assert parameters is not None  # noqa: S101  # it is a function
        filling = {CASCADE_KEY: _filling(part, frame)}
        for name, element in part.elements:
            job = _unfilled(part, f"{part.name}.{name}", {parameters.names[0]: element})
            yield name, job.with_meta(filling)

    def _step(
        self,
        job: Job,
        flow: str,
        name: str,
        deps: Sequence[str],
        needs: Sequence[Need],
        policies: Policies,
        *,
        held: bool = False,
    ) -> NewStep:
        meta: dict[str, Any] = {WORKFLOW_KEY: flow, STEP_KEY: name}
        if deps:
            meta[NEEDS_KEY] = list(deps)
        self._count += 1
        return NewStep(job.with_meta(meta), needs, policies, held)

    def _needs_of(self, part: Part, frame: _Frame) -> tuple[Sequence[Need], Policies]:
        """Return what a part waits for: what its workflow does if it names nothing itself."""
        if not part.deps:
            return frame.entry, frame.entry_policies
        policies = part.ignoring.over(frame.ignoring).policies
        if len(part.deps) == 1:
            return frame.needs[part.deps[0]], policies
        return list(dict.fromkeys(n for dep in part.deps for n in frame.needs[dep])), policies


def _job_of(part: JobPart | CascadePart, frame: _Frame) -> Job:
    if isinstance(part, JobPart):
        return part.job
    return _unfilled(part, part.name, {}).with_meta({CASCADE_KEY: _filling(part, frame)})


def _unfilled(part: CascadePart | GroupPart, step: str, args: Mapping[str, Any]) -> Job:
    """Return a job whose other arguments are filled in when it runs.

    Raises:
        InvalidWorkflow: If its chain is by one of those.
    """
    assert part.call is not None  # noqa: S101  # it is no group of given jobs
    job = check_step_job(part.call.new_unfilled(args), step)
    for name in () if job.chain is None else job.chain.by:
        root, _, path = name.partition(".")
        if root == "args" and path.partition(".")[0] not in args:
            raise InvalidWorkflow(
                f"step {step!r} has a chain by {name!r}, which is filled in only when it runs: "
                "chain it by a key of meta, or add a job that has that argument"
            )
    return job


def _filling(part: CascadePart | GroupPart, frame: _Frame) -> dict[str, Any]:
    """Return where the arguments of a job are found when it runs: ids, known by then."""
    flows = {dep: frame.flows[dep] for dep in part.deps if dep in frame.flows}
    return {
        "flow": frame.flow,
        "contexts": list(frame.contexts),
        "jobs": [dep for dep in part.deps if dep not in frame.flows],
        "flows": flows,
    }
