"""Steps of the database's clock and both changes of a zone's: what is due, and what cron fires.

The clock of the database stands where a test sets it, and that of the worker is an hour off. The
sessions of PostgreSQL are in Berlin, where an hour comes twice in autumn and one is left out in
spring.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from staffa.cron.stored import Entry
from staffa.engine import Ack, Lease, Producer
from staffa.jobs import Job
from staffa.services.cron import Crontab
from staffa.types import State
from tests.model.worlds import World
from tests.support.clocks import SteppedClock

BERLIN = ZoneInfo("Europe/Berlin")
PRODUCER = Producer(UUID(int=1), "Staffa", "node.1")
HOUR = timedelta(hours=1)
SPRING = datetime(2030, 3, 31, 1, tzinfo=UTC)
"""02:00 becomes 03:00."""
AUTUMN = datetime(2030, 10, 27, 1, tzinfo=UTC)
"""03:00 becomes 02:00."""


class Night:
    """A leader's crontab on a database whose clock is set.

    Args:
        runner: The event loop.
        world: The database.
        *expressions: Entries, read in Berlin, and their policies.
    """

    def __init__(self, runner: asyncio.Runner, world: World, *expressions: tuple[str, str]) -> None:
        self._runner = runner
        self._world = world
        self._entries = [
            Entry(f"{text} {dst}", text, "Europe/Berlin", dst, Job(worker="tests.Worker"))
            for text, dst in expressions
        ]

    def begin(self, moment: datetime) -> None:
        """Start at a time; the worker's clock is an hour behind."""
        self._crontab = Crontab(
            self._world.engine,
            PRODUCER,
            lambda: self._entries,
            leading=lambda: True,
            grace=7200,
            dead_after=1e6,
            clock=SteppedClock(moment - HOUR),
            on_available=lambda queues: None,
        )
        self._runner.run(self._beat(moment))
        self.at(moment)

    async def _beat(self, moment: datetime) -> None:
        await self._world.set_time(moment)
        heart = self._world.engine.heartbeat()
        await heart.beat(PRODUCER)
        await heart.close()

    def at(self, moment: datetime) -> None:
        """Have the clock show a time, and let the leader look."""
        self._runner.run(self._world.set_time(moment))
        self._runner.run(self._crontab.tick())

    def fired(self) -> dict[str, list[str]]:
        """Return the ticks of each entry that made a job, as often as they did."""
        rows = self._runner.run(self._world.rows())
        found: dict[str, list[str]] = {entry.name: [] for entry in self._entries}
        for row in rows.values():
            found[row["meta"]["cron_name"]].append(row["meta"]["cron_time"])
        return {name: sorted(ticks) for name, ticks in found.items()}


def stamps(*moments: datetime) -> list[str]:
    return [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments]


def every_half_hour(begin: datetime, end: datetime) -> Iterable[datetime]:
    while begin <= end:
        yield begin
        begin += HOUR / 2


@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_cron_fires_the_exact_set_through_a_night_in_which_clocks_change(
    runner: asyncio.Runner, world: World, change: datetime
) -> None:
    policies = ("cron", "skip", "all")
    night = Night(
        runner, world, ("*/30 * * * *", "cron"), *(("30 2 * * *", policy) for policy in policies)
    )
    begin, end = change - 3 * HOUR, change + 3 * HOUR
    night.begin(begin)
    moment = begin
    while moment < end:
        moment += timedelta(minutes=10)
        night.at(moment + timedelta(milliseconds=1))
    first, second = AUTUMN - HOUR / 2, AUTUMN + HOUR / 2
    expected = {"cron": [first], "skip": [first], "all": [first, second]}
    if change is SPRING:
        expected = {"cron": [SPRING], "skip": [], "all": []}
    assert night.fired() == {
        "*/30 * * * * cron": stamps(*list(every_half_hour(begin, end))[1:]),
        **{f"30 2 * * * {policy}": stamps(*ticks) for policy, ticks in expected.items()},
    }


def test_a_clock_that_steps_back_over_the_minute_fires_no_tick_twice(
    runner: asyncio.Runner, world: World
) -> None:
    night = Night(runner, world, ("* * * * *", "cron"))
    noon = datetime(2030, 5, 17, 12, tzinfo=UTC)
    night.begin(noon - timedelta(seconds=30))
    for seconds in (0.2, -0.3, 0.1, -3600, -3540, 59, 60.1, 59.9, 60.2, 120, 119.9):
        night.at(noon + timedelta(seconds=seconds))
    minute = timedelta(minutes=1)
    assert night.fired() == {"* * * * * cron": stamps(noon, noon + minute, noon + 2 * minute)}


