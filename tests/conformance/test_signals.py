"""Signals are kept in the rows of jobs: the first of each name, and none that came too late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from staffa.engine import Checkpoint, Engine, Lease, Producer
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.test_ack_guards import WRONG
from tests.conformance.work import claim_one, enqueue, ids, new_producer, outcome, read


async def signal(engine: Engine, job: Job, payload: str = "1", name: str = "go") -> list[int]:
    return [found.id for found in await engine.signal_jobs(ids([job]), name, payload)]


async def park(engine: Engine, producer: Producer, job: Job, *names: str) -> None:
    ack = outcome(
        job, State.SCHEDULED, refund=True, delay=3600.0, meta={"staffa_parked": list(names)}
    )
    assert await engine.ack_jobs([ack], producer)


async def payloads(engine: Engine, job: Job) -> dict[str, Any]:
    signals = (await read(engine, job)).meta["staffa_signals"]
    return {name: found["payload"] for name, found in signals.items()}


async def test_a_job_keeps_the_first_signal_of_each_name(engine: Engine) -> None:
    (job,) = await enqueue(engine, meta={"kept": 1})
    assert await signal(engine, job, '{"n":1}') == [job.id]
    assert await signal(engine, job, '{"n":2}') == []
    assert await signal(engine, job, "null", "other") == [job.id]
    assert await payloads(engine, job) == {"go": {"n": 1}, "other": None}
    row = await read(engine, job)
    assert (row.state, row.meta["kept"]) == (State.AVAILABLE, 1)


@pytest.mark.parametrize("state", [State.COMPLETED, State.CANCELLED, State.DISCARDED])
async def test_a_job_that_has_ended_takes_no_signal(
    engine: Engine, producer: Producer, state: State
) -> None:
    job = await claim_one(engine, producer)
    await engine.ack_jobs([outcome(job, state)], producer)
    assert await signal(engine, job) == []
    assert await engine.signal_jobs([987_654], "go", "1") == []


async def test_a_parked_job_becomes_available_by_its_own_signal_alone(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    await park(engine, producer, job, "go", "stop")
    row = await read(engine, job)
    assert (row.state, row.attempt) == (State.SCHEDULED, 0)
    (other,) = await engine.signal_jobs(ids([job]), "other", "1")
    assert other.state is State.SCHEDULED
    (found,) = await engine.signal_jobs(ids([job]), "stop", "1")
    assert (found.state, found.queue) == (State.AVAILABLE, job.queue)
    again = await read(engine, job)
    assert again.scheduled_at is not None
    assert row.scheduled_at is not None
    assert again.scheduled_at < row.scheduled_at


async def test_a_job_that_parks_when_its_signal_is_there_is_available_at_once(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    assert await signal(engine, job) == [job.id]
    assert (await read(engine, job)).state is State.EXECUTING
    await park(engine, producer, job, "else", "go")
    assert (await read(engine, job)).state is State.AVAILABLE


async def test_a_job_that_snoozes_is_not_woken_by_a_signal(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    await signal(engine, job)
    snoozed = outcome(job, State.SCHEDULED, refund=True, delay=3600.0, meta={"staffa_parked": []})
    await engine.ack_jobs([snoozed], producer)
    assert (await read(engine, job)).state is State.SCHEDULED
    await signal(engine, job, name="other")
    assert (await read(engine, job)).state is State.SCHEDULED


async def test_a_signal_that_was_given_up_is_refused(engine: Engine, producer: Producer) -> None:
    job = await claim_one(engine, producer)
    given_up = {"staffa_awaits": {"go": {"until": None, "timed_out": True}}}
    await engine.checkpoint_jobs([Checkpoint(Lease.of(job), given_up)], producer)
    assert await signal(engine, job) == []
    assert await signal(engine, job, name="other") == [job.id]


@pytest.mark.parametrize("junk", ["x", 1, None, [], ["go"], {"go": "x"}, {"go": None}])
async def test_what_others_have_written_in_place_of_signals_counts_as_none(
    engine: Engine, producer: Producer, junk: Any
) -> None:
    meta = {"staffa_signals": junk, "staffa_awaits": junk, "staffa_parked": {"go": 1}}
    (job,) = await enqueue(engine, meta=meta)
    assert await signal(engine, job) == [job.id]
    assert await payloads(engine, job) == {"go": 1}


async def test_running_jobs_see_their_signals_under_their_leases(
    engine: Engine, producer: Producer
) -> None:
    job, other = await claim_one(engine, producer), await claim_one(engine, producer)
    await signal(engine, job, '{"n":1}')
    leases = [Lease.of(other), Lease.of(job)]
    found = await engine.find_signals(leases, producer)
    assert {lease.id: dict(seen.signals) for lease, seen in found.items()} == {
        other.id: {},
        job.id: {"go": (await read(engine, job)).meta["staffa_signals"]["go"]},
    }
    assert all(seen.read_at >= lease.attempted_at for lease, seen in found.items())


@pytest.mark.parametrize("part", WRONG)
async def test_a_wrong_part_of_the_lease_sees_no_signals(
    engine: Engine, producer: Producer, part: str
) -> None:
    job = await claim_one(engine, producer)
    assert await engine.find_signals([WRONG[part](Lease.of(job))], producer) == {}
    assert await engine.find_signals([Lease.of(job)], replace(new_producer())) == {}
