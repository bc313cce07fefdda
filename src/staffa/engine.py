"""The contract of engines: how jobs and the signs of life of their producers are stored.

Every write is set-based and guarded by the state it expects, and by the whole lease where there is
one; it returns what it changed. What is due or expired is judged by the database's clock. The tests
in `tests/conformance` are the definition: what passes them is an engine.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, overload
from uuid import UUID

from staffa.capabilities import Capabilities
from staffa.changes import Changed as Changed
from staffa.changes import Changes as Changes
from staffa.changes import Rescued as Rescued
from staffa.changes import Rescues as Rescues
from staffa.changes import Staged as Staged
from staffa.changes import Written as Written
from staffa.chunking import ChunkClaim, ChunkRule
from staffa.controls import AS_CONFIGURED as AS_CONFIGURED
from staffa.controls import EVERYBODY as EVERYBODY
from staffa.controls import ChangeQueues as ChangeQueues
from staffa.controls import Control as Control
from staffa.controls import ControlsQueues
from staffa.controls import QueueChanges as QueueChanges
from staffa.controls import dynamic_control as dynamic_control
from staffa.controls import node_scope as node_scope
from staffa.cron.storage import StoresCrons
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.leases import Ack as Ack
from staffa.leases import Checkpoint as Checkpoint
from staffa.leases import Ending as Ending
from staffa.leases import Hold as Hold
from staffa.leases import Lease as Lease
from staffa.leases import Producer as Producer
from staffa.limiting import LimitedClaim, Limiting
from staffa.limits import Limits
from staffa.linking import Linking
from staffa.maintenance import Tidies
from staffa.rehearsal import Rehearses
from staffa.signalling import CarriesSignals
from staffa.signalling import Signalled as Signalled
from staffa.signalling import SignalsSeen as SignalsSeen
from staffa.statement import Alone as Alone
from staffa.statement import Dialect as Dialect
from staffa.statement import Statement as Statement
from staffa.statement import Statements as Statements
from staffa.survey import Surveyed
from staffa.types import State
from staffa.waiting import Ages

Told = Literal["jobs", "ids"]
"""What is returned of jobs that were written."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """New jobs that only have to be sent.

    Args:
        statements: They insert them.
    """

    statements: Statements[Written]


def process_scope(producer: Producer) -> str:
    """Return the scope of one process."""
    return f"process:{producer.uuid}"


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a heartbeat has read.

    Args:
        others: The heartbeats of all other producers.
        controls: The options of queues that have changed for this producer.
        version: Of the last change that the instance knew then.
    """

    others: Mapping[UUID, int]
    controls: Sequence[Control] = ()
    version: int = 0


class Heartbeat(Protocol):
    """The signs of life of one producer, on a connection of its own."""

    async def beat(self, producer: Producer, known: int | None = None) -> Pulse:
        """Show that a producer lives, and read the others' heartbeats and changes of queues.

        Args:
            producer: Who lives.
            known: The version of the changes that it knows. A producer that has just begun gives
                None, and is told of the pauses of whole queues alone: they outlive processes.
        """

    async def find_lost_leases(self, producer: Producer, leases: Sequence[Lease]) -> list[Lease]:
        """Return those of the leases that have ended without the producer's doing."""

    async def close(self) -> None:
        """Close the connection."""


