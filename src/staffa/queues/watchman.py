"""Shows that this process lives, and watches whether the others do.

It runs on a thread of its own with its own connection, so that a job that blocks the event loop
does not look like a dead process. A producer is dead only when this node has seen its heartbeat
unchanged through `dead_after` seconds of its own successful reads: time in which it could not read,
because of an outage or because it was stopped itself, does not count.

Each beat also brings what has changed about queues, and asks which of our leases have ended
elsewhere, so that a pause is obeyed and a cancelled job stops within a beat where notifications
don't arrive. The first beat's changes are handed over before `start` returns.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from staffa._internal.backoff import Backoff
from staffa._internal.clock import Clock
from staffa._internal.loops import join
from staffa.engine import Control, Heartbeat, Lease, Producer, Pulse
from staffa.errors import StatementConflict
from staffa.service import severity
from staffa.telemetry import Outages, emit
from staffa.telemetry.catalogue import HeartbeatLate

_RECHECK_SECONDS = 10.0  # a claim that the dead one had sent may commit after the first look
_LAST_SECONDS = 1.0


class Observations:
    """What one node has seen of the heartbeats of others.

    Args:
        interval: Seconds between two reads; a longer gap counts as two intervals at most.
        dead_after: Seconds of unchanged reads after which a producer is dead.

    Example:
        >>> seen = Observations(interval=5, dead_after=10)
        >>> other = UUID(int=1)
        >>> [seen.observe({other: 7}, at) for at in (0, 5, 10)][-1]
        {UUID('00000000-0000-0000-0000-000000000001'): 7}
        >>> seen.observe({other: 8}, 15)
        {}
    """

    def __init__(self, interval: float, dead_after: float) -> None:
        self._interval = interval
        self._dead_after = dead_after
        self._read_at: float | None = None
        self._beats: dict[UUID, int] = {}
        self._unchanged: dict[UUID, float] = {}
        self._told_at: dict[UUID, float] = {}

    @property
    def living(self) -> int:
        """How many others live, as far as was seen; any thread may ask."""
        return sum(seconds < self._dead_after for seconds in self._unchanged.copy().values())

    def interrupt(self) -> None:
        """Note that a read failed: the time until the next one does not count."""
        self._read_at = None

    def observe(self, beats: Mapping[UUID, int], at: float) -> dict[UUID, int]:
        """Note a successful read, and return the dead that are to be rescued now.

        Args:
            beats: The heartbeats of all other producers.
            at: The monotonic time of the read, in seconds.

        Returns:
            The dead with their heartbeats. Each is told again once a minute while its row is there,
            as it may have come to life in between, for a moment.
        """
        gap = 0.0 if self._read_at is None else min(at - self._read_at, 2 * self._interval)
        self._read_at = at
        unchanged = {}
        for uuid, count in beats.items():
            same = self._beats.get(uuid) == count
            unchanged[uuid] = self._unchanged.get(uuid, 0.0) + gap if same else 0.0
        self._beats, self._unchanged = dict(beats), unchanged
        self._told_at = {
            uuid: told for uuid, told in self._told_at.items() if unchanged.get(uuid, 0.0) > 0
        }
        dead = {}
        for uuid, seconds in unchanged.items():
            told = self._told_at.get(uuid)
            if seconds >= self._dead_after and (told is None or at - told >= _RECHECK_SECONDS):
                self._told_at[uuid] = at
                dead[uuid] = beats[uuid]
        return dead


class Watchman:
    """The heartbeat of this process and its look at the others.

    Args:
        heartbeat: Makes the heartbeat, on the watchman's thread.
        producer: Who lives.
        interval: Seconds between two beats.
        observations: Judges the others.
        clock: Measures the time between reads.
        leases: Returns the leases that are to be checked; called on the watchman's thread.
        on_dead: Called on the event loop with producers that are dead.
        on_lost: Called on the event loop with leases of ours that have ended elsewhere.
        on_controls: Called on the event loop with what has changed about queues, and whether that
            is what the first beat has read.
        on_recovered: Called on the event loop after the first beat that follows failed ones.
        since: The version of the changes of queues from which on they hold here, though they were
            made before this process began; None for those alone that are made from now on.
    """

    def __init__(
        self,
        heartbeat: Callable[[], Heartbeat],
        producer: Producer,
        interval: float,
        observations: Observations,
        *,
        clock: Clock,
        leases: Callable[[], Sequence[Lease]],
        on_dead: Callable[[Mapping[UUID, int]], None],
        on_lost: Callable[[Sequence[Lease]], None],
        on_controls: Callable[[Sequence[Control], bool], None],
        on_recovered: Callable[[], None],
        since: int | None = None,
    ) -> None:
        self._heartbeat = heartbeat
        self._producer = producer
        self._interval = interval
        self._observations = observations
        self._clock = clock
        self._leases = leases
        self._on_dead = on_dead
        self._on_lost = on_lost
        self._on_controls = on_controls
        self._on_recovered = on_recovered
        self._since = since
        self._known: int | None = None
        self._thread: threading.Thread | None = None
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._hurried = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._stopping = threading.Event()
        self.turned_at: float | None = None
        self.beaten_at: float | None = None
        self.began_at: int | None = None
        """The version of the changes of queues that was known when it began."""

    @property
    def running(self) -> bool:
        """Whether its thread goes on; `turned_at` and `beaten_at` tell when it last did."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def peers(self) -> int:
        """How many other producers live, as far as was seen."""
        return self._observations.living

    async def start(self) -> None:
        """Start the thread, and return after the first beat: nobody may claim before it.

        Raises:
            DatabaseError: If the first beat fails.
        """
        loop = asyncio.get_running_loop()
        first: asyncio.Future[None] = loop.create_future()
        self._stopping.clear()
        self._known = None
        self.turned_at = self.beaten_at = None
        self._thread = threading.Thread(
            target=contextvars.copy_context().run,  # its events belong to the client that starts it
            args=(self._work, loop, first),
            name="staffa-watchman",
            daemon=True,
        )
        self._thread.start()
        try:
            await first
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let the thread end."""
        self._stopping.set()
        self.hurry()
        self._limit_round()
        thread, self._thread = self._thread, None
        if thread is not None:
            await join(thread)

    def hurry(self) -> None:
        """Beat and check the leases now; any thread may call it."""
        loop = self._own_loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._hurried.set)

    def _limit_round(self) -> None:
        """Have a round that is under way wait for the database no longer than a moment."""

        def limit() -> None:
            if self._limit is not None:
                with suppress(RuntimeError):  # it is over already
                    self._limit.reschedule(asyncio.get_running_loop().time() + _LAST_SECONDS)

        loop = self._own_loop
        if loop is not None:
            with suppress(RuntimeError):  # it has ended meanwhile
                loop.call_soon_threadsafe(limit)

    def _work(self, main: asyncio.AbstractEventLoop, first: asyncio.Future[None]) -> None:
        asyncio.run(self._watch(main, first))

    async def _watch(self, main: asyncio.AbstractEventLoop, first: asyncio.Future[None]) -> None:
        self._own_loop = asyncio.get_running_loop()
        self._hurried = asyncio.Event()
        try:
            heartbeat = self._heartbeat()
        except Exception as error:  # noqa: BLE001  # whoever waits for the first beat hears of it
            _tell(main, _fail, first, error)
            return
        backoff = Backoff(cap_seconds=self._interval)
        outages = Outages("the heartbeat")
        begun = failing = False
        while not self._stopping.is_set():
            self._hurried.clear()
            self.turned_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(None) as self._limit:
                    dead, lost = await self._round(heartbeat, main)
            except Exception as error:  # noqa: BLE001  # the heartbeat goes on whatever it meets
                if begun and self._stopping.is_set():
                    break
                self._observations.interrupt()
                if not begun and not isinstance(error, StatementConflict):
                    _tell(main, _fail, first, error)
                    break
                outages.report("the heartbeat will be tried again", error, level=severity(error))
                failing = True
                pause = backoff.next_seconds()
            else:
                self.beaten_at = self._note_gap(self.beaten_at)
                backoff.reset()
                outages.end()
                if not begun:
                    _tell(main, _succeed, first)
                self._tell_findings(main, dead, lost, recovered=failing)
                begun, failing = True, False
                pause = self._interval
            await self._pause(pause)
        await heartbeat.close()

    def _tell_findings(
        self,
        main: asyncio.AbstractEventLoop,
        dead: Mapping[UUID, int],
        lost: Sequence[Lease],
        *,
        recovered: bool,
    ) -> None:
        if dead:
            _tell(main, self._on_dead, dead)
        if lost:
            _tell(main, self._on_lost, lost)
        if recovered:
            _tell(main, self._on_recovered)

    async def _round(
        self, heartbeat: Heartbeat, main: asyncio.AbstractEventLoop
    ) -> tuple[dict[UUID, int], list[Lease]]:
        pulse = await heartbeat.beat(self._producer, self._known)
        first = self._known is None
        self._hand_over(pulse, main)
        if first:
            self.began_at = self._known
            if self._since is not None:
                self.began_at = self._known = self._since
                pulse = await heartbeat.beat(self._producer, self._known)
                self._hand_over(pulse, main)
        dead = self._observations.observe(pulse.others, self._clock.monotonic())
        leases = self._leases()
        lost = await heartbeat.find_lost_leases(self._producer, leases) if leases else []
        return dead, lost

    def _hand_over(self, pulse: Pulse, main: asyncio.AbstractEventLoop) -> None:
        first, controls = self._known is None, pulse.controls
        if first and self._since is not None:  # the others are read next, as changes
            controls = [control for control in controls if control.version <= self._since]
        if controls:
            _tell(main, self._on_controls, controls, first)
        self._known = max(pulse.version, self._known or 0)

    def _note_gap(self, last: float | None) -> float:
        now = self._clock.monotonic()
        if last is not None and now - last > 2 * self._interval:
            emit(
                HeartbeatLate,
                producer=self._producer,
                seconds=now - last,
                instance=self._producer.name,
            )
        return now

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(0 if self._stopping.is_set() else seconds):
                await self._hurried.wait()
        except TimeoutError:
            pass


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *args: object) -> None:
    """Call something on the main loop, unless that has been closed without stopping us."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(what, *args)


def _succeed(first: asyncio.Future[None]) -> None:
    if not first.done():
        first.set_result(None)


def _fail(first: asyncio.Future[None], error: Exception) -> None:
    if not first.done():
        first.set_exception(error)
