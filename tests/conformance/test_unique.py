"""A unique job is written only if there is none like it that counts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa.engine import Engine, Producer
from staffa.errors import DataRefused
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.types import State
from staffa.unique import LIVE_STATES, Unique
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, enqueue, ids, new_job, outcome, read

ENDED = frozenset(State) - frozenset(LIVE_STATES)


async def write(engine: Engine, **options: Any) -> Job:
    """Store one job that is unique unless told otherwise."""
    (job,) = await engine.enqueue_jobs([new_job(**{"unique": True, **options})])
    return job


async def test_the_job_that_there_is_is_returned_whole_and_flagged(engine: Engine) -> None:
    first = await write(engine, args={"n": 2**80}, tags=["a"], meta={"m": 1}, priority=3)
    second = await write(engine, args={"n": 2**80}, tags=["b"], meta={"m": 2}, priority=4)
    assert (first.conflict, second.conflict) == (False, True)
    assert changed(first, second) == {}
    assert second.args == {"n": 2**80}
    assert len(await engine.get_jobs(ids([first]))) == 1
    assert sum((await engine.count_jobs()).values()) == 1


@pytest.mark.parametrize(
    "other",
    [{"args": {"id": 2}}, {"queue": "other"}, {"worker": "tests.Other"}, {"args": {}}],
    ids=str,
)
async def test_jobs_that_differ_in_a_compared_field_do_not_conflict(
    engine: Engine, other: dict[str, Any]
) -> None:
    first = await write(engine, args={"id": 1})
    second = await write(engine, **{"args": {"id": 1}, **other})
    assert not second.conflict
    assert second.id != first.id


async def test_only_the_keys_named_are_compared(engine: Engine) -> None:
    by_id = Unique(keys=["id"])
    first = await write(engine, args={"id": 1, "at": 1}, unique=by_id)
    assert (await write(engine, args={"id": 1, "at": 2}, unique=by_id)).id == first.id
    assert not (await write(engine, args={"id": 2, "at": 1}, unique=by_id)).conflict
    assert not (await write(engine, args={"at": 1}, unique=by_id)).conflict


async def test_meta_is_compared_where_it_is_asked_for(engine: Engine) -> None:
    by_meta = Unique(fields=["worker", "meta"], keys=["tenant"])
    first = await write(engine, meta={"tenant": 1, "x": 1}, unique=by_meta)
    assert (await write(engine, meta={"tenant": 1}, queue="q", unique=by_meta)).id == first.id
    assert not (await write(engine, meta={"tenant": 2}, unique=by_meta)).conflict


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("group", [None, "all", "incomplete", "scheduled", "successful"])
async def test_the_state_of_the_earlier_job_decides(
    store: Store, engine: Engine, state: State, group: Any
) -> None:
    unique = Unique(states=group)
    first = await write(engine, unique=unique)
    await store.write(first.id, state=state)
    second = await write(engine, unique=unique)
    assert second.conflict == (state in unique.watched)
    assert second.state == (state if second.conflict else State.AVAILABLE)


@pytest.mark.parametrize("timestamp", ["inserted_at", "scheduled_at"])
async def test_a_period_looks_back_so_far_and_no_further(
    store: Store, engine: Engine, timestamp: Any
) -> None:
    unique = Unique(period=3600, timestamp=timestamp)
    first = await write(engine, unique=unique)
    await store.write(first.id, state=State.COMPLETED)
    assert (await write(engine, unique=unique)).id == first.id
    long_ago = await store.now() - timedelta(seconds=3601)
    other = ({"inserted_at", "scheduled_at"} - {timestamp}).pop()
    await store.write(first.id, **{other: long_ago})
    assert (await write(engine, unique=unique)).id == first.id
    await store.write(first.id, **{timestamp: long_ago})
    assert not (await write(engine, unique=unique)).conflict


async def test_a_job_that_was_deleted_counts_no_more(store: Store, engine: Engine) -> None:
    first = await write(engine)
    await store.delete(first.id)
    second = await write(engine)
    assert not second.conflict
    assert (await write(engine)).id == second.id


async def test_an_earlier_job_that_comes_back_into_a_state_that_counts_is_seen(
    store: Store, engine: Engine, producer: Producer
) -> None:
    waiting = Unique(states=["suspended", "scheduled", "available"])
    first = await write(engine, unique=waiting)
    (claimed,) = await engine.claim_jobs(QUEUE, 1, producer)
    second = await write(engine, unique=waiting)
    assert not second.conflict
    await store.delete(second.id)
    snoozed = outcome(claimed, State.SCHEDULED, refund=True, delay=60.0)
    await engine.ack_jobs([snoozed], producer)
    third = await write(engine, unique=waiting)
    assert (third.conflict, third.id, third.state) == (True, first.id, State.SCHEDULED)


@pytest.mark.parametrize("state", ["executing", "retryable"])
async def test_an_earlier_job_is_remembered_until_it_has_ended(
    store: Store, engine: Engine, state: State
) -> None:
    waiting = Unique(states=["suspended", "scheduled", "available"])
    first = await write(engine, unique=waiting)
    await store.write(first.id, state=state)
    for _ in range(5):
        later = await write(engine, unique=waiting)
        assert not later.conflict
        await store.write(later.id, state=State.COMPLETED)
    assert (await write(engine)).id == first.id


async def test_of_finished_jobs_the_latest_by_each_timestamp_are_remembered(
    store: Store, engine: Engine
) -> None:
    due = datetime.now(UTC) + timedelta(days=1)
    first = await write(engine, scheduled_at=due)
    await store.write(first.id, state=State.COMPLETED)
    for _ in range(5):
        await store.write((await write(engine)).id, state=State.COMPLETED)
    later = await write(engine)
    await store.write(later.id, state=State.CANCELLED)
    ages: dict[str, Any] = {"period": 3600, "states": "successful"}
    long_ago = await store.now() - timedelta(days=1)
    for number in ids(await engine.list_jobs(JobFilter(states=[State.COMPLETED]))):
        kept = {"scheduled_at": due} if number == first.id else {"scheduled_at": long_ago}
        await store.write(number, inserted_at=long_ago, **kept)
    by_schedule = await write(engine, unique=Unique(**ages, timestamp="scheduled_at"))
    assert (by_schedule.conflict, by_schedule.id) == (True, first.id)
    assert not (await write(engine, unique=Unique(**ages))).conflict


async def test_a_finished_job_that_is_retried_meets_no_obstacle(
    store: Store, engine: Engine
) -> None:
    first = await write(engine)
    await store.write(first.id, state=State.COMPLETED)
    second = await write(engine)
    assert not second.conflict
    assert [job.id for job in await engine.retry_jobs(ids([first]))] == [first.id]
    assert (await write(engine)).id == second.id


async def test_a_long_line_of_earlier_jobs_is_judged_by_those_that_still_matter(
    store: Store, engine: Engine
) -> None:
    jobs = [await write(engine)]
    for _ in range(20):
        await store.write(jobs[-1].id, state=State.COMPLETED)
        jobs.append(await write(engine))
    await store.write(jobs[-1].id, state=State.CANCELLED)
    back = await write(engine, unique=Unique(period=60))
    assert (back.conflict, back.id) == (True, jobs[-2].id)


async def test_equal_jobs_of_one_call_resolve_to_the_first(engine: Engine) -> None:
    given = [new_job(args={"n": n % 3}, unique=True, priority=n) for n in range(9)]
    plain = [new_job(), new_job()]
    jobs = await engine.enqueue_jobs([plain[0], *given, plain[1]])
    assert [job.conflict for job in jobs] == [False] * 4 + [True] * 6 + [False]
    assert [job.priority for job in jobs[1:10]] == [0, 1, 2] * 3
    assert ids(jobs[1:4]) * 3 == ids(jobs[1:10])
    assert sum((await engine.count_jobs()).values()) == 5


async def test_equal_jobs_of_one_call_are_judged_by_their_own_options(engine: Engine) -> None:
    scheduled = Unique(states="scheduled")
    jobs = await engine.enqueue_jobs(
        [
            new_job(unique=scheduled),
            new_job(unique=scheduled),
            new_job(unique=True),
            new_job(unique=scheduled, scheduled_in=60),
            new_job(unique=scheduled),
            new_job(unique=scheduled, scheduled_in=90),
        ]
    )
    assert [job.conflict for job in jobs] == [False, False, True, False, True, True]
    assert jobs[2].id == jobs[1].id
    assert jobs[4].id == jobs[5].id == jobs[3].id


async def test_equal_jobs_of_one_call_judge_times_that_were_given(engine: Engine) -> None:
    unique = Unique(period=60, timestamp="scheduled_at")
    past, future = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    jobs = await engine.enqueue_jobs(
        [new_job(unique=unique, scheduled_at=at) for at in (past, past, future, past)]
    )
    assert [job.conflict for job in jobs] == [False, False, False, True]
    assert jobs[3].id == jobs[2].id


async def test_different_options_of_one_key_see_each_other(store: Store, engine: Engine) -> None:
    first = await write(engine, unique=True)
    await store.write(first.id, state=State.COMPLETED)
    assert (await write(engine, unique=Unique(period=60))).id == first.id
    assert (await write(engine, unique=Unique(states="all"))).id == first.id
    assert not (await write(engine, unique=Unique(fields=["args"]))).conflict
    assert not (await write(engine, unique=True)).conflict


async def test_what_is_listed_for_the_state_is_overwritten_and_nothing_else(
    engine: Engine, producer: Producer
) -> None:
    unique = Unique(keys=["id"])
    replace = {"scheduled": ["args", "tags", "meta", "priority", "max_attempts"]}
    first = await write(engine, args={"id": 1}, scheduled_in=60, tags=["a"], unique=unique)
    second = await write(
        engine, args={"id": 1, "more": True}, meta={"m": 1}, tags=["b"], priority=7, max_attempts=3,
        unique=unique, replace=replace,
    )  # fmt: skip
    assert second.conflict
    assert changed(first, second) == {
        "args": {"id": 1, "more": True}, "meta": {"m": 1}, "tags": ("b",), "priority": 7,
        "max_attempts": 3,
    }  # fmt: skip
    assert changed(second, await read(engine, first)) == {}
    assert not second.wakes_its_queue


async def test_a_running_job_is_overwritten_only_if_that_is_listed(
    engine: Engine, producer: Producer
) -> None:
    first = await write(engine)
    await engine.claim_jobs(QUEUE, 1, producer)
    before = await read(engine, first)
    left = await write(engine, priority=5, replace={"available": ["priority"]})
    assert changed(before, left) == {}
    over = await write(engine, priority=5, scheduled_in=60, replace={
        "executing": ["priority", "scheduled_at"]})  # fmt: skip
    assert changed(before, over).keys() == {"priority", "scheduled_at"}
    assert over.state is State.EXECUTING


async def test_a_new_time_makes_a_waiting_job_scheduled_or_available(
    engine: Engine,
) -> None:
    replace = {state: ["scheduled_at"] for state in ("scheduled", "available", "retryable")}
    await write(engine, scheduled_in=3600)
    later = await write(engine, scheduled_in=7200, replace=replace)
    assert (later.state, later.wakes_its_queue) == (State.SCHEDULED, False)
    now = await write(engine, replace=replace)
    assert (now.conflict, now.state, now.wakes_its_queue) == (True, State.AVAILABLE, True)
    assert (await write(engine)).wakes_its_queue is False
    again = await write(engine, scheduled_in=60, replace=replace)
    assert (again.state, again.id) == (State.SCHEDULED, now.id)


async def test_a_job_that_changes_its_queue_is_found_there(engine: Engine) -> None:
    unique = Unique(fields=["args"])
    first = await write(engine, unique=unique)
    moved = await write(
        engine, unique=unique, queue="other", worker="tests.Other",
        replace={"available": ["queue", "worker"]},
    )  # fmt: skip
    assert (moved.id, moved.queue, moved.worker) == (first.id, "other", "tests.Other")
    assert moved.wakes_its_queue


async def test_a_lower_limit_of_attempts_never_falls_below_the_attempts_made(
    store: Store, engine: Engine
) -> None:
    first = await write(engine)
    await store.write(first.id, state=State.RETRYABLE, attempt=5)
    second = await write(engine, max_attempts=2, replace={"retryable": ["max_attempts"]})
    assert (second.id, second.max_attempts) == (first.id, 5)


async def test_jobs_of_one_call_overwrite_in_their_order(engine: Engine) -> None:
    replace = {"available": ["priority"], "scheduled": ["priority", "scheduled_at"]}
    jobs = await engine.enqueue_jobs(
        [
            new_job(unique=True, scheduled_in=60),
            new_job(unique=True, priority=1, replace=replace),
            new_job(unique=True, priority=2, replace=replace, scheduled_in=60),
        ]
    )
    assert len(set(ids(jobs))) == 1
    assert [(job.state, job.priority) for job in jobs] == [
        (State.SCHEDULED, 0),
        (State.AVAILABLE, 1),
        (State.AVAILABLE, 2),
    ]


async def test_thousands_of_unique_jobs_keep_their_order(engine: Engine) -> None:
    given = [new_job(args={"n": n}, unique=n % 2 == 0) for n in range(12_000)]
    jobs = await engine.enqueue_jobs(given)
    assert [job.args["n"] for job in jobs] == list(range(12_000))
    assert ids(jobs) == sorted(set(ids(jobs)))
    again = await engine.enqueue_jobs([new_job(args={"n": n}, unique=True) for n in range(12_000)])
    assert [job.conflict for job in again] == [n % 2 == 0 for n in range(12_000)]
    assert ids(again)[::2] == ids(jobs)[::2]


async def test_one_known_key_among_many_is_met_wherever_it_is(store: Store, engine: Engine) -> None:
    for turn in range(3):
        known = await write(engine, args={"turn": turn, "n": 7})
        jobs = [new_job(unique=True, args={"turn": turn, "n": n}) for n in range(300)]
        stored = await engine.enqueue_jobs(jobs)
        assert [job.args["n"] for job in stored if job.conflict] == [7]
        assert stored[7].id == known.id
        rows = await store.rows()
        assert len(rows) == 300 * (turn + 1)
        written = await engine.enqueue_jobs(
            [new_job(unique=True, args=job.args) for job in jobs], told="ids"
        )
        assert len(written.conflicts) == 300
        assert await store.rows() == rows


async def test_one_refused_job_leaves_none_of_all_statements(engine: Engine) -> None:
    bad = new_job(args={"bad": 1})
    bad.queue = ""  # refused by the tables of all
    given = [new_job(args={"n": n}, unique=True) for n in range(6_000)]
    with pytest.raises(DataRefused):
        await engine.enqueue_jobs([*given, bad])
    assert await engine.count_jobs() == {}
    assert not any(job.conflict for job in await engine.enqueue_jobs(given[:10]))


@pytest.mark.parametrize(("bulk", "known"), [(1, 0), (1, 1), (50, 25)])
async def test_of_many_inserters_at_once_exactly_one_writes(
    store: Store, engine: Engine, other_engine: Engine, bulk: int, known: int
) -> None:
    engines = [engine, other_engine, *(store.engine() for _ in range(6))]
    taken_before = [new_job(args={"n": n}, unique=True) for n in range(known)]
    for earlier in await engine.enqueue_jobs(taken_before):  # so the rows of their keys are there
        await store.delete(earlier.id)
    await asyncio.gather(*(each.count_jobs() for each in engines))  # all are connected

    async def insert(number: int) -> list[Job]:
        jobs = [new_job(args={"n": n}, unique=True) for n in range(bulk)]
        given = jobs if number % 2 else jobs[::-1]
        found = await engines[number % len(engines)].enqueue_jobs(given)
        return found if number % 2 else found[::-1]

    results = await asyncio.gather(*(insert(number) for number in range(64)))
    for place in range(bulk):
        assert len({jobs[place].id for jobs in results}) == 1
        assert sum(not jobs[place].conflict for jobs in results) == 1
    assert await engine.count_jobs() == {(QUEUE, State.AVAILABLE): bulk}


async def test_overwriting_inserters_and_workers_do_not_block_each_other(
    store: Store, engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    replace = {state: ["priority", "scheduled_at"] for state in ("available", "executing")}
    unique = Unique(states="all")

    async def insert(order: int) -> None:
        numbers = range(200)[::order]
        await store.engine().enqueue_jobs(
            [new_job(args={"n": n}, unique=unique, replace=replace) for n in numbers]
        )

    async def work() -> None:
        for _ in range(20):
            claimed = await other_engine.claim_jobs(QUEUE, 50, producer)
            await other_engine.ack_jobs(
                [outcome(job, State.COMPLETED) for job in claimed], producer
            )

    await asyncio.gather(*(insert(1 if n % 2 else -1) for n in range(8)), work())
    assert sum((await engine.count_jobs()).values()) == 200


async def test_keys_are_forgotten_once_their_jobs_are_gone(store: Store, engine: Engine) -> None:
    jobs = [await write(engine, args={"n": n}) for n in range(6)]
    assert await engine.prune_unique_keys(100) == 0
    for job in jobs[:4]:
        await store.delete(job.id)
    rounds = [await engine.prune_unique_keys(3) for _ in range(4)]
    assert max(rounds) <= 3
    assert sum(rounds) == 4
    assert await engine.prune_unique_keys(100) == 0
    assert not (await write(engine, args={"n": 0})).conflict
    assert (await write(engine, args={"n": 5})).id == jobs[5].id


async def test_a_key_with_one_job_left_of_several_is_kept(store: Store, engine: Engine) -> None:
    first = await write(engine, unique=Unique(states="scheduled"))
    second = await write(engine, unique=Unique(states="scheduled"))
    await store.delete(second.id)
    assert await engine.prune_unique_keys(10) == 0
    assert (await write(engine)).id == first.id


async def test_forgetting_keys_beside_inserters_never_lets_two_through(
    store: Store, engine: Engine, other_engine: Engine
) -> None:
    done = asyncio.Event()

    async def prune() -> int:
        forgotten = 0
        while not done.is_set():
            forgotten += await other_engine.prune_unique_keys(10)
        return forgotten

    async def insert(writer: Engine) -> list[Job]:
        return [await write(writer, args={"n": n // 5}) for n in range(200)]

    pruning = asyncio.create_task(prune())
    results = []
    for _ in range(3):
        results.append(await asyncio.gather(*(insert(store.engine()) for _ in range(4))))
        for jobs in zip(*results[-1], strict=True):
            assert len({job.id for job in jobs}) == 1
        for number in {job.id for jobs in results[-1] for job in jobs}:
            await store.delete(number)
    done.set()
    assert await pruning > 0


async def test_available_jobs_are_counted_up_to_the_limits(engine: Engine) -> None:
    await enqueue(engine, 5, queue="a")
    await enqueue(engine, 2, queue="b")
    await enqueue(engine, 3, queue="b", scheduled_in=60)
    found = await engine.count_available({"a": 3, "b": 100, "none": 5})
    assert found == {"a": 3, "b": 2, "none": 0}
