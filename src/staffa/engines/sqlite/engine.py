"""The engine for SQLite: each method runs one statement, or several in one transaction.

Three connections to the file, each on a thread of its own. One writes: a file has one writer at a
time, whoever it is, so what a process writes takes turns before it comes to that. One reads beside
it. One is for the heartbeat, which must not wait in a line.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar, cast, overload

from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa._internal.kill_points import boundaries
from staffa.capabilities import Capabilities
from staffa.dialogues import Conversation, Dialogue, hold_here
from staffa.drivers.connections import run_on, run_on_sync
from staffa.drivers.sqlite import FileConnection, FileSettings, Run
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
from staffa.engines.limited import LimitVerbs
from staffa.engines.linked.ending import complete
from staffa.engines.linked.graphs import GraphVerbs
from staffa.engines.linked.recipes import write_recipe
from staffa.engines.linked.verbs import FollowVerbs
from staffa.engines.signals import SignalEngine
from staffa.engines.sqlite.ageing import SqliteAgeing
from staffa.engines.sqlite.functions import install
from staffa.engines.sqlite.heartbeat import SqliteHeartbeat
from staffa.engines.sqlite.maintenance import SqliteTidying
from staffa.engines.sqlite.queues import SqliteControls
from staffa.engines.sqlite.rehearsal import SqliteRehearsal
from staffa.engines.sqlite.statements.chains import ChainStatements
from staffa.engines.sqlite.statements.changes import ChangeStatements, Seen
from staffa.engines.sqlite.statements.chunks import ChunkStatements
from staffa.engines.sqlite.statements.following import FollowStatements
from staffa.engines.sqlite.statements.graphs import GraphStatements
from staffa.engines.sqlite.statements.idiom import SQLITE
from staffa.engines.sqlite.statements.jobs import JobStatements, StageStatements
from staffa.engines.sqlite.statements.limits import LimitStatements
from staffa.engines.sqlite.statements.nodes import (
    BeatStatements,
    ControlStatements,
    TendStatements,
)
from staffa.engines.sqlite.statements.prunes import PruneStatements
from staffa.engines.sqlite.statements.unique import UniqueStatements
from staffa.engines.sqlite.survey import SqliteSurvey
from staffa.engines.statements.conditions import Wanted
from staffa.engines.statements.crons import CronDialogues
from staffa.engines.statements.dynamic import DynamicStatements
from staffa.engines.statements.enqueueing import EnqueueStatements
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.flows import FlowStatements
from staffa.engines.statements.nodes import LeaderStatements
from staffa.engines.statements.repairs import RepairStatements
from staffa.engines.statements.rescues import RescueStatements
from staffa.engines.statements.signals import SignalStatements
from staffa.engines.statements.unique import Pruned
from staffa.engines.unique import UniqueVerbs
from staffa.engines.walks import Walks
from staffa.errors import StatementConflict
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.survey import Survey
from staffa.telemetry import observed
from staffa.types import State

T = TypeVar("T")

CAPABILITIES = Capabilities(
    user_transactions=True,
    schemas=False,
    listens=False,
    poolers=False,
    rebuilds_indexes=False,
    holds_rows=False,
)

_PREFIX = "main"


@observed("staffa.engine")
@boundaries
class SqliteEngine(
    SqliteControls,
    SqliteRehearsal,
    SqliteAgeing,
    SqliteTidying,
    CronEngine,
    SignalEngine,
    UniqueVerbs,
    LimitVerbs,
    FollowVerbs,
    GraphVerbs,
):
    """Jobs in a file.

    Args:
        settings: The file.
        instance: The client whose events its calls are.
        clock: The database's clock.
    """

    def __init__(
        self,
        settings: FileSettings,
        instance: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.instance = instance
        settings = replace(settings, prepare=partial(install, clock=clock))
        self._settings = settings
        self._clock = clock
        self._writer = FileConnection(settings, "staffa-sqlite-writer")
        self._reader = FileConnection(settings, "staffa-sqlite-reader")
        self._survey = SqliteSurvey(self._reader, _PREFIX, instance)
        self._jobs = self._acking = JobStatements(_PREFIX, SQLITE)
        self._stages = StageStatements(_PREFIX, SQLITE)
        self._changes = self._operations = ChangeStatements(_PREFIX, SQLITE)
        self._walks = Walks(self._reader.read, self._changes)
        self._unique = UniqueStatements(_PREFIX, SQLITE)
        self._chains = ChainStatements(_PREFIX, SQLITE)
        self._enqueueing = EnqueueStatements(
            self._jobs, self._unique, self._chains, settings.prepare
        )
        self._rescues = RescueStatements(_PREFIX, SQLITE)
        self._prunes = PruneStatements(_PREFIX, SQLITE)
        self._producers = BeatStatements(_PREFIX, SQLITE)
        self._leaders = LeaderStatements(_PREFIX, SQLITE)
        self._queues = ControlStatements(_PREFIX, SQLITE)
        self._dynamic = DynamicStatements(_PREFIX, SQLITE)
        self._tending = TendStatements(_PREFIX, SQLITE)
        self._crons = self._tending
        self._cron_dialogues = CronDialogues(self._crons, self._enqueueing)
        self._limits = LimitStatements(_PREFIX, SQLITE)
        self._signals = SignalStatements(_PREFIX, SQLITE)
        self._chunks = ChunkStatements(_PREFIX, SQLITE)
        self._following = FollowStatements(_PREFIX, SQLITE)
        self._repairs = RepairStatements(_PREFIX, SQLITE)
        self._graphs = GraphStatements(_PREFIX, SQLITE)
        self._flows = FlowStatements(_PREFIX, SQLITE)
        self._flow_control = FlowControlStatements(_PREFIX, SQLITE)
        self._prepare = settings.prepare
        self._signing = (self._jobs, self._stages, self._graphs)

    @property
    def capabilities(self) -> Capabilities:
        """What a file can do."""
        return CAPABILITIES

    @property
    def survey(self) -> Survey:
        """Looks at what goes on."""
        return self._survey

    async def open(self) -> None:
        """Open the file."""
        await self._writer.perform(lambda raw: None)

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.close()
        await self._reader.close()

    def heartbeat(self, patience: float | None = None) -> Heartbeat:
        """Return a heartbeat with its own connection; a file always replies."""
        connection = FileConnection(self._settings, "staffa-sqlite-heartbeat")
        return SqliteHeartbeat(connection, self._producers, self._jobs, self._dynamic)

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
        statements = self._enqueueing.statements(jobs, told)
        if conn is not None:
            return await run_on(conn, statements)
        return await self._writer.write(statements)

    def can_wake(self, jobs: Sequence[Job]) -> bool:
        """Tell whether one statement does both."""
        return False

    def prepare_jobs(self, jobs: Sequence[Job]) -> Prepared:
        """Make the statements that insert jobs."""
        return self._enqueueing.prepare(jobs)

    def enqueue_jobs_on(self, jobs: Sequence[Job], conn: Any) -> list[Job]:
        """Insert jobs in a user's transaction, on this thread."""
        return run_on_sync(conn, self._enqueueing.enqueue(jobs))

    def _prune_keys(self, after: str, limit: int) -> Statements[Pruned]:
        return self._unique.prune(after, limit)

    async def count_available(self, limits: Mapping[str, int]) -> dict[str, int]:
        """Count the available jobs of queues."""
        return {
            queue: await self._reader.read(self._jobs.count_waiting(queue, limit))
            for queue, limit in limits.items()
        }

    async def claim_jobs(
        self, queue: str, limit: int, producer: Producer, *, without: Sequence[str] = ()
    ) -> list[Job]:
        """Lease available jobs."""
        return await self._writer.write(self._jobs.claim(queue, limit, producer, without))

    async def ack_jobs(
        self, acks: Sequence[Ending], producer: Producer, *, wait: bool = True
    ) -> dict[int, State]:
        """Write outcomes; nobody holds rows, so there are none to wait for."""
        return await self._writer.write(self._jobs.ack(acks, producer))

    def acknowledging(
        self, acks: Sequence[Ack], producer: Producer, *, linked: bool = False
    ) -> Statements[dict[int, State]]:
        """Return what writes outcomes."""
        prepare = partial(install, clock=self._clock)
        if linked:
            return Conversation.held(
                lambda: complete(self._following, self._jobs, acks, producer),
                "sqlite",
                prepare,
                write_recipe("sqlite", _PREFIX, acks, producer),
            )
        statement = self._jobs.ack_any(acks, producer)
        return Statements(
            [lambda: statement],
            lambda results: cast("dict[int, State]", results[0]),
            "sqlite",
            prepare,
        )

    async def find_holds(self, leases: Sequence[Lease], producer: Producer) -> list[Hold]:
        """Tell how it stands with leases; a row that is written to can't be told from others."""
        return await self._reader.read(self._jobs.find_holds(producer, leases))

    async def trace_acks(self, acks: Sequence[Ack], producer: Producer) -> frozenset[int]:
        """Read whether outcomes had been written before."""
        return await self._writer.read(self._jobs.trace(acks, producer))

    async def checkpoint_jobs(
        self, checkpoints: Sequence[Checkpoint], producer: Producer
    ) -> frozenset[Lease]:
        """Write what running jobs note."""
        return await self._writer.write(self._jobs.checkpoint(checkpoints, producer))

    async def stage_jobs(self, limit: int, queues: Sequence[str]) -> Staged:
        """Make due jobs available."""
        return await self._writer.write(self._stages.stage(limit, queues))

    async def update_jobs(self, ids: Sequence[int], changes: Mapping[str, Any]) -> list[Job]:
        """Change columns of jobs, and return the jobs."""
        return await self._writer.write(self._changes.update(ids, changes))

    async def change_jobs(
        self, wanted: Wanted, changes: Mapping[str, Any], *, wait: bool = True
    ) -> list[Changed]:
        """Change columns of jobs."""
        return await self._writer.write(self._changes.change_together(wanted, changes))

    async def update_job(
        self, number: int, change: Callable[[Job], Awaitable[Mapping[str, Any]]], *, idle: float
    ) -> Job | None:
        """Change columns of a job as a function says that sees it.

        To hold a row would be to hold the file: it is called again where the row has changed.
        """
        while True:
            seen = await self._reader.read(self._changes.see(number))
            if seen is None:
                return None
            began = self._clock.monotonic()
            changes = await change(seen.job)
            if not changes:
                return seen.job
            updated = await self._writer.transact(partial(self._update_seen, seen, changes))
            if updated is not None:
                return updated
            if self._clock.monotonic() - began > idle:
                raise StatementConflict(
                    f"job {number} was changed by somebody else while its function ran for more "
                    f"than {idle:g} s: nothing was written"
                )

    def _update_seen(self, seen: Seen, changes: Mapping[str, Any], run: Run) -> Job | None:
        """Change a job if it is still the same; None if it is not."""
        number = seen.job.id or 0
        now = run(self._changes.see(number))
        if now is None or now.version != seen.version:
            return None
        (updated,) = run(self._changes.update([number], changes))
        return updated

    async def get_jobs(self, ids: Sequence[int]) -> list[Job]:
        """Read jobs by id."""
        return await self._reader.read(self._changes.get(ids))

    async def list_jobs(self, wanted: JobFilter) -> list[Job]:
        """Read the newest jobs of a filter."""
        return await self._walks.list_jobs(wanted)

    def find_jobs(self, wanted: JobFilter) -> AsyncGenerator[list[int], None]:
        """Yield the ids of the jobs of a filter."""
        return self._walks.find_jobs(wanted)

    async def count_jobs(self, wanted: JobFilter | None = None) -> dict[tuple[str, State], int]:
        """Count the jobs of a filter by queue and state."""
        return await self._reader.read(self._changes.count(wanted or JobFilter()))

    async def release_jobs(
        self, producer: Producer, *, queue: str | None = None, running: Sequence[int] = ()
    ) -> frozenset[str]:
        """Put back what a producer holds but does not run."""
        release = self._rescues.release(producer, queue=queue, running=running)
        return await self._writer.write(release)

    async def remove_producer(self, producer: Producer) -> None:
        """Forget a producer that has stopped."""
        await self._writer.write(self._producers.remove(producer))

    async def reap_producers(self, *, age: float) -> int:
        """Forget producers that died long ago."""
        return await self._writer.write(self._producers.reap(age=age))

    async def elect_leader(self, producer: Producer, *, lease: float) -> bool:
        """Become or stay the leader."""
        return await self._writer.write(self._leaders.elect(producer, lease=lease))

    async def resign_leader(self, producer: Producer) -> bool:
        """Give up leadership."""
        return await self._writer.write(self._leaders.resign(producer))

    async def tend_crons(
        self, instance: str, *, dead_after: float, forget_after: float
    ) -> list[str]:
        """Forget the entries that nobody declares any more."""
        return await self._writer.write(
            self._tending.tend_together(instance, dead_after=dead_after, forget_after=forget_after)
        )

    async def _hold(self, dialogue: Dialogue[T]) -> T:
        """Hold a dialogue in a transaction."""
        return await self._writer.transact(partial(hold_here, dialogue))

    async def _change(self, statement: Statement[T]) -> T:
        return await self._writer.write(statement)

    async def _run_together(self, statements: Statements[T]) -> T:
        return await self._writer.write(statements)

    async def _follow(self, begin: Callable[[], Dialogue[T]], *, acks: bool = False) -> T:
        """Hold a dialogue; a file has one writer, whatever it writes."""
        return await self._writer.write(Conversation.held(begin, "sqlite"))

    async def _read(self, statement: Statement[T]) -> T:
        return await self._reader.read(statement)
