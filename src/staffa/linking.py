"""The contract of jobs that hang on each other: what of workflows, batches and chains is stored.

A **flow** is a row that counts its jobs: a workflow, a workflow inside of another one, a batch, or
the chain of a key. A **step** is a job that waits, suspended, for others; each of those is an
**edge**, to a job or to a whole flow, which is marked once, when that has ended. Flows that can
change each other have one **root**, whose row is locked first of all: before jobs are inserted
into them, before the outcome of one of their jobs is written, before one is cancelled, retried or
deleted. So nobody sees a dependency end without seeing who waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from staffa.jobs import Job
from staffa.leases import Ending, Lease, Producer
from staffa.recorded import FlowResults
from staffa.types import State


class FlowKind(StrEnum):
    """What a flow is."""

    WORKFLOW = "workflow"
    BATCH = "batch"
    CHAIN = "chain"


class Policy(StrEnum):
    """What a step does where something that it depends on has ended, but not completed.

    A flow ends in all the ways in which jobs in it have: the first of these holds then.
    """

    CANCEL = "cancel"
    """It is cancelled as well."""
    HOLD = "hold"
    """It waits until that has completed after all, or is deleted."""
    IGNORE = "ignore"
    """It goes on."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What a step does by how something that it depends on has ended."""

    cancelled: Policy = Policy.CANCEL
    discarded: Policy = Policy.CANCEL
    deleted: Policy = Policy.CANCEL


@dataclass(frozen=True, slots=True)
class NewFlow:
    """A flow to be written.

    Args:
        id: Its id, 1 to 127 characters.
        kind: What it is.
        root: The flow whose row is locked for it; itself if it stands alone.
        parent: The workflow that it is inside of.
        name: What people call it.
        place: Its name as a step of its parent.
        options: What else is kept of it, a JSON object: the context, how it was built.
        callbacks: Of a batch: by event, the job, or the jobs, that are written once when it occurs.
        needs: What the flow as a whole waits for: each of its steps that waits for nothing else
            is given them by whoever builds the graph. Kept for those who look at it.
    """

    id: str
    kind: FlowKind
    root: str
    parent: str | None = None
    name: str | None = None
    place: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Mapping[str, Job | Sequence[Job]] = field(default_factory=dict)
    needs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NeedsStep:
    """A dependency on a step of the same graph, by its place among the steps, from 0."""

    place: int


@dataclass(frozen=True, slots=True)
class NeedsJob:
    """A dependency on a job that is stored."""

    id: int


@dataclass(frozen=True, slots=True)
class NeedsFlow:
    """A dependency on all jobs of a flow, those of flows inside of it and later ones too."""

    id: str


Need = NeedsStep | NeedsJob | NeedsFlow


@dataclass(frozen=True, slots=True)
class NewStep:
    """A job of a flow to be written; its meta names its flows, which are in the graph or stored.

    Args:
        job: The job.
        needs: What it waits for; a `NeedsStep` names an earlier one.
        policies: What it does where that does not complete.
        held: Whether it waits for somebody to release it as well.
    """

    job: Job
    needs: Sequence[Need] = ()
    policies: Policies = Policies()
    held: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Flows and jobs that are written together, all or none.

    Args:
        roots: The ids of stored flows that are locked first: those that it adds to.
        flows: New flows, outer ones before inner ones.
        steps: The jobs, those before which others depend on: read once, in portions, on the thread
            that writes, while the transaction is open. Of those before there are only the ids in
            memory, eight bytes each. Jobs that are encrypted are sealed already; unique ones are
            refused.
        once: A key of the first flow: if one with it is stored that has not ended, nothing is
            written.
        grafted: The flow that the steps are the graft of: if it has its graft already, or the lease
            of the job that returned them has ended, nothing is written.
        lease: That lease.
        form: What was returned: a workflow, a list or a mapping; noted with the flow.
    """

    flows: Sequence[NewFlow]
    steps: Iterable[NewStep]
    roots: Sequence[str] = ()
    once: str | None = None
    grafted: str | None = None
    lease: Lease | None = None
    form: str = "workflow"


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of the end of jobs, in the same transaction.

    Args:
        woken: How many jobs have become available, by queue; callbacks of batches among them.
        cancelled: The ids of jobs that were cancelled since something did not complete.
        ended: The ids of flows that have ended.
        released: Whether a step is no longer held.
    """

    woken: Mapping[str, int] = field(default_factory=dict)
    cancelled: Sequence[int] = ()
    ended: Sequence[str] = ()
    released: bool = False


NOTHING = Followed()
"""What comes of the end of jobs that belong to no flow."""


