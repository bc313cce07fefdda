"""What becomes of jobs whose rows transactions of others hold, once their functions have ended.

Those may be transactions of users that complete the job, or anything else that has locked the row.

Invariants: a row that a transaction still holds is never waited for, as the statement that waits
would hold up the outcomes of other jobs: it is looked at again, ever more rarely; a completion that
was committed is told once, whatever the function did afterwards; where it was rolled back, the
outcome of the function is written as that of any other job.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from staffa._internal.backoff import Backoff
from staffa._internal.kill_points import boundary
from staffa.engine import Engine, Hold, Producer
from staffa.errors import DatabaseError
from staffa.queues.outcomes import Outcome
from staffa.service import Service
from staffa.telemetry import Outages, report

_FIRST_LOOK_SECONDS = 0.02
_RAREST_LOOK_SECONDS = 1.0
_TOLD_AFTER_LOOKS = 10


class Handovers(Service):
    """Finds out how such jobs have ended.

    Args:
        engine: Where their rows are.
        producer: Whose leases they are.
        submit: Takes an outcome that is to be written.
        tell: Takes an outcome that has ended its job, and whether that is in the row.
    """

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        submit: Callable[[Outcome], None],
        tell: Callable[[Outcome, bool], None],
    ) -> None:
        super().__init__()
        self._engine = engine
        self._producer = producer
        self._submit = submit
        self._tell = tell
        self._open: list[Outcome] = []
        self._arrived = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    @boundary("hand_over")
    def hand_over(self, outcome: Outcome) -> None:
        """Take the outcome of a function whose job's row a transaction may hold."""
        self._open.append(outcome)
        self._arrived.set()
        self._settled.clear()

    def unwritten(self) -> list[Outcome]:
        """Return the outcomes whose fate is open."""
        return list(self._open)

    async def flush(self) -> None:
        """Return once no transaction is open any more."""
        await self._settled.wait()

    async def run(self) -> None:
        """Look at what comes, until cancelled."""
        backoff = Backoff(first_seconds=_FIRST_LOOK_SECONDS, cap_seconds=_RAREST_LOOK_SECONDS)
        outages = Outages("looking at rows of outcomes")
        looks = 0
        while True:
            if not self._open:
                self._settled.set()
                backoff.reset()
                looks = 0
                await self._arrived.wait()
            self._arrived.clear()
            try:
                await self._look()
            except DatabaseError as error:
                outages.report("outcomes wait for their rows", error)
            else:
                outages.end()
            if not self._open:
                continue
            looks += 1
            if looks == _TOLD_AFTER_LOOKS:
                self._complain()
            try:
                async with asyncio.timeout(backoff.next_seconds()):
                    await self._arrived.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        outcomes = list(self._open)
        leases = [outcome.ack.lease for outcome in outcomes]
        holds = await self._engine.find_holds(leases, self._producer)
        ended = [
            outcome.completion or outcome.ack  # that may have been written, its reply being lost
            for outcome, hold in zip(outcomes, holds, strict=True)
            if hold is Hold.ENDED
        ]
        traced = await self._engine.trace_acks(ended, self._producer) if ended else frozenset()
        for outcome, hold in zip(outcomes, holds, strict=True):
            if hold is Hold.HELD:
                continue
            self._open.remove(outcome)
            if hold is Hold.FREE:
                self._submit(replace(outcome, completion=None))
                continue
            committed = outcome.ack.lease.id in traced
            try:
                handed = committed and outcome.completion is not None
                self._tell(completed(outcome) if handed else outcome, committed)
            except Exception as error:  # noqa: BLE001  # hooks are objects of users' making
                report(f"telling the outcome of job {outcome.job.id} failed", error)

    def _complain(self) -> None:
        numbers = ", ".join(str(outcome.job.id) for outcome in self._open[:10])
        report(
            f"transactions are still open that hold the rows of these jobs, though their functions "
            f"have ended: {numbers}",
            TimeoutError("commit or roll back, before the function ends if it completes the job"),
            level=logging.WARNING,
        )


def completed(outcome: Outcome) -> Outcome:
    """Return the outcome that is in the row; what the function raised afterwards is only logged."""
    if isinstance(outcome.result, BaseException):
        report(
            f"job {outcome.job.id} raised after its completion was committed: it stays completed",
            outcome.result,
        )
    assert outcome.completion is not None  # noqa: S101  # it was handed over for that
    result = None if isinstance(outcome.result, BaseException) else outcome.result
    return replace(outcome, ack=outcome.completion, result=result, reason=None, completion=None)
