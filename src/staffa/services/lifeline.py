"""Frees jobs that nobody runs any more.

Every node rescues the jobs of dead producers, as its own watchman finds them, so that the death of
the leader delays nothing. The leader alone looks for old jobs of other implementations, for
available ones without attempts left, and forgets producers that died long ago, and keys of unique
jobs and flows whose jobs are gone.

Options: `max_rescues`, `foreign_dead_after`.
Events: `staffa.job.rescued` and `staffa.job.discarded` for each job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from staffa.engine import Engine, Rescued, Rescues
from staffa.linking import Followed
from staffa.portions import Portion
from staffa.service import Loop
from staffa.telemetry import emit
from staffa.telemetry.catalogue import FlowsRepaired, JobEnded, JobRescued
from staffa.types import EndReason, State

_INTERVAL_SECONDS = 60.0
_LARGEST_BATCH = 1000
_MOST_KEYS = 50_000
_MOST_FLOWS = 50_000
_FORGET_AFTER_SECONDS = 86_400.0


class Lifeline(Loop):
    """Rescues jobs.

    Args:
        engine: Where.
        leading: Tells whether this node leads.
        max_rescues: How often a job may be rescued before it is discarded.
        foreign_dead_after: Seconds after which a running job of another implementation is given up.
        on_available: Called with the queues of which jobs became available.
        on_discarded: Called with each job that was discarded, and why.
        on_followed: Called with what has come of that for jobs that depend on them.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        leading: Callable[[], bool],
        max_rescues: int,
        foreign_dead_after: float,
        on_available: Callable[[Iterable[str]], None],
        on_discarded: Callable[[Rescued, EndReason], None],
        on_followed: Callable[[Followed], None],
    ) -> None:
        super().__init__(_INTERVAL_SECONDS)
        self._engine = engine
        self._leading = leading
        self._max_rescues = max_rescues
        self._foreign_dead_after = foreign_dead_after
        self._on_available = on_available
        self._on_discarded = on_discarded
        self._on_followed = on_followed
        self._dead: dict[UUID, int] = {}
        self._portion = Portion(_LARGEST_BATCH)

    def rescue(self, dead: Mapping[UUID, int]) -> None:
        """Have the jobs of dead producers rescued now.

        Args:
            dead: The producers, with the heartbeats at which they stand still.
        """
        self._dead.update(dead)
        self.wake()

    async def tick(self) -> None:
        """Free what is to be freed."""
        await self._rescue_dead()
        if self._leading():
            self._tell(
                await self._engine.rescue_foreign_jobs(
                    age=self._foreign_dead_after, limit=_LARGEST_BATCH
                ),
                EndReason.EXHAUSTED,
            )
            exhausted = await self._engine.discard_exhausted_jobs(limit=_LARGEST_BATCH)
            self._tell(exhausted, EndReason.EXHAUSTED)
            await self._repair_links()
            await self._engine.reap_producers(age=_FORGET_AFTER_SECONDS)
            await self._engine.forget_controls(age=_FORGET_AFTER_SECONDS)
            await self._engine.forget_limits(age=_FORGET_AFTER_SECONDS)
            await self._engine.prune_unique_keys(_MOST_KEYS)
            await self._engine.forget_flows(age=_FORGET_AFTER_SECONDS, limit=_MOST_FLOWS)

    async def _repair_links(self) -> None:
        """Follow what others have ended, who know nothing of what depends on it."""
        found = await self._engine.repair_links(limit=_LARGEST_BATCH)
        if found.foreign or found.own or found.recounted:
            emit(FlowsRepaired, foreign=found.foreign, own=found.own, recounted=found.recounted)
        self._on_followed(found.followed)

    async def _rescue_dead(self) -> None:
        while self._dead:
            dead = dict(self._dead)
            with self._portion.tried() as most:
                rescued = await self._engine.rescue_jobs(
                    dead, max_rescues=self._max_rescues, limit=most
                )
            self._tell(rescued, EndReason.RESCUES)
            if len(rescued) < most:
                self._dead = {
                    uuid: beats for uuid, beats in self._dead.items() if dead.get(uuid) != beats
                }

    def _tell(self, rescued: Rescues, reason: EndReason) -> None:
        for job in rescued:
            if job.state is State.DISCARDED:
                emit(JobEnded, job=job, state=job.state)
                self._on_discarded(job, reason)
            else:
                emit(JobRescued, job=job)
        queues = {job.queue for job in rescued if job.state is State.AVAILABLE}
        if queues:
            self._on_available(queues)
        self._on_followed(rescued.followed)