@dataclass(frozen=True, slots=True)
class InsertedGraph:
    """What became of a graph.

    Args:
        ids: Of its jobs, in order.
        woken: How many jobs have become available, by queue.
        existing: The id of the flow that stands for it, where nothing was written.
        cancelled: The ids of jobs that were cancelled at once, as what they need did not complete.
    """

    ids: Sequence[int]
    woken: Mapping[str, int]
    existing: str | None = None
    cancelled: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class LinkedAcks:
    """What became of outcomes of jobs that belong to flows.

    Args:
        states: The new states of those whose leases were still valid.
        followed: What came of it.
        left: The jobs of flows whose roots others hold, if these were not waited for.
        roots: The roots of flows, as far as they were seen.
    """

    states: dict[int, State]
    followed: Followed
    left: frozenset[int] = frozenset()
    roots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A flow as it is stored: one row, whatever the number of its jobs.

    Args:
        id: Its id.
        kind: What it is.
        root: The flow that is locked for it.
        parent: The workflow that it is inside of.
        name: What people call it.
        place: Its name as a step of its parent.
        options: What else is kept of it.
        needs: The names of what it waits for as a whole.
        total: How many jobs it has, those of flows inside of it not counted.
        suspended: How many of them wait for others.
        completed: How many have completed.
        cancelled: How many were cancelled.
        discarded: How many were discarded.
        deleted: How many were deleted before they had completed.
        attempted: How many have run to an end at least once, or have ended without.
        inner: How many flows inside of it have not ended.
        fired: The callbacks that were written.
        inserted_at: When it was written.
        finished_at: When its last job ended; None while it goes on.
    """

    id: str
    kind: FlowKind
    root: str
    parent: str | None
    name: str | None
    place: str | None
    options: Mapping[str, Any]
    needs: Sequence[str]
    total: int
    suspended: int
    completed: int
    cancelled: int
    discarded: int
    deleted: int
    attempted: int
    inner: int
    fired: Sequence[str]
    inserted_at: datetime
    finished_at: datetime | None

    @property
    def active(self) -> int:
        """How many of its jobs neither wait for others nor have ended."""
        ended = self.completed + self.cancelled + self.discarded + self.deleted
        return self.total - self.suspended - ended

    @property
    def state(self) -> State:
        """Executing until it has ended; then how, by the worst end of its own jobs."""
        if self.finished_at is None:
            return State.EXECUTING
        if self.discarded:
            return State.DISCARDED
        return State.CANCELLED if self.cancelled or self.deleted else State.COMPLETED


@dataclass(frozen=True, slots=True)
class Repairs:
    """What a sweep has found.

    Args:
        foreign: How many ends of jobs by other clients have been followed.
        own: How many that ours have left behind: there should be none, ever.
        recounted: How many flows had counts that were not those of their jobs.
        followed: What came of it.
    """

    foreign: int
    own: int
    recounted: int
    followed: Followed


class Follows(Protocol):
    """Releases jobs when what they wait for has ended."""

    async def ack_linked_jobs(
        self,
        acks: Sequence[Ending],
        producer: Producer,
        *,
        flows: Mapping[int, tuple[str, ...]] | None = None,
        wait: bool = True,
    ) -> LinkedAcks:
        """Write outcomes as `ack_jobs` does, and what follows from them.

        Args:
            acks: The outcomes.
            producer: Whose leases they end.
            flows: The flows that jobs named when they were claimed; else all are looked up.
            wait: Whether roots and rows that others hold are waited for; else they are left out.
        """

    async def find_kept_jobs(self, ids: Sequence[int]) -> frozenset[int]:
        """Return which of some jobs belong to workflows and batches that have not ended."""

    async def repair_links(self, *, limit: int) -> Repairs:
        """Follow the ends of jobs that nobody has followed, and count flows anew."""


class Linking(Follows, Protocol):
    """Stores flows, and releases jobs when what they wait for has ended."""

    async def insert_graph(self, graph: Graph, *, conn: Any = None) -> InsertedGraph:
        """Write flows and jobs; what waits for nothing that is open is available at once.

        Raises:
            UnknownFlow: If a root, or a flow that a job names, is not stored.
            FlowExists: If the id of a flow, or the name of a step, is taken.
            InvalidJob: If a job can't be part of the graph.
        """

    def insert_graph_on(self, graph: Graph, conn: Any) -> InsertedGraph:
        """Do the same in the transaction of a connection that is used without an event loop."""

    async def read_flows(self, ids: Sequence[str], *, inner: bool = False) -> list[FlowRow]:
        """Read flows, with those inside of them at any depth if wanted."""

    async def list_flows(
        self, kind: FlowKind, *, limit: int, before: str | None = None
    ) -> list[FlowRow]:
        """Read outermost flows of a kind, the newest first; what is inside of them is counted, too.

        Args:
            kind: The kind.
            limit: How many.
            before: The last flow of the page before; nothing comes after one that was forgotten.
        """

    async def find_steps(self, flow: str, names: Sequence[str] | None = None) -> Mapping[str, int]:
        """Read the ids of the named jobs of a workflow, or of some of them."""

    async def list_linked_jobs(
        self, flow: str, *, after: int = 0, limit: int = 1000, callbacks: bool = False
    ) -> list[Job]:
        """Read jobs of a flow in the order of their ids; callbacks of a batch only if wanted."""

    async def read_results(
        self, flows: Sequence[str], *, flow: str = "", names: Sequence[str] = ()
    ) -> FlowResults:
        """Read what jobs have come to: of whole flows, and of named jobs of another one.

        Args:
            flows: The flows, with all those inside of them.
            flow: The other one.
            names: The names of its jobs.
        """

    async def retry_flow(self, flow: str, *, whole: bool = False) -> Followed:
        """Run the jobs of a flow, and of those inside of it, again that did not complete, or all.

        Those that depend on them, and do not run already, are suspended until they have completed.
        Jobs that were deleted stay away.

        Args:
            flow: The flow.
            whole: Whether jobs that have completed run again as well, and forget their results.

        Raises:
            UnknownFlow: If it is not stored.
        """

    async def release_step(self, job: int) -> Followed:
        """Release a step that was held; one whose dependencies are open waits on for them.

        What is no step, or is not held, is left alone; what is returned tells.
        """

    async def forget_flows(self, *, age: float, limit: int) -> int:
        """Forget about so many flows that ended an age in seconds ago, and have no jobs now."""