class Engine(
    StoresCrons,
    Tidies,
    Ages,
    Surveyed,
    Limiting,
    Linking,
    Rehearses,
    ControlsQueues,
    CarriesSignals,
    Protocol,
):
    """Stores jobs. Every method may raise `DatabaseError`."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    async def open(self) -> None:
        """Connect; other methods do so by themselves as well."""

    async def close(self) -> None:
        """Close all connections."""

    def heartbeat(self, patience: float | None = None) -> Heartbeat:
        """Return a heartbeat for the event loop that will call it, with its own connection.

        Args:
            patience: Seconds for a reply, after which a new connection is made for the next beat.
        """

    @overload
    async def enqueue_jobs(
        self,
        jobs: Sequence[Job],
        *,
        conn: Any = None,
        told: Literal["jobs"] = "jobs",
        wake: bool = False,
    ) -> list[Job]: ...
    @overload
    async def enqueue_jobs(
        self, jobs: Sequence[Job] | Prepared, *, conn: Any = None, told: Literal["ids"]
    ) -> Written: ...
    async def enqueue_jobs(
        self,
        jobs: Sequence[Job] | Prepared,
        *,
        conn: Any = None,
        told: Told = "jobs",
        wake: bool = False,
    ) -> list[Job] | Written:
        """Insert jobs and return them in the order given, in the transaction of `conn` if given.

        All or none. For a unique job that there is already, the existing one is returned.

        Args:
            jobs: New ones; what `prepare_jobs` has made of them, for who wants their ids.
            conn: The user's connection.
            told: Whether the jobs are returned, or what is enough for who wants their ids.
            wake: Whether the same statement wakes their queue; see `can_wake`.
        """

    def can_wake(self, jobs: Sequence[Job]) -> bool:
        """Tell whether jobs are available at once, and what inserts them can wake their queue."""

    def prepare_jobs(self, jobs: Sequence[Job]) -> Prepared:
        """Do what can be done before jobs are inserted, without the database."""

    def enqueue_jobs_on(self, jobs: Sequence[Job], conn: Any) -> list[Job]:
        """Do the same in the transaction of a connection that is used without an event loop."""

    async def prune_unique_keys(self, limit: int) -> int:
        """Forget up to so many keys of unique jobs none of which is left; return how many.

        Each call looks on from where the last one has stopped, for as long as enough is found.
        """

    async def count_available(self, limits: Mapping[str, int]) -> dict[str, int]:
        """Count the available jobs of queues, each up to its limit."""

    async def claim_jobs(
        self, queue: str, limit: int, producer: Producer, *, without: Sequence[str] = ()
    ) -> list[Job]:
        """Lease available jobs of a queue to a producer, and return them, the most urgent first.

        Args:
            queue: The queue.
            limit: How many at most.
            producer: Who leases.
            without: Names of workers whose jobs are left.
        """

    async def claim_chunks(
        self, queue: str, limit: int, producer: Producer, rules: Sequence[ChunkRule]
    ) -> ChunkClaim:
        """Lease chunks that are full or due, up to a number of them.

        Those only that are more urgent than the jobs of other workers which would be claimed in
        their place.
        """

    async def claim_limited_jobs(
        self,
        queue: str,
        limit: int,
        producer: Producer,
        limits: Limits,
        *,
        rules: Sequence[ChunkRule] = (),
    ) -> LimitedClaim:
        """Lease jobs as far as the queue's limits allow it: those written last, or else these.

        Args:
            queue: The queue.
            limit: How many at most; a chunk counts as one, as it does for the limits.
            producer: Who leases.
            limits: The limits.
            rules: Of workers whose jobs run in chunks: they are claimed with the first one.
        """

    async def ack_jobs(
        self, acks: Sequence[Ending], producer: Producer, *, wait: bool = True
    ) -> dict[int, State]:
        """Write outcomes; return the new states of those whose leases were still valid.

        Args:
            acks: The outcomes; a lease alone stands for a completion with nothing to it.
            producer: Whose leases they end.
            wait: Whether rows that others hold are waited for; else they are left out.
        """

    def acknowledging(
        self, acks: Sequence[Ack], producer: Producer, *, linked: bool = False
    ) -> Statements[dict[int, State]]:
        """Return what writes outcomes, for a user's connection to run.

        Args:
            acks: The outcomes.
            producer: Whose leases they end.
            linked: Whether their jobs may belong to flows: then what follows is written as well.
        """

    async def find_holds(self, leases: Sequence[Lease], producer: Producer) -> list[Hold]:
        """Tell how it stands with leases, without waiting for whoever holds their rows."""

    async def trace_acks(self, acks: Sequence[Ack], producer: Producer) -> frozenset[int]:
        """Return the ids of the jobs that show that these outcomes had been written before."""

    async def checkpoint_jobs(
        self, checkpoints: Sequence[Checkpoint], producer: Producer
    ) -> frozenset[Lease]:
        """Merge into the meta of running jobs, and return the leases of those that were written.

        The others have ended, or their rows are held by somebody else: `find_holds` tells which.

        Each lease is given once.
        """

    async def stage_jobs(self, limit: int, queues: Sequence[str]) -> Staged:
        """Make due jobs available, and tell which of the queues have work."""

    async def cancel_jobs(self, wanted: JobFilter | Sequence[int], *, wait: bool = True) -> Changes:
        """Cancel unfinished jobs, in one transaction.

        Args:
            wanted: Their ids, or a filter that names ids.
            wait: Whether jobs that others hold are waited for; else they are left out.
        """

    async def cancel_flow(self, flow: str) -> Changes:
        """Cancel all unfinished jobs of a workflow or batch, and of the flows inside of it.

        Raises:
            UnknownFlow: If it is not stored.
        """

    async def retry_jobs(self, wanted: JobFilter | Sequence[int], *, wait: bool = True) -> Changes:
        """Make jobs available at once, unless they are, run, or are suspended."""

    async def delete_jobs(self, wanted: JobFilter | Sequence[int], *, wait: bool = True) -> Changes:
        """Delete jobs that do not run."""

    async def update_jobs(self, ids: Sequence[int], changes: Mapping[str, Any]) -> list[Job]:
        """Change columns of jobs, and return the jobs."""

    async def change_jobs(
        self, wanted: JobFilter | Sequence[int], changes: Mapping[str, Any], *, wait: bool = True
    ) -> list[Changed]:
        """Change columns of jobs, and return which were changed and their queues from now on."""

    async def update_job(
        self, number: int, change: Callable[[Job], Awaitable[Mapping[str, Any]]], *, idle: float
    ) -> Job | None:
        """Change columns of a job, and return it; None if there is none.

        Args:
            number: Its id.
            change: Called while the job's row is held; returns the changes. What it raises is
                passed on, and nothing is changed. An engine that can't hold a row calls it again
                where the row has changed meanwhile.
            idle: Seconds after which the row is let go whatever the function does.
        """

    async def get_jobs(self, ids: Sequence[int]) -> list[Job]:
        """Read jobs, in the order of their ids."""

    async def list_jobs(self, wanted: JobFilter) -> list[Job]:
        """Read the jobs of a filter, the newest first; a hundred if it has no limit."""

    def find_jobs(self, wanted: JobFilter) -> AsyncGenerator[list[int], None]:
        """Yield the ids of the jobs of a filter, the oldest first, in portions.

        Every job is looked at once that was there from the beginning to the end. Its limit is for
        the caller to heed.
        """

    async def count_jobs(self, wanted: JobFilter | None = None) -> dict[tuple[str, State], int]:
        """Count the jobs of a filter by queue and state."""

    async def release_jobs(
        self, producer: Producer, *, queue: str | None = None, running: Sequence[int] = ()
    ) -> frozenset[str]:
        """Put back what a producer holds (of a queue) but does not run; return the queues."""

    async def rescue_jobs(
        self, dead: Mapping[UUID, int], *, max_rescues: int, limit: int
    ) -> Rescues:
        """Take the jobs of producers away whose heartbeats stand still at the counts given."""

    async def rescue_foreign_jobs(self, *, age: float, limit: int) -> Rescues:
        """Take jobs of other implementations away that have run longer than an age in seconds."""

    async def discard_exhausted_jobs(self, *, limit: int) -> Rescues:
        """Discard available jobs without attempts left."""

    async def remove_producer(self, producer: Producer) -> None:
        """Forget a producer that has stopped."""

    async def reap_producers(self, *, age: float) -> int:
        """Forget producers that died longer than an age in seconds ago."""

    async def elect_leader(self, producer: Producer, *, lease: float) -> bool:
        """Become or stay the leader for so many seconds, unless somebody else is."""

    async def resign_leader(self, producer: Producer) -> bool:
        """Give up leadership; tell whether there was any."""
