"""Enqueues the jobs of cron's entries when their times come.

Every node registers the entries that it declares; the leader alone looks what is due, once at the
beginning of each minute. Due is what came since the last tick that was taken, within a grace: a
tick is not lost because a leader died right before it. Of what is older nothing is made up for, but
for the latest tick of entries that are guaranteed. All of that is judged by the database's clock;
the local one measures how long to sleep.

Entries may be made, changed, paused and deleted at run time, by any client. Nobody is notified of
it: the leader reads all of them before it enqueues anything.

Invariants: a tick is taken in the transaction that inserts its job, so it makes one job however
many leaders there are, and is tried again where the insert failed. An entry that fails, whatever
for, does not keep the others from running. An entry that is paused, or whose times have changed,
since the leader has read it, gives it no tick that was due before: taking one looks at the row.

Options: `grace`, `dead_after`, `sync`.
Events: `staffa.cron.inserted`, `staffa.cron.skipped`, `staffa.cron.failed`, `staffa.cron.deleted`;
`staffa.job.conflict` where the job of a unique entry is still there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from staffa._internal.backoff import Backoff
from staffa._internal.clock import Clock
from staffa.cron.changes import TakenTick, tell_tick
from staffa.cron.stored import CronBoard, Entry, StoredCron
from staffa.engine import Engine, Producer
from staffa.errors import ConfigError, DatabaseUnavailable, SchemaMissing
from staffa.service import Loop, severity
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import CronDeleted, CronFailed, CronSkipped

_MINUTE_SECONDS = 60.0
_TEND_SECONDS = 3600.0
_FORGET_AFTER_SECONDS = 30 * 86_400.0
_AT_ONCE = 50  # entries that are looked at before others of this process have a turn


class Crontab(Loop):
    """Enqueues what is due.

    Args:
        engine: Where.
        producer: This node.
        collect: Returns the entries that are declared here, the same ones while nothing changes;
            raises ConfigError.
        leading: Tells whether this node leads.
        grace: Seconds within which a tick is not too late.
        dead_after: Seconds without a heartbeat after which other nodes count as dead.
        clock: Measures how long to sleep.
        on_available: Called with the queues of which jobs became available.
        sync: Tells whether entries are deleted that the configuration lacks: at the start those,
            too, that were made at run time.
    """

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        collect: Callable[[], Sequence[Entry]],
        *,
        leading: Callable[[], bool],
        grace: float,
        dead_after: float,
        clock: Clock,
        on_available: Callable[[Iterable[str]], None],
        sync: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(_MINUTE_SECONDS)
        self._engine = engine
        self._producer = producer
        self._collect = collect
        self._leading = leading
        self._grace = timedelta(seconds=grace)
        self._dead_after = dead_after
        self._clock = clock
        self._on_available = on_available
        self._sync = sync
        self._began = False
        self._looked_at = clock.monotonic()
        self._entries: Sequence[Entry] = ()
        self._registered: dict[str, Entry] = {}
        self._told: dict[str, datetime] = {}
        self._tended_at: float | None = None
        self._failing = Backoff(first_seconds=1.0, cap_seconds=30.0)

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries that this node declares."""
        return self._entries

    async def on_start(self) -> None:
        """Collect the entries, so that a start fails where two have the same name."""
        self._entries = self._collect()
        self._registered.clear()
        self._began = False

    async def tick(self) -> None:
        """Register what is new, and enqueue what is due."""
        self.interval = _MINUTE_SECONDS
        try:
            await self._work()
        except SchemaMissing as error:
            report("cron waits until the schema is migrated", error, level=logging.WARNING)

    async def _work(self) -> None:
        await self._register()
        if self._leading():
            await self._tend()
        elif not self._is_time_to_look():
            return
        board = await self._engine.read_crons(
            self._producer.name, reader=self._producer.uuid, dead_after=self._dead_after
        )
        read_at = self._looked_at = self._clock.monotonic()
        self._find_lost(board)
        if not self._leading():
            return
        well = await self._enqueue_due(board)
        passed = self._clock.monotonic() - read_at
        self.interval = max(_until_next_minute(board.read_at) - passed, 0.0)
        if well:
            self._failing.reset()
        else:
            self.interval = min(self.interval, self._failing.next_seconds())

    def _is_time_to_look(self) -> bool:
        return self._clock.monotonic() - self._looked_at >= _TEND_SECONDS

    def _find_lost(self, board: CronBoard) -> None:
        """Have entries registered again that others have deleted, who took this node for dead."""
        there = {entry.name for entry in board.entries}
        for name in self._registered.keys() - there:
            del self._registered[name]

    async def _register(self) -> None:
        """Write entries that were not written yet; modules may have been imported since."""
        try:
            self._entries = self._collect()
        except ConfigError as error:
            report("cron entries that were declared late are left out", error)
        new = [entry for entry in self._entries if self._registered.get(entry.name) is not entry]
        if self._began and not new:
            return
        done = await self._engine.register_crons(
            self._producer,
            new,
            dead_after=self._dead_after,
            grace=self._grace,
            sync=not self._began and self._sync(),
        )
        self._began = True
        self._registered.update((entry.name, entry) for entry in new)
        for taken in done.taken:
            self._tell(taken)
        for name in done.deleted:
            emit(CronDeleted, cron=name)

    async def _tend(self) -> None:
        now = self._clock.monotonic()
        if self._tended_at is None or now - self._tended_at >= _TEND_SECONDS:
            forgotten = await self._engine.tend_crons(
                self._producer.name,
                dead_after=self._dead_after,
                forget_after=0.0 if self._sync() else _FORGET_AFTER_SECONDS,
            )
            self._tended_at = now
            for name in forgotten:
                emit(CronDeleted, cron=name)

    async def _enqueue_due(self, board: CronBoard) -> bool:
        """Enqueue what is due, and tell whether all went well."""
        well = True
        for number, entry in enumerate(board.entries, start=1):
            if entry.paused or not entry.active:
                continue
            try:
                self._tell_missed(entry)
                for tick in entry.due(self._grace):
                    await self._enqueue(entry, tick)
            except DatabaseUnavailable:
                raise  # for all of them; the loop tries again soon
            except Exception as error:  # noqa: BLE001  # the other entries go on whatever one meets
                well = False
                report(f"cron entry {entry.name!r} failed", error, level=severity(error))
                emit(CronFailed, cron=entry.name, error=error)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return well

    async def _enqueue(self, entry: StoredCron, tick: datetime) -> None:
        job = await self._engine.enqueue_tick(
            self._producer.name, entry.name, tick, entry.new_job(tick)
        )
        if job is not None:  # else another leader has taken it, or this one, and lost the reply
            self._tell(TakenTick(entry.name, tick, job))

    def _tell(self, taken: TakenTick) -> None:
        tell_tick(taken)
        if taken.job.wakes_its_queue:
            self._on_available([taken.job.queue])

    def _tell_missed(self, entry: StoredCron) -> None:
        if self._told.get(entry.name) == entry.last_tick:
            return
        missed = entry.missed(self._grace)
        if missed is not None:
            self._told[entry.name] = entry.last_tick
            emit(CronSkipped, cron=entry.name, tick=missed)


def _until_next_minute(now: datetime) -> float:
    """Return the seconds until the clock shows the next whole minute."""
    return _MINUTE_SECONDS - now.second - now.microsecond / 1e6
