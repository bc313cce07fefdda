"""Raises the priority of jobs that have waited for long; the leader alone does so.

What a job's priority is to be is a function of its own priority and of how long it has been due
(see `Ageing.priority_of`), and its own one is written into the row when it first rises. So it does
not matter who looks, how often, or whether two do at once: nobody raises a job twice, and a leader
that was away for an hour raises by as many steps as were missed.

A round goes along the index of available jobs: from each queue's priority to the next, and in each
from the job that has waited longest as far as the shortest `after` of any rule there. Levels that
no rule raises are not read. Jobs are read a page at a time without a lock, and those that are to
rise are written a page at a time, guarded by what was read. A round ends when `limit` jobs were
read; the next one goes on where it stopped, so that a million jobs that wait without being due to
rise cost a round no more than that.

Rounds come as often as the shortest `after` or `interval` of any rule: a job rises at most so much
late, and one that has just risen is not read many times before it is due again.

Options: `staffa.ageing.Prioritizer`.
Events: `staffa.prioritizer.raised`.
"""

from __future__ import annotations

from collections.abc import Callable

from staffa.ageing import Prioritizer
from staffa.engine import Engine
from staffa.service import Loop
from staffa.telemetry import emit
from staffa.telemetry.catalogue import JobsRaised
from staffa.waiting import Level, Waiting

_LEVELS_AT_ONCE = 1000


class PrioritizerLoop(Loop):
    """Raises priorities.

    Args:
        engine: Where.
        options: Which jobs rise, when and how far.
        leading: Tells whether this node leads.
    """

    def __init__(
        self, engine: Engine, options: Prioritizer, *, leading: Callable[[], bool]
    ) -> None:
        super().__init__(options.pace)
        self._span = "staffa.service.prioritizer"
        self._engine = engine
        self._options = options
        self._leading = leading
        self._level: Level | None = None
        self._job: Waiting | None = None

    async def tick(self) -> None:
        """Go through all that waits, or as far as the limit."""
        if not self._leading():
            self._level = self._job = None
            return
        left = self._options.limit
        if self._level is not None and self._job is not None:
            left -= await self._go_through(self._level, left)
        while left > 0 and self._leading():
            levels = await self._engine.find_levels(after=self._level, limit=_LEVELS_AT_ONCE)
            for level in levels:
                self._level = level
                left -= await self._go_through(level, left)
                if left <= 0:
                    return
            if len(levels) < _LEVELS_AT_ONCE:
                self._level = None
                return

    async def _go_through(self, level: Level, limit: int) -> int:
        """Go on through a level, page by page; return how many jobs were read."""
        age = self._least_age(level)
        batch, read = self._options.batch, 0
        while age is not None and self._leading():
            page = await self._engine.find_oldest_waiting(
                level, age=age, after=self._job, limit=batch
            )
            read += len(page)
            await self._raise(level, page)
            if len(page) < batch:
                break
            self._job = page[-1]
            if read >= limit:
                return read
        self._job = None
        return read

    def _least_age(self, level: Level) -> float | None:
        """Return how long jobs of a level have waited at least that may rise; None without any."""
        rules = self._options.rules_in(level.queue)
        age = min((one.after for one in rules if one.max_priority < level.priority), default=None)
        return age if age is not None and age <= level.waited else None

    async def _raise(self, level: Level, page: list[Waiting]) -> None:
        due = [(job, wanted) for job in page if (wanted := self._priority_of(job)) < job.priority]
        if not due:
            return
        raised = await self._engine.raise_jobs([job for job, _ in due], [one for _, one in due])
        if raised:
            emit(JobsRaised, queue=level.queue, priority=level.priority, count=len(raised))

    def _priority_of(self, job: Waiting) -> int:
        rule = self._options.rule_for(job.queue, job.worker)
        return job.priority if rule is None else rule.priority_of(job.own_priority, job.waited)
