"""The producers of the queues that run here, as the configuration and operators want them.

Pausing, resuming and scaling take effect at once. A queue that is stopped is closed: its producer
claims no more, and is dropped when its jobs have ended. One that is started gets a producer, which
the roster's own task starts. What is changed here is what rows said; it may be told twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid5

from staffa._internal.clock import Clock
from staffa.engine import Control, Producer
from staffa.limits import Limits
from staffa.queue import ALL_QUEUES, Queue, QueueCheck
from staffa.queues.controls import Controls, Wanted
from staffa.queues.producer import QueueProducer
from staffa.service import Service
from staffa.share import WHOLE, Share
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import (
    QueuePaused,
    QueueResumed,
    QueueScaled,
    QueueStarted,
    QueueStopped,
)

MOST_QUEUES = 10_000
"""How many queues one process runs at most, when some were started at run time."""


MakeProducer = Callable[[str, Queue], QueueProducer]

_QueueEvent = (
    type[QueueStarted]
    | type[QueueStopped]
    | type[QueuePaused]
    | type[QueueResumed]
    | type[QueueScaled]
)


@dataclass(slots=True)
class Entry:
    """A queue that runs here, or whose last jobs do."""

    producer: QueueProducer
    started_at: datetime
    updated_at: datetime


class Roster(Service):
    """Starts, stops and changes queues.

    Args:
        configured: The queues that the process is started with.
        producer: Who this process is.
        make: Makes the producer of a queue.
        clock: Tells when something was changed.
        share: This process's part of the limits; a queue of whose limit it has none does not run.
    """

    def __init__(
        self,
        configured: Mapping[str, Queue],
        producer: Producer,
        make: MakeProducer,
        clock: Clock,
        share: Share = WHOLE,
    ) -> None:
        super().__init__()
        self._producer = producer
        self._make = make
        self._clock = clock
        self._controls = Controls(configured, share, producer.node)
        self._begun = False
        self._entries: dict[str, Entry] = {}
        self._added = asyncio.Event()
        for name in configured:
            wanted = self._controls.wanted(name)
            if wanted.runs:
                self._add(name, wanted)

    @property
    def queues(self) -> list[str]:
        """The queues that run here and are not paused."""
        return [name for name, entry in self.open() if not entry.producer.paused]

    @property
    def in_doubt(self) -> bool:
        """Whether the server may still be at a claim of ours."""
        return any(entry.producer.in_doubt for entry in self._entries.values())

    def open(self) -> list[tuple[str, Entry]]:
        """Return the queues that run here; any thread may ask."""
        entries = list(self._entries.items())
        return [(name, entry) for name, entry in entries if not entry.producer.closed]

    def check(self) -> list[QueueCheck]:
        """Return what each queue does here; any thread may ask."""
        return [
            QueueCheck(
                queue=name,
                node=self._producer.node,
                limit=entry.producer.limit,
                paused=entry.producer.paused,
                running=tuple(entry.producer.running_ids),
                started_at=entry.started_at,
                updated_at=entry.updated_at,
                uuid=uuid5(self._producer.uuid, name),
                global_limit=limits.global_limit,
                rate_limit=limits.rate_limit,
            )
            for name, entry in self.open()
            for limits in [entry.producer.limits or Limits()]
        ]

    def runs(self, queue: str) -> bool:
        """Tell whether a queue runs here."""
        entry = self._entries.get(queue)
        return entry is not None and not entry.producer.closed

    def has_room(self, queue: str) -> bool:
        """Tell whether a queue claims here as soon as it is woken."""
        entry = self._entries.get(queue)
        return entry is not None and entry.producer.has_room

    def wake(self, queues: Iterable[str]) -> None:
        """Have queues look for jobs; those that don't run here are left out."""
        for name in queues:
            if name in self._entries:
                self._entries[name].producer.wake()

    def settled(self, queue: str) -> None:
        """Take note that a job of a queue has ended, and its outcome is stored."""
        if queue in self._entries:
            self._entries[queue].producer.settled()

    def look_for_strays(self) -> None:
        """Have all queues put back what they hold without running it."""
        for entry in self._entries.values():
            entry.producer.look_for_strays()

    def obey(self, controls: Sequence[Control], *, at_start: bool = False) -> None:
        """Do what was set; an error of one queue is reported and keeps no other from it.

        Args:
            controls: What was set.
            at_start: Whether it was set before this process began.
        """
        changed = self._controls.learn(controls, at_start=at_start)
        if ALL_QUEUES in changed:
            changed = (changed - {ALL_QUEUES}) | self._entries.keys()
        for name in sorted(changed):
            try:
                self._apply(name, self._controls.wanted(name))
            except Exception as error:  # noqa: BLE001  # it was called by the heartbeat
                report(f"queue {name!r} can't be changed", error)

    async def on_start(self) -> None:
        """Tell of the queues that the process begins with."""
        self._begun = True
        for name, entry in self.open():
            wanted = Wanted(True, entry.producer.paused, entry.producer.limit)
            self._tell(name, replace(wanted, runs=False), wanted)

    async def run(self) -> None:
        """Start the producers that were added, until cancelled."""
        while True:
            self._added.clear()
            for entry in list(self._entries.values()):
                await entry.producer.start()
            await self._added.wait()

    async def stop(self) -> None:
        """Have all queues claim no more; jobs that run go on."""
        await super().stop()
        await asyncio.gather(*(entry.producer.stop() for entry in self._entries.values()))

    def _apply(self, name: str, wanted: Wanted) -> None:
        self._drop_if_ended(name)
        entry = self._entries.get(name)
        if entry is None:
            if wanted.runs:
                self._start(name, wanted)
            return
        producer = entry.producer
        producer.limit_by(self._controls.limits(name))
        producer.cool_down_by(self._controls.cooldown(name))
        was = Wanted(runs=not producer.closed, paused=producer.paused, limit=producer.limit)
        if was == wanted:
            return
        producer.set(closed=not wanted.runs, paused=wanted.paused, limit=wanted.limit)
        entry.updated_at = self._clock.now()
        self._tell(name, was, wanted)

    def _start(self, name: str, wanted: Wanted) -> None:
        if len(self._entries) >= MOST_QUEUES:
            for other in list(self._entries):
                self._drop_if_ended(other)
        if len(self._entries) >= MOST_QUEUES:
            raise RuntimeError(f"{MOST_QUEUES} queues run here, which is the most")
        self._add(name, wanted)
        if self._begun:
            self._tell(name, replace(wanted, runs=False), wanted)

    def _add(self, name: str, wanted: Wanted) -> None:
        now = self._clock.now()
        producer = self._make(name, self._controls.options(name))
        producer.limit_by(self._controls.limits(name))
        self._entries[name] = Entry(producer, now, now)
        self._added.set()

    def _drop_if_ended(self, name: str) -> None:
        if name in self._entries and self._entries[name].producer.ended:
            del self._entries[name]

    def _tell(self, name: str, was: Wanted, now: Wanted) -> None:
        """Emit what has changed."""
        happened: list[_QueueEvent] = []
        if was.runs != now.runs:
            happened.append(QueueStarted if now.runs else QueueStopped)
        if was.paused != now.paused:
            happened.append(QueuePaused if now.paused else QueueResumed)
        if was.limit != now.limit:
            happened.append(QueueScaled)
        for event in happened:
            emit(
                event,
                producer=self._producer,
                queue=name,
                limit=now.limit,
                instance=self._producer.name,
            )
