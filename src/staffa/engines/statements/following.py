"""The statements of what follows from the end of jobs; each verb is a file in ``sql/flows/``.

Those that are several statements in one of the engines are dialogues in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from staffa._internal.kill_points import boundaries
from staffa.dialogues import Dialogue, all_of
from staffa.engine import Statement
from staffa.engines.statements.area import Area, Row, Rows
from staffa.engines.statements.callbacks import Fired, as_enqueued, as_fired, as_told
from staffa.engines.statements.chains import ChainStatements
from staffa.engines.statements.enqueueing import EnqueueStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.unique import UniqueStatements
from staffa.jobs import Job
from staffa.memberships import BATCH_KEY
from staffa.types import State

_PATIENCE = "20ms"  # longer than those hold a key or a chain who only write jobs


@dataclass(frozen=True, slots=True)
class Link:
    """A job, the flows that it belongs to, and whether the roots of all of them are locked."""

    job: int
    flows: tuple[str, ...]
    locked: bool


@dataclass(frozen=True, slots=True)
class Lock:
    """A flow that is stored, its root, and whether that is locked."""

    flow: str
    root: str
    locked: bool


@dataclass(frozen=True, slots=True)
class Due:
    """A step whose job is to be cancelled.

    Args:
        job: Its job.
        needs: What it depends on that has not completed.
        ended: How that has ended.
    """

    job: int
    needs: int | str
    ended: str

    @property
    def error(self) -> str:
        """What is noted in the errors of its job."""
        what = "workflow" if isinstance(self.needs, str) else "job"
        return f"{what} {self.needs}, which it depends on, was {self.ended}"


@dataclass(frozen=True, slots=True)
class Closed:
    """What has come of edges that were closed.

    Args:
        going: The jobs of steps that wait for nothing any more.
        doomed: The steps that are cancelled.
    """

    going: Sequence[int]
    doomed: Sequence[Due] = ()


@dataclass(frozen=True, slots=True)
class Released:
    """Steps that go on: as many as one queue and the same flows have, or one with a deadline.

    Args:
        queue: The queue.
        state: The state that they have now.
        flows: The flows that they name.
        count: How many they are.
        job: The job with a deadline.
        deadline: The JSON of its deadline, where that is later now.
        late: By how many seconds.
    """

    queue: str
    state: State
    flows: tuple[str, ...]
    count: int = 1
    job: int | None = None
    deadline: str | None = None
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A step that was cancelled.

    Args:
        job: Its job.
        attempt: How many attempts it has used.
        flows: The flows that it names.
    """

    job: int
    attempt: int
    flows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """A flow whose counts were changed.

    Args:
        id: The flow.
        parent: The workflow that it is inside of.
        was_open: Whether it went on before.
        is_open: Whether it goes on now.
        total: How many jobs it has.
        completed: How many of them have completed.
        cancelled: How many were cancelled.
        discarded: How many were discarded.
        deleted: How many were deleted before they had ended.
        attempted: How many have run to an end at least once, or have ended without.
        pending: The callbacks that were not written yet.
    """

    id: str
    parent: str | None
    was_open: bool
    is_open: bool
    total: int
    completed: int
    cancelled: int
    discarded: int
    deleted: int
    attempted: int
    pending: Sequence[str]

    @property
    def ended(self) -> int:
        """How many jobs have ended in any way."""
        return self.completed + self.cancelled + self.discarded + self.deleted


