"""How a job of flows has changed its state, and what that changes in the counts of its flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from staffa.engine import Lease
from staffa.engines.statements.following import Cancelled
from staffa.types import State

ENDED = frozenset({State.COMPLETED, State.CANCELLED, State.DISCARDED})


@dataclass(slots=True)
class Transition:
    """A change of a job's state that was written by this transaction.

    It is not frozen, though nobody changes it: there is one for each outcome of a job of flows.

    Args:
        id: The job.
        flows: The flows that it belongs to.
        before: Its state before; None if it is new.
        after: Its state now; None if it was deleted.
        attempt: How many attempts it had used before, the one that ran among them.
        attempt_after: How many it has used now; as many as before if not given.
    """

    id: int
    flows: tuple[str, ...]
    before: State | None
    after: State | None
    attempt: int = 0
    attempt_after: int | None = None

    @property
    def has_parted(self) -> bool:
        """Whether it has ended, or is no more, without having run after what it waited for."""
        if self.after is None:
            return self.before in (State.SUSPENDED, State.CANCELLED)
        return self.before is State.SUSPENDED and self.after in ENDED

    @property
    def end(self) -> str | None:
        """How the job has ended just now, as edges tell it; None if it has not.

        One that is deleted after its end is that, too: for those who hold on to it.
        """
        if self.after is None:
            return "deleted"
        return self.after.value if self.after in ENDED else None

    @property
    def is_retry(self) -> bool:
        """Whether an attempt has failed, and there will be another one."""
        return self.before is State.EXECUTING and self.after is State.RETRYABLE


@dataclass(slots=True)
class Counts:
    """By how much the counts of a flow change; `staffa_flows` has the same columns."""

    total: int = 0
    suspended: int = 0
    completed: int = 0
    cancelled: int = 0
    discarded: int = 0
    deleted: int = 0
    attempted: int = 0
    inner_open: int = 0

    def add(self, other: Counts) -> None:
        """Add other changes."""
        for column in fields(self):
            name = column.name
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_row(self) -> tuple[int, ...]:
        """Return the columns in their order."""
        return (
            self.total,
            self.suspended,
            self.completed,
            self.cancelled,
            self.discarded,
            self.deleted,
            self.attempted,
            self.inner_open,
        )

    def note(self, transition: Transition) -> None:
        """Count a job's change of its state."""
        before, after = transition.before, transition.after
        if after is None and before in ENDED:
            return  # what had ended stays counted
        if before is None:
            self.total += 1
        elif before.value in _COUNTED:
            self._move(before.value, -1)
        gone = "deleted" if after is None else after.value
        if gone in _COUNTED:
            self._move(gone, 1)
        attempt = transition.attempt
        attempt_after = attempt if transition.attempt_after is None else transition.attempt_after
        self.attempted += _is_attempted(after, attempt_after)
        if before is not None:
            self.attempted -= _is_attempted(before, attempt)

    def _move(self, name: str, by: int) -> None:
        setattr(self, name, getattr(self, name) + by)


_COUNTED = frozenset({"suspended", "completed", "cancelled", "discarded", "deleted"})


def _is_attempted(state: State | None, attempt: int) -> bool:
    """Tell whether a job has run to an end, or has ended without; claims don't change it."""
    if state is None or state in ENDED:
        return True
    return attempt > 1 or (attempt == 1 and state is not State.EXECUTING)


def count_changes(transitions: Iterable[Transition]) -> dict[str, Counts]:
    """Return how the counts of flows change by changes of their jobs."""
    changes: dict[str, Counts] = {}
    for transition in transitions:
        for flow in transition.flows:
            changes.setdefault(flow, Counts()).note(transition)
    return changes


def count_completions(
    leases: Iterable[Lease], flows: Mapping[int, tuple[str, ...]]
) -> dict[str, Counts]:
    """Return the same for runs that have completed, without an object for each: there are many.

    Args:
        leases: The runs.
        flows: The flows of each job.
    """
    first: Counter[tuple[str, ...]] = Counter()
    again: Counter[tuple[str, ...]] = Counter()
    for lease in leases:
        (first if lease.attempt <= 1 else again)[flows[lease.id]] += 1
    changes: dict[str, Counts] = {}
    for some in first | again:
        for flow in some:
            found = changes.setdefault(flow, Counts())
            found.completed += first[some] + again[some]
            found.attempted += first[some]
    return changes


def cancelled_steps(steps: Iterable[Cancelled]) -> list[Transition]:
    """Return the changes of steps that were cancelled, as what they need has not completed."""
    return [
        Transition(step.job, step.flows, State.SUSPENDED, State.CANCELLED, step.attempt)
        for step in steps
    ]
