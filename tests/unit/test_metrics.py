"""What is told of runs: completions by bundles, other ends by events, all of them once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest

from staffa import Job, State
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.engine import Engine, Lease, Producer
from staffa.met.metrics import Metrics
from staffa.met.sketch import Sketch
from staffa.notifier import Notifier
from staffa.queues.outcomes import Completion
from staffa.telemetry import emit, events, listening
from staffa.telemetry.catalogue import JobEnded

PRODUCER = Producer(uuid4(), "metered", "here")
CLAIMED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class KeptNotifications:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def notify(self, notifications: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.sent += [one for _, payload in notifications for one in payload["metrics"]]

    def of(self, series: str) -> dict[tuple[str, str], dict[str, Any]]:
        return {
            (one["state"], one["worker"]): one["value"]
            for one in self.sent
            if one["series"] == series
        }


@pytest.fixture(autouse=True)
def no_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_audience", events._Audience(()))


@pytest.fixture
def kept() -> KeptNotifications:
    return KeptNotifications()


def make_metrics(kept: KeptNotifications) -> Metrics:
    return Metrics(
        cast("Engine", None),
        cast("Notifier", kept),
        PRODUCER,
        leading=lambda: False,
        clock=SYSTEM_CLOCK,
    )


def ran(worker: str, seconds: float, *, waited: float | None = None) -> Completion:
    job = Job(worker=worker, queue="mail")
    job.id, job.attempt, job.attempted_at = 1, 1, CLAIMED_AT
    if waited is not None:
        job.scheduled_at = CLAIMED_AT - timedelta(seconds=waited)
    return Completion(job, Lease(1, 1, CLAIMED_AT), None, seconds)


async def test_completions_are_counted_by_worker(kept: KeptNotifications) -> None:
    metrics = make_metrics(kept)
    runs = [ran("a.A", 0.5, waited=2.0), ran("b.B", 1.0), ran("a.A", 0.5, waited=2.0)]
    metrics.count_completed(runs)
    await metrics.tick()
    two = Sketch()
    two.add_many([5e8, 5e8])
    waits = Sketch()
    waits.add_many([2e9, 2e9])
    assert kept.of("exec_count")["completed", "a.A"] == {"data": [2]}
    assert kept.of("exec_count")["completed", "b.B"] == {"data": [1]}
    assert kept.of("exec_time")["completed", "a.A"] == two.as_payload()
    assert kept.of("wait_time")["completed", "a.A"] == waits.as_payload()
    assert kept.of("wait_time")["completed", "b.B"]["data"] == {"0": 1}


async def test_metrics_hear_no_event_of_completions_but_those_of_other_ends(
    kept: KeptNotifications,
) -> None:
    metrics = make_metrics(kept)
    await metrics.on_start()
    assert not listening("staffa.job.completed")
    assert not listening("staffa.job.start")
    failed = ran("a.A", 0.5).job
    emit(JobEnded, job=failed, state=State.RETRYABLE, seconds=0.5, instance=PRODUCER.name)
    emit(JobEnded, job=failed, state=State.COMPLETED, seconds=0.5, instance=PRODUCER.name)
    async with asyncio.timeout(5):
        await metrics.on_stop()
    assert kept.of("exec_count") == {("retryable", "a.A"): {"data": [1]}}


def test_a_wait_is_the_same_in_seconds_and_as_times() -> None:
    job = ran("a.A", 0.5, waited=1.5).job
    assert job.seconds_waited == 1.5
    job._scheduled_at = CLAIMED_AT.timestamp() - 1.5
    assert job.seconds_waited == 1.5
    assert Job(worker="a.A").seconds_waited == 0.0
