"""What depends on jobs that end is released or cancelled, and flows are counted and end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from staffa.deadlines import read_deadline
from staffa.drivers.connections import run_on
from staffa.engine import Engine, Producer
from staffa.linking import NOTHING
from staffa.queues.completions import dump_statements, load_statements
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.rows import Since, error
from tests.conformance.stores import Store
from tests.conformance.test_rescue import beat
from tests.conformance.work import QUEUE, new_job


async def test_a_step_is_released_when_the_last_thing_that_it_needs_has_completed(
    flows: Flows, store: Store
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    left = await flows.job("w", first)
    right = await flows.job("w", first)
    last = await flows.job("w", left, right)
    done = await flows.end(first)
    assert done.states == {first: State.COMPLETED}
    assert (done.followed.woken, done.followed.cancelled) == ({QUEUE: 2}, ())
    assert await flows.states(left, right, last) == ["available", "available", "suspended"]
    await flows.end(left)
    assert await flows.states(last) == ["suspended"]
    await flows.check_counts("w")
    moment = await store.now()
    ended = await flows.end(right)
    assert (ended.followed.woken, ended.followed.ended) == ({QUEUE: 1}, ())
    row = await store.row(last)
    assert (row["state"], row["attempt"]) == ("available", 0)
    assert Since(moment) == f"{row['scheduled_at']}+00:00"
    assert (await flows.end(last)).followed.ended == ("w",)
    await flows.check_counts("w")
    assert not await flows.is_open("w")


async def test_a_dependent_is_cancelled_with_all_that_depends_on_it(
    flows: Flows, store: Store
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first)
    third = await flows.job("w", second)
    moment = await store.now()
    done = await flows.end(first, state=State.DISCARDED, error="no")
    assert sorted(done.followed.cancelled) == [second, third]
    assert (done.followed.woken, done.followed.ended) == ({}, ("w",))
    assert await flows.states(first, second, third) == ["discarded", "cancelled", "cancelled"]
    text = f"job {first}, which it depends on, was discarded"
    assert (await store.row(second))["errors"] == [error(0, text, moment)]
    text = f"job {second}, which it depends on, was cancelled"
    assert (await store.row(third))["errors"] == [error(0, text, moment)]
    await flows.check_counts("w")


@pytest.mark.parametrize("policy", ["cancel", "ignore", "hold"])
@pytest.mark.parametrize("end", ["cancelled", "discarded", "deleted"])
async def test_what_does_not_complete_is_answered_as_the_step_wants_it(
    flows: Flows, engine: Engine, end: str, policy: str
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first, policies={end: policy})
    if end == "deleted":
        followed = (await engine.delete_jobs([first])).followed
    elif end == "cancelled":
        followed = (await engine.cancel_jobs([first])).followed
    else:
        followed = (await flows.end(first, state=State.DISCARDED)).followed
    expected = {"cancel": "cancelled", "ignore": "available", "hold": "suspended"}[policy]
    assert await flows.states(second) == [expected]
    assert followed.cancelled == ((second,) if policy == "cancel" else ())
    assert followed.woken == ({QUEUE: 1} if policy == "ignore" else {})
    assert await flows.is_open("w") == (policy != "cancel")
    await flows.check_counts("w")


async def test_a_step_that_holds_goes_on_when_what_it_needs_has_completed_after_all(
    flows: Flows, engine: Engine
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first, policies={"discarded": "hold"})
    await flows.end(first, state=State.DISCARDED)
    assert [job.id for job in await engine.retry_jobs([first])] == [first]
    await flows.check_counts("w")
    assert (await flows.end(first)).followed.woken == {QUEUE: 1}
    assert await flows.states(second) == ["available"]
    await flows.check_counts("w")


async def test_a_held_step_waits_on_though_nothing_is_open(flows: Flows) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first, held=True)
    assert (await flows.end(first)).followed.woken == {}
    assert await flows.states(second) == ["suspended"]
    await flows.check_counts("w")


async def test_ten_thousand_jobs_release_what_needs_all_of_them_once(
    flows: Flows, store: Store
) -> None:
    await flows.add("w")
    numbers = await flows.many("w", 10_000)
    last = await flows.job("w", *numbers)
    half = await flows.end(*numbers[:5000])
    assert (half.followed.woken, await flows.states(last)) == ({}, ["suspended"])
    await flows.check_counts("w")
    rest = await flows.end(*numbers[5000:])
    assert (rest.followed.woken, await flows.states(last)) == ({QUEUE: 1}, ["available"])
    await flows.check_counts("w")


async def test_a_thousand_dependents_of_one_job_are_released_together(flows: Flows) -> None:
    await flows.add("w")
    first = await flows.job("w")
    numbers = await flows.many("w", 1_000, first)
    assert (await flows.end(first)).followed.woken == {QUEUE: 1_000}
    assert set(await flows.states(*numbers[:3])) == {"available"}
    await flows.check_counts("w")


async def test_a_released_step_waits_for_its_time(flows: Flows, store: Store) -> None:
    await flows.add("w")
    first = await flows.job("w")
    moment = await store.now()
    second = await flows.job("w", first, scheduled_at=moment + timedelta(hours=1))
    assert (await flows.end(first)).followed.woken == {}
    row = await store.row(second)
    assert row["state"] == "scheduled"
    assert datetime.fromisoformat(f"{row['scheduled_at']}+00:00") == moment + timedelta(hours=1)


@pytest.mark.parametrize("given", ["after", "at"])
async def test_the_deadline_of_a_step_counts_from_its_release(
    flows: Flows, store: Store, engine: Engine, given: str
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    moment = await store.now() - timedelta(hours=2)
    noted = {"after": 60.0} if given == "after" else {"at": moment.isoformat()}
    second = await flows.job("w", first, meta={"staffa_deadline": {**noted, "force": True}})
    await store.write(second, inserted_at=moment, scheduled_at=moment)
    await flows.end(first)
    (job,) = await engine.get_jobs([second])
    found = read_deadline(job.meta, job.inserted_at)
    assert found is not None
    wanted = moment + timedelta(hours=2, seconds=60 if given == "after" else 0)
    assert found[1]
    assert Since(wanted) == found[0]


async def test_the_counts_are_those_of_the_jobs_after_each_kind_of_end(
    flows: Flows, engine: Engine, store: Store, producer: Producer
) -> None:
    await flows.add("w")
    await flows.add("b", "batch")

    async def job(*needs: int, **options: Any) -> int:
        number = await flows.job("w", *needs, batch="b", **options)
        await flows.check_counts("w", "b")
        return number

    failing = await job(max_attempts=2)
    for _ in range(2):
        await flows.end(failing, state=State.RETRYABLE, error="no", delay=0.0)
        await flows.check_counts("w", "b")
        await engine.stage_jobs(10, [])
    assert await flows.states(failing) == ["discarded"]
    snoozing = await job()
    await flows.end(snoozing, state=State.SCHEDULED, refund=True, delay=60.0)
    await flows.check_counts("w", "b")
    assert [one.id for one in await engine.retry_jobs([snoozing])] == [snoozing]
    await flows.check_counts("w", "b")
    (running,) = await flows.claim(snoozing)
    await engine.cancel_jobs([snoozing])
    await flows.check_counts("w", "b")
    assert (await flows.ack(running)).states == {}
    await engine.retry_jobs([failing, snoozing])
    await flows.check_counts("w", "b")
    suspended = await job(snoozing)
    await engine.cancel_jobs([suspended])
    await flows.check_counts("w", "b")
    waiting = await job()
    await engine.delete_jobs([waiting])
    await flows.check_counts("w", "b")
    await engine.delete_jobs([suspended])
    assert (await flows.flow("w"))["cancelled"] == 1  # what had ended stays counted


async def test_a_rescue_that_discards_is_followed(
    flows: Flows, engine: Engine, producer: Producer
) -> None:
    beats = await beat(engine, producer)
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first)
    await flows.claim(first)
    rescued = await engine.rescue_jobs({producer.uuid: beats}, max_rescues=1, limit=10)
    assert rescued.followed == NOTHING
    await flows.check_counts("w")
    await flows.claim(first)
    rescued = await engine.rescue_jobs({producer.uuid: beats}, max_rescues=1, limit=10)
    assert (rescued.followed.cancelled, rescued.followed.ended) == ((second,), ("w",))
    await flows.check_counts("w")


async def test_a_job_of_another_implementation_that_is_given_up_is_followed(
    flows: Flows, engine: Engine, store: Store
) -> None:
    await flows.add("w")
    jobs = [await flows.job("w", max_attempts=most) for most in (1, 2)]
    last = await flows.job("w", jobs[0])
    moment = await store.now() - timedelta(hours=2)
    for number in jobs:
        await store.write(
            number, state="executing", attempt=1, attempted_at=moment, attempted_by=["peer", "x"]
        )
    rescued = await engine.rescue_foreign_jobs(age=60, limit=10)
    assert {job.id: job.state for job in rescued} == {
        jobs[0]: State.DISCARDED,
        jobs[1]: State.AVAILABLE,
    }
    assert rescued.followed.cancelled == (last,)
    await flows.check_counts("w")


async def test_a_job_without_attempts_left_is_discarded_and_followed(
    flows: Flows, engine: Engine, store: Store
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    last = await flows.job("w", first)
    await store.write(first, attempt=20, max_attempts=20)
    await flows.store.raise_flow("w", "attempted")
    discarded = await engine.discard_exhausted_jobs(limit=10)
    assert discarded.followed.cancelled == (last,)
    await flows.check_counts("w")


@pytest.mark.parametrize("held", [False, True], ids=["waits", "is held"])
async def test_a_step_that_is_retried_waits_for_what_it_would_have_waited_for(
    flows: Flows, engine: Engine, held: bool
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", *([] if held else [first]), held=held)
    third = await flows.job("w", second, policies={"cancelled": "ignore"})
    await engine.cancel_jobs([second])
    assert [job.id for job in await engine.retry_jobs([second])] == [second]
    assert await flows.states(first, second, third) == ["available", "suspended", "available"]
    await flows.check_counts("w")
    ended = await flows.end(first)
    assert ended.followed.woken == ({} if held else {QUEUE: 1})
    if held:
        assert (await engine.release_step(second)).woken == {QUEUE: 1}
    await flows.end(second)
    await flows.check_counts("w")


@pytest.mark.parametrize("named", [True, False])
async def test_only_flows_that_are_stored_are_followed(
    flows: Flows, store: Store, named: bool
) -> None:
    await flows.add("w")
    await flows.add("b", kind="batch")
    one = await flows.job("w", batch="b")
    foreign = await flows.job(None, meta={"workflow_id": "theirs", "batch_id": 7})
    callback = await flows.job(None, meta={"batch_id": "b", "callback": "completed"})
    after = await flows.job("w", one)
    done = await flows.ack(*await flows.claim(one, foreign, callback), named=named)
    assert set(done.states) == {one, foreign, callback}
    assert (done.followed.woken, done.followed.ended) == ({QUEUE: 1}, ("b",))
    assert await flows.states(after) == ["available"]
    await flows.check_counts("w")
    assert (await flows.flow("b"))["completed"] == 1


async def test_steps_with_and_without_a_deadline_go_on_together(flows: Flows, store: Store) -> None:
    await flows.add("w")
    first = await flows.job("w")
    plain = await flows.job("w", first)
    dated = await flows.job("w", first, meta={"staffa_deadline": {"after": 3600}})
    later = await flows.job("w", first, scheduled_in=timedelta(hours=1))
    before = (await store.row(dated))["meta"]
    done = await flows.end(first)
    assert done.followed.woken == {QUEUE: 2}
    assert await flows.states(plain, dated, later) == ["available", "available", "scheduled"]
    assert (await store.row(dated))["meta"] != before
    await flows.check_counts("w")


async def test_jobs_of_other_implementations_workflows_are_no_flows_of_ours(
    flows: Flows, engine: Engine, store: Store
) -> None:
    (job,) = await engine.enqueue_jobs([new_job(meta={"workflow_id": "pro", "name": "a"})])
    assert job.id is not None
    done = await flows.end(job.id)
    assert (done.states, done.followed) == ({job.id: State.COMPLETED}, NOTHING)


async def test_a_change_of_meta_leaves_a_job_in_its_flows(
    flows: Flows, engine: Engine, store: Store
) -> None:
    await flows.add("w")
    first = await flows.job("w", meta={"name": "a", "mine": 1})
    plain = (await engine.enqueue_jobs([new_job(meta={"name": "a", "mine": 1})]))[0].id
    assert plain is not None
    await engine.update_jobs([first, plain], {"meta": {"other": 2, "workflow_id": "v"}})
    assert (await store.row(first))["meta"] == {"workflow_id": "w", "name": "a", "other": 2}
    assert (await store.row(plain))["meta"] == {"workflow_id": "v", "other": 2}
    assert (await flows.end(first)).followed.ended == ("w",)


@pytest.mark.parametrize("in_a_child", [False, True])
async def test_a_completion_in_a_transaction_of_the_users_is_followed(
    flows: Flows, engine: Engine, store: Store, producer: Producer, in_a_child: bool
) -> None:
    await flows.add("w")
    first = await flows.job("w")
    second = await flows.job("w", first)
    (claimed,) = await flows.claim(first)
    statements = engine.acknowledging([flows.outcome(claimed)], producer, linked=True)
    if in_a_child:
        statements = load_statements(orjson.loads(orjson.dumps(dump_statements(statements))))
    assert await run_on(store.connection, statements) == {first: State.COMPLETED}
    assert await flows.states(first, second) == ["completed", "available"]
    await flows.check_counts("w")
    assert await run_on(store.connection, statements) == {}
