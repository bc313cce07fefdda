"""Cancels a flow as a whole, runs it again, lets go of what was held, forgets what is over.

A flow is changed with all flows inside of it. Its jobs are found, and changed in the order of their
ids, once its root is locked: none of them is released, or ends by one of ours, meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from staffa.dialogues import Dialogue, all_of
from staffa.engine import Changed, Changes
from staffa.engines.linked.following import follow, let_go
from staffa.engines.linked.reopening import reopen, suspend_waiting, suspended
from staffa.engines.linked.roots import lock_roots, lock_roots_of_jobs
from staffa.engines.linked.transitions import ENDED, Transition
from staffa.engines.statements.flow_control import EndedFlow, FlowControlStatements, GraftedJob
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.graphs import GraphStatements, StoredEdge, StoredStep
from staffa.engines.statements.operations import OperationStatements
from staffa.errors import UnknownFlow
from staffa.linking import Followed, Policies, Policy
from staffa.types import State

_AT_ONCE = 5_000
_UNFINISHED = tuple(state for state in State if state not in ENDED)
_ONE_BY_ONE = "retry jobs of it one by one"
_FAILED = (State.CANCELLED, State.DISCARDED)


@dataclass(frozen=True, slots=True)
class FlowControl:
    """What changes flows as a whole.

    Args:
        statements: The engine's statements of flows.
        graphs: Those that insert.
        following: Those that follow.
        operations: Those of jobs.
    """

    statements: FlowControlStatements
    graphs: GraphStatements
    following: FollowStatements
    operations: OperationStatements

    def cancel(self, flow: str) -> Dialogue[Changes]:
        """Cancel all unfinished jobs of a flow.

        Raises:
            UnknownFlow: If it is not stored.
        """
        numbers, flows = yield from self._lock(flow, _UNFINISHED)
        changed: list[Changed] = []
        for some in _pages(numbers):
            changed += yield from all_of(self.operations.cancelling(some))
        changed.sort(key=lambda job: job.id)
        transitions = [
            Transition(job.id, flows[job.id], job.previous_state, State.CANCELLED, job.attempt)
            for job in changed
        ]
        followed = yield from follow(self.following, transitions)
        return Changes(changed, followed)

    def retry(self, flow: str, *, whole: bool) -> Dialogue[Followed]:
        """Run the jobs of a flow again that did not complete, or all that have ended.

        Raises:
            UnknownFlow: If it is not stored.
            InvalidJob: If jobs would wait for themselves by way of their chains.
        """
        numbers, flows = yield from self._lock(flow, tuple(ENDED) if whole else _FAILED)
        if not numbers:
            return Followed()
        yield from self._tie_to_grafts(numbers)
        named = sorted({one for some in flows.values() for one in some})
        around: list[str] = yield self.statements.around(named)
        chains = self.following.chains
        steps = yield from reopen(self.statements, chains, around, numbers, _ONE_BY_ONE)
        retried: list[Changed] = []
        for some in _pages(numbers):
            retried += yield from all_of(self.operations.retrying(some))
            if whole:
                yield self.statements.forget_results(some)
        waiting = yield from suspend_waiting(self.statements, sorted({*numbers, *steps}))
        transitions = [
            Transition(
                job.id,
                flows[job.id],
                job.previous_state,
                State.SUSPENDED if job.id in waiting else State.AVAILABLE,
                job.attempt,
            )
            for job in retried
        ]
        others = [job for job in waiting.values() if job.id not in flows]
        transitions += yield from suspended(self.following, others)
        followed = yield from follow(self.following, transitions)
        return _with_woken(followed, (job.queue for job in retried if job.id not in waiting))

    def release(self, step: int) -> Dialogue[Followed]:
        """Let a step go that was held."""
        yield from lock_roots_of_jobs(self.following, [step])
        opened: int | None = yield self.statements.let_go(step)
        if opened is None:
            return Followed()
        followed = Followed()
        if not opened:
            followed = yield from let_go(self.following, step)
        return replace(followed, released=True)

    def forget(self, ended: Sequence[EndedFlow]) -> Dialogue[int]:
        """Forget flows of which no job is left, and those that they are locked for."""
        roots = [flow.id for flow in ended if flow.is_root]
        if not roots:
            return 0
        locked = yield from lock_roots(self.following, roots, wait=False)
        spent: list[str] = (yield self.statements.find_spent(sorted(locked))) if locked else []
        if not spent:
            return 0
        steps: list[int] = yield self.statements.steps_of(spent)
        if steps:  # of jobs that other clients have deleted
            yield from self.following.forget_steps(steps)
        forgotten: int = yield self.statements.delete(spent)
        return forgotten

    def _lock(
        self, flow: str, states: Sequence[State]
    ) -> Dialogue[tuple[list[int], dict[int, tuple[str, ...]]]]:
        """Lock a flow, and return its jobs that are in given states, with the flows of each."""
        if not (yield from lock_roots(self.following, [flow])):
            raise UnknownFlow(
                f"no workflow or batch {flow!r} is stored: it was not enqueued, or its jobs were "
                "deleted long ago"
            )
        numbers: list[int] = yield self.statements.members(flow, states)
        flows: dict[int, tuple[str, ...]] = {}
        for some in _pages(numbers):
            members = yield from lock_roots_of_jobs(self.following, some)
            flows.update(members.flows)
        return numbers, flows

    def _tie_to_grafts(self, numbers: Sequence[int]) -> Dialogue[None]:
        """Have jobs that a graft has added wait for it, which runs again with them."""
        grafted: list[GraftedJob] = yield self.statements.find_grafted(numbers)
        steps = [
            StoredStep(job.id, job.root, 0, held=False, policies=_policies_of(job))
            for job in grafted
            if not job.is_step
        ]
        if steps:
            yield self.graphs.add_steps(steps)
        if grafted:
            completed = State.COMPLETED.value  # it is opened next
            yield self.graphs.add_edges(
                [StoredEdge(job.id, job.graft, None, completed) for job in grafted]
            )


def _policies_of(job: GraftedJob) -> Policies:
    return Policies(**dict.fromkeys(job.ignored, Policy.IGNORE))


def _pages(numbers: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), _AT_ONCE):
        yield list(numbers[start : start + _AT_ONCE])


def _with_woken(followed: Followed, queues: Iterable[str]) -> Followed:
    return replace(followed, woken=Counter(followed.woken) + Counter(queues))
