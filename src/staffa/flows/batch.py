"""Batches: jobs that are looked at as one, and callbacks that follow what becomes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Unpack

from staffa._internal.identifiers import is_storable_name, make_time_ordered_id
from staffa._internal.shown import shown
from staffa.errors import ConfigError, InvalidJob
from staffa.flows.callbacks import Callbacks, check_callbacks
from staffa.flows.checks import check
from staffa.flows.graphs import in_batch, make_graph
from staffa.flows.workflow import Workflow
from staffa.jobs import Job
from staffa.linking import FlowKind, Graph, NeedsStep, NewFlow, NewStep
from staffa.memberships import BATCH_KEY, CALLBACK_KEY

Member = Job | Workflow
"""What a batch is made of."""


class Batch:
    """Jobs that are looked at as one, with callbacks that follow what becomes of them.

    Each callback is a job of its own, which is written exactly once, in the transaction that writes
    the last outcome it waits for. Its `batch_id` tells the batch, and ``meta["callback"]`` the
    event.

    Args:
        jobs: Jobs and workflows, in a list; or any iterable of jobs, which is read once, while they
            are written: a generator of many thousands needs no memory.
        id: Its id, 1 to 127 characters, which no other has; one is made if not given.
        name: What people call it.
        **callbacks: See `Callbacks`; each is a job with options of its own, or a list of them.

    Raises:
        ConfigError: If the id or the name can't be used.
        UnknownOption: For a callback that does not exist.
        InvalidJob: If a job or a callback is none, or can't be one.

    Example:
        >>> from staffa import Batch, Job
        >>> mails = [Job(worker="mail", args={"to": to}) for to in ("ada", "bob")]
        >>> Batch(mails, name="news", on_exhausted=Job(worker="report"))
        <Batch 'news'>
    """

    def __init__(
        self,
        jobs: Iterable[Member] | Member,
        *,
        id: str | None = None,  # noqa: A002  # what it is called everywhere
        name: str | None = None,
        **callbacks: Unpack[Callbacks],
    ) -> None:
        self.id = make_time_ordered_id() if id is None else _check_text(id, "id")
        self.name = None if name is None else _check_text(name, "name")
        self.callbacks = check_callbacks(callbacks)
        self._jobs = check_members(jobs)

    def check(self) -> None:
        """Refuse workflows whose steps don't fit together, before anything is written.

        Raises:
            InvalidJob: If one of them is unique.
            InvalidWorkflow: If the steps of one don't fit together.
        """
        for member in self._jobs if isinstance(self._jobs, Collection) else ():
            if isinstance(member, Workflow):
                _refuse_unique(member)
                check(member)

    def graph(self) -> Graph:
        """Return what is to be written.

        Raises:
            InvalidWorkflow: If the steps of a workflow don't fit together.
        """
        flow = NewFlow(
            id=self.id,
            kind=FlowKind.BATCH,
            root=self.id,
            name=self.name,
            callbacks=self.callbacks,
        )
        return graph_of(self._jobs, self.id, [flow])

    def __repr__(self) -> str:
        return f"<Batch {(self.id if self.name is None else self.name)!r}>"


def check_members(given: object) -> Iterable[Any]:
    """Return what a batch is made of; what is in memory already is checked.

    Raises:
        InvalidJob: If it is neither a job, a workflow nor an iterable, or has something else in it.
    """
    if isinstance(given, Job | Workflow):
        given = [given]
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidJob(f"jobs of a batch is {shown(given)}: give a list of jobs, or a workflow")
    if not isinstance(given, Collection):
        return given
    members = [_check_member(member) for member in given]
    workflows = [member for member in members if isinstance(member, Workflow)]
    for place, workflow in enumerate(workflows):
        if workflow in workflows[:place]:
            raise InvalidJob(f"{workflow!r} is in the batch twice: build it once more")
    return members


def graph_of(members: Iterable[Any], batch: str, flows: Sequence[NewFlow] = ()) -> Graph:
    """Return what is to be written of members of a batch.

    Args:
        members: Jobs and workflows; if it is no list, of jobs alone.
        batch: The batch.
        flows: The batch itself, if it is new.
    """
    roots = () if flows else (batch,)
    if not isinstance(members, Collection):
        return Graph(flows, (_step(member, batch) for member in members), roots)
    if not any(isinstance(member, Workflow) for member in members):
        return Graph(flows, [_step(member, batch) for member in members], roots)
    graphs = {id(member): _graph_of(member) for member in members if isinstance(member, Workflow)}
    inner = [replace(flow, root=batch) for graph in graphs.values() for flow in graph.flows]
    steps: Iterable[NewStep] = _steps(members, graphs, batch)
    if all(isinstance(graph.steps, Collection) for graph in graphs.values()):
        steps = list(steps)  # which can be written again
    return Graph([*flows, *inner], steps, roots)


def _graph_of(workflow: Workflow) -> Graph:
    _refuse_unique(workflow)
    return make_graph(workflow)


def _refuse_unique(workflow: Workflow) -> None:
    if workflow.unique_key is not None:
        raise InvalidJob(
            f"{workflow!r} of a batch is unique, and might be another one's: leave out unique="
        )


def _steps(members: Iterable[Any], graphs: dict[int, Graph], batch: str) -> Iterator[NewStep]:
    """Yield the jobs of jobs and workflows, whose steps need each other by their places."""
    count = 0
    for member in members:
        if not isinstance(member, Workflow):
            yield _step(member, batch)
            count += 1
            continue
        first = count
        for step in in_batch(graphs[id(member)].steps, batch):
            needs = [
                NeedsStep(need.place + first) if isinstance(need, NeedsStep) else need
                for need in step.needs
            ]
            yield replace(step, needs=needs)
            count += 1


def _step(member: object, batch: str) -> NewStep:
    checked = _check_member(member)
    if not isinstance(checked, Job):
        raise InvalidJob(
            f"{checked!r} comes from an iterable that is read while it is written: give workflows "
            "of a batch in a list"
        )
    return NewStep(checked.with_meta({BATCH_KEY: batch}))


def _check_member(member: object) -> Member:
    if isinstance(member, Workflow):
        return member
    if not isinstance(member, Job):
        raise InvalidJob(
            f"{shown(member)} of a batch is no job: make one with f.new(...), Worker.new(...) or "
            "Job(worker=...)"
        )
    if member.id is not None:
        raise InvalidJob(
            f"job {member.id} of a batch was enqueued before: make a new one with f.new(...)"
        )
    if member.unique is not None:
        raise InvalidJob(
            f"{member!r} of a batch is unique, and might be another one's: make it with "
            "f.options(unique=False)"
        )
    for key in (BATCH_KEY, CALLBACK_KEY) if member.meta_json != "{}" else ():
        if key in member.meta:
            raise InvalidJob(
                f"{member!r} of a batch has {key!r} in its meta, where the batch keeps what a job "
                "is in it: take another key"
            )
    return member


def _check_text(value: object, what: str) -> str:
    if not is_storable_name(value):
        raise ConfigError(f"{what} of a batch is {shown(value)}: give 1 to 127 characters of text")
    return str(value)
