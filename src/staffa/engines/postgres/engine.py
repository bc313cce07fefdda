"""The engine for PostgreSQL: each method runs one statement of `statements`, or a walk of them.

The ways to the server: a pool for what stands alone; by plans that are made once, one connection
for jobs that are enqueued singly, one for the claims, one for the acknowledgements, and one or two
for the claims under limits, which run beside each other; one for the heartbeat, on its own thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any, Literal, Self, TypeVar, overload

from staffa._internal.kill_points import boundaries
from staffa.capabilities import Capabilities
from staffa.dialogues import Conversation, Dialogue, hold
from staffa.drivers.asyncpg import Access, ConnectionSettings, Dedicated
from staffa.drivers.asyncpg_pool import PlannedOnce, Pool
from staffa.drivers.connections import run_on, run_on_sync
from staffa.drivers.joined import Joined
from staffa.engine import (
    Ack,
    Changed,
    Checkpoint,
    Ending,
    Heartbeat,
    Hold,
    Lease,
    Prepared,
    Producer,
    Staged,
    Statement,
    Statements,
    Told,
    Written,
)
from staffa.engines.crons import CronEngine
from staffa.engines.limited import ClaimsAtOnce, LimitVerbs
from staffa.engines.linked.ending import complete
from staffa.engines.linked.graphs import GraphVerbs
from staffa.engines.linked.recipes import write_recipe
from staffa.engines.linked.verbs import FollowVerbs
from staffa.engines.postgres.ageing import PostgresAgeing
from staffa.engines.postgres.heartbeat import PostgresHeartbeat
from staffa.engines.postgres.maintenance import PostgresMaintenance, check_vacuum
from staffa.engines.postgres.queues import PostgresControls, PostgresQueues
from staffa.engines.postgres.survey import PostgresSurvey
from staffa.engines.signals import SignalEngine
from staffa.engines.statements.chains import ChainStatements
from staffa.engines.statements.chunks import ChunkStatements
from staffa.engines.statements.conditions import Wanted
from staffa.engines.statements.crons import CronDialogues, CronStatements
from staffa.engines.statements.enqueueing import EnqueueStatements
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.flows import FlowStatements
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.graphs import GraphStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.limits import LimitStatements
from staffa.engines.statements.nodes import LeaderStatements, ProducerStatements
from staffa.engines.statements.operations import OperationStatements
from staffa.engines.statements.prunes import PruneStatements
from staffa.engines.statements.repairs import RepairStatements
from staffa.engines.statements.rescues import RescueStatements
from staffa.engines.statements.signals import SignalStatements
from staffa.engines.statements.unique import Pruned, UniqueStatements
from staffa.engines.unique import UniqueVerbs
from staffa.engines.walks import Walks
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.maintenance import Finished, Maintenance, VacuumHealth
from staffa.rehearsal import Execute
from staffa.survey import Survey
from staffa.telemetry import observed
from staffa.types import State

T = TypeVar("T")

_LIMITED_CLAIMS_AT_ONCE = 2  # one may wait for the claim of another node
_LINKED_WRITERS = 2


@observed("staffa.engine")
@boundaries
class PostgresEngine(
    PostgresControls,
    PostgresAgeing,
    CronEngine,
    SignalEngine,
    UniqueVerbs,
    LimitVerbs,
    FollowVerbs,
    GraphVerbs,
):
    """Jobs in a schema of a PostgreSQL database.

    Args:
        settings: Where to connect.
        prefix: The schema.
        pool_size: How many connections the pool has at most.
        instance: The client whose events its calls are.
        owner: Where to connect as the owner of the tables, directly; None if that is not known.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        prefix: str,
        pool_size: int,
        instance: str | None = None,
        owner: ConnectionSettings | None = None,
    ) -> None:
        self.instance = instance
        self._prefix = prefix
        self._maintenance = None if owner is None else PostgresMaintenance(owner, prefix)
        self._settings = settings
        self.pool = Pool(settings, pool_size)
        self._singles: PlannedOnce | Joined = PlannedOnce(settings, self.pool)
        self._claims: Dedicated | Joined = Dedicated(settings.with_access(Access.ORDERED))
        self._acks: Dedicated | Joined = Dedicated(settings.with_access(Access.PROBES))
        self._links: Pool | Joined = Pool(settings.with_access(Access.PROBES), _LINKED_WRITERS)
        self._limited_claims = Pool(settings.with_access(Access.ORDERED), _LIMITED_CLAIMS_AT_ONCE)
        self._survey = PostgresSurvey(settings, self.pool, prefix, instance)
        self._jobs = self._acking = JobStatements(prefix)
        self._operations = OperationStatements(prefix)
        self._walks = Walks(self._read, self._operations)
        self._unique = UniqueStatements(prefix)
        self._enqueueing = EnqueueStatements(self._jobs, self._unique, ChainStatements(prefix))
        self._rescues = RescueStatements(prefix)
        self._prunes = PruneStatements(prefix)
        self._producers = ProducerStatements(prefix)
        self._leaders = LeaderStatements(prefix)
        self._queues = PostgresQueues(prefix)
        self._crons = CronStatements(prefix)
        self._cron_dialogues = CronDialogues(self._crons, self._enqueueing)
        self._limits = LimitStatements(prefix)
        self._at_once = ClaimsAtOnce(self._limits)
        self._signals = SignalStatements(prefix)
        self._chunks = ChunkStatements(prefix)
        self._following = FollowStatements(prefix)
        self._repairs = RepairStatements(prefix)
        self._graphs = GraphStatements(prefix)
        self._flows = FlowStatements(prefix)
        self._flow_control = FlowControlStatements(prefix)
        self._signing = (self._jobs, self._graphs)

    @property
    def capabilities(self) -> Capabilities:
        """Everything."""
        return Capabilities(user_transactions=True, writers=_LINKED_WRITERS)

    async def open(self) -> None:
        """Connect."""
        async with self.pool.connection():
            pass

    async def close(self) -> None:
        """Close all connections."""
        for way in (self._singles, self._claims, self._acks, self._links, self._limited_claims):
            await way.close()
        await self.pool.close()

    def heartbeat(self, patience: float | None = None) -> Heartbeat:
        """Return a heartbeat with its own connection."""
        connection = Dedicated(self._settings, patience)
        return PostgresHeartbeat(connection, self._producers, self._jobs, self._queues)

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
        """Insert jobs."""
        if conn is None and (single := self._enqueueing.single(jobs, told, wake=wake)):
            return await self._singles.run(single)
        statements = self._enqueueing.statements(jobs, told)
        if conn is not None:
            return await run_on(conn, statements)
        return await self.pool.run_together(statements)

    def joined(self, execute: Execute) -> Self:
        """Return an engine that works in a transaction of the user's."""
        engine = copy(self)
        engine.pool = engine._claims = engine._acks = Joined(execute)
        engine._links = engine._limited_claims = engine._singles = engine.pool
        engine._at_once = None  # a conflict would end the user's transaction
        engine._walks = Walks(engine._read, self._operations)
        return engine

    def can_wake(self, jobs: Sequence[Job]) -> bool:
        """Tell whether one statement does both."""
        return self._jobs.can_wake(jobs)

    def prepare_jobs(self, jobs: Sequence[Job]) -> Prepared:
        """Make the statements that insert jobs."""
        return self._enqueueing.prepare(jobs)

    def enqueue_jobs_on(self, jobs: Sequence[Job], conn: Any) -> list[Job]:
        """Insert jobs in a user's transaction, on this thread."""
        return run_on_sync(conn, self._enqueueing.enqueue(jobs))

    def _prune_keys(self, after: str, limit: int) -> Statements[Pruned]:
        return Statements.of(self._unique.prune(after, limit))

    async def count_available(self, limits: Mapping[str, int]) -> dict[str, int]:
        """Count the available jobs of queues."""
        return await self.pool.run(self._jobs.count_available(limits))

    async def claim_jobs(
        self, queue: str, limit: int, producer: Producer, *, without: Sequence[str] = ()
    ) -> list[Job]:
        """Lease available jobs."""
        return await self._claims.run(self._jobs.claim(queue, limit, producer, without))

    async def ack_jobs(
        self, acks: Sequence[Ending], producer: Producer, *, wait: bool = True
    ) -> dict[int, State]:
        """Write outcomes."""
        return await self._acks.run(self._jobs.ack(acks, producer, wait=wait))

    def acknowledging(
        self, acks: Sequence[Ack], producer: Producer, *, linked: bool = False
    ) -> Statements[dict[int, State]]:
        """Return what writes outcomes."""
        if not linked:
            return Statements.of(self._jobs.ack_any(acks, producer))
        return Conversation.held(
            lambda: complete(self._following, self._jobs, acks, producer),
            recipe=write_recipe("postgres", self._prefix, acks, producer),
        )

    async def find_holds(self, leases: Sequence[Lease], producer: Producer) -> list[Hold]:
        """Tell how it stands with leases."""
        return await self.pool.run(self._jobs.find_holds(producer, leases))

    async def trace_acks(self, acks: Sequence[Ack], producer: Producer) -> frozenset[int]:
        """Read whether outcomes had been written before."""
        return await self._acks.run(self._jobs.trace(acks, producer))

    async def checkpoint_jobs(
        self, checkpoints: Sequence[Checkpoint], producer: Producer
    ) -> frozenset[Lease]:
        """Write what running jobs note."""
        return await self.pool.run(self._jobs.checkpoint(checkpoints, producer))

    async def stage_jobs(self, limit: int, queues: Sequence[str]) -> Staged:
        """Make due jobs available."""
        return await self.pool.run(self._jobs.stage(limit, queues))

    async def stage_queue(self, queue: str, until: datetime | None) -> int:
        """Make the jobs of a queue available that are due until a time."""
        return await self.pool.run(self._jobs.stage_queue(queue, until))

    async def reset(self) -> None:
        """Delete all there is."""
        await self.pool.run(self._jobs.reset())

    async def update_jobs(self, ids: Sequence[int], changes: Mapping[str, Any]) -> list[Job]:
        """Change columns of jobs, and return the jobs."""
        return await self.pool.run(self._operations.update(ids, changes))

    async def change_jobs(
        self, wanted: Wanted, changes: Mapping[str, Any], *, wait: bool = True
    ) -> list[Changed]:
        """Change columns of jobs."""
        return await self.pool.run(self._operations.change(wanted, changes, wait=wait))

    async def update_job(
        self, number: int, change: Callable[[Job], Awaitable[Mapping[str, Any]]], *, idle: float
    ) -> Job | None:
        """Change columns of a job as a function says that sees it under a row lock."""
        async with self.pool.transaction() as run:
            job = await run(self._operations.lock(number, idle))
            if job is None or not (changes := await change(job)):
                return job
            (updated,) = await run(self._operations.update([number], changes))
            return updated

    async def _read(self, statement: Statement[T]) -> T:
        return await self.pool.run(statement)

    async def get_jobs(self, ids: Sequence[int]) -> list[Job]:
        """Read jobs by id."""
        return await self.pool.run(self._operations.get(ids))

    async def list_jobs(self, wanted: JobFilter) -> list[Job]:
        """Read the newest jobs of a filter."""
        return await self._walks.list_jobs(wanted)

    def find_jobs(self, wanted: JobFilter) -> AsyncGenerator[list[int], None]:
        """Yield the ids of the jobs of a filter."""
        return self._walks.find_jobs(wanted)

    async def count_jobs(self, wanted: JobFilter | None = None) -> dict[tuple[str, State], int]:
        """Count the jobs of a filter by queue and state."""
        return await self.pool.run(self._operations.count(wanted or JobFilter()))

    async def release_jobs(
        self, producer: Producer, *, queue: str | None = None, running: Sequence[int] = ()
    ) -> frozenset[str]:
        """Put back what a producer holds but does not run."""
        return await self.pool.run(self._rescues.release(producer, queue=queue, running=running))

    async def find_oldest_finished(
        self, state: State, *, age: float, after: Finished | None, limit: int
    ) -> list[Finished]:
        """Walk finished jobs from the one that ended first."""
        return await self.pool.run(
            self._prunes.find_oldest(state, age=age, after=after, limit=limit)
        )

    async def find_newest_finished(
        self, state: State, *, age: float, before: Finished | None, limit: int
    ) -> list[Finished]:
        """Walk finished jobs from the one that ended last."""
        return await self.pool.run(
            self._prunes.find_newest(state, age=age, before=before, limit=limit)
        )

    async def prune_jobs(self, jobs: Sequence[Finished]) -> frozenset[int]:
        """Delete finished jobs that have not changed since they were read."""
        return await self.pool.run(self._prunes.prune(jobs))

    async def check_vacuum(self) -> VacuumHealth:
        """Read what vacuums have left."""
        return await self.pool.run(check_vacuum(self._prefix))

    @property
    def maintenance(self) -> Maintenance | None:
        """What the owner of the tables may do."""
        return self._maintenance

    @property
    def survey(self) -> Survey:
        """Looks at what goes on."""
        return self._survey

    async def remove_producer(self, producer: Producer) -> None:
        """Forget a producer that has stopped."""
        await self.pool.run(self._producers.remove(producer))

    async def reap_producers(self, *, age: float) -> int:
        """Forget producers that died long ago."""
        return await self.pool.run(self._producers.reap(age=age))

    async def elect_leader(self, producer: Producer, *, lease: float) -> bool:
        """Become or stay the leader."""
        return await self.pool.run(self._leaders.elect(producer, lease=lease))

    async def resign_leader(self, producer: Producer) -> bool:
        """Give up leadership."""
        return await self.pool.run(self._leaders.resign(producer))

    async def tend_crons(
        self, instance: str, *, dead_after: float, forget_after: float
    ) -> list[str]:
        """Forget the entries that nobody declares any more."""
        return await self.pool.run(
            self._crons.tend(instance, dead_after=dead_after, forget_after=forget_after)
        )

    async def _hold(self, dialogue: Dialogue[T]) -> T:
        """Hold a dialogue in a transaction."""
        async with self.pool.transaction() as run:
            return await hold(dialogue, run)

    async def _hold_claim(self, dialogue: Dialogue[T]) -> T:
        async with self._limited_claims.transaction() as run:
            return await hold(dialogue, run)

    async def _hold_apart(self, dialogue: Dialogue[T]) -> T:
        return await hold(dialogue, self._limited_claims.run)

    async def _change(self, statement: Statement[T]) -> T:
        return await self.pool.run(statement)

    async def _run_together(self, statements: Statements[T]) -> T:
        return await self.pool.run_together(statements)

    async def _follow(self, begin: Callable[[], Dialogue[T]], *, acks: bool = False) -> T:
        """Hold a dialogue; outcomes have a connection of their own."""
        pool = self._links if acks else self.pool
        return await pool.run_together(Conversation.held(begin))
