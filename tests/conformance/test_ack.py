"""An outcome changes the columns that it is about, and no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from staffa.engine import Ack, Ending, Engine, Lease, Producer
from staffa.types import State
from tests.conformance.rows import Since, changed, error
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, ids, outcome, read

Changes = Callable[[datetime], dict[str, Any]]

OUTCOMES: dict[str, tuple[dict[str, Any], Changes]] = {
    "completed": (
        {"state": State.COMPLETED},
        lambda now: {"state": State.COMPLETED, "completed_at": Since(now)},
    ),
    "completed with meta": (
        {"state": State.COMPLETED, "meta": {"return": "žluť", "old": {"n": 2**70}}},
        lambda now: {
            "state": State.COMPLETED,
            "completed_at": Since(now),
            "meta": {"kept": 1, "return": "žluť", "old": {"n": 2**70}},
        },
    ),
    "failed": (
        {"state": State.RETRYABLE, "error": "boom", "delay": 60.5},
        lambda now: {
            "state": State.RETRYABLE,
            "scheduled_at": Since(now, plus=60.5),
            "errors": [error(1, "boom", now)],
        },
    ),
    "cancelled": (
        {"state": State.CANCELLED, "error": "Cancel: not needed"},
        lambda now: {
            "state": State.CANCELLED,
            "cancelled_at": Since(now),
            "errors": [error(1, "Cancel: not needed", now)],
        },
    ),
    "discarded": (
        {"state": State.DISCARDED, "error": "Discard"},
        lambda now: {
            "state": State.DISCARDED,
            "discarded_at": Since(now),
            "errors": [error(1, "Discard", now)],
        },
    ),
    "snoozed": (
        {"state": State.SCHEDULED, "refund": True, "delay": 3600, "meta": {"snoozed": 1}},
        lambda now: {
            "state": State.SCHEDULED,
            "attempt": 0,
            "scheduled_at": Since(now, plus=3600),
            "meta": {"kept": 1, "old": 1, "snoozed": 1},
        },
    ),
    "put back": (  # as if it had not begun: it keeps its place in the queue
        {"state": State.AVAILABLE, "refund": True},
        lambda now: {"state": State.AVAILABLE, "attempt": 0},
    ),
}


@pytest.mark.parametrize("name", OUTCOMES)
async def test_an_outcome_writes_its_columns_and_no_other(
    store: Store, engine: Engine, producer: Producer, name: str
) -> None:
    details, expected = OUTCOMES[name]
    before = await claim_one(engine, producer, meta={"kept": 1, "old": 1}, tags=["t"], priority=2)
    moment = await store.now()
    written = await engine.ack_jobs([outcome(before, **details)], producer)
    assert written == {before.id: details["state"]}
    assert changed(before, await read(engine, before)) == expected(moment)


async def test_a_failure_of_the_last_attempt_discards_the_job(
    store: Store, engine: Engine, producer: Producer
) -> None:
    before = await claim_one(engine, producer, max_attempts=1)
    moment = await store.now()
    failure = outcome(before, State.RETRYABLE, error="boom", delay=60)
    assert await engine.ack_jobs([failure], producer) == {before.id: State.DISCARDED}
    assert changed(before, await read(engine, before)) == {
        "state": State.DISCARDED,
        "discarded_at": Since(moment),
        "errors": [error(1, "boom", moment)],
    }


async def test_each_failed_attempt_adds_its_error(
    store: Store, engine: Engine, producer: Producer
) -> None:
    moment = await store.now()
    texts = ["first", 'sec"ond\n', "ž😀\\"]
    job = await claim_one(engine, producer, max_attempts=5)
    for text in texts:
        assert await engine.ack_jobs([outcome(job, State.RETRYABLE, error=text)], producer)
        await engine.stage_jobs(10, [])
        (job,) = await engine.claim_jobs(QUEUE, 1, producer)
    assert job.attempt == 4
    expected = [error(number, text, moment) for number, text in enumerate(texts, 1)]
    assert job.errors == expected
    assert (await read(engine, job)).errors == expected


async def test_a_lease_alone_completes_its_job(
    store: Store, engine: Engine, producer: Producer
) -> None:
    before = await claim_one(engine, producer, meta={"kept": 1}, tags=["t"], priority=2)
    moment = await store.now()
    written = await engine.ack_jobs([Lease.of(before)], producer)
    assert written == {before.id: State.COMPLETED}
    expected = {"state": State.COMPLETED, "completed_at": Since(moment)}
    assert changed(before, await read(engine, before)) == expected


async def test_leases_and_outcomes_go_together(engine: Engine, producer: Producer) -> None:
    await enqueue(engine, 3)
    first, second, third = await engine.claim_jobs(QUEUE, 3, producer)
    given: list[Ending] = [
        Lease.of(first),
        outcome(second, State.CANCELLED, error="no"),
        Lease.of(third),
    ]
    assert await engine.ack_jobs(given, producer) == {
        first.id: State.COMPLETED,
        second.id: State.CANCELLED,
        third.id: State.COMPLETED,
    }


async def test_no_outcomes_are_no_error(engine: Engine, producer: Producer) -> None:
    assert await engine.ack_jobs([], producer) == {}


async def test_a_bundle_of_a_thousand_different_outcomes_is_written_at_once(
    engine: Engine, producer: Producer
) -> None:
    await enqueue(engine, 1000)
    jobs = await engine.claim_jobs(QUEUE, 1000, producer)
    kinds = [details for details, _ in OUTCOMES.values()]
    acks: dict[int | None, Ack] = {
        job.id: outcome(job, **kinds[number % len(kinds)]) for number, job in enumerate(jobs)
    }
    written = await engine.ack_jobs(list(acks.values()), producer)
    assert written == {number: ack.state for number, ack in acks.items()}
    for job in await engine.get_jobs(ids(jobs)):
        ack = acks[job.id]
        assert job.state is ack.state
        assert job.attempt == (0 if ack.refund else 1)
        assert [element["error"] for element in job.errors] == [ack.error] * bool(ack.error)
        assert job.meta == (ack.meta or {})
