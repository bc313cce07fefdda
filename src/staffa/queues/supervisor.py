"""Holds what runs jobs in this process, and takes it down in order.

Stopping has four steps: no more claims; running jobs may go on for the grace period, but for those
that wait for signals, which park at once; those that are left are asked to stop; what still does
not end is put back as if it had not begun. The heartbeat goes on until all is written. A second
request to stop ends the grace period at once.

Invariants: the grace period begins when stopping does, whatever the database does then; a step that
fails keeps none of the next ones from being taken; each step has its time, and once one has waited
for the database in vain, the others wait for it no longer than a moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

from staffa._internal.clock import Clock
from staffa._internal.kill_points import boundary
from staffa.config import Config
from staffa.engine import Engine, Lease, Producer
from staffa.errors import DatabaseError
from staffa.jobs import Job
from staffa.linking import Followed
from staffa.queue import Queue
from staffa.queues.acker import Acker
from staffa.queues.aftermath import Aftermath, has_hook
from staffa.queues.allowance import Allowance
from staffa.queues.awaits import Awaits
from staffa.queues.backlog import Backlog
from staffa.queues.checkpoints import Checkpoints
from staffa.queues.composing import Composes
from staffa.queues.executor import Executor
from staffa.queues.handovers import Handovers
from staffa.queues.linked_acker import LinkedAcker
from staffa.queues.linked_lanes import LinkedLanes
from staffa.queues.outcomes import Completion, Ended, Outcome
from staffa.queues.pools.process import ProcessPool, ProcessPoolSettings
from staffa.queues.pools.thread import PATIENCE_SECONDS, ThreadPool
from staffa.queues.producer import QueueProducer
from staffa.queues.roster import Roster
from staffa.queues.run import Stop
from staffa.queues.slots import Slots
from staffa.queues.spread import Spread
from staffa.queues.watchdog import Watchdog
from staffa.queues.watchman import Observations, Watchman
from staffa.service import attempt
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import ShutdownBegun, ShutdownEnded
from staffa.types import State, to_seconds

_FLUSH_SECONDS = 10.0
_MOMENT_SECONDS = 2.0

# A connection may die without a word. The heartbeat gives it up so early that the next one, on a
# new connection, comes before others take this process for dead.
_HEARTBEATS_IN_TIME = 3
_LEAST_PATIENCE_SECONDS = 2.0


def _ignore(outcome: object, state: object = None) -> None:
    """Nobody asks what became of an outcome."""


class Supervisor:
    """The producers, the executor, the acker and the watchman of one process.

    Args:
        config: The client's settings; its queues are what runs.
        engine: Where jobs come from.
        producer: Who this process is.
        clock: Measures.
        on_dead: Called with producers that have died.
        on_done: Called with each job that has finished.
        on_settled: Called with each outcome that is stored, and the state of its job; not with
            those that completed together while nobody listened.
        on_completed: Called with all whose completion is stored.
        on_followed: Called with what has come of the ends of jobs that belong to flows.
        composer: Serves jobs of workflows.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        producer: Producer,
        *,
        clock: Clock,
        on_dead: Callable[[Mapping[UUID, int]], None],
        on_done: Callable[[Job], None],
        on_settled: Callable[[Outcome, State], None] = _ignore,
        on_completed: Callable[[Sequence[Ended]], None] = _ignore,
        on_followed: Callable[[Followed], None],
        composer: Composes | None = None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._producer = producer
        self._threads = ThreadPool()
        self._processes = ProcessPool(ProcessPoolSettings.of(config), clock)
        self.aftermath = Aftermath(engine, self._threads)
        self._on_followed = on_followed
        # Queues that are kept in the database bring their limits from there.
        configured = config.queues if config.dynamic_queues is None else {}
        self._limits = {name: queue.limits for name, queue in configured.items()}
        self._limits = {name: limits for name, limits in self._limits.items() if limits.any}
        self._backlog = Backlog(lambda: self._acker.waiting())  # noqa: PLW0108  # it comes next
        self._acker = Acker(
            engine,
            producer,
            self._settle,
            self._lose,
            on_held=self._hand_over,
            linked=LinkedLanes(self._make_linked, engine.capabilities.writers),
            on_completed=self._settle_at_once,
            on_written=self._backlog.lowered,
        )
        self._handovers = Handovers(
            engine,
            producer,
            self._acker.submit,
            self._tell_handed_over,
        )
        self._checkpoints = Checkpoints(engine, producer, clock)
        self.awaits = Awaits(engine, producer, self._checkpoints)
        self._executor = Executor(
            self._acker,
            self._threads,
            self._processes,
            self._checkpoints,
            imports=config.imports,
            unknown_after=config.unknown_after,
            clock=clock,
            on_lost=self._lose,
            keys=config.encryption_keys,
            handovers=self._handovers,
            awaits=self.awaits,
            composer=composer,
        )
        self._clock = clock
        self._on_done = on_done
        self._on_settled = on_settled
        self._on_completed = on_completed
        limit = config.node_limit
        self._slots = Slots(None if limit is None else config.share.of(limit))
        self.roster = Roster(configured, producer, self._make_producer, clock, config.share)
        patience = max(config.dead_after / _HEARTBEATS_IN_TIME, _LEAST_PATIENCE_SECONDS)
        self._watchman = Watchman(
            partial(engine.heartbeat, patience),
            producer,
            config.heartbeat,
            Observations(config.heartbeat, config.dead_after),
            clock=clock,
            leases=self._executor.leases,
            on_dead=on_dead,
            on_lost=self._stop_lost,
            on_controls=lambda controls, first: self.roster.obey(controls, at_start=first),
            on_recovered=self.roster.look_for_strays,
            since=config.share.since,
        )
        self._watchdog = Watchdog(
            config.name, config.loop_blocked_after, clock=clock, job_of=self._executor.job_of
        )
        self._hurried = asyncio.Event()
        self._patience = _FLUSH_SECONDS

    @property
    def watchman(self) -> Watchman:
        """The heartbeat."""
        return self._watchman

    @property
    def watchdog(self) -> Watchdog:
        """What watches the event loop."""
        return self._watchdog

    @property
    def queues(self) -> list[str]:
        """The queues that run here and are not paused."""
        return self.roster.queues

    async def start(self) -> None:
        """Start: the heartbeat first, the claims last.

        Raises:
            DatabaseError: If the first heartbeat fails, or limits can't be written.
        """
        await self._watchman.start()
        for service in (
            self._acker,
            self._handovers,
            self._checkpoints,
            self.awaits,
            self.aftermath,
        ):
            await service.start()
        self._watchdog.start()
        if self._limits:
            await self._engine.configure_limits(self._limits)
        await self.roster.start()

    def wake(self, queues: Iterable[str]) -> None:
        """Have queues look for jobs; those that don't run here are left out."""
        self.roster.wake(queues)

    def check_leases(self) -> None:
        """Beat now: look for changes of queues and leases that have ended."""
        self._watchman.hurry()

    def lease_of(self, number: int) -> Lease | None:
        """Return the lease under which a job runs here, if it does."""
        return self._executor.lease_of(number)

    def hurry(self) -> None:
        """End the grace period of a stop that is under way."""
        self._hurried.set()

    @boundary("stop_claiming")
    async def stop_claiming(self) -> None:
        """Claim no more; jobs that run go on."""
        await self.roster.stop()

    async def stop(self, grace: float) -> None:
        """Stop in order.

        Args:
            grace: Seconds for which running jobs may go on.
        """
        until = asyncio.get_running_loop().time() + grace
        await attempt("ending the claims", self.stop_claiming())
        emit(ShutdownBegun, producer=self._producer, grace=grace)
        self.awaits.drain()
        await self._wait_for_jobs(max(until - asyncio.get_running_loop().time(), 0.0))
        self._executor.stop_all(Stop.SHUTDOWN)
        await self._executor.wait(2 * PATIENCE_SECONDS)
        await attempt("stopping the processes of jobs", self._processes.stop())
        await self._settle_handovers()
        await self._flush()
        for service in (self.awaits, self._checkpoints, self._handovers, self._acker):
            await attempt(f"stopping the {type(service).__name__.lower()}", service.stop())
        await self.aftermath.flush(self._patience)
        await attempt("stopping what follows the runs", self.aftermath.stop())
        await self._put_back()
        await attempt("stopping the watchdog", self._watchdog.stop())
        await attempt("stopping the heartbeat", self._watchman.stop())
        await self._forget()
        self._threads.stop()
        emit(ShutdownEnded, producer=self._producer)

    async def _wait_for_jobs(self, grace: float) -> None:
        waiting = asyncio.ensure_future(self._executor.wait(grace))
        hurried = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait([waiting, hurried], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            hurried.cancel()

    async def _settle_handovers(self) -> None:
        with suppress(TimeoutError):  # transactions may stay open: what they hold ends with them
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._handovers.flush()

    async def _flush(self) -> None:
        """Have all outcomes written, those too whose rows others held for a moment."""
        held = self._handovers.unwritten()
        try:
            async with asyncio.timeout(self._patience):
                await self._acker.flush()
                if self._handovers.unwritten() != held:
                    await self._settle_handovers()
                    await self._acker.flush()
        except TimeoutError as error:
            self._patience = _MOMENT_SECONDS
            left = len(self._acker.unwritten())
            report(f"{left} outcomes could not be written: these jobs will run again", error)

    async def _put_back(self) -> None:
        """Put back what is left, if the database is there; else other nodes rescue it."""
        try:
            async with asyncio.timeout(self._patience):
                await self._engine.release_jobs(self._producer)
        except (DatabaseError, TimeoutError) as error:
            self._patience = _MOMENT_SECONDS
            report("running jobs could not be put back", error, level=logging.WARNING)

    async def _forget(self) -> None:
        """Remove the producer's row, after its last heartbeat, which would make it anew.

        It stays where a claim may still commit: by it, other nodes know whose jobs these are.
        """
        if self.roster.in_doubt:
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._engine.remove_producer(self._producer)
        except (DatabaseError, TimeoutError) as error:
            report("the producer's row could not be removed", error, level=logging.WARNING)

    def _make_linked(self, roots: dict[str, str]) -> LinkedAcker:
        return LinkedAcker(
            self._engine,
            self._producer,
            self._settle,
            self._lose,
            self._hand_over,
            self._on_followed,
            self._settle_at_once,
            self._backlog.lowered,
            roots,
        )

    def _make_producer(self, name: str, queue: Queue) -> QueueProducer:
        return QueueProducer(
            name,
            queue,
            self._engine,
            self._producer,
            self._executor,
            held=self._held,
            on_done=self._on_done,
            clock=self._clock,
            allowance=Allowance(
                self._slots,
                Spread(lambda: self._watchman.peers, self._clock),
                cooldown=to_seconds(queue.dispatch_cooldown, "dispatch_cooldown"),
                is_full=partial(self._backlog.is_full, name),
            ),
        )

    def _held(self) -> Sequence[int]:
        running = [lease.id for lease in self._executor.leases()]
        outcomes = [*self._acker.unwritten(), *self._handovers.unwritten()]
        return running + [outcome.lease.id for outcome in outcomes]

    def _settle_at_once(self, completions: Sequence[Completion]) -> bool:
        """Take note of completions unless there are hooks to call after them; tell if so."""
        workers = {completion.job.worker for completion in completions}
        if any(has_hook("after_process", worker) for worker in workers):
            return False
        for queue in {completion.job.queue for completion in completions}:
            self.roster.settled(queue)
        self._on_completed(completions)
        return True

    def _settle(self, outcome: Outcome, state: State) -> None:
        """Take note of an outcome that is stored: the slot of its job is free for all nodes."""
        self._on_settled(outcome, state)
        if state is State.COMPLETED:
            self._on_completed([outcome])
        self.aftermath.settled(outcome, state)
        self.roster.settled(outcome.job.queue)
        if state is State.AVAILABLE and outcome.ack.state is State.SCHEDULED:
            self.roster.wake([outcome.job.queue])  # its signal came while it parked

    def _lose(self, job: Job, seconds: float) -> None:
        """Take note of a job whose lease has ended, and its slot with it."""
        self.aftermath.lost(job, seconds)
        self.roster.settled(job.queue)

    def _hand_over(self, outcome: Outcome) -> None:
        self._handovers.hand_over(outcome)

    def _tell_handed_over(self, outcome: Outcome, stored: bool) -> None:
        self._acker.tell(outcome, outcome.state if stored else None)
        if stored and outcome.job.linked:
            # What has followed was told to the user's connection: any queue may have jobs by that.
            self._on_followed(Followed(dict.fromkeys(self.queues, 1)))

    def _stop_lost(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            self._executor.stop_job(lease, Stop.LEASE_ENDED)
