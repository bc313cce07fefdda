"""Statements that were committed although their replies never came."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from staffa import Cancel, Discard, Snooze, current_job, job
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.rows import Rows

ACK = "-- Write the outcomes of jobs"
CLAIM = "-- Take up to"
BEAT = "-- Show that a producer is alive"


async def stall_claims(rows: Rows) -> None:
    """Let every claim take until `go_on`."""
    schema = rows.jobs.rpartition(".")[0]
    await rows.connection.execute(
        f"CREATE FUNCTION {schema}.stall() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END';"
        f"CREATE TRIGGER stall BEFORE UPDATE ON {rows.jobs} FOR EACH ROW"
        f" WHEN (NEW.state = 'executing') EXECUTE FUNCTION {schema}.stall();"
        "SELECT pg_advisory_lock(4711)"
    )


async def go_on(rows: Rows) -> None:
    await rows.connection.execute("SELECT pg_advisory_unlock(4711)")


@pytest.mark.parametrize(
    ("outcome", "state", "attempt"),
    [
        (None, "completed", 1),
        (Cancel("enough"), "cancelled", 1),
        (Discard("hopeless"), "discarded", 1),
        (Snooze(3600), "scheduled", 0),
        (ValueError("no"), "retryable", 1),
    ],
    ids=str,
)
async def test_an_outcome_whose_reply_was_lost_is_known_to_be_written(
    outcome: Any,
    state: str,
    attempt: int,
    make_client: MakeClient,
    proxy: Proxy,
    rows: Rows,
    events: Recorder,
) -> None:
    runs: list[int] = []

    @job
    async def end() -> Any:
        runs.append(1)
        if isinstance(outcome, ValueError):
            raise outcome
        return outcome

    async with make_client(dsn=proxy.dsn, queues={"default": 1}) as app:
        proxy.lose_reply(ACK)
        stored = await app.enqueue(end.new())
        await proxy.caught()
        await events.wait(f"staffa.job.{state}")
    row = await rows.get(stored.id)
    assert (row["state"], row["attempt"], len(runs)) == (state, attempt, 1)
    assert len(row["errors"]) == (0 if state in {"completed", "scheduled"} else 1)
    assert events.of("staffa.job.lease_lost") == []
    assert len(events.of(f"staffa.job.{state}")) == 1


async def test_a_bundle_whose_reply_was_lost_is_told_apart_job_by_job(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    released = asyncio.Event()

    @job
    async def wait() -> None:
        await released.wait()

    slow = {"heartbeat": 900, "dead_after": 3600}
    async with make_client(dsn=proxy.dsn, queues={"default": 20}, **slow) as app:
        stored = await app.enqueue_many(wait.new() for _ in range(20))
        await events.wait("staffa.job.start", 20)
        taken = [entry.id for entry in stored[:5]]
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'cancelled' WHERE id = ANY ($1)", taken
        )
        proxy.lose_reply(ACK)
        released.set()
        await proxy.caught()
        await events.wait("staffa.job.completed", 15)
        await events.wait("staffa.job.lease_lost", 5)
    lost = [event.data["job"].id for event in events.of("staffa.job.lease_lost")]
    assert sorted(lost) == taken
    await rows.until_count(completed=15, cancelled=5)


async def test_jobs_of_a_claim_whose_reply_was_lost_are_put_back_and_run_once(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    ran: list[int | None] = []

    @job(max_attempts=1)
    async def note() -> None:
        ran.append(current_job().id)

    stored = await make_client().enqueue_many(note.new() for _ in range(20))
    proxy.lose_reply(CLAIM)
    async with make_client(dsn=proxy.dsn, queues={"default": 5}):
        await proxy.caught()
        await rows.until_count(completed=20)
    assert sorted(filter(None, ran)) == [entry.id for entry in stored]


async def test_a_lost_claim_of_one_queue_takes_nothing_from_another(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    released = asyncio.Event()
    begun: list[str] = []

    @job
    async def wait() -> None:
        begun.append(current_job().queue)
        await released.wait()

    async with make_client(dsn=proxy.dsn, queues={"one": 5, "two": 5}) as app:
        await app.enqueue_many(wait.options(queue="one").new() for _ in range(3))
        await events.wait("staffa.job.start", 3)
        proxy.lose_reply(CLAIM)
        await app.enqueue_many(wait.options(queue="two").new() for _ in range(3))
        await proxy.caught()
        await events.wait("staffa.job.start", 6)
        released.set()
        await rows.until_count(completed=6)
    assert sorted(begun) == ["one"] * 3 + ["two"] * 3
    assert events.of("staffa.job.lease_lost") == []


async def test_a_claim_that_commits_after_its_client_gave_it_up_loses_no_job(
    make_client: MakeClient, proxy: Proxy, rows: Rows
) -> None:
    @job
    async def note() -> None: ...

    await stall_claims(rows)
    stored = await make_client().enqueue(note.new())
    proxy.abandon(CLAIM)
    async with make_client(dsn=proxy.dsn, queues={"default": 5}):
        await proxy.caught()
        await eventually(lambda: proxy.ran(CLAIM) >= 2, "another claim")
        await go_on(rows)
        await rows.until(stored.id, "completed")


async def test_a_claim_that_commits_after_its_process_has_stopped_is_rescued_soon(
    make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def note() -> None: ...

    await stall_claims(rows)
    stored = await make_client().enqueue(note.new())
    app = make_client(queues={"default": 5})
    await app.start()

    async def claiming() -> bool:
        return bool(
            await rows.connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event = 'advisory'"
            )
        )

    await eventually(claiming, "the claim")
    await app.stop(grace=0)
    await go_on(rows)
    async with make_client(queues={"default": 5}):
        await rows.until(stored.id, "completed")


async def test_a_heartbeat_whose_reply_was_lost_is_tried_again(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    async with make_client(dsn=proxy.dsn, queues={"default": 1}) as app:
        proxy.lose_reply(BEAT)
        await proxy.caught()
        proxy.lose_reply(BEAT)
        await proxy.caught()
        await app.enqueue(note.new())
        await events.wait("staffa.job.completed")
        assert await rows.producer_count() == 1
    assert await rows.producer_count() == 0
