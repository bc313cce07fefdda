"""Waits for the ends of relayed jobs, those of one loop together.

Invariants: what ends a wait is a notification that shows to come from the node that ran the job, or
the row; a notification that shows nothing, or none, costs a look at the row, at once or within
`_RAREST_LOOK_SECONDS`; rows are looked at together, and only those that have ended are read; it
listens, on a connection of its own, while anybody waits, and for some seconds more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from staffa._internal.backoff import Backoff
from staffa.engine import Engine
from staffa.errors import (
    DatabaseError,
    InstanceError,
    RelayCancelled,
    RelayDeleted,
    RelayDiscarded,
    ResultUnavailable,
)
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.notifier import Notifier
from staffa.recorded import recorded_result
from staffa.relays import CHANNEL, Ending, read_result
from staffa.service import Service
from staffa.telemetry import Outages
from staffa.types import State

_FIRST_LOOK_SECONDS = 0.02
_RAREST_LOOK_SECONDS = 1.0
_LINGER_SECONDS = 5.0
_LOOKED_AT_ONCE = 1000
_READ_AT_ONCE = 50
_LONGEST_REASON = 500
_ENDS = frozenset({State.COMPLETED, State.CANCELLED, State.DISCARDED})
_UNFINISHED = tuple(state for state in State if state not in _ENDS)

MakeListener = Callable[[Callable[[], None]], Notifier]
"""Makes a notifier that listens on its own, given what is called when it may have missed some."""


class _Wait:
    """Somebody who waits for a job.

    Args:
        number: The job.
        secret: What its result is told with.
        seen: Whether its row was there for certain; one in an open transaction was not.
        ended: What became of it.
    """

    def __init__(
        self, number: int, secret: object, seen: bool, ended: asyncio.Future[Ending]
    ) -> None:
        self.number = number
        self.secret = secret
        self.seen = seen
        self.ended = ended
        self.due_at = 0.0
        self._pause = _FIRST_LOOK_SECONDS

    def postpone(self, now: float) -> None:
        """Be due again later, at a tick that it shares with others that have waited as long."""
        self.due_at = (now // self._pause + 1) * self._pause
        self._pause = min(2 * self._pause, _RAREST_LOOK_SECONDS)

    def settle(self, ending: Ending) -> None:
        """Tell what became of the job."""
        if not self.ended.done():
            self.ended.set_result(ending)


class Answers(Service):
    """Finds out what becomes of relayed jobs.

    Args:
        engine: Where their rows are.
        make_listener: Makes what notifications are heard with.
    """

    def __init__(self, engine: Engine, make_listener: MakeListener) -> None:
        super().__init__()
        self._engine = engine
        self._make_listener = make_listener
        self._waits: dict[int, list[_Wait]] = {}
        self._changed = asyncio.Event()

    async def wait(self, job: Job, secret: object, *, seen: bool) -> Ending:
        """Return what becomes of a job, once it has ended.

        Args:
            job: The job, as it was stored.
            secret: What its result is told with.
            seen: Whether its row is there for certain.
        """
        assert job.id is not None  # noqa: S101  # it was stored
        waiting = _Wait(job.id, secret, seen, asyncio.get_running_loop().create_future())
        self._waits.setdefault(job.id, []).append(waiting)
        self._changed.set()
        try:
            if not self.running:
                await self.stop()
                await self.start()
            return await waiting.ended
        finally:
            self._forget(waiting)

    def _forget(self, waiting: _Wait) -> None:
        alike = self._waits[waiting.number]
        alike.remove(waiting)
        if not alike:
            del self._waits[waiting.number]

    async def close(self) -> None:
        """Stop, and let nobody wait any more."""
        await self.stop()
        for waiting in self._open():
            waiting.ended.set_exception(
                InstanceError(f"the client was stopped while job {waiting.number} was awaited")
            )

    def _open(self) -> list[_Wait]:
        return [
            waiting
            for alike in self._waits.values()
            for waiting in alike
            if not waiting.ended.done()
        ]

    async def run(self) -> None:
        """Look at rows and listen, until nobody has waited for a while."""
        await self._serve()
        while self._waits:  # somebody came while the listener was stopped
            await self._serve()

    async def _serve(self) -> None:
        listener = self._make_listener(self._look_at_all)
        listening = asyncio.ensure_future(self._listen(listener))
        try:
            await self._look_until_idle()
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            await listener.stop()

    async def _listen(self, listener: Notifier) -> None:
        """Begin to listen, however long it takes until that works."""
        backoff = Backoff()
        outages = Outages("listening for relays")
        while True:
            try:
                await listener.listen((CHANNEL,), self._hear)
            except DatabaseError as error:
                outages.report("listening for relays will be tried again", error)
                await asyncio.sleep(backoff.next_seconds())
            else:
                outages.end()
                self._look_at_all()  # what was told before is not told again
                return

    def _hear(self, channel: str, payload: dict[str, Any]) -> None:
        number = payload.get("id")
        for waiting in self._waits.get(number, ()) if isinstance(number, int) else ():
            ending = read_result(payload, waiting.secret, waiting.number)
            if ending is not None:
                waiting.settle(ending)
            else:
                waiting.due_at = 0.0
                self._changed.set()

    def _look_at_all(self) -> None:
        for waiting in self._open():
            waiting.due_at = 0.0
        self._changed.set()

    async def _look_until_idle(self) -> None:
        loop = asyncio.get_running_loop()
        idle_since = loop.time()
        outages = Outages("looking at relayed jobs")
        failures = Backoff(first_seconds=_FIRST_LOOK_SECONDS, cap_seconds=_RAREST_LOOK_SECONDS)
        while True:
            self._changed.clear()
            open_waits = self._open()
            now = loop.time()
            if open_waits:
                idle_since = now
            elif now - idle_since >= _LINGER_SECONDS:
                return
            due = [waiting for waiting in open_waits if waiting.due_at <= now]
            for start in range(0, len(due), _LOOKED_AT_ONCE):
                try:
                    await self._look(due[start : start + _LOOKED_AT_ONCE])
                    failures.reset()
                    outages.end()
                except DatabaseError as error:
                    outages.report("relays wait for the database", error)
                    await asyncio.sleep(failures.next_seconds())
            next_at = min(
                (waiting.due_at for waiting in open_waits if not waiting.ended.done()),
                default=idle_since + _LINGER_SECONDS,
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(max(next_at - loop.time(), 0.0)):
                    await self._changed.wait()

    async def _look(self, waits: Sequence[_Wait]) -> None:
        """Look at rows: first which of them have ended, or are not there."""
        now = asyncio.get_running_loop().time()
        for waiting in waits:
            waiting.postpone(now)
        numbers = {waiting.number for waiting in waits}
        unfinished: set[int] = set()
        wanted = JobFilter(ids=sorted(numbers), states=_UNFINISHED)
        async for portion in self._engine.find_jobs(wanted):
            unfinished.update(portion)
        endings = await self._read(sorted(numbers - unfinished))
        for waiting in waits:
            if waiting.number in unfinished:
                waiting.seen = True
            elif (ending := endings.get(waiting.number)) is not None:
                waiting.settle(ending)
            elif waiting.seen and waiting.number not in endings:
                waiting.settle(Ending(error=_deleted(waiting.number)))

    async def _read(self, numbers: Sequence[int]) -> dict[int, Ending | None]:
        """Return what became of jobs that have rows; None of those that go on all the same."""
        found: dict[int, Ending | None] = {}
        for start in range(0, len(numbers), _READ_AT_ONCE):
            for job in await self._engine.get_jobs(numbers[start : start + _READ_AT_ONCE]):
                found[job.id or 0] = read_ending(job)
        return found


def read_ending(job: Job) -> Ending | None:
    """Return what became of a job; None if it has not ended."""
    if job.state is State.COMPLETED:
        try:
            return Ending(recorded_result(job))
        except ResultUnavailable as error:
            return Ending(error=error)
    if job.state is State.CANCELLED:
        text = f"job {job.id} was cancelled{_reason(job.errors)}"
        return Ending(error=RelayCancelled(text, job_id=job.id))
    if job.state is State.DISCARDED:
        text = f"job {job.id} was discarded{_reason(job.errors)}"
        return Ending(error=RelayDiscarded(text, job_id=job.id))
    return None


def _deleted(number: int) -> RelayDeleted:
    return RelayDeleted(f"job {number} was deleted: what became of it is not known", job_id=number)


def _reason(errors: Collection[object]) -> str:
    """Return the last line of the last error: of a traceback, that is what was raised."""
    last = list(errors)[-1] if errors else None
    text = last.get("error") if isinstance(last, dict) else None
    lines = str(text).strip().splitlines() if text else []
    return f": {lines[-1][:_LONGEST_REASON]}" if lines else ""
