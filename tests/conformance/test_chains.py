"""Jobs of a key wait for each other, in the order in which they were written."""

from __future__ import annotations

from typing import Any

import pytest

from staffa.chains import Chain
from staffa.engine import Engine
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import ids, new_job, read

BY_ACCOUNT = Chain(by="args.account")


def link(account: int = 1, **options: Any) -> Job:
    """Return a job of an account's chain that is not stored yet."""
    return new_job(args={"account": account}, **{"chain": BY_ACCOUNT, **options})


async def states(engine: Engine, jobs: list[Job]) -> list[State]:
    """Return the states of jobs as they are stored."""
    found = {job.id: job.state for job in await engine.get_jobs(ids(jobs))}
    return [found[job.id] for job in jobs]


async def test_the_first_job_of_a_key_is_available_and_the_next_ones_wait(engine: Engine) -> None:
    jobs = await engine.enqueue_jobs([link(1), link(2), link(1), link(2), link(1)])
    expected = ["available", "available", "suspended", "suspended", "suspended"]
    assert [job.state for job in jobs] == expected
    assert await states(engine, jobs) == expected
    (later,) = await engine.enqueue_jobs([link(2)])
    assert later.state is State.SUSPENDED


async def test_jobs_that_are_written_one_by_one_wait_as_well(engine: Engine) -> None:
    found = [(await engine.enqueue_jobs([link(7)]))[0] for _ in range(3)]
    assert [job.state for job in found] == ["available", "suspended", "suspended"]


async def test_other_jobs_of_the_call_are_as_ever(engine: Engine) -> None:
    plain, first, unique, second = await engine.enqueue_jobs(
        [new_job(), link(1), new_job(args={"n": 1}, unique=True), link(1)]
    )
    assert [plain.state, first.state, unique.state] == ["available"] * 3
    assert second.state is State.SUSPENDED
    assert plain.chain_id is None
    assert "chain_id" not in (await read(engine, plain)).meta


async def test_ids_alone_tell_no_queue_of_jobs_that_wait(engine: Engine) -> None:
    written = await engine.enqueue_jobs([link(1), link(1), link(1, queue="other")], told="ids")
    assert len(written.ids) == 3
    assert dict(written.woken) == {"mail": 1}


async def test_a_job_that_there_is_already_adds_nothing_to_the_chain(engine: Engine) -> None:
    first, second, third = await engine.enqueue_jobs(
        [link(1, unique=True), link(1, unique=True), link(1)]
    )
    assert (first.conflict, second.conflict, third.conflict) == (False, True, False)
    assert second.id == first.id
    assert [first.state, second.state, third.state] == ["available", "available", "suspended"]
    (again,) = await engine.enqueue_jobs([link(1, unique=True)])
    assert again.conflict


@pytest.mark.parametrize(
    ("state", "chain", "expected"),
    [
        ("completed", Chain(by="args.account", on_cancelled="hold"), "available"),
        ("cancelled", BY_ACCOUNT, "available"),
        ("cancelled", Chain(by="args.account", on_cancelled="hold"), "suspended"),
        ("discarded", BY_ACCOUNT, "suspended"),
        ("discarded", Chain(by="args.account", on_discarded="ignore"), "available"),
        ("retryable", BY_ACCOUNT, "suspended"),
        ("scheduled", BY_ACCOUNT, "suspended"),
        ("executing", BY_ACCOUNT, "suspended"),
    ],
)
async def test_how_the_last_job_stands_decides(
    store: Store, engine: Engine, state: str, chain: Chain, expected: str
) -> None:
    (first,) = await engine.enqueue_jobs([link(chain=chain)])
    await store.write(first.id, state=state)
    (second,) = await engine.enqueue_jobs([link(chain=chain)])
    assert second.state == expected


async def test_a_last_job_that_is_gone_holds_nobody(store: Store, engine: Engine) -> None:
    (first,) = await engine.enqueue_jobs([link()])
    await store.delete(first.id)
    (second,) = await engine.enqueue_jobs([link()])
    assert second.state is State.AVAILABLE


async def test_a_job_for_later_waits_and_keeps_its_time(engine: Engine) -> None:
    first, second = await engine.enqueue_jobs([link(), link(scheduled_in=3600)])
    assert second.state is State.SUSPENDED
    stored = await read(engine, second)
    assert stored.scheduled_at is not None
    assert first.scheduled_at is not None
    assert stored.scheduled_at > first.scheduled_at
    assert changed(second, stored) == {}
