"""What the steps of a graph wait for, and how that stands when they are written."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from staffa.dialogues import Dialogue
from staffa.engines.linked.graph_flows import GraphFlows
from staffa.engines.linked.transitions import ENDED
from staffa.engines.statements.graphs import GraphStatements, StoredEdge
from staffa.errors import InvalidJob
from staffa.linking import Need, NeedsFlow, NeedsJob, NeedsStep, NewStep, Policies, Policy
from staffa.types import State

_DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of a step when it is written.

    Args:
        ends: How each of its needs has ended; None for those that go on, or that it holds on to.
        waits: Whether it is suspended.
        culprit: What has ended in a way that cancels it, and how; None if nothing has.
    """

    ends: Sequence[str | None]
    waits: bool
    culprit: tuple[int | str, str] | None


_FREE = Outlook((), waits=False, culprit=None)


class Needs:
    """Resolves what the steps of one graph wait for.

    Args:
        statements: The engine's statements.
        flows: The flows of the graph.
    """

    def __init__(self, statements: GraphStatements, flows: GraphFlows) -> None:
        self._statements = statements
        self._flows = flows
        self._jobs: dict[int, str | None] = {}
        self._ended: dict[str, tuple[str, ...] | None] = {}
        self.ids = array("q")
        """Of the jobs written so far, by the places of their steps: eight bytes each."""

    def read(self, steps: Sequence[NewStep]) -> Dialogue[None]:
        """Read how that stands which steps need of what is stored."""
        needs = [need for step in steps for need in step.needs]
        if not needs:
            return
        jobs = {need.id for need in needs if isinstance(need, NeedsJob)} - self._jobs.keys()
        if jobs:
            states: dict[int, State] = yield self._statements.states(sorted(jobs))
            self._jobs.update({job: _end_of(states.get(job)) for job in jobs})
        flows = {need.id for need in needs if isinstance(need, NeedsFlow)}
        yield from self._flows.read(flows)
        stored = flows - self._flows.new.keys() - self._ended.keys()
        if stored:
            ended: dict[str, tuple[str, ...]] = yield self._statements.ends(sorted(stored))
            self._ended.update({flow: ended.get(flow) for flow in stored})

    def look_at(self, step: NewStep, place: int, flows: Sequence[str]) -> Outlook:
        """Return what becomes of a step.

        Raises:
            InvalidJob: If it needs what can't end before it.
        """
        if not step.needs and not step.held:
            return _FREE
        ends: list[str | None] = []
        culprit: tuple[int | str, str] | None = None
        for need in step.needs:
            self._check(need, place, flows)
            if isinstance(need, NeedsStep):  # if that was cancelled, it is followed in the end
                ends.append(None)
                continue
            end, policy = self._end(need, step.policies)
            if policy is Policy.HOLD:
                end = None
            elif policy is Policy.CANCEL and end is not None and culprit is None:
                culprit = (need.id, end)
            ends.append(end)
        return Outlook(ends, step.held or culprit is not None or None in ends, culprit)

    def edges(self, step: NewStep, job: int, outlook: Outlook) -> list[StoredEdge]:
        """Return the edges of a step whose job was written."""
        edges: dict[int | str, StoredEdge] = {}
        for need, end in zip(step.needs, outlook.ends, strict=True):
            if isinstance(need, NeedsFlow):
                edges[need.id] = StoredEdge(job, None, need.id, end)
            else:
                number = self.ids[need.place] if isinstance(need, NeedsStep) else need.id
                edges[number] = StoredEdge(job, number, None, end)
        return list(edges.values())

    def _check(self, need: Need, place: int, flows: Sequence[str]) -> None:
        if isinstance(need, NeedsStep) and not 0 <= need.place < place:
            raise InvalidJob(
                f"step {place} of the graph needs step {need.place}, which is not before it"
            )
        if isinstance(need, NeedsFlow) and any(
            self._flows.is_inside(flow, need.id) for flow in flows
        ):
            raise InvalidJob(
                f"step {place} of the graph needs {need.id!r}, which it is inside of: it would "
                "wait for itself"
            )

    def _end(self, need: NeedsJob | NeedsFlow, policies: Policies) -> tuple[str | None, Policy]:
        """Return how that has ended, and what a step does by that; of several ways, the worst."""
        if isinstance(need, NeedsJob):
            end = self._jobs[need.id]
            return end, _policy(policies, end)
        ways = self._ended.get(need.id)
        if ways is None:
            return None, Policy.IGNORE
        judged = [(way, _policy(policies, way)) for way in ways]
        return min(judged, key=itemgetter(1), default=(State.COMPLETED.value, Policy.IGNORE))


def _policy(policies: Policies, end: str | None) -> Policy:
    match end:
        case State.CANCELLED:
            return policies.cancelled
        case State.DISCARDED:
            return policies.discarded
        case "deleted" if policies.deleted is not Policy.HOLD:  # nobody holds on to what is gone
            return policies.deleted
    return Policy.IGNORE


def _end_of(state: State | None) -> str | None:
    if state is None:
        return _DELETED
    return state.value if state in ENDED else None
