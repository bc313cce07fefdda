"""Looking at what goes on: who lives, what runs, waits and has ended, whatever else is there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from staffa.engine import EVERYBODY, Control, Engine, Producer, node_scope
from staffa.engines.statements import surveys
from staffa.jobs import Job
from staffa.survey import Outcomes
from staffa.types import State
from tests.conformance.stores import Store
from tests.conformance.work import claim_one, enqueue, ids, new_producer, outcome

NAME = "Staffa"


async def test_producers_are_listed_with_their_silence_and_who_leads(
    engine: Engine, store: Store
) -> None:
    heart = engine.heartbeat()
    living, dead = new_producer("node.1"), new_producer("node.2")
    await heart.beat(living)
    await heart.beat(dead)
    await heart.close()
    await store.write_producer(dead.uuid, beat_at=await store.now() - timedelta(hours=1))
    assert await engine.elect_leader(living, lease=30)
    first, second = await engine.survey.list_producers()
    assert (first.uuid, first.name, first.node, first.leads) == (
        living.uuid, NAME, "node.1", True,
    )  # fmt: skip
    assert (second.uuid, second.leads) == (dead.uuid, False)
    assert first.silent < 60 < second.silent < 3700
    assert abs(first.started_at - await store.now()) < timedelta(minutes=1)


async def test_a_lease_that_has_expired_makes_no_leader(engine: Engine) -> None:
    producer = new_producer()
    heart = engine.heartbeat()
    await heart.beat(producer)
    await heart.close()
    await engine.elect_leader(producer, lease=0)
    assert [status.leads for status in await engine.survey.list_producers()] == [False]


async def test_controls_are_listed_by_their_age_for_one_instance(
    engine: Engine, store: Store
) -> None:
    wanted = [Control("b", EVERYBODY, "paused", True), Control("a", node_scope("x"), "limit", 5)]
    written = await engine.control_queues(NAME, wanted)
    await engine.control_queues("another", [Control("c", EVERYBODY, "paused", True)])
    found = await engine.survey.list_controls(NAME)
    assert [status.control for status in found] == sorted(written, key=lambda one: one.version)
    now = await store.now()
    assert all(abs(status.changed_at - now) < timedelta(minutes=1) for status in found)
    assert await engine.survey.list_controls("nobody") == []


async def test_running_jobs_are_counted_by_queue_and_producer(engine: Engine) -> None:
    one, other = new_producer("node.1"), new_producer("node.2")
    await enqueue(engine, 3, queue="mail")
    await enqueue(engine, 1, queue="bills")
    await engine.claim_jobs("mail", 2, one)
    await engine.claim_jobs("mail", 1, other)
    await engine.claim_jobs("bills", 1, one)
    found = await engine.survey.count_running()
    assert {(row.queue, row.node, row.producer, row.count) for row in found} == {
        ("mail", "node.1", str(one.uuid), 2),
        ("mail", "node.2", str(other.uuid), 1),
        ("bills", "node.1", str(one.uuid), 1),
    }


async def test_running_jobs_of_nobody_are_counted_too(engine: Engine, store: Store) -> None:
    (job,) = await enqueue(engine, 1)
    await store.write(job.id, state="executing", attempted_by=None)
    (found,) = await engine.survey.count_running()
    assert (found.node, found.producer, found.count) == (None, None, 1)


async def test_waiting_jobs_are_counted_up_to_a_limit_with_the_first_that_is_due(
    engine: Engine, store: Store
) -> None:
    now = await store.now()
    await enqueue(engine, 5, queue="mail", priority=0)
    (oldest,) = await enqueue(engine, 1, queue="mail", priority=9)
    await store.write(oldest.id, scheduled_at=now - timedelta(hours=1))
    await enqueue(engine, 1, queue="bills")
    (later,) = await enqueue(engine, 1, queue="bills", scheduled_at=now + timedelta(hours=1))
    found = {(row.queue, row.state): row for row in await engine.survey.count_waiting(most=3)}
    counts = {key: row.count for key, row in found.items()}
    assert counts == {
        ("mail", State.AVAILABLE): 3,
        ("bills", State.AVAILABLE): 1,
        ("bills", State.SCHEDULED): 1,
    }
    assert found["mail", State.AVAILABLE].due_at == now - timedelta(hours=1)
    assert found["bills", State.SCHEDULED].due_at == later.scheduled_at


async def test_no_jobs_are_no_rows(engine: Engine) -> None:
    survey = engine.survey
    assert await survey.count_waiting(most=10) == []
    assert await survey.count_running() == []
    assert await survey.count_ended(seconds=10) == {}
    assert await survey.list_running(10) == []
    assert await survey.list_failed(10) == []
    assert await survey.count_workers() == {}
    assert await survey.count_outcomes(seconds=3600) == []


async def _fail(engine: Engine, producer: Producer, error: str, state: State) -> Job:
    job = await claim_one(engine, producer)
    delay = 60.0 if state is State.RETRYABLE else None
    await engine.ack_jobs([outcome(job, state, error=error, delay=delay)], producer)
    return job


async def test_what_has_ended_lately_is_counted_and_what_ended_before_is_not(
    engine: Engine, store: Store, producer: Producer
) -> None:
    now = await store.now()
    jobs = {
        state: await _fail(engine, producer, "x", state)
        for state in (State.COMPLETED, State.CANCELLED, State.DISCARDED, State.RETRYABLE)
    }
    old = await _fail(engine, producer, "x", State.COMPLETED)
    moment = now - timedelta(seconds=5)
    for state in (State.COMPLETED, State.CANCELLED, State.DISCARDED):
        await store.write(jobs[state].id, **{f"{state}_at": moment, "scheduled_at": moment})
    await store.write(old.id, completed_at=now - timedelta(hours=1))
    told = {"attempt": 1, "at": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "error": "x"}
    await store.write(jobs[State.RETRYABLE].id, errors=[told], attempted_at=moment)
    found = await engine.survey.count_ended(seconds=60)
    assert {state: count for (_, state), count in found.items()} == dict.fromkeys(jobs, 1)
    assert await engine.survey.count_ended(seconds=0.5) == {}


async def test_outcomes_of_a_while_are_counted_by_worker_and_cancelled_jobs_are_none(
    engine: Engine, store: Store, producer: Producer
) -> None:
    for state in (State.COMPLETED, State.CANCELLED, State.DISCARDED, State.RETRYABLE) * 2:
        await _fail(engine, producer, "x", state)
    old = await store.now() - timedelta(hours=2)
    for state in (State.COMPLETED, State.DISCARDED):
        job = await _fail(engine, producer, "x", state)
        await store.write(job.id, **{f"{state}_at": old, "attempted_at": old, "scheduled_at": old})
    job = await _fail(engine, producer, "x", State.RETRYABLE)
    await store.write(job.id, attempted_at=old)
    (other,) = await enqueue(engine, worker="shop.other")
    await store.write(other.id, state="completed", completed_at=await store.now())
    assert await engine.survey.count_outcomes(seconds=3600) == [
        Outcomes(worker="shop.other", completed=1, failed=0),
        Outcomes(worker="tests.Worker", completed=2, failed=4),
    ]


async def test_where_more_have_ended_than_are_counted_all_are_counted_from_the_same_time_on(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = await store.now()
    states = ["discarded"] * 3 + ["completed"] * 5 + ["discarded"]
    jobs = await enqueue(engine, len(states))
    for ago, (job, state) in enumerate(zip(jobs, reversed(states), strict=True), start=1):
        moment = now - timedelta(minutes=ago)
        await store.write(job.id, **{"state": state, f"{state}_at": moment, "scheduled_at": moment})
    monkeypatch.setattr(surveys, "MOST_OUTCOMES", 4)
    (found,) = await engine.survey.count_outcomes(seconds=3600)
    assert (found.completed, found.failed) == (4, 1)


async def test_running_jobs_are_listed_the_longest_running_first(
    engine: Engine, producer: Producer
) -> None:
    claimed = [await claim_one(engine, producer) for _ in range(3)]
    await enqueue(engine, 1)
    assert ids(await engine.survey.list_running(10)) == ids(claimed)
    assert ids(await engine.survey.list_running(1)) == ids(claimed[:1])


async def test_failed_jobs_are_listed_the_last_first_retryable_and_discarded_alike(
    engine: Engine, producer: Producer
) -> None:
    first = await _fail(engine, producer, "one", State.RETRYABLE)
    second = await _fail(engine, producer, "two", State.DISCARDED)
    third = await _fail(engine, producer, "three", State.RETRYABLE)
    await _fail(engine, producer, "x", State.COMPLETED)
    found = await engine.survey.list_failed(10)
    assert ids(found) == ids([third, second, first])
    assert [job.errors[-1]["error"] for job in found] == ["three", "two", "one"]
    assert ids(await engine.survey.list_failed(2)) == ids([third, second])


async def test_workers_of_jobs_that_wait_are_counted(engine: Engine, producer: Producer) -> None:
    await _fail(engine, producer, "x", State.DISCARDED)
    await _fail(engine, producer, "x", State.RETRYABLE)
    await enqueue(engine, 2, worker="shop.a")
    await enqueue(engine, 1, worker="shop.b", scheduled_in=60)
    assert await engine.survey.count_workers() == {"shop.a": 2, "shop.b": 1, "tests.Worker": 1}


async def test_the_server_tells_its_clock(engine: Engine, store: Store) -> None:
    health = await engine.survey.check_server()
    assert abs(health.now - await store.now()) < timedelta(minutes=1)
    assert health.version
    assert not health.read_only
    assert health.leading_peers == ()
