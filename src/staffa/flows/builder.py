"""Gathers named steps, and what they wait for.

Nothing is written while a workflow is built. Steps may be added in any order, and may depend on
steps that are added later; what does not fit together is refused when it is enqueued.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from staffa._internal.shown import shown
from staffa.errors import InvalidWorkflow
from staffa.flows.given import call_of, dep_names, fan_out_call, ignoring_of, pair_of
from staffa.flows.parts import (
    CascadePart,
    Elements,
    FlowPart,
    GraftPart,
    GroupPart,
    JobPart,
    Part,
    check_name,
    check_step_job,
)
from staffa.flows.pictures import Node, Picture, to_dot, to_graph, to_mermaid
from staffa.functions import JobCall, JobFunction
from staffa.jobs import Job
from staffa.options import check_flag

if TYPE_CHECKING:
    from staffa.flows.workflow import Workflow

Deps = str | Iterable[str]
"""What a step waits for: the name of another one, or several."""
Function = JobFunction[..., Any] | JobCall[...]
"""A function that `job` decorated, or one with options: ``f.options(queue="q")``."""


class Builder:
    """Gathers the steps of a workflow, or of what is added to one that is stored."""

    nests: ClassVar[bool] = False

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.inside: Builder | None = None

    @property
    def title(self) -> str:
        """How errors name it."""
        return "the workflow"

    def add(
        self,
        name: str,
        job: Job,
        deps: Deps = (),
        *,
        ignore_cancelled: bool | None = None,
        ignore_discarded: bool | None = None,
        ignore_deleted: bool | None = None,
        hold: bool = False,
    ) -> Self:
        """Add a job.

        Args:
            name: Its name, 1 to 127 characters, which nothing else in this workflow has.
            job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``.
            deps: The names of what it waits for; it runs once all of that has completed.
            ignore_cancelled: Whether it also runs where something of that was cancelled; else it
                is cancelled itself. As the workflow says if not given.
            ignore_discarded: The same for what was discarded.
            ignore_deleted: The same for what was deleted.
            hold: Whether it also waits for somebody to release it.

        Raises:
            InvalidWorkflow: If the name is taken, or something can't be used.
            InvalidJob: If the job was enqueued before, or is unique.

        Example:
            >>> from staffa import Job, Workflow
            >>> order = Workflow("order")
            >>> order.add("charge", Job(worker="shop.charge")).add(
            ...     "ship", Job(worker="shop.ship"), deps="charge"
            ... )
            <Workflow 'order' of 2 steps>
        """
        ignoring = ignoring_of(ignore_cancelled, ignore_discarded, ignore_deleted)
        part = JobPart(
            name=self._take(name),
            job=check_step_job(job, name),
            deps=dep_names(deps, name),
            ignoring=ignoring,
            held=check_flag("hold", hold),
        )
        return self._put(part)

    def add_many(
        self,
        name: str,
        jobs: Iterable[Job] | Mapping[Any, Job],
        deps: Deps = (),
        *,
        ignore_cancelled: bool | None = None,
        ignore_discarded: bool | None = None,
        ignore_deleted: bool | None = None,
    ) -> Self:
        """Add many jobs under one name; what depends on it waits for all of them.

        Args:
            name: The name of the group.
            jobs: Read once, while they are written: a generator of many thousands needs no memory.
                Those of a mapping are named by their keys, others by their numbers, from 0.
            deps: The names of what each of them waits for.
            ignore_cancelled: See `add`.
            ignore_discarded: See `add`.
            ignore_deleted: See `add`.

        Raises:
            InvalidWorkflow: If the name is taken, or something can't be used.

        Example:
            >>> from staffa import Job, Workflow
            >>> Workflow("news").add_many("mails", (Job(worker="mail") for _ in range(50_000)))
            <Workflow 'news' of 1 step>
        """
        part = GroupPart(
            name=self._take(name),
            elements=Elements(jobs, f"jobs of {shown(name)}"),
            deps=dep_names(deps, name),
            ignoring=ignoring_of(ignore_cancelled, ignore_discarded, ignore_deleted),
        )
        return self._put(part)

    def add_workflow(
        self,
        name: str,
        workflow: Workflow,
        deps: Deps = (),
        *,
        ignore_cancelled: bool | None = None,
        ignore_discarded: bool | None = None,
        ignore_deleted: bool | None = None,
    ) -> Self:
        """Add a workflow as a step; what depends on it waits for all of its jobs.

        It inherits the context, and what its steps ignore where it says nothing itself.

        Args:
            name: The name of the step.
            workflow: Any workflow that is not part of another one.
            deps: The names of what it waits for before it begins.
            ignore_cancelled: See `add`; about what the workflow as a whole waits for.
            ignore_discarded: See `add`.
            ignore_deleted: See `add`.

        Raises:
            InvalidWorkflow: If the name is taken, or something can't be used.

        Example:
            >>> from staffa import Job, Workflow
            >>> refund = Workflow().add("money", Job(worker="shop.refund"))
            >>> Workflow("return").add_workflow("refund", refund)
            <Workflow 'return' of 1 step>
        """
        taken = self._take(name)
        self._check_inner(name, workflow)
        part = FlowPart(
            name=taken,
            workflow=workflow,
            deps=dep_names(deps, name),
            ignoring=ignoring_of(ignore_cancelled, ignore_discarded, ignore_deleted),
        )
        workflow.inside = self
        return self._put(part)

    def add_cascade(
        self,
        name: str,
        function: Function | tuple[Iterable[Any] | Mapping[Any, Any], Function],
        deps: Deps = (),
        *,
        ignore_cancelled: bool | None = None,
        ignore_discarded: bool | None = None,
        ignore_deleted: bool | None = None,
        hold: bool = False,
    ) -> Self:
        """Add a function whose arguments are filled in when it runs, and whose result is kept.

        Each of its parameters gets the result of the step in `deps` that has its name, or else the
        value of the context. That of a group is a list, or a dict by its keys; that of a workflow
        is a dict by the names of its steps. A parameter named ``context`` gets a dict of all that.

        Args:
            name: The name of the step.
            function: A function that `job` decorated. Or elements and such a function: then there
                is a job for each of them, which gets it as its first argument. Those of a mapping
                are named by their keys, others by their numbers, from 0.
            deps: The names of what it waits for.
            ignore_cancelled: See `add`.
            ignore_discarded: See `add`.
            ignore_deleted: See `add`.
            hold: See `add`; not with elements.

        Raises:
            InvalidWorkflow: If the name is taken, or something can't be used.

        Example:
            >>> from staffa import Workflow, job
            >>> @job
            ... def total(prices: list[int], discount: int) -> int:
            ...     return sum(prices) - discount
            >>> @job
            ... def price(article: str) -> int:
            ...     return len(article)
            >>> order = Workflow("order").put_context({"discount": 1})
            >>> order.add_cascade("prices", (["pen", "paper"], price))
            <Workflow 'order' of 1 step>
            >>> order.add_cascade("total", total, deps="prices")
            <Workflow 'order' of 2 steps>
        """
        ignoring = ignoring_of(ignore_cancelled, ignore_discarded, ignore_deleted)
        taken, names = self._take(name), dep_names(deps, name)
        if not isinstance(function, tuple):
            call = call_of(function, name).recording()
            held = check_flag("hold", hold)
            return self._put(
                CascadePart(name=taken, call=call, deps=names, ignoring=ignoring, held=held)
            )
        if hold:
            raise InvalidWorkflow(
                f"step {name!r} is many jobs, which can't be held: hold a step before them"
            )
        elements, made_by = pair_of(function, name)
        part = GroupPart(
            name=taken,
            elements=Elements(elements, f"elements of {name!r}"),
            call=fan_out_call(made_by, name),
            deps=names,
            ignoring=ignoring,
        )
        return self._put(part)

    def add_graft(
        self,
        name: str,
        function: Function,
        deps: Deps = (),
        *,
        ignore_cancelled: bool | None = None,
        ignore_discarded: bool | None = None,
        ignore_deleted: bool | None = None,
        hold: bool = False,
    ) -> Self:
        """Add a function that returns what takes its place: a workflow, or jobs and workflows.

        That is written before the function's own job completes; what depends on the step waits for
        all of it. Arguments are filled in as for `add_cascade`.

        Args:
            name: The name of the step.
            function: A function that `job` decorated. It returns a `Workflow`, or a list or mapping
                of jobs and workflows, and may run again where that could not be written.
            deps: The names of what it waits for.
            ignore_cancelled: See `add`.
            ignore_discarded: See `add`.
            ignore_deleted: See `add`.
            hold: See `add`.

        Raises:
            InvalidWorkflow: If the name is taken, or something can't be used.

        Example:
            >>> from staffa import Job, Workflow, job
            >>> @job
            ... def write_to(customers: list[int]) -> list[Job]:
            ...     return [Job(worker="mail", args={"to": one}) for one in customers]
            >>> Workflow("news").put_context({"customers": [7, 8]}).add_graft("mails", write_to)
            <Workflow 'news' of 1 step>
        """
        call = call_of(function, name)
        if call.definition.executor == "process":
            raise InvalidWorkflow(
                f"{call.definition.name} runs in a process of its own, from which no workflow can "
                f"be returned: use another executor for the graft {name!r}"
            )
        part = GraftPart(
            name=self._take(name),
            call=call,
            deps=dep_names(deps, name),
            ignoring=ignoring_of(ignore_cancelled, ignore_discarded, ignore_deleted),
            held=check_flag("hold", hold),
        )
        return self._put(part)

    def to_graph(self) -> dict[str, Any]:
        """Return its steps and what they wait for, as plain data: nodes and edges.

        Example:
            >>> from staffa import Job, Workflow
            >>> Workflow("order").add("charge", Job(worker="shop.charge")).to_graph()["nodes"]
            [{'path': 'charge', 'name': 'charge', 'kind': 'job', 'worker': 'shop.charge'}]
        """
        return to_graph(picture_of(self))

    def to_mermaid(self) -> str:
        """Return its picture as text for Mermaid.

        Example:
            >>> from staffa import Job, Workflow
            >>> print(Workflow("order").add("charge", Job(worker="shop.charge")).to_mermaid())
            flowchart TD
                n0["charge"]
        """
        return to_mermaid(picture_of(self))

    def to_dot(self) -> str:
        """Return its picture as text for Graphviz.

        Example:
            >>> from staffa import Job, Workflow
            >>> print(Workflow("order").add("charge", Job(worker="shop.charge")).to_dot())
            digraph {
                compound=true
                node [shape=box]
                n0 [label="charge"]
            }
        """
        return to_dot(picture_of(self))

    def _put(self, part: Part) -> Self:
        self.parts[part.name] = part
        return self

    def _take(self, name: object) -> str:
        """Return the name of a new step."""
        if isinstance(name, int):
            raise InvalidWorkflow(f"the name {name!r} of a step is no text: give {str(name)!r}")
        checked = check_name(name, "the name of a step")
        if checked in self.parts:
            raise InvalidWorkflow(
                f"{self.title} has a step {checked!r} already: give this one another name"
            )
        return checked

    def _check_inner(self, name: str, workflow: object) -> None:
        """Refuse what can't be a step of this workflow."""
        if not (isinstance(workflow, Builder) and workflow.nests):
            raise InvalidWorkflow(f"step {name!r} is {shown(workflow)}: give a Workflow")
        if workflow.inside is not None:
            raise InvalidWorkflow(
                f"step {name!r} is {workflow.title}, which is part of another one already: build "
                "it once more"
            )
        if getattr(workflow, "unique_key", None) is not None:
            raise InvalidWorkflow(
                f"step {name!r} is {workflow.title}, which is unique: only the outermost can be"
            )
        around: Builder | None = self
        while around is not None:
            if around is workflow:
                raise InvalidWorkflow(f"{workflow.title} can't be a step of itself ({name!r})")
            around = around.inside


def picture_of(builder: Builder) -> Picture:
    """Return the picture of a workflow that is being built."""
    pictures: dict[Builder, Picture] = {}
    for around in reversed(list(inner_builders(builder))):
        pictures[around] = Picture([_node_of(part, pictures) for part in around.parts.values()])
    return pictures[builder]


def inner_builders(builder: Builder) -> Iterator[Builder]:
    """Yield a workflow and those inside of it, outer ones before inner ones."""
    waiting = [builder]
    while waiting:
        around = waiting.pop()
        yield around
        waiting += [p.workflow for p in around.parts.values() if isinstance(p, FlowPart)]


def _node_of(part: Part, pictures: Mapping[Builder, Picture]) -> Node:
    node = Node(name=part.name, kind=part.kind, deps=part.deps)
    if isinstance(part, JobPart):
        return replace(node, worker=part.job.worker)
    if isinstance(part, FlowPart):
        return replace(node, inside=pictures[part.workflow])
    if isinstance(part, CascadePart):
        return replace(node, worker=part.call.definition.name)
    assert isinstance(part, GroupPart)  # noqa: S101  # there are no others
    worker = None if part.call is None else part.call.definition.name
    return replace(node, worker=worker, count=part.elements.count)
