"""The database goes away, in several ways, and comes back: everything goes on."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from staffa import current_job, job
from staffa.drivers import asyncpg as driver
from staffa.drivers import asyncpg_pool as pool
from staffa.errors import DatabaseUnavailable
from staffa.notifiers import postgres as notifier
from staffa.notifiers.postgres import PostgresNotifier
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.rows import Rows

ROUNDS = 20
COUNT = 400


async def test_connections_that_are_terminated_all_the_time_lose_no_job_and_repeat_none(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    ran: Counter[int | None] = Counter()

    @job
    async def note() -> None:
        ran[current_job().id] += 1
        await asyncio.sleep(0.001)

    await make_client().enqueue_many(note.new() for _ in range(COUNT))
    async with make_client(queues={"default": 2}):
        ended = 0
        for _ in range(ROUNDS):
            ended += await rows.terminate()
            done = len(events.of("staffa.job.completed"))
            if done < COUNT:
                await events.until(lambda: len(events.of("staffa.job.completed")) > done)  # noqa: B023
        assert ended > ROUNDS
        await rows.until_count(completed=COUNT)
        await events.wait("staffa.job.completed", COUNT)
    assert set(ran.values()) == {1}
    assert len(ran) == COUNT
    assert events.of("staffa.job.lease_lost") == []
    assert await rows.connection.fetchval(f"SELECT max(attempt) FROM {rows.jobs}") == 1


async def test_jobs_go_on_while_the_server_refuses_and_their_outcomes_are_written_later(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    finished: list[int] = []
    go_on = asyncio.Event()

    @job
    async def wait() -> None:
        await go_on.wait()
        finished.append(1)

    @job
    async def note() -> None: ...

    async with make_client(dsn=proxy.dsn, queues={"default": 2}) as app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        await proxy.close()
        go_on.set()
        await eventually(lambda: finished, "the end of the job during the outage")
        errors = len(events.of("staffa.error"))
        await events.wait("staffa.error", errors + 10)  # every loop has met it, some several times
        with pytest.raises(DatabaseUnavailable):
            await app.enqueue(note.new())
        assert (await rows.get(stored.id))["state"] == "executing"
        assert events.of("staffa.job.completed") == []
        await proxy.open()
        await rows.until(stored.id, "completed")
        await app.enqueue(note.new())
        await rows.until_count(completed=2)


async def test_the_notifier_listens_again_after_an_outage_and_looks_for_what_it_missed(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    sender = make_client()
    async with make_client(dsn=proxy.dsn, queues={"default": 1}, poll=3600):
        await sender.enqueue(note.new())
        await events.wait("staffa.job.completed")
        await proxy.close()
        await events.wait("staffa.notifier.lost")
        await sender.enqueue(note.new())  # nobody hears of it
        await proxy.open()
        await events.wait("staffa.notifier.reconnected")
        await events.wait("staffa.job.completed", 2)
        await sender.enqueue(note.new())
        await events.wait("staffa.job.completed", 3)


async def test_jobs_are_found_by_polling_where_notifications_are_lost(
    make_client: MakeClient, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(notifier: PostgresNotifier, messages: object) -> None: ...

    @job
    async def note() -> None: ...

    monkeypatch.setattr(PostgresNotifier, "notify", lose)
    sender = make_client()
    async with make_client(queues={"default": 1}):
        for count in range(1, 6):
            await sender.enqueue(note.new())
            await events.wait("staffa.job.completed", count)


async def test_an_outage_makes_nobody_rescue_anything(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job
    async def wait() -> None:
        await go_on.wait()

    options = {"dsn": proxy.dsn, "heartbeat": 0.1, "dead_after": 1}
    async with (
        make_client(queues={"default": 2}, **options) as one,
        make_client(queues={"other": 2}, **options),
    ):
        stored = await one.enqueue(wait.new())
        await events.wait("staffa.job.start")
        beaten = await rows.beats()
        await proxy.close()
        errors = len(events.of("staffa.error"))
        await events.wait("staffa.error", errors + 30)
        await proxy.open()

        async def both_beat() -> bool:
            return await rows.beats() > beaten + 30

        await eventually(both_beat, "heartbeats after the outage")
        go_on.set()
        row = await rows.until(stored.id, "completed")
    assert (row["attempt"], row["meta"]) == (1, {})
    assert events.of("staffa.job.rescued") == []


async def test_a_job_whose_outcome_a_failover_has_lost_runs_again(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    """A standby that is promoted may lack the last of what the primary had committed."""
    ran: list[int] = []

    @job
    async def note() -> None:
        ran.append(1)

    async with make_client(
        dsn=proxy.dsn, queues={"default": 2}, heartbeat=0.2, dead_after=30
    ) as app:
        stored = await app.enqueue(note.new())
        await events.wait("staffa.job.completed")
        await proxy.close()
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'executing', completed_at = NULL WHERE id = $1",
            stored.id,
        )
        await events.until(
            lambda: any("heartbeat" in event.data["what"] for event in events.of("staffa.error"))
        )
        await proxy.open()
        row = await rows.until(stored.id, "completed")
    assert (row["attempt"], len(ran)) == (1, 2)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given up after half a minute is given up at once."""
    for module, name, seconds in (
        (driver, "REPLY_SECONDS", 0.5),
        (pool, "REPLY_SECONDS", 0.5),
        (driver, "CONNECT_SECONDS", 0.5),
        (notifier, "REPLY_SECONDS", 0.5),
        (notifier, "PROBE_SECONDS", 0.2),
    ):
        monkeypatch.setattr(module, name, seconds)


async def test_everything_goes_on_after_a_network_that_swallowed_everything(
    impatient: None, make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    sender = make_client()
    async with make_client(dsn=proxy.dsn, queues={"default": 1}):
        await sender.enqueue(note.new())
        await events.wait("staffa.job.completed")
        proxy.freeze()
        await sender.enqueue(note.new())
        await events.wait("staffa.notifier.lost")
        await events.wait("staffa.error", 5)
        proxy.thaw()
        await rows.until_count(completed=2)
        await events.wait("staffa.notifier.reconnected")


async def test_a_client_stops_while_the_network_swallows_everything(
    impatient: None, make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    @job
    async def wait() -> None:
        await asyncio.Event().wait()

    app = make_client(dsn=proxy.dsn, queues={"default": 1}, shutdown_grace=0)
    await app.start()
    await app.enqueue(wait.new())
    await events.wait("staffa.job.start")
    proxy.freeze()
    async with asyncio.timeout(60):
        await app.stop()
    assert (await rows.count())["executing"] == 1  # another node rescues it
