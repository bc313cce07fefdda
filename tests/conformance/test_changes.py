"""Cancel, retry and delete: which states they accept, what they write, and what they return."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from staffa.engine import Changed, Engine, Producer
from staffa.types import State
from tests.conformance.rows import Since, changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, ids, read

Operation = Callable[[Engine, Sequence[int]], Awaitable[list[Changed]]]
OPERATIONS: dict[str, Operation] = {
    "cancel": lambda engine, numbers: engine.cancel_jobs(numbers),
    "retry": lambda engine, numbers: engine.retry_jobs(numbers),
    "delete": lambda engine, numbers: engine.delete_jobs(numbers),
}
REFUSED = {
    "cancel": {State.COMPLETED, State.DISCARDED, State.CANCELLED},
    "retry": {State.AVAILABLE, State.EXECUTING, State.SUSPENDED},
    "delete": {State.EXECUTING},
}
BIG = 2**63 - 1


@pytest.mark.parametrize("name", OPERATIONS)
async def test_each_operation_accepts_its_states_and_returns_what_they_were(
    store: Store, engine: Engine, name: str
) -> None:
    jobs = dict(zip(State, await enqueue(engine, len(State)), strict=True))
    for state, job in jobs.items():
        await store.write(job.id, state=state)
    found = await OPERATIONS[name](engine, [*ids(list(jobs.values())), BIG])
    expected = {job.id: state for state, job in jobs.items() if state not in REFUSED[name]}
    assert {change.id: change.previous_state for change in found} == expected
    assert {change.queue for change in found} == {QUEUE}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_an_operation_refuses_stays_as_it_was(
    store: Store, engine: Engine, name: str
) -> None:
    jobs = await enqueue(engine, len(REFUSED[name]))
    for state, job in zip(sorted(REFUSED[name]), jobs, strict=True):
        await store.write(job.id, state=state, attempt=2)
    before = await engine.get_jobs(ids(jobs))
    assert await OPERATIONS[name](engine, ids(jobs)) == []
    for job in before:
        assert changed(job, await read(engine, job)) == {}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_no_ids_change_nothing(engine: Engine, name: str) -> None:
    await enqueue(engine)
    assert await OPERATIONS[name](engine, []) == []
    assert await engine.count_jobs() == {(QUEUE, State.AVAILABLE): 1}


async def test_a_waiting_job_is_cancelled_without_an_error(store: Store, engine: Engine) -> None:
    (job,) = await enqueue(engine)
    moment = await store.now()
    await engine.cancel_jobs(ids([job]))
    expected = {"state": State.CANCELLED, "cancelled_at": Since(moment)}
    assert changed(job, await read(engine, job)) == expected


async def test_a_running_job_is_cancelled_with_an_error_of_its_attempt(
    store: Store, engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    moment = await store.now()
    await engine.cancel_jobs(ids([job]))
    found = changed(job, await read(engine, job))
    (element,) = found.pop("errors")
    assert found == {"state": State.CANCELLED, "cancelled_at": Since(moment)}
    assert element.keys() == {"attempt", "at", "error"}
    assert (element["attempt"], element["at"]) == (1, Since(moment))


@pytest.mark.parametrize("state", sorted(set(State) - REFUSED["retry"]))
async def test_a_retried_job_is_available_now_with_its_end_taken_back(
    store: Store, engine: Engine, state: State
) -> None:
    (job,) = await enqueue(engine, max_attempts=3, scheduled_in=3600)
    end = "2001-01-01T00:00:00"
    ends = {"completed_at": end, "cancelled_at": end, "discarded_at": end}
    await store.write(job.id, state=state, attempt=3, errors=[{"attempt": 3}], **ends)
    before = await read(engine, job)
    moment = await store.now()
    await engine.retry_jobs(ids([job]))
    expected = {
        "state": State.AVAILABLE,
        "scheduled_at": Since(moment),
        "max_attempts": 4,
        "completed_at": None,
        "cancelled_at": None,
        "discarded_at": None,
    }
    if state is State.AVAILABLE:
        del expected["state"]
    assert changed(before, await read(engine, job)) == expected


async def test_a_retry_keeps_the_limit_where_attempts_are_left(
    store: Store, engine: Engine
) -> None:
    (job,) = await enqueue(engine, max_attempts=3)
    await store.write(job.id, state="retryable", attempt=1)
    await engine.retry_jobs(ids([job]))
    assert (await read(engine, job)).max_attempts == 3


async def test_a_deleted_job_is_gone_and_its_neighbour_is_not(engine: Engine) -> None:
    job, neighbour = await enqueue(engine, 2)
    await engine.delete_jobs(ids([job]))
    assert ids(await engine.get_jobs(ids([job, neighbour]))) == [neighbour.id]


@pytest.mark.parametrize("name", OPERATIONS)
async def test_thousands_of_jobs_change_at_once(store: Store, engine: Engine, name: str) -> None:
    jobs = await enqueue(engine, 3000, scheduled_in=60)
    found = await OPERATIONS[name](engine, ids(jobs))
    assert sorted(change.id for change in found) == ids(jobs)
