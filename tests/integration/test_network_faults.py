"""A network that is slow, swallows, breaks and loses: everything goes on, nothing runs twice."""

from __future__ import annotations

import asyncio

import pytest

from staffa import job
from staffa.client.backend import make_backend
from staffa.config import Config
from staffa.drivers import asyncpg as driver
from staffa.drivers import asyncpg_pool as pool
from staffa.engine import EVERYBODY, Control
from staffa.notifiers import postgres as notifier
from tests.chaos.witness import Witness
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy, Side, Way
from tests.support.rows import Rows

CALM = {"heartbeat": 0.2, "dead_after": 6.0}
"""Judges nobody too early, on whatever machine."""


def be_impatient(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Give up sooner than after half a minute."""
    for module, name in (
        (driver, "REPLY_SECONDS"),
        (pool, "REPLY_SECONDS"),
        (driver, "CONNECT_SECONDS"),
        (notifier, "REPLY_SECONDS"),
        (notifier, "PROBE_SECONDS"),
    ):
        monkeypatch.setattr(module, name, seconds)


def test_a_connection_with_all_its_round_trips_fits_into_the_longest_latency() -> None:
    assert driver.CONNECT_SECONDS > 7 * 2.0  # TCP, TLS and SCRAM at two seconds each
    assert driver.REPLY_SECONDS > 2 * 2 * 2.0  # prepare and execute, both ways


async def test_jobs_run_once_over_a_slow_network(
    make_client: MakeClient, proxy: Proxy, witness: Witness, events: Recorder
) -> None:
    """All lengths of time are a tenth of what they are in production, and so is the latency."""
    scaled = {"heartbeat": 0.5, "dead_after": 6.0, "poll": 0.1, "leader_lease": 6.0}
    async with (
        make_client(dsn=proxy.dsn, queues={"default": 5}, **scaled) as app,
        make_client(queues={"default": 1}, **scaled),
    ):
        proxy.delay(0.2)
        for _ in range(3):
            await witness.enqueue(app, 10)
        await witness.settled()
        proxy.delay(0.0)
    assert events.of("staffa.job.rescued") == []


@pytest.mark.parametrize("way", [Way.TO_SERVER, Way.TO_CLIENT])
async def test_nothing_is_lost_or_repeated_where_one_direction_is_swallowed(
    way: Way,
    make_client: MakeClient,
    proxy: Proxy,
    witness: Witness,
    events: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_impatient(monkeypatch, 0.5)
    sender = make_client()
    async with make_client(dsn=proxy.dsn, queues={"default": 2}):
        await witness.enqueue(sender, 60)
        await events.wait("staffa.job.completed", 5)
        proxy.freeze(way)
        errors = len(events.of("staffa.error"))
        await witness.enqueue(sender, 20)
        await events.wait("staffa.error", errors + 5)
        proxy.thaw()
        await witness.settled()
        await events.wait("staffa.job.completed", 80)
    assert len({event.data["job"].id for event in events.of("staffa.job.completed")}) == 80


async def test_the_heartbeat_leaves_a_connection_whose_server_is_gone_before_anybody_worries(
    make_client: MakeClient,
    proxy: Proxy,
    rows: Rows,
    events: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_impatient(monkeypatch, 60)  # all others wait on
    go_on = asyncio.Event()

    @job(name="waiting")
    async def wait() -> None:
        await go_on.wait()

    async with (
        make_client(dsn=proxy.dsn, queues={"default": 2}, **CALM) as app,
        make_client(queues={"other": 2}, **CALM),
    ):
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        row = await rows.get(stored.id)
        proxy.half_open(Side.SERVER)
        beaten = await _beats(rows, row["attempted_by"][1])

        async def beats() -> bool:
            return await _beats(rows, row["attempted_by"][1]) > beaten + 3

        await eventually(beats, "heartbeats on a new connection")
        proxy.cut()
        go_on.set()
        row = await rows.until(stored.id, "completed")
    assert (row["attempt"], row["meta"]) == (1, {})
    assert events.of("staffa.job.rescued") == []


@pytest.mark.parametrize("gone", list(Side), ids=str)
async def test_jobs_go_on_where_one_side_of_all_connections_has_gone_without_a_word(
    gone: Side,
    make_client: MakeClient,
    proxy: Proxy,
    witness: Witness,
    events: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_impatient(monkeypatch, 1.0)
    sender = make_client()
    async with make_client(dsn=proxy.dsn, queues={"default": 2}, **CALM):
        await witness.enqueue(sender, 40)
        await events.wait("staffa.job.completed", 5)
        proxy.half_open(gone)
        await witness.enqueue(sender, 20)
        await witness.settled()


async def test_nothing_is_lost_or_repeated_where_one_message_in_a_hundred_is(
    make_client: MakeClient, dsn: str, witness: Witness, events: Recorder
) -> None:
    """A lost message comes late, as TCP has it; now and then its connection breaks instead."""
    async with (
        Proxy(dsn, seed=1) as proxy,
        make_client(dsn=proxy.dsn, queues={"default": 4}, **CALM) as app,
    ):
        proxy.lose_messages(0.01, resent_after=0.1)
        proxy.break_connections(0.003)
        while proxy.broken < 10:
            await witness.enqueue(app, 10)
        await witness.settled()
        proxy.clear()


async def test_controls_and_jobs_are_found_where_no_notification_arrives(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder, dsn: str, prefix: str
) -> None:
    @job
    async def wait() -> None:
        await asyncio.Event().wait()

    @job
    async def note() -> None: ...

    proxy.lose_notifications()
    operator = make_client()
    elsewhere = make_backend(Config(dsn=dsn, prefix=prefix), dsn, lambda: None).engine
    async with make_client(dsn=proxy.dsn, queues={"default": 2, "other": 1}) as app:
        held = await operator.enqueue(wait.new())
        await events.wait("staffa.job.start")
        await elsewhere.control_queues(app.config.name, [_paused("other", True)])
        await eventually(
            lambda: app._node and app._node.supervisor.queues == ["default"], "a pause"
        )
        paused = await operator.enqueue(note.options(queue="other").new())
        assert await operator.cancel_job(held)
        await events.wait("staffa.job.lease_lost")
        await operator.enqueue(note.new())
        await events.wait("staffa.job.completed")
        assert (await rows.get(paused.id))["state"] == "available"
        await elsewhere.control_queues(app.config.name, [_paused("other", False)])
        await rows.until(paused.id, "completed")
    await elsewhere.close()


def _paused(queue: str, value: bool) -> Control:
    return Control(queue, EVERYBODY, "paused", value)


async def _beats(rows: Rows, producer: str) -> int:
    text = f"SELECT beats FROM {rows.producers} WHERE uuid = $1::text::uuid"
    return int(await rows.connection.fetchval(text, producer))
