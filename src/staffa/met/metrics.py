"""Tells how long jobs waited and ran, and how many there are, every second.

Each node counts the runs that it ends; the leader alone counts the jobs in the table. That reads
all of it, so it is done so often at most that it takes a fiftieth of the time; in between, the
last count is sent again.

What can't be sent is forgotten. Completions, which are nearly all there is, are taken note of by
bundles, as an event for each would double what a job costs. Other ends are heard as events, on the
threads where they happen.

Options: none.
Events: none but the span `staffa.service.metrics`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from staffa import telemetry
from staffa._internal.clock import Clock
from staffa.engine import Engine, Producer
from staffa.errors import DatabaseError
from staffa.jobs import Job
from staffa.met.portions import cut
from staffa.met.sketch import Sketch
from staffa.notifier import Notifier
from staffa.service import Loop
from staffa.telemetry import Event
from staffa.telemetry.catalogue import JobEnded
from staffa.types import State

INTERVAL_SECONDS = 1.0
_COUNT_SHARE = 0.02
_STOP_SECONDS = 1.0
_NANOSECONDS = 1e9
_OTHER_STATES = (
    State.RETRYABLE,
    State.SCHEDULED,
    State.CANCELLED,
    State.DISCARDED,
)

_Labels = tuple[str, str, str]
"""State, queue, worker."""


class Completed(Protocol):
    """A run whose completion is stored."""

    @property
    def job(self) -> Job:
        """The job, as it was claimed."""

    @property
    def seconds(self) -> float:
        """How long it ran."""


class Runs:
    """The runs of one kind since they were sent last."""

    __slots__ = ("count", "ran", "waited")

    def __init__(self) -> None:
        self.count = 0
        self.ran = Sketch()
        self.waited = Sketch()


class Metrics(Loop):
    """Sends measurements.

    Args:
        engine: Where jobs are counted.
        notifier: Carries them.
        producer: Who measures.
        leading: Tells whether this node leads.
        clock: Tells the time of a measurement, and how long counting took.
    """

    def __init__(
        self,
        engine: Engine,
        notifier: Notifier,
        producer: Producer,
        *,
        leading: Callable[[], bool],
        clock: Clock,
    ) -> None:
        super().__init__(INTERVAL_SECONDS)
        self._engine = engine
        self._notifier = notifier
        self._producer = producer
        self._leading = leading
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: dict[_Labels, Runs] = {}
        self._counts: dict[tuple[str, State], int] = {}
        self._count_again_at: float | None = None

    async def on_start(self) -> None:
        """Listen to the runs of this client that do not complete."""
        names = [f"{JobEnded.kind}.{state}" for state in _OTHER_STATES]
        telemetry.attach(self._hear, events=names, instance=self._producer.name)

    async def on_stop(self) -> None:
        """Listen no more, and send what was heard since the last round, if that can be sent."""
        telemetry.detach(self._hear)
        with suppress(DatabaseError, TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._send([])

    async def tick(self) -> None:
        """Send what was heard since the last round, and how many jobs there are."""
        await self._send(await self._count())

    def _hear(self, event: Event) -> None:
        match event:
            case JobEnded(job=Job() as job, seconds=float(seconds)):
                labels = (event.state, job.queue, job.worker)
                self._add(labels, [seconds], [job.seconds_waited])

    def count_completed(self, runs: Iterable[Completed]) -> None:
        """Take note of runs that have completed."""
        kinds: dict[tuple[str, str], list[Completed]] = {}
        for run in runs:
            kinds.setdefault((run.job.queue, run.job.worker), []).append(run)
        for kind, alike in kinds.items():
            waited = [run.job.seconds_waited for run in alike]
            self._add((State.COMPLETED, *kind), [run.seconds for run in alike], waited)

    def _add(self, labels: _Labels, ran: Sequence[float], waited: Sequence[float]) -> None:
        with self._lock:
            runs = self._runs.setdefault(labels, Runs())
            runs.count += len(ran)
            runs.ran.add_many([seconds * _NANOSECONDS for seconds in ran])
            runs.waited.add_many([seconds * _NANOSECONDS for seconds in waited])

    async def _count(self) -> list[Mapping[str, Any]]:
        if not self._leading():
            self._count_again_at = None
            return []
        began = self._clock.monotonic()
        if self._count_again_at is None or began >= self._count_again_at:
            self._counts = await self._engine.count_jobs()
            taken = self._clock.monotonic() - began
            self._count_again_at = began + taken / _COUNT_SHARE
        return [
            {"series": "full_count", "state": state, "queue": queue, "value": {"data": [count]}}
            for (queue, state), count in self._counts.items()
        ]

    async def _send(self, counts: Sequence[Mapping[str, Any]]) -> None:
        with self._lock:
            runs, self._runs = self._runs, {}
        measured = [one for labels, found in runs.items() for one in _measure(labels, found)]
        payloads = cut([*measured, *counts], self._make)
        if payloads:
            await self._notifier.notify([("metrics", payload) for payload in payloads])

    def _make(self, part: Sequence[Any]) -> dict[str, Any]:
        return {
            "metrics": part,
            "name": self._producer.name,
            "node": self._producer.node,
            "time": int(self._clock.now().timestamp()),
        }


def _measure(labels: _Labels, runs: Runs) -> list[Mapping[str, Any]]:
    """Return the three series of runs of one kind."""
    state, queue, worker = labels
    values = {
        "exec_count": {"data": [runs.count]},
        "exec_time": runs.ran.as_payload(),
        "wait_time": runs.waited.as_payload(),
    }
    return [
        {"series": series, "state": state, "queue": queue, "worker": worker, "value": value}
        for series, value in values.items()
    ]
