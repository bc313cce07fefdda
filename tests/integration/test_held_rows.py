"""Rows of running jobs that transactions of others hold: nobody else waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from staffa import Snooze, current_job, job
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows

Hold = Callable[[int | None], Awaitable[asyncpg.Connection]]


@pytest.fixture
async def hold(dsn: str, rows: Rows) -> AsyncIterator[Hold]:
    """Locks a row in a transaction of somebody else's, until that ends."""
    made: list[asyncpg.Connection] = []

    async def begin(number: int | None) -> asyncpg.Connection:
        made.append(await asyncpg.connect(dsn))
        await made[-1].execute("BEGIN")
        await made[-1].execute(f"SELECT FROM {rows.jobs} WHERE id = {number} FOR UPDATE")
        return made[-1]

    yield begin
    for connection in made:
        connection.terminate()


@pytest.mark.parametrize("outcome", [None, Snooze(3600)], ids=["completed", "scheduled"])
async def test_an_outcome_waits_for_its_row_and_the_others_do_not_wait_for_it(
    outcome: Any, make_client: MakeClient, rows: Rows, events: Recorder, hold: Hold
) -> None:
    go_on = asyncio.Event()
    state = "scheduled" if outcome else "completed"

    @job
    async def wait() -> Any:
        await go_on.wait()
        return outcome

    @job
    async def note() -> None: ...

    async with make_client(queues={"default": 10}) as app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        holder = await hold(stored.id)
        go_on.set()
        for count in (1, 2, 3):
            await app.enqueue(note.new())
            await events.until(lambda: len(_ids(events, "completed") - {stored.id}) == count)  # noqa: B023
        assert stored.id not in _ids(events, state)
        await holder.execute("COMMIT")
        await events.until(lambda: stored.id in _ids(events, state))
    row = await rows.get(stored.id)
    assert (row["state"], row["attempt"]) == (state, 0 if outcome else 1)
    assert events.of("staffa.job.lease_lost") == []


async def test_an_outcome_whose_row_was_cancelled_by_the_holder_is_lost(
    make_client: MakeClient, rows: Rows, events: Recorder, hold: Hold
) -> None:
    go_on = asyncio.Event()

    @job
    async def wait() -> None:
        await go_on.wait()

    async with make_client(queues={"default": 10}) as app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        holder = await hold(stored.id)
        go_on.set()
        await events.until(lambda: bool(events.of("staffa.engine.find_holds.stop")))
        await holder.execute(
            f"UPDATE {rows.jobs} SET state = 'cancelled' WHERE id = {stored.id}; COMMIT"
        )
        await events.wait("staffa.job.lease_lost")
    assert events.of("staffa.job.completed") == []


async def test_a_checkpoint_waits_for_its_row_and_the_others_do_not_wait_for_it(
    make_client: MakeClient, rows: Rows, events: Recorder, hold: Hold
) -> None:
    go_on = asyncio.Event()

    @job
    async def keep() -> None:
        await go_on.wait()
        await current_job().update_meta(kept=True)

    async with make_client(queues={"default": 10}) as app:
        held, other = await app.enqueue_many([keep.new(), keep.new()])
        await events.wait("staffa.job.start", 2)
        holder = await hold(held.id)
        go_on.set()
        await rows.until(other.id, "completed")
        assert (await rows.get(held.id))["state"] == "executing"
        await holder.execute("COMMIT")
        row = await rows.until(held.id, "completed")
    assert row["meta"]["kept"] is True


async def test_a_node_that_stops_puts_back_all_but_the_held(
    make_client: MakeClient, rows: Rows, events: Recorder, hold: Hold
) -> None:
    @job
    async def wait() -> None:
        await asyncio.Event().wait()

    async with make_client(queues={"default": 10}, shutdown_grace=0) as app:
        held, other = await app.enqueue_many([wait.new(), wait.new()])
        await events.wait("staffa.job.start", 2)
        holder = await hold(held.id)
    assert (await rows.get(held.id))["state"] == "executing"
    assert (await rows.get(other.id))["state"] == "available"
    await holder.execute("COMMIT")
    async with make_client(queues={"other": 1}):  # rescues what could not be put back
        row = await rows.until(held.id, "available")
    assert row["attempt"] == 0


def _ids(events: Recorder, state: str) -> set[int | None]:
    return {event.data["job"].id for event in events.of(f"staffa.job.{state}")}
