"""Jobs that wait for long become more urgent, step by step, and only those that rules name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa import Prioritizer, Rise, job
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engines.postgres import PostgresEngine
from staffa.services.prioritizer import PrioritizerLoop
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows

MINUTE = 60.0


class CountingEngine(PostgresEngine):
    """Notes how often it was asked for jobs that wait, and how many it has read."""

    read = asked = 0

    async def find_oldest_waiting(self, *args: Any, **options: Any) -> Any:
        found = await super().find_oldest_waiting(*args, **options)
        self.read += len(found)
        self.asked += 1
        return found


@pytest.fixture
async def engine(dsn: str, prefix: str) -> AsyncIterator[CountingEngine]:
    """The engine of a leader."""
    made = CountingEngine(ConnectionSettings(dsn), prefix, 2)
    yield made
    await made.close()


async def wait_for(rows: Rows, age: float, count: int = 1, **columns: Any) -> list[int]:
    """Write jobs that have been due for so many seconds, one microsecond after the other."""
    given = {"queue": "default", "worker": "tests.Worker", "priority": 5, **columns}
    found = await rows.connection.fetch(
        f"""
        INSERT INTO {rows.jobs} (queue, worker, priority, scheduled_at)
        SELECT $1, $2, $3,
               timezone('UTC', now()) - make_interval(secs => $4::float8 - number / 1000000.0)
          FROM generate_series(0, $5::int - 1) AS number
        RETURNING id
        """,
        given["queue"],
        given["worker"],
        given["priority"],
        age,
        count,
    )
    return [row["id"] for row in found]


async def grow_older(rows: Rows, seconds: float) -> None:
    """Let all jobs have waited longer."""
    await rows.connection.execute(
        f"UPDATE {rows.jobs} SET scheduled_at = scheduled_at - make_interval(secs => $1::float8)",
        seconds,
    )


async def priorities(rows: Rows) -> list[int]:
    """Return the priorities of all jobs, by id."""
    found = await rows.connection.fetch(f"SELECT priority FROM {rows.jobs} ORDER BY id")
    return [row["priority"] for row in found]


def prioritizer(engine: PostgresEngine, **options: Any) -> PrioritizerLoop:
    given = {"after": 5 * MINUTE, "interval": MINUTE, **options}
    return PrioritizerLoop(engine, Prioritizer(**given), leading=lambda: True)


async def test_a_job_rises_a_step_for_each_interval_and_no_further_than_it_may(
    rows: Rows, engine: CountingEngine, events: Recorder
) -> None:
    await wait_for(rows, 4.5 * MINUTE)
    loop = prioritizer(engine, max_priority=2)
    seen = []
    for _ in range(6):
        for _ in range(2):  # however often somebody looks
            await loop.tick()
        seen += await priorities(rows)
        await grow_older(rows, MINUTE)
    assert seen == [5, 4, 3, 2, 2, 2]
    told = [event.data for event in events.of("staffa.prioritizer.raised")]
    assert [(data["queue"], data["priority"], data["count"]) for data in told] == [
        ("default", 5, 1), ("default", 4, 1), ("default", 3, 1),
    ]  # fmt: skip


async def test_steps_that_nobody_was_there_for_are_made_at_once(
    rows: Rows, engine: CountingEngine
) -> None:
    await wait_for(rows, 7.5 * MINUTE)
    await prioritizer(engine).tick()
    assert await priorities(rows) == [2]


async def test_two_leaders_that_take_turns_raise_as_one_would(
    rows: Rows, engine: CountingEngine
) -> None:
    await wait_for(rows, 5.5 * MINUTE, 3)
    one, other = prioritizer(engine), prioritizer(engine)
    for loop in (one, other, one):
        await loop.tick()
    assert await priorities(rows) == [4, 4, 4]


async def test_each_job_rises_by_its_own_rule(rows: Rows, engine: CountingEngine) -> None:
    for queue, worker in (
        ("default", "w"), ("mail", "w"), ("mail", "slow"), ("audit", "w"), ("audit", "slow"),
    ):  # fmt: skip
        await wait_for(rows, 3.5 * MINUTE, queue=queue, worker=worker)
    rules = [
        Rise(queue="mail", after=MINUTE, max_priority=3),
        Rise(worker="slow", after=MINUTE),
        Rise(queue="audit", exclude=True),
    ]
    await prioritizer(engine, rules=rules).tick()
    assert await priorities(rows) == [5, 3, 2, 5, 2]


async def test_levels_that_no_rule_raises_are_not_read(rows: Rows, engine: CountingEngine) -> None:
    await wait_for(rows, 900 * MINUTE, queue="audit")
    await wait_for(rows, 900 * MINUTE, priority=2)
    await wait_for(rows, 4 * MINUTE, queue="mail")
    await prioritizer(engine, max_priority=2, rules=[Rise(queue="audit", exclude=True)]).tick()
    assert (engine.asked, engine.read) == (0, 0)


async def test_jobs_that_do_not_wait_keep_their_priority(
    rows: Rows, engine: CountingEngine
) -> None:
    for state in ("scheduled", "retryable", "executing", "suspended", "completed", "cancelled"):
        await rows.insert(state=state, worker="w", priority=5, scheduled_at="2001-01-01", attempt=1)
    await prioritizer(engine).tick()
    assert set(await priorities(rows)) == {5}


async def test_a_round_reads_no_more_than_its_limit_and_the_next_one_goes_on(
    rows: Rows, engine: CountingEngine
) -> None:
    await wait_for(rows, 5.5 * MINUTE, 50)
    await wait_for(rows, 5.5 * MINUTE, 20, queue="mail")
    loop = prioritizer(engine, batch=10, limit=30)
    risen = []
    for _ in range(3):
        engine.read = 0
        await loop.tick()
        assert engine.read <= 30 + 10
        risen.append((await priorities(rows)).count(4))
    assert risen == [30, 60, 70]


async def test_many_that_wait_without_being_due_cost_a_round_its_limit_and_are_all_seen(
    rows: Rows, engine: CountingEngine
) -> None:
    await wait_for(rows, 50 * MINUTE, 500, worker="patient")
    (late,) = await wait_for(rows, 6 * MINUTE)
    rules = [Rise(worker="patient", exclude=True)]
    loop = prioritizer(engine, batch=10, limit=100, rules=rules)
    rounds = 0
    while (await rows.get(late))["priority"] == 5:
        engine.read = 0
        await loop.tick()
        assert engine.read <= 100
        rounds += 1
    assert rounds == 6


async def test_who_does_not_lead_raises_nothing(rows: Rows, engine: CountingEngine) -> None:
    await wait_for(rows, 50 * MINUTE)
    await PrioritizerLoop(engine, Prioritizer(), leading=lambda: False).tick()
    assert await priorities(rows) == [5]


async def test_a_row_that_somebody_holds_is_not_waited_for(
    rows: Rows, engine: CountingEngine
) -> None:
    held, _ = await wait_for(rows, 5.5 * MINUTE, 2)
    loop = prioritizer(engine)
    async with rows.connection.transaction():
        await rows.connection.execute(f"SELECT FROM {rows.jobs} WHERE id = $1 FOR UPDATE", held)
        await loop.tick()
    assert await priorities(rows) == [5, 4]
    await loop.tick()
    assert await priorities(rows) == [4, 4]


async def test_the_leader_raises_where_the_setting_asks_for_it(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(queue="busy", name="busy")
    async def busy() -> None: ...

    async with make_client(queues={"busy": 1}, prioritizer={"after": 0.05}) as app:
        await app.pause_queue("busy")
        waiting = await busy.options(priority=5).enqueue()
        await events.wait("staffa.prioritizer.raised")
        row = await rows.get(waiting.id)
        assert (row["priority"], row["meta"]["staffa_aged"]) == (4, {"from": 5, "to": 4})
        await app.resume_queue("busy")
        await rows.until(waiting.id, "completed")