@boundaries
class FollowStatements(Area):
    """What is asked of flows, steps and edges when jobs have changed their states."""

    folder = "flows"

    @property
    def chains(self) -> ChainStatements:
        """What is asked of chains."""
        return ChainStatements(self._prefix, self._idiom)

    @property
    def enqueueing(self) -> EnqueueStatements:
        """What enqueues callbacks that are unique or in a chain."""
        jobs = JobStatements(self._prefix, self._idiom)
        unique = UniqueStatements(self._prefix, self._idiom)
        return EnqueueStatements(jobs, unique, self.chains)

    def find_kept(self, numbers: Sequence[int]) -> Statement[frozenset[int]]:
        """Read which of some jobs belong to workflows and batches that have not ended."""
        return self.statement(
            "kept", (list(numbers),), lambda rows: frozenset(row["id"] for row in rows)
        )

    def lock_flows(self, ids: Sequence[str], *, wait: bool = True) -> Statement[list[Lock]]:
        """Lock the roots of flows, and tell which are locked."""
        return self.statement(
            "lock",
            (list(ids),),
            lambda rows: [Lock(row["id"], row["root"], bool(row["locked"])) for row in rows],
            wait=wait,
        )

    def is_any_linked(self, numbers: Sequence[int]) -> Statement[bool]:
        """Tell whether any of some jobs belongs to a flow."""
        return self.statement(
            "is_any_linked", (list(numbers),), lambda rows: bool(rows[0]["linked"])
        )

    def lock_of_jobs(self, numbers: Sequence[int], *, wait: bool = True) -> Statement[list[Link]]:
        """Read the flows of jobs, and lock their roots."""
        return self.statement(
            "lock_of_jobs",
            (list(numbers),),
            lambda rows: [
                Link(row["id"], tuple(row["flows"]), bool(row["locked"])) for row in rows
            ],
            wait=wait,
        )

    def close_jobs(self, ends: Mapping[int, str]) -> Dialogue[Closed]:
        """Close the edges to jobs that have ended."""
        if all(end == State.COMPLETED for end in ends.values()):
            statement = self.statement("close_completed", (list(ends),), _as_going)
        else:
            statement = self.statement("close_jobs", (list(ends), list(ends.values())), as_closed)
        closed: Closed = yield statement
        return closed

    def close_flows(self, ids: Sequence[str]) -> Dialogue[Closed]:
        """Close the edges to flows that have ended."""
        closed: Closed = yield self.statement("close_flows", (list(ids),), as_closed)
        return closed

    def release_steps(self, numbers: Sequence[int]) -> Dialogue[list[Released]]:
        """Let steps go on."""
        ordered = sorted(numbers)
        released: list[Released] = yield self.statement("release", (ordered,), as_released)
        if sum(steps.count for steps in released) < len(ordered):
            released += yield self.statement("release_dated", (ordered,), as_dated)
        return released

    def cancel_steps(self, due: Sequence[Due]) -> Dialogue[list[Cancelled]]:
        """Cancel steps."""
        cancelled: list[Cancelled] = yield self.statement(
            "cancel", ([step.job for step in due], [step.error for step in due]), as_cancelled
        )
        return cancelled

    def postpone(self, patches: Mapping[int, str]) -> Statement[None]:
        """Write deadlines that are later now."""
        return self.statement(
            "postpone", (list(patches), list(patches.values())), lambda rows: None
        )

    def count_flows(self, changes: Mapping[str, Sequence[int]]) -> Dialogue[list[Counted]]:
        """Change the counts of flows.

        Args:
            changes: By flow, by how much its columns change: total, suspended, completed,
                cancelled, discarded, deleted, attempted, inner_open.
        """
        counted: list[Counted] = yield self.statement("count", _columns(changes), as_counted)
        return counted

    def fire_callbacks(
        self, events: Sequence[tuple[str, str]], *, wait: bool = True
    ) -> Dialogue[list[Fired]]:
        """Write callbacks: of a batch, for an event.

        Args:
            events: The batches and events.
            wait: Whether keys and chains that others hold are waited for, however long it takes;
                else the transaction fails soon.
        """
        params = (*_split(events), None if wait else _PATIENCE)
        rows: Rows = yield self.statement("fire", params, list)
        told = as_told(rows)
        return [*as_fired(rows), *(yield from self.enqueue_callbacks(told))]

    def enqueue_callbacks(self, told: Sequence[Job]) -> Dialogue[list[Fired]]:
        """Enqueue callbacks that are unique or in a chain."""
        if not told:
            return []
        jobs: list[Job] = yield from all_of(self.enqueueing.enqueue(told))
        yield from self._enlist([job for job in jobs if not job.conflict])
        return as_enqueued(jobs)

    def _enlist(self, callbacks: Sequence[Job]) -> Dialogue[None]:
        """Note to which batches callbacks belong that were enqueued."""
        if callbacks:
            batches = [job.meta[BATCH_KEY] for job in callbacks]
            ids = [job.id for job in callbacks]
            yield self.statement("enlist", (batches, ids), lambda rows: None)

    def forget_steps(self, numbers: Sequence[int]) -> Dialogue[None]:
        """Forget what jobs have waited for that are no more."""
        yield self.statement("forget", (list(numbers),), lambda rows: None)


def as_closed(rows: Rows) -> Closed:
    """Return the steps of rows: one that is cancelled tells for what."""
    return Closed(
        [row["job_id"] for row in rows if row["ended"] is None],
        [
            Due(row["job_id"], row["needs"], row["ended"])
            for row in rows
            if row["ended"] is not None
        ],
    )


def _as_going(rows: Rows) -> Closed:
    """Return the steps of one row: thousands of rows would keep the garbage collector at it."""
    return Closed(rows[0]["going"] or [])


def as_counted(rows: Rows) -> list[Counted]:
    """Return the flows of rows."""
    return [
        Counted(
            row["id"],
            row["parent"],
            bool(row["was_open"]),
            bool(row["is_open"]),
            row["total"],
            row["completed"],
            row["cancelled"],
            row["discarded"],
            row["deleted"],
            row["attempted"],
            row["pending"] or (),
        )
        for row in rows
    ]


def flows_of(row: Row) -> tuple[str, ...]:
    """Return the flows that a job names: a callback is no member of its batch."""
    batch = None if row["callback"] else row["batch"]
    return tuple(flow for flow in (row["workflow"], batch, row["chain"]) if flow is not None)


def as_released(rows: Rows) -> list[Released]:
    """Return the steps of rows that go on, each row as many as it counts."""
    return [
        Released(row["queue"], State(row["state"]), flows_of(row), row["count"]) for row in rows
    ]


def as_dated(rows: Rows) -> list[Released]:
    """Return the steps of rows that go on, each of which has a deadline."""
    return [
        Released(
            row["queue"],
            State(row["state"]),
            flows_of(row),
            job=row["id"],
            deadline=row["deadline"],
            late=row["late"],
        )
        for row in rows
    ]


def as_cancelled(rows: Rows) -> list[Cancelled]:
    """Return the steps of rows that were cancelled."""
    return [Cancelled(row["id"], row["attempt"], flows_of(row)) for row in rows]


def _columns(changes: Mapping[str, Sequence[int]]) -> tuple[list[str] | list[int], ...]:
    columns = [list(column) for column in zip(*changes.values(), strict=True)]
    return (list(changes), *columns)


def _split(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [one for one, _ in pairs], [other for _, other in pairs]
