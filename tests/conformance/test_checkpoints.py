"""What running jobs note is merged into their rows under whole leases, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from staffa.engine import Checkpoint, Engine, Lease, Producer
from staffa.errors import DataRefused
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.test_ack_guards import WRONG
from tests.conformance.work import QUEUE, claim_one, enqueue, new_producer, outcome, read


def note(job: Job, **meta: Any) -> Checkpoint:
    return Checkpoint(Lease.of(job), meta)


async def test_a_checkpoint_is_merged_into_meta_and_changes_nothing_else(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer, meta={"kept": 1, "page": 1})
    noted = note(job, page=2, progress={"value": 0.5})
    assert await engine.checkpoint_jobs([noted], producer) == {noted.lease}
    assert changed(job, await read(engine, job)) == {
        "meta": {"kept": 1, "page": 2, "progress": {"value": 0.5}}
    }
    assert await engine.checkpoint_jobs([note(job, page=3)], producer) == {noted.lease}
    assert (await read(engine, job)).meta["page"] == 3


async def test_a_checkpoint_is_seen_by_others_at_once_and_by_the_next_attempt(
    engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    await engine.checkpoint_jobs([note(job, page=7)], producer)
    assert (await read(other_engine, job)).meta == {"page": 7}
    await engine.ack_jobs([outcome(job, State.AVAILABLE, refund=True)], producer)
    (again,) = await other_engine.claim_jobs(QUEUE, 1, new_producer())
    assert again.meta == {"page": 7}


@pytest.mark.parametrize("part", WRONG)
async def test_a_wrong_part_of_the_lease_notes_nothing(
    engine: Engine, producer: Producer, part: str
) -> None:
    job = await claim_one(engine, producer)
    noted = note(job, page=1)
    wrong = replace(noted, lease=WRONG[part](noted.lease))
    assert await engine.checkpoint_jobs([wrong], producer) == frozenset()
    assert changed(job, await read(engine, job)) == {}


async def test_another_producer_notes_nothing(engine: Engine, producer: Producer) -> None:
    job = await claim_one(engine, producer)
    assert await engine.checkpoint_jobs([note(job, page=1)], new_producer()) == frozenset()
    assert changed(job, await read(engine, job)) == {}


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXECUTING])
async def test_a_job_that_does_not_run_notes_nothing(
    store: Store, engine: Engine, producer: Producer, state: State
) -> None:
    job = await claim_one(engine, producer)
    await store.write(job.id, state=state)
    before = await read(engine, job)
    assert await engine.checkpoint_jobs([note(job, page=1)], producer) == frozenset()
    assert changed(before, await read(engine, job)) == {}


async def test_of_two_leases_of_one_job_the_valid_one_notes_something(
    engine: Engine, producer: Producer
) -> None:
    first = await claim_one(engine, producer)
    await engine.ack_jobs([outcome(first, State.AVAILABLE, refund=True)], producer)
    (second,) = await engine.claim_jobs(QUEUE, 1, producer)
    both = [note(first, stale=True), note(second, page=1)]
    for order in (both, both[::-1]):
        assert await engine.checkpoint_jobs(order, producer) == {Lease.of(second)}
    assert (await read(engine, second)).meta == {"page": 1}


async def test_valid_checkpoints_are_written_beside_invalid_ones(
    store: Store, engine: Engine, producer: Producer
) -> None:
    await enqueue(engine, 4)
    good, stolen, gone, fine = await engine.claim_jobs(QUEUE, 4, producer)
    await store.write(stolen.id, attempted_by=["node.2", "somebody"])
    await store.delete(gone.id)
    notes = [note(job, page=job.id) for job in (gone, fine, stolen, good)]
    assert await engine.checkpoint_jobs(notes, producer) == {Lease.of(fine), Lease.of(good)}
    assert [(await read(engine, job)).meta for job in (good, fine)] == [
        {"page": good.id},
        {"page": fine.id},
    ]


async def test_nothing_to_note_is_nothing_written(engine: Engine, producer: Producer) -> None:
    job = await claim_one(engine, producer)
    assert await engine.checkpoint_jobs([], producer) == frozenset()
    assert await engine.checkpoint_jobs([note(job)], producer) == {Lease.of(job)}
    assert changed(job, await read(engine, job)) == {}


@pytest.mark.parametrize("meta", [{"at": "a\x00b"}, {"at": "a\ud800b"}, {"a\x00b": 1}], ids=ascii)
async def test_what_can_not_be_stored_is_refused_as_a_whole(
    engine: Engine, producer: Producer, meta: dict[str, Any]
) -> None:
    await enqueue(engine, 2)
    good, bad = await engine.claim_jobs(QUEUE, 2, producer)
    with pytest.raises((DataRefused, UnicodeEncodeError)):
        await engine.checkpoint_jobs(
            [note(good, page=1), Checkpoint(Lease.of(bad), meta)], producer
        )
    assert (await read(engine, good)).meta == {}
    assert await engine.checkpoint_jobs([note(good, page=1)], producer) == {Lease.of(good)}


@pytest.mark.parametrize("meta", [["a list"], "text", 1])
async def test_a_meta_that_is_no_object_holds_up_nobody(
    store: Store, engine: Engine, producer: Producer, meta: Any
) -> None:
    await enqueue(engine, 2)
    spoilt, job = await engine.claim_jobs(QUEUE, 2, producer)
    await store.write(spoilt.id, meta=meta)
    notes = [note(spoilt, page=1), note(job, page=1)]
    assert await engine.checkpoint_jobs(notes, producer) == {Lease.of(spoilt), Lease.of(job)}
    assert (await read(engine, job)).meta == {"page": 1}


async def test_a_thousand_checkpoints_are_one_statement(engine: Engine, producer: Producer) -> None:
    await enqueue(engine, 1000)
    jobs = await engine.claim_jobs(QUEUE, 1000, producer)
    notes = [note(job, page=job.id) for job in jobs]
    assert len(await engine.checkpoint_jobs(notes, producer)) == 1000
    found = await engine.get_jobs([job.id for job in jobs if job.id is not None])
    assert all(job.meta == {"page": job.id} for job in found)


async def test_checkpoints_and_outcomes_of_the_same_jobs_never_wait_for_each_other_for_ever(
    engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    await enqueue(engine, 200)
    jobs = await engine.claim_jobs(QUEUE, 200, producer)
    notes = [note(job, page=1) for job in jobs]
    acks = [outcome(job, State.COMPLETED, meta={"done": True}) for job in reversed(jobs)]
    await asyncio.gather(
        engine.checkpoint_jobs(notes, producer),
        engine.ack_jobs(acks, producer),
        other_engine.checkpoint_jobs(notes[::-1], producer),
    )
    found = await engine.get_jobs([job.id for job in jobs if job.id is not None])
    assert all(job.meta["done"] is True for job in found)
    assert {job.state for job in found} == {State.COMPLETED}
