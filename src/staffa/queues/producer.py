"""Claims the jobs of one queue on one node.

A chunk takes one slot, whatever number of jobs it has.

Invariants: a claim never asks for more than the free slots, nor than its `allowance`, and a job
that was claimed has its slot before it starts; there is one claim at a time, and the next one
begins beside the writing of the last one's outcomes, a large one even beside the start of its jobs;
while a claim came back full, a freed slot claims again, otherwise a wake-up does. Stopping waits
for the claim under way: what it leased is started or put back, never forgotten. A claim whose reply
was lost may have leased jobs that nobody runs, or do so later, as the server may still be at it:
for a while, what this queue holds without running it is put back now and then, between two claims.
So it is once after an outage: it may have ended with another server, which lacks the last of what
the old one had committed.

A queue that is paused or closed at run time claims no more, but keeps its task: jobs that run go on
and keep their slots, and what a lost claim has leased is still put back. The task of a closed queue
ends when nothing of that is left; until then the queue may be opened again, with its slots.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from staffa._internal.backoff import Backoff
from staffa._internal.clock import Clock
from staffa.engine import Engine, Producer
from staffa.errors import DatabaseError
from staffa.jobs import Job
from staffa.limits import Limits
from staffa.portions import Portion
from staffa.queue import Queue
from staffa.queues import outcomes
from staffa.queues.allowance import Allowance
from staffa.queues.claims import Claimed, Claims, KeptClaims, LimitedClaims, PlainClaims, jobs_of
from staffa.queues.executor import Executor
from staffa.queues.slots import Slots
from staffa.queues.spread import Spread
from staffa.service import Service, severity
from staffa.telemetry import Outages

_LARGEST_CLAIM = 5000
_WORTH_A_CLAIM_BESIDE = 100  # halves of less cost more by their number than they gain
_STOP_SECONDS = 5.0
_DOUBT_SECONDS = 300.0
_DOUBTFUL_WAIT_SECONDS = 2.0


class QueueProducer(Service):
    """Claims jobs and starts them.

    Args:
        name: The queue.
        queue: Its options.
        engine: Where from.
        producer: Who leases.
        executor: Runs the jobs.
        held: Returns the ids of all jobs that run or whose outcome is not written.
        on_done: Called with each job that has finished.
        clock: Measures how long a lost claim is feared.
        allowance: Says how many may be claimed, beside the free slots; all if not given.
    """

    def __init__(
        self,
        name: str,
        queue: Queue,
        engine: Engine,
        producer: Producer,
        executor: Executor,
        *,
        held: Callable[[], Sequence[int]],
        on_done: Callable[[Job], None],
        clock: Clock,
        allowance: Allowance | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.limit = queue.limit
        self.paused = queue.paused
        self.closed = False
        self.failing = False
        self._engine = engine
        self._producer = producer
        self._executor = executor
        self._held = held
        self._on_done = on_done
        self._clock = clock
        self._allowance = allowance or Allowance(Slots(), Spread(lambda: 0, clock))
        self._wanted = asyncio.Event()
        self._allowance.on_ready = self._wanted.set
        self._running: set[Claimed] = set()
        self._hungry = False
        self._draining = False
        self._doubt_until: float | None = None
        self._put_back_at = -math.inf
        self._suspicious = False
        self._backoff = Backoff()
        self._outages = Outages(f"claiming from {name!r}")
        self._portion = Portion(_LARGEST_CLAIM)
        self.limits: Limits | None = queue.limits
        self._claims = self._make_claims()

    @property
    def running_ids(self) -> list[int]:
        """The jobs that take slots; any thread may ask."""
        return [job.id for job in jobs_of(list(self._running)) if job.id is not None]

    @property
    def has_room(self) -> bool:
        """Whether it claims when it is woken, as far as its own slots go."""
        return not self._rests and len(self._running) < self.limit

    @property
    def ended(self) -> bool:
        """Whether it was closed and has nothing left to do."""
        return self.closed and self._task is not None and self._task.done()

    def wake(self) -> None:
        """Look for jobs."""
        self._allowance.woken()
        self._wanted.set()

    def limit_by(self, limits: Limits | None) -> None:
        """Claim under other limits of all nodes from now on; None: under those others have set."""
        if limits != self.limits:
            self._claims.close()
            self.limits = limits
            self._claims = self._make_claims()
            self._wanted.set()  # the old ones' timer is gone, and more may be allowed

    def cool_down_by(self, seconds: float) -> None:
        """Have another time lie between two claims from now on."""
        self._allowance.cool_down_by(seconds)

    def _make_claims(self) -> Claims:
        if self.limits is None:
            return KeptClaims(self.name, self._engine, self._producer, self.wake, self._clock)
        if self.limits.any:
            return LimitedClaims(self.name, self._engine, self._producer, self.limits, self.wake)
        return PlainClaims(self.name, self._engine, self._producer, self.wake)

    def settled(self) -> None:
        """Take note that a job has ended, and its outcome is stored."""
        self._claims.settled()

    def look_for_strays(self) -> None:
        """Put back what this queue holds without running it, before the next claim."""
        self._suspicious = True
        self._wanted.set()

    def set(self, *, closed: bool, paused: bool, limit: int) -> None:
        """Change what it does from now on; jobs that run go on, also above a lower limit."""
        self.closed, self.paused, self.limit = closed, paused, limit
        self._wanted.set()

    async def on_start(self) -> None:
        """Look for jobs at once."""
        self._draining = False
        self._wanted.set()

    async def stop(self) -> None:
        """Claim no more; jobs that run go on."""
        self._draining = True
        self._claims.close()
        self._wanted.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_STOP_SECONDS)
        await super().stop()
        self._allowance.withdraw()

    async def run(self) -> None:
        """Claim whenever there is something to claim and a slot for it."""
        while not self._draining and not self._has_closed():
            await self._wait()
            try:
                await self._put_back_strays()
                await self._fill()
            except DatabaseError as error:
                self.failing = True
                self._allowance.withdraw()
                what = f"claiming from {self.name!r} will be tried again"
                self._outages.report(what, error, level=severity(error))
                await asyncio.sleep(self._backoff.next_seconds())
                self._wanted.set()

    async def _fill(self) -> None:
        """Claim and start until there is no free slot or no job left.

        While claims come back full, the next one is sent before the jobs of the last one are
        started, as far as there are slots for both: the database works on it meanwhile.
        """
        demand = self._demand()
        if demand <= 0:
            self._hungry = True
            return
        jobs = await self._claim(demand)
        while True:
            if jobs and self._rests:
                await self._put_back(jobs)
                return
            self._backoff.reset()
            self._outages.end()
            self.failing = False
            self._hungry = len(jobs) == demand
            if not self._hungry:
                self._start(jobs)
                return
            if self._demand(len(jobs)) < self.limit / 2:
                begun = len(jobs) // 2
                self._start(jobs[:begun])
                jobs = jobs[begun:]
            demand = self._demand(len(jobs))
            if demand < _WORTH_A_CLAIM_BESIDE:
                self._start(jobs)
                self._wanted.set()
                return
            jobs = await self._claim_beside(demand, jobs)

    async def _claim_beside(self, demand: int, jobs: Sequence[Claimed]) -> Sequence[Claimed]:
        """Start jobs while the next ones are claimed, and return these."""
        claim = asyncio.get_running_loop().create_task(self._claim(demand))
        try:
            await asyncio.sleep(0)  # it is sent before the jobs take the loop
        except BaseException:
            claim.cancel()
            raise
        finally:
            self._start(jobs)
        return await claim

    def _start(self, jobs: Iterable[Claimed]) -> None:
        for job in jobs:
            self._running.add(job)
            self._executor.start(job, self._free)

    def _demand(self, unstarted: int = 0) -> int:
        """Return how many jobs to claim, besides those that were claimed and did not start yet."""
        if self._rests:
            self._allowance.withdraw()
            return 0
        free = min(self.limit - len(self._running) - unstarted, self._portion.size)
        return self._allowance.most(free, self.limit)

    @property
    def _rests(self) -> bool:
        return self.paused or self.closed

    def _has_closed(self) -> bool:
        return self.closed and not self._running and not self.in_doubt

    async def _wait(self) -> None:
        """Return when jobs are wanted; while a claim may be lost, now and then."""
        if self.in_doubt:
            with suppress(TimeoutError):
                async with asyncio.timeout(_DOUBTFUL_WAIT_SECONDS):
                    await self._wanted.wait()
        else:
            await self._wanted.wait()
        self._wanted.clear()

    async def _put_back_strays(self) -> None:
        """Put back what lost claims have leased; there is no other claim of this queue now."""
        now = self._clock.monotonic()
        due = self.in_doubt and now >= self._put_back_at + _DOUBTFUL_WAIT_SECONDS
        if due or self._suspicious:
            released = await self._engine.release_jobs(
                self._producer, queue=self.name, running=list(self._held())
            )
            self._suspicious = False
            self._put_back_at = now
            if released:
                self._wanted.set()

    async def _put_back(self, jobs: Sequence[Claimed]) -> None:
        """Put back what was claimed while the queue was paused or closed: nothing starts now.

        By the leases: an older run of one of these jobs may still be under way here.
        """
        try:
            acks = [outcomes.of_interruption(job) for job in jobs_of(jobs)]
            await self._engine.ack_jobs(acks, self._producer)
        except BaseException:  # it is tried again as after a lost claim
            self._fear_strays()
            raise
        finally:
            self._allowance.free(len(jobs))

    def _fear_strays(self) -> None:
        self._doubt_until = self._clock.monotonic() + _DOUBT_SECONDS
        self._put_back_at = -math.inf

    async def _claim(self, demand: int) -> Sequence[Claimed]:
        most = 0 if self._draining else self._allowance.take(demand)
        if not most:
            return []
        jobs: Sequence[Claimed] = []
        try:
            with self._portion.tried(most):
                jobs = await self._claims.take(most)
        except BaseException:
            self._fear_strays()
            raise
        finally:
            self._allowance.settle(most, len(jobs))
        return jobs

    @property
    def in_doubt(self) -> bool:
        """Whether the server may still be at a claim that nobody waits for any more."""
        return self._doubt_until is not None and self._clock.monotonic() < self._doubt_until

    def _free(self, claimed: Claimed) -> None:
        self._running.discard(claimed)
        self._allowance.free()
        if self._hungry:
            self._wanted.set()
        if isinstance(claimed, Job):
            self._on_done(claimed)
        else:
            for job in claimed:
                self._on_done(job)
