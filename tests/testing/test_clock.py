"""Time as a test wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from staffa import Job, Staffa, State, job
from staffa.errors import InvalidJob
from staffa.testing import VirtualClock, all_enqueued, assert_enqueued, drain_queue, tick_crons

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
async def app(clock: VirtualClock) -> AsyncIterator[Staffa]:
    app = Staffa("sqlite://", testing="manual", clock=clock)
    yield app
    await app.stop()


async def drain() -> dict[str, int]:
    """Run what is due, and nothing before."""
    counts = await drain_queue(with_scheduled=False, with_safety=True)
    return {state: count for state, count in counts.items() if count}


def test_it_stands_still_until_it_is_moved(clock: VirtualClock) -> None:
    assert (clock.now(), clock.monotonic()) == (START, 0.0)

    clock.advance(hours=1, minutes=30)
    clock.advance(timedelta(seconds=5))
    clock.advance_to(START + timedelta(hours=2))

    assert (clock.now(), clock.monotonic()) == (START + timedelta(hours=2), 7200.0)


def test_it_does_not_go_back(clock: VirtualClock) -> None:
    with pytest.raises(ValueError, match="can't go back by 0:00:01"):
        clock.advance(seconds=-1)
    with pytest.raises(ValueError, match="can't go back"):
        clock.advance_to(START - timedelta(days=1))
    with pytest.raises(InvalidJob, match="no time zone"):
        VirtualClock(datetime(2030, 1, 1))  # noqa: DTZ001  # that is the point


async def test_jobs_are_due_by_it(app: Staffa, clock: VirtualClock) -> None:
    stored = await app.enqueue(Job(worker="a.b", scheduled_in=3600))
    assert stored.inserted_at == START
    assert stored.scheduled_at == START + timedelta(hours=1)

    @job
    async def run() -> None: ...

    await run.options(scheduled_in=3600).enqueue()
    await app.cancel_job(stored)
    assert await drain() == {}
    clock.advance(minutes=59)
    assert await drain() == {}
    clock.advance(minutes=1)
    assert await drain() == {"completed": 1}


async def test_retries_are_due_by_it(app: Staffa, clock: VirtualClock) -> None:
    @job(backoff=60, max_attempts=2)
    async def fail() -> None:
        raise LookupError("gone")

    await fail.enqueue()

    assert await drain() == {"retryable": 1}
    clock.advance(seconds=59)
    assert await drain() == {}
    clock.advance(seconds=1)
    assert await drain() == {"discarded": 1}


async def test_deadlines_pass_by_it(app: Staffa, clock: VirtualClock) -> None:
    @job(deadline=60)
    async def run() -> None: ...

    in_time, late = await run.enqueue(), await run.enqueue()
    await app.update_job(late, queue="later")
    clock.advance(seconds=60)
    assert await drain() == {"completed": 1}
    clock.advance(seconds=1)
    await drain_queue("later")

    found = [await app.get_job(stored) for stored in (in_time, late)]
    assert [row.state for row in found if row] == [State.COMPLETED, State.CANCELLED]
    assert found[0] is not None
    assert found[0].completed_at == START + timedelta(seconds=60)


async def test_ticks_of_cron_come_by_it(app: Staffa, clock: VirtualClock) -> None:
    @job(cron="0 3 * * *", queue="night")
    async def tidy_up() -> None: ...

    @job(cron="@monthly", queue="night")
    async def bill() -> None: ...

    await tick_crons()
    assert await all_enqueued() == []
    clock.advance(hours=14, minutes=59)
    await tick_crons()
    assert await all_enqueued() == []

    clock.advance(minutes=1)
    await tick_crons()
    await tick_crons()
    tick = await assert_enqueued(worker=tidy_up)
    assert tick.meta["cron_time"] == "2030-01-02T03:00:00Z"
    assert len(await all_enqueued()) == 1

    clock.advance_to(datetime(2030, 2, 1, 12, 0, tzinfo=UTC))
    await tick_crons()
    assert len(await all_enqueued(worker=tidy_up)) == 31
    assert len(await all_enqueued(worker=bill)) == 1


async def test_a_change_to_a_later_time_is_counted_by_it(app: Staffa, clock: VirtualClock) -> None:
    stored = await app.enqueue(Job(worker="a.b"))

    updated = await app.update_job(stored, scheduled_in=60)

    assert updated is not None
    assert updated.scheduled_at == START + timedelta(seconds=60)


async def test_what_is_due_within_a_time_is_counted_from_it(app: Staffa) -> None:
    @job
    async def run() -> None: ...

    await run.options(scheduled_at=START + timedelta(hours=1)).enqueue()

    assert (await drain_queue(with_scheduled=timedelta(minutes=59)))["completed"] == 0
    assert (await drain_queue(with_scheduled=timedelta(minutes=60)))["completed"] == 1
