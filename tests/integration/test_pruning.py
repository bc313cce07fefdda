"""Finished jobs go when their time is over, each by its own rule, and never any other job."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa import Job, Keep, Pruner, State, job
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engines.postgres import PostgresEngine
from staffa.services.pruner import PrunerLoop
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

HOUR = 3600.0
DAY = 24 * HOUR
COLUMNS = {"completed": "completed_at", "cancelled": "cancelled_at", "discarded": "discarded_at"}


class SteppedClock:
    """A monotonic clock that goes on when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> Any:
        return SYSTEM_CLOCK.now()

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
async def engine(dsn: str, prefix: str) -> AsyncIterator[PostgresEngine]:
    """The engine of a leader."""
    made = PostgresEngine(ConnectionSettings(dsn), prefix, 2)
    yield made
    await made.close()


async def finish(
    rows: Rows, age: float, count: int = 1, *, state: str = "completed", **columns: str
) -> list[int]:
    """Write jobs that ended so many seconds ago, one second after the other."""
    given = {"queue": "default", "worker": "tests.Worker", **columns}
    found = await rows.connection.fetch(
        f"""
        INSERT INTO {rows.jobs} (state, queue, worker, {COLUMNS[state]})
        SELECT $1::text::{rows._type("state")}, $2, $3,
               timezone('UTC', now()) - make_interval(secs => $4::float8 - number)
          FROM generate_series(0, $5::int - 1) AS number
        RETURNING id
        """,
        state,
        given["queue"],
        given["worker"],
        age,
        count,
    )
    return [row["id"] for row in found]


async def left(rows: Rows) -> list[int]:
    """Return the ids of all jobs."""
    return [
        row["id"] for row in await rows.connection.fetch(f"SELECT id FROM {rows.jobs} ORDER BY 1")
    ]


def pruner(engine: PostgresEngine, clock: Any = SYSTEM_CLOCK, **options: Any) -> PrunerLoop:
    return PrunerLoop(engine, Pruner(**options), leading=lambda: True, clock=clock)


async def test_by_default_completed_jobs_go_after_a_day_and_the_others_after_a_week(
    rows: Rows, engine: PostgresEngine, events: Recorder
) -> None:
    kept = []
    for state, days in {"completed": 1, "cancelled": 7, "discarded": 7}.items():
        kept += await finish(rows, days * DAY - 60, state=state)
        await finish(rows, days * DAY + 60, state=state)
    await pruner(engine).tick()
    assert await left(rows) == kept
    told = {
        (event.data["state"], event.data["count"]) for event in events.of("staffa.pruner.pruned")
    }
    assert told == {(State.COMPLETED, 1), (State.CANCELLED, 1), (State.DISCARDED, 1)}


async def test_jobs_that_have_not_ended_stay_however_old_they_are(
    rows: Rows, engine: PostgresEngine
) -> None:
    kept = []
    for state in ("available", "scheduled", "executing", "retryable", "suspended"):
        old = "2000-01-01 00:00:00"
        kept.append(await rows.insert(state=state, worker="w", scheduled_at=old, completed_at=old))
    await pruner(engine, completed=0, cancelled=0, discarded=0).tick()
    assert await left(rows) == kept


async def test_many_pages_are_deleted_in_one_round(rows: Rows, engine: PostgresEngine) -> None:
    await finish(rows, 30 * DAY, 95)
    await pruner(engine, batch=10).tick()
    assert await left(rows) == []


async def test_a_round_ends_at_its_limit_and_the_next_one_goes_on(
    rows: Rows, engine: PostgresEngine
) -> None:
    await finish(rows, 30 * DAY, 60)
    await finish(rows, 30 * DAY, 15, state="cancelled")
    loop = pruner(engine, batch=10, limit=30)
    remaining = []
    for _ in range(3):
        await loop.tick()
        remaining.append(dict(await rows.count()))
    # the walk that was cut short comes last in the next round
    assert remaining == [{"completed": 30, "cancelled": 15}, {"completed": 10}, {}]


async def test_the_most_specific_rule_holds_for_each_job(
    rows: Rows, engine: PostgresEngine
) -> None:
    rules = [
        Keep(queue="audit"),
        Keep(queue="audit", worker="noisy", max_age=HOUR),
        Keep(worker="noisy", max_age=2 * HOUR),
        Keep(queue="mail", state="discarded", max_age=HOUR),
    ]
    kept = [
        *await finish(rows, 300 * DAY, queue="audit"),
        *await finish(rows, 300 * DAY, queue="audit", state="discarded"),
        *await finish(rows, 1.5 * HOUR, worker="noisy"),
        *await finish(rows, 2 * HOUR, queue="mail"),
    ]
    await finish(rows, 1.5 * HOUR, worker="noisy", queue="audit")
    await finish(rows, 2.5 * HOUR, worker="noisy")
    await finish(rows, 2 * HOUR, queue="mail", state="discarded")
    await finish(rows, 25 * HOUR, queue="mail")
    await pruner(engine, rules=rules, batch=2).tick()
    assert await left(rows) == kept


async def test_the_newest_jobs_of_a_rule_are_kept_by_number_in_each_state(
    rows: Rows, engine: PostgresEngine
) -> None:
    mail = await finish(rows, HOUR, 9, queue="mail")
    cancelled = await finish(rows, HOUR, 4, queue="mail", state="cancelled")
    other = await finish(rows, HOUR, 6)
    rules = [Keep(queue="mail", max_len=5)]
    await pruner(engine, rules=rules, batch=2).tick()
    assert await left(rows) == sorted([*mail[-5:], *cancelled, *other])


