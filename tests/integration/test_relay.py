"""Relays: jobs whose results are awaited, over notifications and without, and how they fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from staffa import Cancel, Job, Staffa, Worker, current_job, job, worker
from staffa.errors import (
    InstanceError,
    InvalidJob,
    LoopRunning,
    RelayCancelled,
    RelayDeleted,
    RelayDiscarded,
    RelayTimeout,
    ResultUnavailable,
)
from tests.conftest import MakeClient
from tests.support.app import release
from tests.support.events import eventually
from tests.support.places import until
from tests.support.rows import Rows

LONG = 30
KEYS = {"k1": bytes(range(32))}


@pytest.fixture
async def told(dsn: str, prefix: str) -> AsyncIterator[list[dict[str, Any]]]:
    """What is notified about relays."""
    heard: list[dict[str, Any]] = []
    connection = await asyncpg.connect(dsn)

    def hear(_: object, pid: int, channel: str, payload: object) -> None:
        heard.append(json.loads(str(payload)))

    await connection.add_listener(f"{prefix}.oban_relay", hear)
    yield heard
    await connection.close()


async def test_a_relay_returns_what_the_function_returned(make: MakeClient) -> None:
    @job(instance="caller")
    async def add(left: int, right: int) -> dict[str, int]:
        return {"sum": left + right}

    make(name="caller")
    async with make(queues={"default": 5, "other": 1}):
        relay = await add.relay(1, right=2)
        assert await relay.result(timeout=LONG) == {"sum": 3}
        assert await relay.result() == {"sum": 3}
        other = await add.options(queue="other").relay(3, 4)
        assert await other.result(timeout=LONG) == {"sum": 7}
    assert (other.job.queue, other.job.meta["recorded"]) == ("other", True)
    assert relay.id == relay.job.id


async def test_classes_have_relays_too(make: MakeClient) -> None:
    @worker(instance="caller")
    class Double(Worker):
        async def process(self, job: Job) -> int:
            return int(2 * job.args["n"])

    @worker(instance="caller", name="plain")
    class Plain:
        def process(self, job: Job) -> int:
            return job.priority

    make(name="caller")
    async with make(queues={"default": 5}):
        assert await (await Double.relay({"n": 4})).result(timeout=LONG) == 8
        relay = await Plain.relay({}, priority=3)  # type: ignore[attr-defined]  # no base says so
        assert await relay.result(timeout=LONG) == 3


async def test_relays_of_many_jobs_return_in_order_and_as_they_end(make: MakeClient) -> None:
    go_on = {1: asyncio.Event(), 2: asyncio.Event()}

    @job
    async def held(number: int) -> int:
        if number in go_on:
            await go_on[number].wait()
        return number

    app = make()
    async with make(queues={"default": 5}):
        relays = await app.relay_many(held.new(1), [held.new(2), held.new(3)])
        seen = []
        async for relay in relays:
            seen.append(await relay.result())
            if (following := {3: 2, 2: 1}.get(seen[-1])) is not None:
                go_on[following].set()
        assert seen == [3, 2, 1]
        assert await relays.results(timeout=LONG) == [1, 2, 3]
        assert [len(relays), relays[-1].job.args] == [3, {"number": 3}]
        assert await (await app.relay_many()).results() == []


async def test_a_relay_that_is_late_says_so_and_can_be_awaited_again(make: MakeClient) -> None:
    go_on = asyncio.Event()

    @job
    async def held() -> str:
        await go_on.wait()
        return "at last"

    app = make()
    async with make(queues={"default": 1}):
        relay = await app.relay(held.new())
        with pytest.raises(RelayTimeout, match=rf"job {relay.id} has not ended .* goes on") as late:
            await relay.result(timeout=0.05)
        assert isinstance(late.value, TimeoutError)
        assert late.value.job_id == relay.id
        relays = await app.relay_many([held.new(), held.new()])
        first, second = await relays.results(timeout=0.05, return_exceptions=True)
        assert isinstance(first, RelayTimeout)
        assert isinstance(second, RelayTimeout)
        go_on.set()
        assert await relay.result(timeout=LONG) == "at last"
        assert await relays.results(timeout=LONG) == ["at last"] * 2


async def test_failed_attempts_are_waited_over_and_the_last_one_is_told(make: MakeClient) -> None:
    @job(backoff=0.05, max_attempts=3)
    async def fail(until_attempt: int) -> int:
        attempt = current_job().attempt
        if attempt < until_attempt:
            raise ValueError(f"not at {attempt}")
        return attempt

    app = make()
    async with make(queues={"default": 2}):
        assert await (await app.relay(fail.new(2))).result(timeout=LONG) == 2
        relay = await app.relay(fail.new(9))
        with pytest.raises(
            RelayDiscarded, match=f"job {relay.id} was discarded: ValueError: not at 3"
        ):
            await relay.result(timeout=LONG)


async def test_cancelled_and_deleted_jobs_end_their_relays(make: MakeClient) -> None:
    @job
    async def give_up() -> Cancel:
        return Cancel("not today")

    app = make()
    relays = [await app.relay(give_up.new()) for _ in range(3)]
    waits = [asyncio.ensure_future(relay.result(timeout=LONG)) for relay in relays]
    await asyncio.sleep(0)
    await app.cancel_job(relays[0].job)
    with pytest.raises(RelayCancelled, match=f"job {relays[0].id} was cancelled$"):
        await waits[0]
    await app.delete_job(relays[1].job)
    with pytest.raises(RelayDeleted, match=f"job {relays[1].id} was deleted"):
        await waits[1]
    async with make(queues={"default": 1}):
        with pytest.raises(RelayCancelled, match="Cancel: not today"):
            await waits[2]


async def test_a_result_that_had_to_be_dropped_is_an_error(make: MakeClient) -> None:
    @job
    async def strange() -> object:
        return object()

    app = make()
    async with make(queues={"default": 1}):
        relay = await app.relay(strange.new())
        with pytest.raises(ResultUnavailable, match="dropped"):
            await relay.result(timeout=LONG)


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_large_results_and_lost_notifications_are_read_from_the_row(
    make: MakeClient, size: int
) -> None:
    @job
    async def large() -> str:
        return "x" * size

    app = make(notifier="polling")
    async with make(queues={"default": 1}):
        relay = await app.relay(large.new())
        assert await relay.result(timeout=LONG) == "x" * size


async def test_a_relay_of_a_unique_job_waits_for_the_one_that_there_is(make: MakeClient) -> None:
    go_on = asyncio.Event()

    @job(unique={"fields": ["worker", "meta"]})
    async def only() -> str:
        await go_on.wait()
        return "one"

    app = make()
    async with make(queues={"default": 1}):
        first = await app.relay(only.new())
        second = await app.relay(only.new())
        assert (second.id, second.job.conflict) == (first.id, True)
        go_on.set()
        assert await first.result(timeout=LONG) == "one"
        assert await second.result(timeout=LONG) == "one"


async def test_a_job_completed_in_a_transaction_tells_its_result(
    dsn: str, make_client: MakeClient, told: list[dict[str, Any]]
) -> None:
    @job
    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        async with connection.transaction():
            await current_job().complete_in(connection, result=5)
        await connection.close()

    app = make_client()
    async with make_client(queues={"default": 1}):
        relay = await app.relay(work.new())
        assert await relay.result(timeout=LONG) == 5
    assert [payload["id"] for payload in told] == [relay.id]


async def test_a_relay_in_a_transaction_waits_until_that_is_committed(
    make_client: MakeClient, connection: asyncpg.Connection
) -> None:
    @job
    async def work() -> str:
        return "done"

    app = make_client()
    async with make_client(queues={"default": 1}):
        transaction = connection.transaction()
        await transaction.start()
        relay = await app.relay(work.new(), conn=connection)
        with pytest.raises(RelayTimeout):
            await relay.result(timeout=0.1)
        await transaction.commit()
        assert await relay.result(timeout=LONG) == "done"
        transaction = connection.transaction()
        await transaction.start()
        lost = await app.relay(work.new(), conn=connection)
        await transaction.rollback()
        with pytest.raises(RelayTimeout):
            await lost.result(timeout=0.1)


async def test_only_relayed_jobs_are_told_and_only_small_results_of_plain_ones(
    make_client: MakeClient, told: list[dict[str, Any]]
) -> None:
    @job(recorded=True)
    async def work(size: int) -> str:
        return "x" * size

    app = make_client(encryption_keys=KEYS)
    async with make_client(queues={"default": 5}, encryption_keys=KEYS):
        plain = await app.enqueue(work.new(1))
        await until(app, plain, "completed")
        small = await app.relay(work.new(1))
        large = await app.relay(work.new(100_000))
        secret = await app.relay(work.options(encrypted=True).new(1))
        for relay in (small, large, secret):
            await relay.result(timeout=LONG)
        await eventually(lambda: len(told) == 3, "three notifications")
    by_id = {payload.pop("id"): payload for payload in told}
    assert by_id[large.id] == by_id[secret.id] == {"state": "completed"}
    assert by_id[small.id].keys() == {"state", "return", "digest"}


async def test_a_forged_notification_is_no_result(
    make_client: MakeClient, connection: asyncpg.Connection, prefix: str, rows: Rows
) -> None:
    go_on = asyncio.Event()

    @job
    async def work() -> str:
        await go_on.wait()
        return "true"

    app = make_client()
    async with make_client(queues={"default": 1}):
        relay = await app.relay(work.new())
        waiting = asyncio.ensure_future(relay.result(timeout=LONG))
        channel = f"{prefix}.oban_relay"
        forged = {"id": relay.id, "state": "completed", "return": "g2ED", "digest": "0" * 32}
        for payload in (forged, {"id": relay.id}, {"id": "x"}, {}):
            await connection.execute("SELECT pg_notify($1, $2)", channel, json.dumps(payload))
        await rows.until(relay.id, "executing")
        assert not waiting.done()
        go_on.set()
        assert await waiting == "true"


async def test_a_client_that_only_sends_listens_while_it_waits_and_not_longer(
    make_client: MakeClient,
    connection: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("staffa.client.answers._LINGER_SECONDS", 0.05)
    go_on = asyncio.Event()

    @job
    async def work() -> str:
        await go_on.wait()
        return "heard"

    app = make_client()
    listening = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%oban_relay%'"
        " AND datname = current_database()"
    )

    async def is_listening() -> bool:
        return bool(await connection.fetchval(listening))

    async with make_client(queues={"default": 1}):
        relay = await app.relay(work.new())
        assert not await is_listening()
        waiting = asyncio.ensure_future(relay.result(timeout=LONG))
        await eventually(is_listening, "the client to listen")
        go_on.set()
        assert await waiting == "heard"

        async def is_silent() -> bool:
            return not await is_listening()

        await eventually(is_silent, "the client to stop listening")
        assert await (await app.relay(work.new())).result(timeout=LONG) == "heard"


def test_synchronous_code_waits_for_relays(place: dict[str, Any], tmp_path: Path) -> None:
    @job(instance="caller")
    def add(left: int, right: int) -> int:
        return left + right

    release(tmp_path)
    app = Staffa(**place, name="caller", queues={"default": 5}, poll=0.05)
    with app.sync as sync:
        assert add.relay_sync(1, 2).result(timeout=LONG) == 3
        assert sync.relay(add.new(3, 4)).result(timeout=LONG) == 7
        relays = sync.relay_many(add.new(n, n) for n in range(3))
        assert relays.results(timeout=LONG) == [0, 2, 4]
        assert sorted(relay.result() for relay in relays.as_they_end()) == [0, 2, 4]
        assert [relays[0].job.args, len(relays)] == [{"left": 0, "right": 0}, 3]


async def test_synchronous_calls_on_a_loop_are_refused(make: MakeClient) -> None:
    @job(instance="caller")
    def work() -> None: ...

    make(name="caller")
    with pytest.raises(LoopRunning, match=r"await work\.relay"):
        work.relay_sync()


async def test_what_is_no_new_job_is_refused(make: MakeClient) -> None:
    app = make()
    stored = await app.enqueue(Job(worker="tests.Work"))
    with pytest.raises(InvalidJob, match="enqueued before"):
        await app.relay(stored)
    with pytest.raises(InvalidJob, match="is no job"):
        await app.relay(5)  # type: ignore[arg-type]  # wrong on purpose


async def test_inline_a_relay_has_its_result_at_once(make: MakeClient) -> None:
    @job(instance="caller")
    async def add(left: int, right: int) -> int:
        return left + right

    @job(instance="caller")
    async def give_up() -> Cancel:
        return Cancel("no")

    make(name="caller", testing="inline")
    assert await (await add.relay(1, 2)).result(timeout=0) == 3
    with pytest.raises(RelayCancelled, match="Cancel: no"):
        await (await give_up.relay()).result()


async def test_a_client_that_is_stopped_lets_nobody_wait(make: MakeClient) -> None:
    app = make()
    relay = await app.relay(Job(worker="tests.Work"))
    waiting = asyncio.ensure_future(relay.result())
    await until(app, relay.job, "available")
    await app.stop()
    with pytest.raises(InstanceError, match=f"while job {relay.id} was awaited"):
        await waiting
