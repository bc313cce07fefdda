"""What each field of a filter selects, in lists, counts, portions of ids and changes alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from staffa.engine import Engine, Producer
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import enqueue, ids, new_producer, read

EARLY = datetime.fromisoformat("2026-01-01T00:00:00+05:45")
LATE = datetime.fromisoformat("2026-01-02T00:00:00+05:45")

EXPECTED: list[tuple[dict[str, Any], set[int]]] = [
    ({}, {0, 1, 2, 3}),
    ({"states": ["completed", "executing"]}, {1, 2}),
    ({"states": ["available", "scheduled", "executing"]}, {0, 2}),
    ({"states": list(State)}, {0, 1, 2, 3}),
    ({"queues": ["a", "none"]}, {0, 1}),
    ({"queues": ["a'; DROP TABLE oban_jobs; --"]}, set()),
    ({"queues": []}, set()),
    ({"workers": ['odd "worker"$1']}, {3}),
    ({"tags": ["red", "green"]}, {0, 1}),
    ({"tags": [" RED"]}, {0}),
    ({"all_tags": ["green", "blue"]}, {1}),
    ({"args": {"to": "ada"}}, {0, 1}),
    ({"args": {"to": "ada", "n": 2**70}}, {1}),
    ({"args": {"deep": {"list": [3, 1]}}}, {0}),
    ({"args": {"to": None}}, {2}),
    ({"args": {"to": "'"}}, set()),
    ({"args": {}}, {0, 1, 2, 3}),
    ({"meta": {"cron": True}}, {2}),
    ({"priorities": [3, 4]}, {0}),
    ({"nodes": ["web.2"]}, {2}),
    ({"inserted_after": LATE}, {1, 2, 3}),
    ({"inserted_before": LATE}, {0}),
    ({"scheduled_after": EARLY, "scheduled_before": LATE}, {1}),
    ({"attempted_after": EARLY}, {1, 2}),
    ({"attempted_before": LATE}, {1}),
    ({"finished_after": EARLY}, {1, 3}),
    ({"finished_before": LATE}, {3}),
    ({"queues": ["a"], "states": ["completed"], "args": {"to": "ada"}}, {1}),
]


@pytest.fixture
async def jobs(store: Store, engine: Engine) -> list[Job]:
    """Four jobs that differ in everything."""
    made = [
        *await enqueue(
            engine, queue="a", args={"to": "ada", "deep": {"list": [1, 2, 3], "x": 1}}, priority=3,
            tags=["red"],
        ),
        *await enqueue(engine, queue="a", args={"to": "ada", "n": 2**70}, tags=["green", "blue"]),
        *await enqueue(engine, queue="b", args={"to": None}, meta={"cron": True}),
        *await enqueue(engine, queue="c", worker='odd "worker"$1'),
    ]  # fmt: skip
    await store.write(made[0].id, inserted_at=EARLY)
    await store.write(
        made[1].id, state="completed", completed_at=LATE, attempted_at=EARLY, scheduled_at=EARLY
    )
    await store.write(
        made[2].id, state="executing", attempted_at=LATE, attempted_by=["web.2", "x"],
        completed_at=EARLY,
    )  # fmt: skip
    await store.write(made[3].id, state="cancelled", cancelled_at=EARLY, completed_at=LATE)
    return made


async def found(engine: Engine, wanted: JobFilter) -> list[int]:
    return [number async for portion in engine.find_jobs(wanted) for number in portion]


@pytest.mark.parametrize(("given", "places"), EXPECTED, ids=str)
async def test_a_filter_selects_the_same_jobs_whatever_is_done_with_them(
    engine: Engine, jobs: list[Job], given: dict[str, Any], places: set[int]
) -> None:
    wanted = JobFilter(**given)
    numbers = ids(jobs)
    expected = [numbers[place] for place in sorted(places)]
    assert ids(await engine.list_jobs(wanted)) == expected[::-1]
    assert await found(engine, wanted) == expected
    assert sum((await engine.count_jobs(wanted)).values()) == len(expected)
    among = replace(wanted, ids=numbers)
    assert ids(await engine.list_jobs(among)) == expected[::-1]
    assert await found(engine, among) == expected
    assert sum((await engine.count_jobs(among)).values()) == len(expected)
    changes = await engine.change_jobs(among, {"priority": 9})
    assert sorted(change.id for change in changes) == expected


async def test_ids_bound_a_filter_on_both_sides(engine: Engine) -> None:
    numbers = ids(await enqueue(engine, 5))
    wanted = JobFilter(after_id=numbers[0], before_id=numbers[4])
    assert await found(engine, wanted) == numbers[1:4]
    assert ids(await engine.list_jobs(wanted)) == numbers[3:0:-1]
    live = replace(wanted, states=["available"])
    assert await found(engine, live) == numbers[1:4]
    assert await found(engine, JobFilter(ids=[numbers[4], numbers[1], 2**63 - 1])) == [
        numbers[1], numbers[4],
    ]  # fmt: skip
    assert await found(engine, JobFilter(after_id=numbers[4])) == []
    assert await engine.list_jobs(JobFilter(before_id=numbers[0])) == []
    assert await engine.list_jobs(JobFilter(before_id=0)) == []


async def test_few_jobs_are_found_among_thousands_of_others(store: Store, engine: Engine) -> None:
    numbers = ids(await enqueue(engine, 5000, scheduled_in=60))
    rare = [numbers[0], numbers[2500], numbers[4999]]
    for number in rare:
        await store.write(number, state="suspended", worker="rare")
    await store.write(numbers[7], state="executing")
    assert ids(await engine.list_jobs(JobFilter(workers=["rare"]))) == rare[::-1]
    assert ids(await engine.list_jobs(JobFilter(workers=["rare"], limit=2))) == rare[:0:-1]
    assert await found(engine, JobFilter(workers=["rare"])) == rare
    assert ids(await engine.list_jobs(JobFilter(states=["executing"]))) == [numbers[7]]
    assert await found(engine, JobFilter(states=["executing", "available"])) == [numbers[7]]
    assert await found(engine, JobFilter()) == numbers
    assert len(await engine.list_jobs(JobFilter(limit=3500))) == 3500


async def test_a_list_has_a_hundred_jobs_unless_told_otherwise(engine: Engine) -> None:
    await enqueue(engine, 101)
    assert len(await engine.list_jobs(JobFilter())) == 100
    assert len(await engine.list_jobs(JobFilter(limit=101))) == 101


async def test_jobs_that_come_during_a_search_are_not_found(engine: Engine) -> None:
    await enqueue(engine, 1500)
    seen = 0
    async for portion in engine.find_jobs(JobFilter(workers=["tests.Worker"])):
        seen += len(portion)
        await enqueue(engine, 1000)
    assert seen == 1500


CHANGES: dict[str, Callable[[Engine, JobFilter, bool], Awaitable[Any]]] = {
    "cancel": lambda engine, wanted, wait: engine.cancel_jobs(wanted, wait=wait),
    "retry": lambda engine, wanted, wait: engine.retry_jobs(wanted, wait=wait),
    "delete": lambda engine, wanted, wait: engine.delete_jobs(wanted, wait=wait),
    "change": lambda engine, wanted, wait: engine.change_jobs(wanted, {"tags": ["x"]}, wait=wait),
}


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("name", CHANGES)
async def test_a_job_that_does_not_fit_any_more_is_left_alone(
    engine: Engine, name: str, wait: bool
) -> None:
    fits, other = (
        await enqueue(engine, scheduled_in=60),
        await enqueue(engine, queue="other", scheduled_in=60),
    )
    wanted = JobFilter(ids=ids(fits + other), queues=["mail"], states=["scheduled"])
    (change,) = await CHANGES[name](engine, wanted, wait)
    assert (change.id, change.previous_state) == (fits[0].id, State.SCHEDULED)
    before = other[0]
    assert changed(before, await read(engine, before)) == {}


async def test_a_claim_and_a_portion_that_leaves_out_held_rows_share_the_jobs(
    engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    jobs = await enqueue(engine, 20)
    claimed = await other_engine.claim_jobs("mail", 5, new_producer())
    wanted = JobFilter(ids=ids(jobs), states=["available"])
    cancelled = await engine.cancel_jobs(wanted, wait=False)
    assert {change.id for change in cancelled}.isdisjoint(ids(claimed))
    assert len(cancelled) == 15
