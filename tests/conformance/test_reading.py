"""Reading: by id, a page at a time, counted."""

from __future__ import annotations

import pytest

from staffa.engine import Engine, Producer
from staffa.filters import JobFilter
from staffa.types import State
from tests.conformance.stores import Store
from tests.conformance.work import claim_one, enqueue, ids


async def test_jobs_come_in_the_order_of_their_ids_and_once_each(engine: Engine) -> None:
    first, second, third = ids(await enqueue(engine, 3))
    found = await engine.get_jobs([third, first, 2**63 - 1, first, second])
    assert ids(found) == [first, second, third]
    assert await engine.get_jobs([]) == []


async def test_a_list_starts_with_the_newest_and_goes_on_where_it_ended(engine: Engine) -> None:
    stored = ids(await enqueue(engine, 7))
    seen: list[int] = []
    before: int | None = None
    while page := await engine.list_jobs(JobFilter(limit=3, before_id=before)):
        seen += ids(page)
        before = page[-1].id
    assert seen == stored[::-1]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (JobFilter(), {0, 1, 2, 3}),
        (JobFilter(queues=["a"]), {0, 1}),
        (JobFilter(queues=["a", "b"]), {0, 1, 2}),
        (JobFilter(workers=["x"]), {0, 2, 3}),
        (JobFilter(states=[State.SCHEDULED]), {2}),
        (JobFilter(states=[State.SCHEDULED, State.EXECUTING]), {2, 3}),
        (JobFilter(queues=["a"], workers=["x"], states=[State.AVAILABLE]), {0}),
        (JobFilter(queues=["none"]), set()),
        (JobFilter(limit=0), set()),
    ],
    ids=str,
)
async def test_a_list_holds_what_all_its_conditions_allow(
    engine: Engine, producer: Producer, wanted: JobFilter, expected: set[int]
) -> None:
    jobs = [
        *await enqueue(engine, queue="a", worker="x"),
        *await enqueue(engine, queue="a", worker="y"),
        *await enqueue(engine, queue="b", worker="x", scheduled_in=60),
        await claim_one(engine, producer, queue="c", worker="x"),
    ]
    found = await engine.list_jobs(wanted)
    assert {ids(jobs).index(number) for number in ids(found)} == expected


async def test_jobs_are_counted_by_queue_and_state(store: Store, engine: Engine) -> None:
    assert await engine.count_jobs() == {}
    for state in State:
        for job in await enqueue(engine, 2, queue="all"):
            await store.write(job.id, state=state)
    await enqueue(engine, 3, queue="other")
    expected = {("all", state): 2 for state in State} | {("other", State.AVAILABLE): 3}
    assert await engine.count_jobs() == expected
