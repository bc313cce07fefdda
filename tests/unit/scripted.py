"""A stand-in for the two methods of an engine that the acker uses, failing where a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from staffa import State
from staffa.engine import Ack, Ending, Engine, Hold, Lease, Producer
from staffa.errors import DataRefused
from staffa.leases import as_ack
from staffa.queues.acker import Acker
from staffa.queues.outcomes import Completion, Outcome
from tests.unit.rows import CLAIMED_AT, claimed

PRODUCER = Producer(UUID(int=1), "Oban", "node-a")


class ScriptedEngine:
    """Keeps outcomes in memory.

    Attributes:
        before: Raised one by one by the next writes, before they write anything.
        after: Raised one by one by the next writes that have written: the reply is lost.
        refuses: Tells whether the data of an outcome is refused.
        refusal: Raised then, if not the database's own error.
        gone: Jobs whose leases are lost.
        held: Jobs whose rows somebody else holds.
        gate: A write waits for it.
    """

    def __init__(self) -> None:
        self.bundles: list[list[int]] = []
        self.stored: dict[int, Ack] = {}
        self.traced: list[list[int]] = []
        self.before: list[BaseException] = []
        self.after: list[BaseException] = []
        self.trace_errors: list[BaseException] = []
        self.refuses: Callable[[Ack], bool] = lambda ack: False
        self.refusal: Exception | None = None
        self.gone: set[int] = set()
        self.held: set[int] = set()
        self.waits = False
        self.look_errors: list[BaseException] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()

    async def ack_jobs(
        self, endings: Sequence[Ending], producer: Producer, *, wait: bool = True
    ) -> dict[int, State]:
        """Write what is refused nowhere, all or nothing, but for what is held."""
        acks = [as_ack(ending) for ending in endings]
        assert (producer, wait) == (PRODUCER, self.waits)
        self.bundles.append([ack.lease.id for ack in acks])
        self.waiting.set()
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.before:
            raise self.before.pop(0)
        if any(self.refuses(ack) for ack in acks):
            raise self.refusal or DataRefused("unsupported Unicode escape", sqlstate="22P05")
        written = {
            ack.lease.id: ack
            for ack in acks
            if ack.lease.id not in self.stored.keys() | self.gone | self.held
        }
        self.stored |= written
        if self.after:
            raise self.after.pop(0)
        return {number: ack.state for number, ack in written.items()}

    async def find_holds(self, leases: Sequence[Lease], producer: Producer) -> list[Hold]:
        """Tell what is held; what is not ours any more has ended."""
        assert producer == PRODUCER
        if self.look_errors:
            raise self.look_errors.pop(0)
        return [Hold.HELD if lease.id in self.held else Hold.ENDED for lease in leases]

    async def trace_acks(self, acks: Sequence[Ack], producer: Producer) -> frozenset[int]:
        """Tell which of them were written before."""
        self.traced.append([ack.lease.id for ack in acks])
        if self.trace_errors:
            raise self.trace_errors.pop(0)
        return frozenset(ack.lease.id for ack in acks if self.stored.get(ack.lease.id) == ack)


def outcome(number: int, state: State = State.COMPLETED, error: str | None = None) -> Outcome:
    """Return the outcome of one run of a job."""
    job = claimed(PRODUCER, id=number, attempted_at=CLAIMED_AT + timedelta(seconds=number))
    return Outcome(job, Ack(lease=Lease.of(job), state=state, error=error), 0.5)


def completion(number: int) -> Completion:
    """Return a plain one."""
    job = claimed(PRODUCER, id=number, attempted_at=CLAIMED_AT + timedelta(seconds=number))
    return Completion(job, Lease.of(job), None, 0.5)


def make_acker(
    engine: ScriptedEngine, on_held: Callable[[Outcome], None] = lambda outcome: None
) -> Acker:
    """Return an acker that writes there."""
    return Acker(cast("Engine", engine), PRODUCER, on_held=on_held)


async def until(acker: Acker, something: asyncio.Future[Any]) -> None:
    """Wait for something that the acker brings about, and fail at once if it has died."""
    assert acker._task is not None
    waited: list[asyncio.Future[Any]] = [acker._task, something]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    died = acker._task.done()
    something.cancel()
    assert not died, f"the acker has ended: {acker._task.exception()!r}"
    assert something.done()
