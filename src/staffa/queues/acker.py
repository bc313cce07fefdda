"""Writes the outcomes of jobs back, those of all queues in one statement.

Invariants: an outcome is reported to nobody before its commit; bundles form by themselves, from
what finishes while the last one is written; a bundle that can't be written is tried again for ever
while the jobs go on; one that the database refuses for its data is halved until the bad outcome
stands alone, which then becomes a failed attempt; one that takes the database too long is halved,
too, and nothing more; an outcome that can't be written in any form is set aside and tried again
later, so that it holds up no other; a row that somebody else holds is not waited for, for the same
reason; an outcome that matches no row after a lost reply is looked up before it is called lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from typing import Protocol

from staffa._internal.backoff import Backoff, retry_delay
from staffa._internal.kill_points import boundary
from staffa.engine import Ack, Engine, Hold, Lease, Producer
from staffa.errors import DatabaseError, DatabaseUnavailable, DataRefused
from staffa.jobs import Job
from staffa.portions import takes_too_long
from staffa.queues.outcomes import Completion, Ended, Outcome
from staffa.running import PROGRESS_KEY
from staffa.service import Service
from staffa.telemetry import Outages, emit, listening, report
from staffa.telemetry.catalogue import JobEnded, JobLeaseLost
from staffa.types import State

LARGEST_BUNDLE = 5000
_LARGEST_BUNDLE_CHARACTERS = 32 * 1024 * 1024
_SET_ASIDE_SECONDS = 60.0
_COMPLETED = f"{JobEnded.kind}.{State.COMPLETED}"


def _ignore(*what: object) -> None:
    """Nobody asks what became of an outcome."""


def _refuse(completions: Sequence[Completion]) -> bool:
    """Have each of them told."""
    return False


class WritesLinked(Protocol):
    """Writes the outcomes of jobs that may belong to flows."""

    def submit(self, outcome: Ended) -> None:
        """Have an outcome written."""

    def waiting(self) -> list[Sequence[Ended]]:
        """Return the outcomes that are to be written next."""

    def unwritten(self) -> list[Ended]:
        """Return the outcomes that are not known to be stored."""

    async def flush(self) -> None:
        """Return once everything submitted so far, and since, is written."""

    async def start(self) -> None:
        """Start writing."""

    async def stop(self) -> None:
        """Stop that."""


class Acker(Service):
    """Writes outcomes back.

    Args:
        engine: Where to.
        producer: Whose leases they end.
        on_settled: Called with each outcome that is stored, and the state that its job has now.
        on_lost: Called with each job whose lease had ended, and the seconds that it ran.
        on_held: Called with each outcome whose row somebody else holds, to be submitted again once
            that has ended.
        linked: Writes those of jobs that may belong to flows, beside the others; it starts and
            stops with this one.
        on_completed: Called with completions that are stored while nobody listens to them; tells
            whether it has taken note of all. Else `on_settled` is called with each.
        on_written: Called after each bundle.
    """

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        on_settled: Callable[[Outcome, State], None] = _ignore,
        on_lost: Callable[[Job, float], None] = _ignore,
        on_held: Callable[[Outcome], None] = _ignore,
        linked: WritesLinked | None = None,
        on_completed: Callable[[Sequence[Completion]], bool] = _refuse,
        on_written: Callable[[], None] = _ignore,
    ) -> None:
        super().__init__()
        self._linked = linked
        self._on_completed = on_completed
        self._on_written = on_written
        self._on_held = on_held
        self._on_settled = on_settled
        self._on_lost = on_lost
        self._engine = engine
        self._producer = producer
        self._most = LARGEST_BUNDLE
        self._pending: list[Ended] = []
        self._writing: list[Ended] = []
        self._aside: dict[Lease, Outcome] = {}
        self._arrived = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._outages = Outages("writing outcomes")

    @boundary("submit_outcome")
    def submit(self, outcome: Ended) -> None:
        """Have an outcome written."""
        if self._linked is not None and outcome.job.linked:
            self._linked.submit(outcome)
            return
        if not self._pending:
            self._arrived.set()
            self._settled.clear()
        self._pending.append(outcome)

    def unwritten(self) -> list[Ended]:
        """Return the outcomes that are not known to be stored."""
        linked = [] if self._linked is None else self._linked.unwritten()
        return [*self._writing, *self._pending, *self._aside.values(), *linked]

    def waiting(self) -> list[Sequence[Ended]]:
        """Return the outcomes that are to be written next, those of jobs of flows apart."""
        linked = [] if self._linked is None else self._linked.waiting()
        return [self._pending, *linked]

    async def flush(self) -> None:
        """Return once everything submitted so far, and since, is written."""
        await self._settled.wait()
        if self._linked is not None:
            await self._linked.flush()

    async def on_start(self) -> None:
        """Start what writes the outcomes of jobs of flows."""
        if self._linked is not None:
            await self._linked.start()

    async def on_stop(self) -> None:
        """Stop it."""
        if self._linked is not None:
            await self._linked.stop()

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        self._pending = self._writing + self._pending  # left from a run that a defect ended
        self._writing = []
        while True:
            await self._arrived.wait()
            self._writing, self._pending = _split(self._pending, self._most)
            completions = [ended for ended in self._writing if isinstance(ended, Completion)]
            if len(completions) == len(self._writing):
                await self._complete(completions)
            else:
                await self._write([ended.in_full() for ended in self._writing])
            self._writing = []
            self._on_written()
            self._outages.end()
            if not self._pending:
                self._arrived.clear()
                self._settled.set()

    async def _complete(self, completions: Sequence[Completion]) -> None:
        """Write completions, and tell of all at once if that comes off, as it mostly does."""
        written: dict[int, State] = {}
        uncertain = False
        try:
            written = await self._ack(completions)
        except Exception as error:  # noqa: BLE001  # others are told of when they happen again
            uncertain = isinstance(error, DatabaseUnavailable)
            if isinstance(error, DatabaseError) and not isinstance(error, DataRefused):
                self._report(len(completions), error)
        if len(written) < len(completions) or not self._told_at_once(completions):
            bundle = [completion.in_full() for completion in completions]
            await self._write(bundle, written, uncertain=uncertain)

    def _report(self, count: int, error: DatabaseError) -> None:
        self._outages.report(f"{count} outcomes wait to be written", error)

    def _told_at_once(self, completions: Sequence[Completion]) -> bool:
        try:
            return not listening(_COMPLETED) and self._on_completed(completions)
        except Exception:  # noqa: BLE001  # of hooks; it is told where each has its own turn
            return False

    async def _write(
        self,
        bundle: Sequence[Outcome],
        written: dict[int, State] | None = None,
        *,
        uncertain: bool = False,
    ) -> None:
        """Write a bundle, however long it takes.

        Args:
            bundle: The outcomes.
            written: The jobs of which that is done already, with their states.
            uncertain: Whether the reply of an earlier try may have been lost.
        """
        backoff = Backoff()
        written = {} if written is None else written
        while True:
            try:
                held, traced = await self._try(bundle, written, uncertain=uncertain)
                break
            except DataRefused as error:
                await self._write_apart(self._hand_on_written(bundle, written), error)
                return
            except DatabaseError as error:
                uncertain = uncertain or isinstance(error, DatabaseUnavailable)
                self._report(len(bundle), error)
                await asyncio.sleep(backoff.next_seconds())
                if takes_too_long(error) and len(bundle) > 1 and not written:
                    await self._write_halves(bundle, uncertain=uncertain)
                    return
            except Exception as error:  # noqa: BLE001  # what one outcome holds must not stop others
                await self._write_apart(self._hand_on_written(bundle, written), error)
                return
        for outcome in bundle:
            self._hand_on(outcome, written, held, traced)

    def _hand_on_written(
        self, bundle: Sequence[Outcome], written: dict[int, State]
    ) -> Sequence[Outcome]:
        """Tell of what an earlier try has written; return what is left to be written."""
        left = []
        for outcome in bundle:
            if outcome.ack.lease.id in written:
                self._hand_on(outcome, written, frozenset(), frozenset())
            else:
                left.append(outcome)
        return left

    async def _try(
        self, bundle: Sequence[Outcome], written: dict[int, State], *, uncertain: bool
    ) -> tuple[frozenset[int], frozenset[int]]:
        """Write what is not written yet; return what others hold, and what had been before."""
        if left := _without(bundle, written):
            written |= await self._ack(left)
        left = _without(bundle, written)
        if not left:
            return frozenset(), frozenset()
        held = await self._find_held([outcome.lease for outcome in left])
        ended = [outcome.ack for outcome in _without(left, held)]
        if not ended or not uncertain:
            return held, frozenset()
        return held, await self._engine.trace_acks(ended, self._producer)

    async def _ack(self, bundle: Sequence[Ended]) -> dict[int, State]:
        """Write outcomes, but for those whose rows others hold."""
        endings = [ended.ending for ended in bundle]
        return await self._engine.ack_jobs(endings, self._producer, wait=False)

    def _hand_on(
        self,
        outcome: Outcome,
        written: dict[int, State],
        held: frozenset[int],
        traced: frozenset[int],
    ) -> None:
        try:
            if outcome.ack.lease.id in held:
                self._on_held(outcome)
            else:
                self._tell(outcome, written, traced)
        except Exception as error:  # noqa: BLE001  # hooks are objects of users' making
            report(f"telling the outcome of job {outcome.job.id} failed", error)

    async def _write_halves(self, bundle: Sequence[Outcome], *, uncertain: bool = False) -> None:
        middle = len(bundle) // 2
        await self._write(bundle[:middle], uncertain=uncertain)
        await self._write(bundle[middle:], uncertain=uncertain)

    async def _find_held(self, leases: Sequence[Lease]) -> frozenset[int]:
        """Return the jobs that are still ours, though they could not be written."""
        holds = await self._engine.find_holds(leases, self._producer)
        pairs = zip(leases, holds, strict=True)
        return frozenset(lease.id for lease, hold in pairs if hold is not Hold.ENDED)

    async def _write_apart(self, bundle: Sequence[Outcome], error: Exception) -> None:
        if len(bundle) > 1:
            await self._write_halves(bundle)
            return
        (outcome,) = bundle
        report(f"the outcome of job {outcome.job.id} can't be written", error)
        if outcome.substitute:
            self._set_aside(outcome)
        elif outcome.ack.meta and PROGRESS_KEY in outcome.ack.meta:  # maybe that alone is refused
            await self._write([_without_progress(outcome)])
        else:
            await self._write([failed_instead(outcome, error)])

    def _set_aside(self, outcome: Outcome) -> None:
        lease = outcome.ack.lease
        self._aside[lease] = outcome

        def try_again() -> None:
            if self._aside.pop(lease, None) is not None:
                self.submit(outcome)

        asyncio.get_running_loop().call_later(_SET_ASIDE_SECONDS, try_again)

    def _tell(self, outcome: Outcome, written: dict[int, State], traced: frozenset[int]) -> None:
        number = outcome.ack.lease.id
        state = written.get(number) or (outcome.state if number in traced else None)
        self.tell(outcome, state)

    def tell(self, outcome: Outcome, state: State | None) -> None:
        """Tell of an outcome that is stored, and the state of its job; None if it is not."""
        ack = outcome.ack
        if state is None:
            emit(JobLeaseLost, job=outcome.job, seconds=outcome.seconds)
            self._on_lost(outcome.job, outcome.seconds)
            return
        if listening(JobEnded.kind):
            emit(
                JobEnded,
                job=outcome.job,
                state=state,
                seconds=outcome.seconds,
                error=ack.error,
                exception=outcome.exception,
            )
        self._on_settled(outcome, state)


def _without(bundle: Sequence[Outcome], numbers: Container[int]) -> list[Outcome]:
    return [outcome for outcome in bundle if outcome.lease.id not in numbers]


def _split(pending: Sequence[Ended], most: int) -> tuple[list[Ended], list[Ended]]:
    """Return a bundle and what waits for the next: two runs of one job don't go together.

    Nor do many recorded results: PostgreSQL drops the connection over a statement of a gigabyte.
    """
    if len(pending) <= most and _goes_together(pending):
        return list(pending), []
    bundle: dict[int, Ended] = {}
    rest: list[Ended] = []
    size = 0
    for place, outcome in enumerate(pending):
        number = outcome.lease.id
        size += outcome.size
        if bundle and (len(bundle) >= most or size > _LARGEST_BUNDLE_CHARACTERS):
            rest += pending[place:]
            break
        if number in bundle:
            rest.append(outcome)
        else:
            bundle[number] = outcome
    return list(bundle.values()), rest


def _goes_together(pending: Sequence[Ended]) -> bool:
    """Tell whether there is nothing to split, as mostly: by less than a look at each costs."""
    numbers = {ended.lease.id for ended in pending if ended.__class__ is Completion}
    return len(numbers) == len(pending)


def _without_progress(outcome: Outcome) -> Outcome:
    meta = {key: value for key, value in (outcome.ack.meta or {}).items() if key != PROGRESS_KEY}
    return replace(outcome, ack=replace(outcome.ack, meta=meta or None))


def failed_instead(outcome: Outcome, error: Exception) -> Outcome:
    """Return a failed attempt in place of an outcome that can't be stored.

    It holds nothing of what was refused: numbers and plain text only, so that it is accepted.
    """
    job = outcome.job
    kind = (
        f"SQLSTATE {error.sqlstate}" if isinstance(error, DatabaseError) else type(error).__name__
    )
    ack = Ack(
        lease=outcome.ack.lease,
        state=State.RETRYABLE,
        error=f"the outcome could not be stored: {kind}",
        delay=retry_delay(job.attempt, job.max_attempts),
    )
    return replace(outcome, ack=ack, result=error, reason=None, substitute=True)
