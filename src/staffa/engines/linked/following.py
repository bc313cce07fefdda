"""Follows what jobs have become: releases or cancels those that wait for them, ends flows.

It goes level by level: what one level has cancelled or ended is what the next one follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from staffa._internal import json
from staffa.deadlines import DEADLINE_KEY, postpone
from staffa.dialogues import Dialogue
from staffa.engines.linked.callbacks import due_events
from staffa.engines.linked.roots import lock_more_roots
from staffa.engines.linked.transitions import Counts, Transition, cancelled_steps, count_changes
from staffa.engines.statements.callbacks import Fired
from staffa.engines.statements.following import (
    Cancelled,
    Counted,
    Due,
    FollowStatements,
    Released,
)
from staffa.linking import Followed
from staffa.types import State


def follow(
    statements: FollowStatements,
    transitions: Sequence[Transition],
    changes: Mapping[str, Counts] | None = None,
    ended: Sequence[str] = (),
    *,
    completed: Sequence[int] = (),
    wait: bool = True,
) -> Dialogue[Followed]:
    """Follow changes of jobs' states that this transaction has written, to the last consequence.

    The roots of the flows concerned are locked, by a statement before the one that wrote them.
    New jobs of a bulk need no transitions, nor do those that have completed: the counts of their
    flows are enough. A flow without changes of its own is looked at, too: whether it has ended, and
    which callbacks are due.

    Args:
        statements: The engine's statements.
        transitions: What has changed.
        changes: By flow, more changes of counts.
        ended: Flows that have ended before, though what needs them was not told.
        completed: Jobs that have completed, with counts in `changes`.
        wait: Whether roots of more flows, which steps lead to, are waited for.

    Raises:
        RootHeldError: If one is held by somebody else, and must not be waited for.
    """
    following = _Following(statements, wait)
    return (yield from following.follow(transitions, changes or {}, ended, completed))


def let_go(statements: FollowStatements, step: int) -> Dialogue[Followed]:
    """Let a step go on that waits for nothing any more, and follow that.

    Args:
        statements: The engine's statements.
        step: Its job; the roots of its flows are locked.
    """
    return (yield from _Following(statements, wait=True).let_go(step))


def followed_together(one: Followed, other: Followed) -> Followed:
    """Return what has come of two transactions."""
    return Followed(
        Counter(one.woken) + Counter(other.woken),
        (*one.cancelled, *other.cancelled),
        (*one.ended, *other.ended),
    )


class _Following:
    """What follows, as far as it has been found.

    Args:
        statements: The engine's statements.
        wait: Whether roots that others hold are waited for.
    """

    def __init__(self, statements: FollowStatements, wait: bool) -> None:
        self._statements = statements
        self._chains = statements.chains
        self._wait = wait
        self._locked: set[str] = set()
        self._woken: Counter[str] = Counter()
        self._cancelled: list[int] = []
        self._ended: dict[str, None] = {}

    def follow(
        self,
        transitions: Sequence[Transition],
        given: Mapping[str, Counts],
        ended: Sequence[str],
        completed: Sequence[int] = (),
    ) -> Dialogue[Followed]:
        changes = count_changes(transitions)
        for flow, more in given.items():
            changes.setdefault(flow, Counts()).add(more)
        retried = {flow for one in transitions if one.is_retry for flow in one.flows}
        self._locked.update(changes, *(one.flows for one in transitions))
        yield from self._bridge(transitions)
        gone = [one.id for one in transitions if one.after is None and one.flows]
        if gone:
            yield from self._statements.forget_steps(gone)
        counted = set(given) | retried
        while transitions or changes or ended:
            transitions = yield from self._let_go(transitions, ended, completed, changes)
            completed = ()
            yield from self._bridge(transitions)
            for flow, more in count_changes(transitions).items():
                changes.setdefault(flow, Counts()).add(more)
            changed = {
                flow: more.as_row()
                for flow, more in changes.items()
                if flow in counted or any(more.as_row())
            }
            changes, ended = yield from self._count(changed, retried)
            counted, retried = set(), set()
        flows = tuple(self._ended)
        return Followed(dict(self._woken), tuple(self._cancelled), flows)

    def let_go(self, step: int) -> Dialogue[Followed]:
        released = yield from self._release([step])
        changes = _counted(released)
        return (yield from self.follow((), changes, ()))

    def _bridge(self, transitions: Sequence[Transition]) -> Dialogue[None]:
        """Let nobody overtake what a job of its chain has waited for that waits no more."""
        parted = [one for one in transitions if one.flows and one.has_parted]
        if parted:
            flows = sorted({flow for one in parted for flow in one.flows})
            yield from self._chains.bridge([one.id for one in parted], flows)

    def _let_go(
        self,
        transitions: Sequence[Transition],
        flows: Sequence[str],
        completed: Sequence[int],
        changes: dict[str, Counts],
    ) -> Dialogue[list[Transition]]:
        """Close the edges to what has ended, and let those go on that waited for it.

        Args:
            transitions: What has changed.
            flows: The flows that have ended.
            completed: Jobs that have completed, of which no transitions tell.
            changes: By flow, changes of counts: those of steps that go on are added.

        Returns:
            What was cancelled by that.
        """
        going: dict[int, None] = {}
        doomed: dict[int, Due] = {}
        ends = dict.fromkeys(completed, State.COMPLETED.value)
        ends |= {one.id: one.end for one in transitions if one.end is not None}
        if ends:
            closed = yield from self._statements.close_jobs(ends)
            going |= dict.fromkeys(closed.going)
            doomed |= {step.job: step for step in closed.doomed}
        if flows:
            closed = yield from self._statements.close_flows(flows)
            going |= dict.fromkeys(closed.going)
            doomed |= {step.job: step for step in closed.doomed}
        released = yield from self._release([job for job in going if job not in doomed])
        cancelled = yield from self._cancel(list(doomed.values()))
        for flow, more in _counted(released).items():
            changes.setdefault(flow, Counts()).add(more)
        named = (*(one.flows for one in released), *(one.flows for one in cancelled))
        others = {flow for flows in named for flow in flows} - self._locked
        if others:  # the next statement sees what those have committed that it has waited for
            yield from lock_more_roots(self._statements, sorted(others), wait=self._wait)
            self._locked |= others
        return cancelled

    def _release(self, numbers: Sequence[int]) -> Dialogue[list[Released]]:
        if not numbers:
            return []
        released: list[Released] = yield from self._statements.release_steps(numbers)
        for steps in released:
            if steps.state is State.AVAILABLE:
                self._woken[steps.queue] += steps.count
        yield from self._postpone(released)
        return released

    def _cancel(self, due: Sequence[Due]) -> Dialogue[list[Transition]]:
        if not due:
            return []
        cancelled: list[Cancelled] = yield from self._statements.cancel_steps(due)
        self._cancelled += [step.job for step in cancelled]
        return cancelled_steps(cancelled)

    def _postpone(self, released: Sequence[Released]) -> Dialogue[None]:
        """Count deadlines from when steps are due now."""
        patches = {}
        for one in released:
            later = None if one.deadline is None else _later(one.deadline, one.late)
            if later is not None and one.job is not None:
                patches[one.job] = json.dumps({DEADLINE_KEY: later})
        if patches:
            yield self._statements.postpone(patches)

    def _count(
        self, changes: Mapping[str, Sequence[int]], retried: set[str]
    ) -> Dialogue[tuple[dict[str, Counts], list[str]]]:
        """Change the counts of flows; return how those of their parents change, and what ended."""
        if not changes:
            return {}, []
        flows: list[Counted] = yield from self._statements.count_flows(changes)
        parents: dict[str, Counts] = {}
        for flow in flows:
            if flow.is_open == flow.was_open:
                continue
            if flow.parent is not None:
                step = Counts(inner_open=1 if flow.is_open else -1)
                parents.setdefault(flow.parent, Counts()).add(step)
            if flow.is_open:
                self._ended.pop(flow.id, None)
            else:
                self._ended[flow.id] = None
        events = [
            (flow.id, event)
            for flow in flows
            for event in due_events(flow, retried=flow.id in retried)
        ]
        if events:
            fired: list[Fired] = yield from self._statements.fire_callbacks(events, wait=self._wait)
            self._woken.update(one.queue for one in fired if one.available)
        return parents, [flow.id for flow in flows if flow.was_open and not flow.is_open]


def _counted(released: Sequence[Released]) -> dict[str, Counts]:
    """Return how the counts of flows change by steps that go on."""
    changes: dict[str, Counts] = {}
    for steps in released:
        for flow in steps.flows:
            changes.setdefault(flow, Counts()).suspended -= steps.count
    return changes


def _later(deadline: str, seconds: float) -> dict[str, Any] | None:
    """Return a deadline that is so much later; what is none (anybody may write it) stays."""
    try:
        return postpone(json.loads(deadline), seconds)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
