"""Enqueued jobs are stored as they were given, in the order in which they were given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa.engine import Engine, Written
from staffa.errors import DataRefused
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.rows import Since, changed
from tests.conformance.stores import Store
from tests.conformance.work import ids, new_job, read

HOSTILE = {
    "text": 'žluťoučký 😀 "q" \\ \n \' $1 :x {} <b>',
    "big": 123456789012345678901234567890,
    "small": -(2**63),
    "limit": 2**64 - 1,
    "float": 0.1,
    "nested": {"list": [1, "a", None, {"deep": [[], {}]}], "true": True, "none": None},
    "": "an empty key",
}


@pytest.fixture(params=[1, 2], ids=["alone", "with another"])
def count(request: pytest.FixtureRequest) -> int:
    """How many such jobs are enqueued: a single one has a statement of its own."""
    found: int = request.param
    return found


async def test_a_job_without_options_is_available_at_once(
    store: Store, engine: Engine, count: int
) -> None:
    moment = await store.now()
    *_, job = await engine.enqueue_jobs([Job(worker="tests.Worker")] * count)
    assert job.id is not None
    assert (job.state, job.queue) == (State.AVAILABLE, "default")
    assert job.inserted_at == Since(moment)
    assert job.scheduled_at == job.inserted_at
    assert changed(job, await read(engine, job)) == {}


async def test_every_option_comes_back_as_it_was_given(engine: Engine, count: int) -> None:
    *_, job = await engine.enqueue_jobs(
        [
            new_job(
                worker="mÿ.Wörker",
                args=HOSTILE,
                meta={"note": HOSTILE},
                tags=["ž", "a b", 'quo"te', "back\\slash", "null", "{}", ","],
                priority=9,
                max_attempts=32_767,
            )
        ]
        * count
    )
    stored = await read(engine, job)
    assert changed(job, stored) == {}
    assert stored.args == HOSTILE
    assert stored.meta == {"note": HOSTILE}
    assert stored.tags == ("ž", "a b", 'quo"te', "back\\slash", "null", "{}", ",")
    assert (stored.worker, stored.priority, stored.max_attempts) == ("mÿ.Wörker", 9, 32_767)


async def test_no_jobs_are_no_error(engine: Engine) -> None:
    assert await engine.enqueue_jobs([]) == []


async def test_jobs_get_ascending_ids_in_the_order_given(engine: Engine) -> None:
    jobs = await engine.enqueue_jobs([new_job(args={"n": number}) for number in range(5000)])
    assert [job.args["n"] for job in jobs] == list(range(5000))
    assert ids(jobs) == sorted(set(ids(jobs)))
    stored = await engine.get_jobs(ids(jobs))
    assert [job.args["n"] for job in stored] == list(range(5000))


async def test_different_jobs_keep_their_own_options_in_one_statement(engine: Engine) -> None:
    given = [
        new_job(queue=f"queue {number}", priority=number, tags=["t"] * (number % 2))
        for number in range(10)
    ]
    jobs = await engine.enqueue_jobs(given)
    stored = await engine.get_jobs(ids(jobs))
    assert [(job.queue, job.priority, job.tags) for job in stored] == [
        (job.queue, job.priority, job.tags) for job in given
    ]


async def test_a_job_for_later_is_scheduled_to_the_microsecond(engine: Engine, count: int) -> None:
    due = datetime(2100, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    *_, job = await engine.enqueue_jobs([new_job(scheduled_at=due)] * count)
    stored = await read(engine, job)
    assert (stored.state, stored.scheduled_at) == (State.SCHEDULED, due)


async def test_a_job_for_a_past_time_may_start_at_once(engine: Engine, count: int) -> None:
    due = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    *_, job = await engine.enqueue_jobs([new_job(scheduled_at=due)] * count)
    stored = await read(engine, job)
    assert (stored.state, stored.scheduled_at) == (State.AVAILABLE, due)


@pytest.mark.parametrize("delay", [60, 0.5, timedelta(days=1), 3_000_000_000.0])
async def test_a_delay_counts_from_the_time_of_the_database(
    store: Store, engine: Engine, count: int, delay: float | timedelta
) -> None:
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    moment = await store.now()
    *_, job = await engine.enqueue_jobs([new_job(scheduled_in=delay)] * count)
    stored = await read(engine, job)
    assert stored.state is State.SCHEDULED
    assert stored.scheduled_at == Since(moment, plus=seconds)
    assert stored.scheduled_at is not None
    assert stored.inserted_at is not None
    assert stored.scheduled_at - stored.inserted_at == timedelta(seconds=seconds)


async def test_times_are_stored_in_utc_whatever_the_time_zone_of_the_session(
    store: Store, engine: Engine, count: int
) -> None:
    moment = await store.now()
    due = datetime(2100, 1, 1, tzinfo=UTC)
    *_, job = await engine.enqueue_jobs([new_job(scheduled_at=due)] * count)
    row = await store.row(job.id)
    assert row["scheduled_at"] == "2100-01-01T00:00:00"
    assert f"{row['inserted_at']}+00:00" == Since(moment)


async def test_one_refused_job_leaves_none_of_its_bundle(engine: Engine) -> None:
    bad = new_job()
    bad.queue = ""  # refused by the tables of all
    with pytest.raises(DataRefused):
        await engine.enqueue_jobs([new_job(), bad, new_job()])
    assert await engine.count_jobs() == {}


async def test_neighbours_share_nothing_but_what_is_the_same(engine: Engine) -> None:
    later = datetime(2100, 1, 1, tzinfo=UTC)
    options: list[dict[str, Any]] = [
        {}, {}, {"queue": "b"}, {}, {"meta": {"m": 1}}, {"tags": ["t"]}, {"tags": ["t"]},
        {"priority": 3}, {"max_attempts": 1}, {"scheduled_at": later}, {"scheduled_in": 60}, {},
    ]  # fmt: skip
    given = [new_job(args={"n": n}, **chosen) for n, chosen in enumerate(options)]
    jobs = await engine.enqueue_jobs(given)
    stored = await engine.get_jobs(ids(jobs))
    assert [changed(job, row) for job, row in zip(jobs, stored, strict=True)] == [{}] * 12
    assert [job.args["n"] for job in stored] == list(range(12))


async def test_whoever_wants_ids_alone_is_told_them_and_what_has_become_available(
    engine: Engine,
) -> None:
    past, later = datetime(2001, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    given = [
        new_job(args={"n": 0}, queue="a"),
        new_job(args={"n": 1}, queue="b", scheduled_at=later),
        new_job(args={"n": 2}, queue="b", scheduled_at=past),
        new_job(args={"n": 3}, queue="a"),
    ]
    written = await engine.enqueue_jobs(given, told="ids")
    stored = [(await engine.get_jobs([number]))[0] for number in written.ids]
    assert [job.args["n"] for job in stored] == [0, 1, 2, 3]
    assert (written.woken, written.conflicts) == ({"a": 2, "b": 1}, {})
    assert await engine.enqueue_jobs([], told="ids") == Written([], {}, {})


async def test_whoever_wants_ids_alone_is_told_of_conflicts(engine: Engine) -> None:
    (first,) = await engine.enqueue_jobs([new_job(args={"n": 1}, unique=True)])
    written = await engine.enqueue_jobs(
        [new_job(args={"n": n}, unique=True) for n in range(3)], told="ids"
    )
    assert written.ids[1] == first.id
    assert {place: job.id for place, job in written.conflicts.items()} == {1: first.id}
    assert sum(written.woken.values()) == 2