async def test_age_and_number_hold_together(rows: Rows, engine: PostgresEngine) -> None:
    await finish(rows, 3 * HOUR, 3)
    young = await finish(rows, HOUR, 5)
    await pruner(engine, rules=[Keep(max_len=2, max_age=2 * HOUR)]).tick()
    assert await left(rows) == young[-2:]
    await pruner(engine, rules=[Keep(max_len=0)]).tick()
    assert await left(rows) == []


async def test_what_is_kept_for_long_is_not_read_again_in_every_round(
    rows: Rows, engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staffa.services.pruner._KEPT_A_ROUND", 10)
    kept = await finish(rows, 30 * DAY, 25, queue="audit")
    clock = SteppedClock()
    loop = pruner(engine, clock, rules=[Keep(queue="audit")], interval=10)
    await loop.tick()
    await finish(rows, 2 * DAY)
    clock.seconds = 19
    await loop.tick()
    assert len(await left(rows)) == 26  # 25 were read in vain: that is enough for two rounds
    clock.seconds = 21
    await loop.tick()
    assert await left(rows) == kept


async def test_without_rules_a_round_follows_at_once(rows: Rows, engine: PostgresEngine) -> None:
    clock = SteppedClock()
    loop = pruner(engine, clock)
    for _ in range(3):
        await finish(rows, 2 * DAY, 5)
        await loop.tick()
        assert await left(rows) == []


async def test_nobody_but_the_leader_prunes(rows: Rows, engine: PostgresEngine) -> None:
    kept = await finish(rows, 30 * DAY, 3)
    loop = PrunerLoop(engine, Pruner(), leading=lambda: False, clock=SYSTEM_CLOCK)
    await loop.tick()
    assert await left(rows) == kept


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_hook_gets_all_jobs_before_they_are_deleted(
    rows: Rows, engine: PostgresEngine, kind: str
) -> None:
    archive: list[Job] = []
    threads = set()

    def keep(jobs: list[Job]) -> None:
        archive.extend(jobs)
        threads.add(threading.current_thread())

    async def keep_async(jobs: list[Job]) -> None:
        assert await left(rows) == gone
        keep(jobs)

    gone = await finish(rows, 30 * DAY, 5)
    hook = keep if kind == "sync" else keep_async
    await pruner(engine, before_delete=hook).tick()
    assert [found.id for found in archive] == gone
    assert {found.state for found in archive} == {State.COMPLETED}
    assert (threading.main_thread() in threads) == (kind == "async")
    assert await left(rows) == []


class StrangeError(Exception):
    """What a hook may raise."""


@pytest.mark.parametrize(
    "error", [StrangeError("disk full"), SystemExit(1), asyncio.CancelledError()]
)
@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_hook_that_raises_keeps_its_jobs_and_is_called_again(
    rows: Rows, engine: PostgresEngine, events: Recorder, error: BaseException, kind: str
) -> None:
    errors = [error]
    archive: list[int | None] = []

    def keep(jobs: list[Job]) -> None:
        if errors:
            raise errors.pop()
        archive.extend(found.id for found in jobs)

    async def keep_async(jobs: list[Job]) -> None:
        keep(jobs)

    gone = await finish(rows, 30 * DAY, 5)
    loop = pruner(engine, before_delete=keep if kind == "sync" else keep_async, interval=0.05)
    await loop.start()
    (told,) = await events.wait("staffa.error")
    assert "before_delete" in told.data["what"]
    await events.wait("staffa.pruner.pruned")
    await loop.stop()
    assert archive == gone
    assert await left(rows) == []


async def test_a_job_that_changes_while_the_hook_runs_is_not_deleted(
    rows: Rows, engine: PostgresEngine
) -> None:
    gone = await finish(rows, 30 * DAY, 5)

    async def retry_one(jobs: list[Job]) -> None:
        await engine.retry_jobs([gone[2]])

    await pruner(engine, before_delete=retry_one).tick()
    assert await left(rows) == [gone[2]]
    assert (await rows.get(gone[2]))["state"] == "available"


async def test_jobs_that_somebody_holds_are_skipped_and_found_again(
    dsn: str, rows: Rows, engine: PostgresEngine
) -> None:
    gone = await finish(rows, 30 * DAY, 5)
    async with rows.connection.transaction():
        await rows.connection.execute(f"SELECT FROM {rows.jobs} WHERE id = $1 FOR UPDATE", gone[0])
        await pruner(engine).tick()
        assert await left(rows) == gone[:1]
    await pruner(engine).tick()
    assert await left(rows) == []


async def test_a_slow_hook_holds_up_neither_jobs_nor_the_stop_of_the_node(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    called = threading.Event()
    released = threading.Event()

    def block(jobs: list[Job]) -> None:
        called.set()
        released.wait()

    @job
    async def note() -> None: ...

    await finish(rows, 30 * DAY)
    options = Pruner(before_delete=block, interval=0.05)
    async with make_client(queues={"default": 1}, pruner=options) as app:
        await eventually(called.is_set, "the call of the hook")
        await app.enqueue(note.new())
        await events.wait("staffa.job.completed")
    released.set()
    assert len(await left(rows)) == 2


async def test_a_node_prunes_what_other_clients_left_and_can_be_told_not_to(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    await finish(rows, 30 * DAY, 3, worker="MyApp.Elixir")
    await finish(rows, 30 * DAY, 2, worker="MyApp.Elixir", state="discarded")
    async with make_client(queues={"default": 1}, pruner=False):
        await events.wait("staffa.leader.elected")
    assert len(await left(rows)) == 5
    async with make_client(queues={"default": 1}, pruner={"interval": 0.05}):
        await events.wait("staffa.pruner.pruned", 2)
    assert await left(rows) == []
