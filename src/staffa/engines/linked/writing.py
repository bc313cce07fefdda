"""Writes the steps of a graph, portion by portion, and what follows once all of them are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter

from staffa.dialogues import Dialogue, all_of
from staffa.engines.linked.circles import ANOTHER_CHAIN, refuse_circles
from staffa.engines.linked.following import follow, followed_together
from staffa.engines.linked.graph_flows import GraphFlows
from staffa.engines.linked.needs import Needs, Outlook
from staffa.engines.linked.reopening import reopen, suspend_waiting, suspended
from staffa.engines.linked.transitions import Counts, Transition, cancelled_steps
from staffa.engines.statements.chains import chains_of
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.following import Due, FollowStatements
from staffa.engines.statements.graphs import GraphStatements, Inserted, StoredEdge, StoredStep
from staffa.errors import FlowExists, InvalidJob
from staffa.linking import Followed, InsertedGraph, NewStep
from staffa.memberships import memberships, step_name
from staffa.statement import Statements
from staffa.types import State


class Writing:
    """The steps of one graph.

    Args:
        statements: The engine's statements that insert.
        following: Those that follow what has ended.
        control: Those that change flows as a whole.
        flows: The flows of the graph.
    """

    def __init__(
        self,
        statements: GraphStatements,
        following: FollowStatements,
        control: FlowControlStatements,
        flows: GraphFlows,
    ) -> None:
        self._statements = statements
        self._following = following
        self._control = control
        self._flows = flows
        self._needs = Needs(statements, flows)
        self._counts: dict[str, Counts] = {flow: Counts() for flow in flows.new}
        self._woken: Counter[str] = Counter()
        self._named: set[str] = set()
        self._doomed: list[Due] = []
        self._chained: list[int] = []
        for flow in flows.new.values():
            if flow.parent is not None:
                self._count(flow.parent).inner_open += 1
                self._note_name(flow.parent, flow.place)

    def write(self, steps: Sequence[NewStep]) -> Dialogue[None]:
        """Write a portion.

        Raises:
            UnknownFlow: If a flow that a job names is not stored.
            InvalidJob: If a job can't be part of the graph.
        """
        steps = [_on_chain(step) for step in steps]
        first = len(self._needs.ids)
        members = [self._memberships(step, first + place) for place, step in enumerate(steps)]
        yield from self._flows.read(flow for flows in set(members) for flow in flows)
        yield from self._needs.read(steps)
        outlooks = [
            self._needs.look_at(step, first + place, flows)
            for place, (step, flows) in enumerate(zip(steps, members, strict=True))
        ]
        waits = [outlook.waits for outlook in outlooks]
        written: list[Inserted] = yield self._statements.insert_steps(
            [step.job for step in steps], waits
        )
        self._needs.ids.extend(job.id for job in written)
        yield from self._link(steps, members, written, outlooks)
        written = yield from self._chain(steps, written)
        self._note(steps, members, written)

    def finish(self) -> Dialogue[InsertedGraph]:
        """Count the jobs, cancel those that need what was cancelled, and follow that.

        Raises:
            FlowExists: If two steps of a stored workflow have one name.
            InvalidJob: If jobs would wait for themselves by way of their chains.
        """
        yield from self._check_names()
        if self._chained:
            yield from refuse_circles(self._following.chains, self._chained, self._needs.ids)
        transitions = yield from self._cancel()
        followed: Followed = yield from follow(self._following, transitions, self._counts)
        followed = followed_together(followed, (yield from self._hold_back()))
        woken = self._woken + Counter(followed.woken)
        cancelled = [*(one.id for one in transitions), *followed.cancelled]
        return InsertedGraph(self._needs.ids, woken, cancelled=cancelled)

    def _memberships(self, step: NewStep, place: int) -> tuple[str, ...]:
        if step.job.unique is not None:
            raise InvalidJob(
                f"step {place} of the graph, {step.job!r}, is unique: a job of a workflow or a "
                "batch can't be; leave out unique="
            )
        chain = step.job.chain_id if step.job.chain is not None else None  # it counts for itself
        found = tuple(flow for flow in memberships(step.job.meta_json) if flow != chain)
        if not found:
            raise InvalidJob(f"step {place} of the graph, {step.job!r}, names no flow in its meta")
        return found

    def _note(
        self,
        steps: Sequence[NewStep],
        members: Sequence[tuple[str, ...]],
        written: Sequence[Inserted],
    ) -> None:
        """Count jobs that were written."""
        for step, flows, job in zip(steps, members, written, strict=True):
            waits = job.state is State.SUSPENDED
            if job.state is State.AVAILABLE:
                self._woken[step.job.queue] += 1
            for flow in flows:
                counts = self._count(flow)
                counts.total += 1
                counts.suspended += waits
            if flows[0] not in self._flows.new:
                self._note_name(flows[0], step_name(step.job.meta_json))

    def _link(
        self,
        steps: Sequence[NewStep],
        members: Sequence[tuple[str, ...]],
        written: Sequence[Inserted],
        outlooks: Sequence[Outlook],
    ) -> Dialogue[None]:
        """Write what the steps wait for."""
        stored: list[StoredStep] = []
        edges: list[StoredEdge] = []
        for step, flows, job, outlook in zip(steps, members, written, outlooks, strict=True):
            if not step.needs and not step.held:
                continue
            found = self._needs.edges(step, job.id, outlook)
            edges += found
            opened = sum(edge.ended is None for edge in found)
            root = self._flows.root(flows[0])
            stored.append(StoredStep(job.id, root, opened, step.held, step.policies))
            if outlook.culprit is not None:
                self._doomed.append(Due(job.id, *outlook.culprit))
        if stored:
            yield self._statements.add_steps(stored)
        if edges:
            yield self._statements.add_edges(edges)

    def _chain(self, steps: Sequence[NewStep], written: list[Inserted]) -> Dialogue[list[Inserted]]:
        """Tie jobs to the ends of their chains; return all as they stand then."""
        chained = [
            (job.id, step.job)
            for step, job in zip(steps, written, strict=True)
            if step.job.chain is not None
        ]
        if not chained:
            return written
        chains = self._following.chains
        yield chains.lock(chains_of(job for _, job in chained))
        waiting: frozenset[int] = yield from all_of(
            Statements(chains.link(chained), itemgetter(-1))
        )
        self._chained += waiting
        return [Inserted(job.id, State.SUSPENDED) if job.id in waiting else job for job in written]

    def _cancel(self) -> Dialogue[list[Transition]]:
        """Cancel the steps that need what has ended in a way that cancels them."""
        if not self._doomed:
            return []
        return cancelled_steps((yield from self._following.cancel_steps(self._doomed)))

    def _hold_back(self) -> Dialogue[Followed]:
        """Have what waits for flows that had ended, and go on now, wait again."""
        had_ended = sorted(flow for flow in self._counts if self._flows.had_ended(flow))
        if not had_ended:
            return Followed()
        around: list[str] = yield self._control.around(had_ended)
        ended: Mapping[str, object] = yield self._statements.ends(around)
        going = [flow for flow in around if flow not in ended]
        chains = self._following.chains
        steps = yield from reopen(self._control, chains, going, (), ANOTHER_CHAIN)
        waiting = yield from suspend_waiting(self._control, steps)
        transitions = yield from suspended(self._following, list(waiting.values()))
        return (yield from follow(self._following, transitions))

    def _check_names(self) -> Dialogue[None]:
        if not self._named:
            return
        duplicate = yield self._statements.find_duplicate(sorted(self._named))
        if duplicate is not None:
            flow, name = duplicate
            raise FlowExists(f"workflow {flow!r} has a step {name!r} already: give another name")

    def _note_name(self, flow: str, name: str | None) -> None:
        """Note that a stored workflow has got a name, which it may have had before."""
        if name is not None and flow not in self._flows.new:
            self._named.add(flow)

    def _count(self, flow: str) -> Counts:
        return self._counts.setdefault(flow, Counts())


def _on_chain(step: NewStep) -> NewStep:
    return step if step.job.chain is None else replace(step, job=step.job.on_chain())