def test_a_clock_that_steps_ahead_makes_up_for_what_is_within_the_grace_once(
    runner: asyncio.Runner, world: World
) -> None:
    night = Night(runner, world, ("0 * * * *", "cron"))
    noon = datetime(2030, 5, 17, 12, tzinfo=UTC)
    night.begin(noon - timedelta(seconds=30))
    for hours in (0, 1, 0, 1):
        night.at(noon + hours * HOUR)
    assert night.fired() == {"0 * * * * cron": stamps(noon, noon + HOUR)}


def test_a_time_that_comes_twice_is_due_when_it_was_meant(
    runner: asyncio.Runner, world: World
) -> None:
    wall = datetime(2030, 10, 27, 2, 30, tzinfo=BERLIN)
    missing = datetime(2030, 3, 31, 2, 30, tzinfo=BERLIN)

    async def due(*jobs: Job, at: datetime) -> dict[int, State]:
        await world.set_time(at - timedelta(days=1))
        stored = await world.engine.enqueue_jobs(jobs)
        assert {job.state for job in stored} == {State.SCHEDULED}
        await world.set_time(at)
        await world.engine.stage_jobs(10, [])
        return {row["id"]: row["state"] for row in (await world.rows()).values()}

    first = Job(worker="tests.Worker", scheduled_at=wall)
    second = Job(worker="tests.Worker", scheduled_at=wall.replace(fold=1))
    after = runner.run(due(first, second, at=AUTUMN - HOUR / 2))
    assert Counter(after.values()) == {State.AVAILABLE: 1, State.SCHEDULED: 1}
    (left,) = (row for row in runner.run(world.rows()).values() if row["state"] == "scheduled")
    assert left["scheduled_at"] == AUTUMN + HOUR / 2

    skipped = Job(worker="tests.Worker", scheduled_at=missing)
    runner.run(due(skipped, at=SPRING + HOUR / 2 - timedelta(seconds=1)))
    (row,) = (
        row for row in runner.run(world.rows()).values() if row["scheduled_at"] < AUTUMN - HOUR
    )
    assert (row["state"], row["scheduled_at"]) == ("scheduled", SPRING + HOUR / 2)


@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_delays_and_leases_last_as_long_as_they_say_while_clocks_change(
    runner: asyncio.Runner, world: World, change: datetime
) -> None:
    async def live() -> None:
        engine = world.engine
        await world.set_time(change - timedelta(minutes=5))
        (waiting,) = await engine.enqueue_jobs([Job(worker="tests.Worker", scheduled_in=600)])
        (run,) = await engine.enqueue_jobs([Job(worker="tests.Worker", queue="other")])
        assert run.state is State.AVAILABLE
        (claimed,) = await engine.claim_jobs("other", 1, PRODUCER)
        for seconds, staged in ((599, 0), (600, 1)):
            await world.set_time(change - timedelta(minutes=5) + timedelta(seconds=seconds))
            assert (await engine.stage_jobs(10, [])).staged == staged
        assert await engine.rescue_foreign_jobs(age=601, limit=10) == []
        lease = Lease.of(claimed)
        ack = Ack(lease=lease, state=State.RETRYABLE, error="no", delay=7200)
        assert await engine.ack_jobs([ack], PRODUCER) == {lease.id: State.RETRYABLE}
        row = (await world.rows())[lease.id]
        assert row["scheduled_at"] == change + timedelta(minutes=5) + 2 * HOUR
        assert (await world.rows())[waiting.id or 0]["scheduled_at"] == change + timedelta(
            minutes=5
        )

    runner.run(live())


def test_an_update_counts_its_delay_on_the_databases_clock(
    runner: asyncio.Runner, world: World
) -> None:
    async def postpone() -> None:
        await world.set_time(AUTUMN)
        (job,) = await world.engine.enqueue_jobs([Job(worker="tests.Worker")])
        (updated,) = await world.engine.update_jobs([job.id or 0], {"scheduled_in": 60.0})
        assert (updated.state, updated.scheduled_at) == (
            State.SCHEDULED,
            AUTUMN + timedelta(seconds=60),
        )
        (updated,) = await world.engine.update_jobs([job.id or 0], {"scheduled_in": 0.0})
        assert (updated.state, updated.scheduled_at) == (State.AVAILABLE, AUTUMN)

    runner.run(postpone())


def test_the_lead_ends_when_the_database_says_so(runner: asyncio.Runner, world: World) -> None:
    other = Producer(UUID(int=2), "Staffa", "node.2")

    async def lead() -> None:
        await world.set_time(AUTUMN)
        assert await world.engine.elect_leader(PRODUCER, lease=30)
        await world.set_time(AUTUMN + timedelta(seconds=29))
        assert not await world.engine.elect_leader(other, lease=30)
        await world.set_time(AUTUMN + timedelta(seconds=31))
        assert await world.engine.elect_leader(other, lease=30)
        assert not await world.engine.elect_leader(PRODUCER, lease=30)

    runner.run(lead())
