"""What the health port says of a client that runs, is deaf, has lost its database, or stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from staffa import Connectivity, Staffa, job
from staffa.errors import ConfigError
from staffa.services import sonar
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.http import Reply, ask, ask_now
from tests.support.proxy import Proxy
from tests.support.rows import Rows

QUEUES = {"default": 3}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping that has not come back is given up sooner, and follows sooner."""
    monkeypatch.setattr(sonar, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(sonar, "_SHORTEST_SECONDS", 0.2)


async def until(app: Staffa, path: str, condition: Callable[[Reply], bool]) -> Reply:
    """Return the first reply of which something holds."""
    replies: list[Reply] = []

    async def holds() -> bool:
        replies.append(await ask(app.health_url, path))
        return condition(replies[-1])

    await eventually(holds, f"what {path} was to say; it said {replies[-1:]}")
    return replies[-1]


def is_open(app: Staffa) -> bool:
    return app.health_url is not None


def is_ready(reply: Reply) -> bool:
    return reply.status == 200


async def test_a_client_is_ready_once_it_has_heard_itself_and_stays_alive_throughout(
    make_client: MakeClient,
) -> None:
    app = make_client(queues=QUEUES, health_port=0)
    assert not is_open(app)
    await app.start()
    assert is_open(app)
    ready = await until(app, "/readyz", is_ready)
    told = ready.body["clients"][app.config.name]
    assert (told["state"], told["queues"], told["paused"], told["running_jobs"]) == (
        "running", 1, 0, 0,
    )  # fmt: skip
    assert told["notifications"] in {"solitary", "clustered"}
    assert 0 <= told["database_reached_seconds_ago"] < app.config.dead_after
    await app.pause_queue("default")
    assert is_ready(await ask(app.health_url, "/readyz"))  # an operator's decision is no defect
    url = app.health_url
    await app.stop()
    assert not is_open(app)
    with pytest.raises(ConnectionRefusedError):
        await ask(url, "/healthz")


async def test_without_queues_no_port_is_opened(make_client: MakeClient) -> None:
    async with make_client(health_port=0) as app:
        assert app.health_url is None


async def test_a_port_in_use_keeps_a_client_from_claiming(
    make_client: MakeClient, rows: Rows
) -> None:
    async with make_client(queues=QUEUES, health_port=0) as first:
        assert first.health_url is not None
        number = int(first.health_url.rpartition(":")[2])
        second = make_client(queues=QUEUES, health_port=number, health_host="0.0.0.0")
        with pytest.raises(ConfigError, match=f"health_port {number} of 0.0.0.0 is in use"):
            await second.start()
        assert await rows.producer_count() == 1
        assert not second.started


async def test_two_clients_of_a_process_share_a_port_and_one_that_is_not_ready_counts(
    make_client: MakeClient,
) -> None:
    async with make_client(queues=QUEUES, health_port=0) as first:
        assert first.health_url is not None
        number = int(first.health_url.rpartition(":")[2])
        async with make_client(queues=QUEUES, health_port=number) as second:
            assert second.health_url == first.health_url
            ready = await until(first, "/readyz", is_ready)
            assert set(ready.body["clients"]) == {first.config.name, second.config.name}
            await second.stop_queue("default")
            bad = await until(first, "/readyz", lambda reply: reply.status == 503)
            assert bad.reasons == f"{second.config.name}: no queue runs here"
        await until(first, "/readyz", is_ready)


async def test_a_client_that_stops_is_alive_but_not_ready(
    make_client: MakeClient, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job
    async def wait() -> None:
        await go_on.wait()

    app = make_client(queues=QUEUES, health_port=0, shutdown_grace=3600)
    await app.start()
    await app.enqueue(wait.new())
    await events.wait("staffa.job.start")
    stopping = asyncio.ensure_future(app.stop())
    await events.wait("staffa.shutdown.begin")
    reply = await ask(app.health_url, "/readyz")
    assert (reply.status, reply.body["clients"][app.config.name]["state"]) == (503, "stopping")
    assert "it is shutting down" in reply.reasons
    assert (await ask(app.health_url, "/healthz")).status == 200
    go_on.set()
    await stopping


async def test_an_outage_makes_a_client_not_ready_and_is_no_death(
    make_client: MakeClient, proxy: Proxy
) -> None:
    app = make_client(dsn=proxy.dsn, queues=QUEUES, health_port=0)
    await app.start()
    await until(app, "/readyz", is_ready)
    await proxy.close()
    bad = await until(app, "/readyz", lambda reply: "last reached" in reply.reasons)
    assert bad.status == 503
    assert (await ask(app.health_url, "/healthz")).status == 200
    assert "postgresql" not in bad.text
    await proxy.open()
    await until(app, "/readyz", is_ready)


async def test_claims_that_fail_make_a_client_not_ready(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    async with make_client(queues=QUEUES, health_port=0, notifier="polling") as app:
        await until(app, "/readyz", is_ready)
        await rows.connection.execute(
            f"ALTER TABLE {rows.jobs} RENAME COLUMN attempted_by TO renamed"
        )
        await rows.insert(worker="w", queue="default")
        bad = await until(app, "/readyz", lambda reply: "claim failed" in reply.reasons)
        assert "'default'" in bad.reasons
        await rows.connection.execute(
            f"ALTER TABLE {rows.jobs} RENAME COLUMN renamed TO attempted_by"
        )
        await until(app, "/readyz", is_ready)


async def test_a_deaf_client_is_not_ready_unless_it_was_told_to_poll(
    make_client: MakeClient, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_client(queues=QUEUES, health_port=0)
    await app.start()
    await until(app, "/readyz", is_ready)
    node = app._node
    assert node is not None
    monkeypatch.setattr(node.upkeep, "hear", lambda payload: None)  # as behind a pooler
    bad = await until(app, "/readyz", lambda reply: "do not arrive" in reply.reasons)
    assert "listen_dsn" in bad.reasons
    assert app.connectivity is Connectivity.ISOLATED
    monkeypatch.undo()
    await until(app, "/readyz", is_ready)
    async with make_client(queues=QUEUES, health_port=0, notifier="polling") as polling:
        reply = await until(polling, "/readyz", is_ready)
        assert reply.body["clients"][polling.config.name]["notifications"] == "polling"
    async with make_client(queues=QUEUES, health_port=0, sonar=False) as trusting:
        await until(trusting, "/readyz", is_ready)


async def test_a_blocked_loop_is_not_ready_and_dead_only_to_a_probe_that_says_so(
    make_client: MakeClient, events: Recorder
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @job
    async def block() -> None:
        begun.set()
        go_on.wait(30)

    app = make_client(queues=QUEUES, health_port=0, loop_blocked_after=0.2)
    await app.start()
    await until(app, "/readyz", is_ready)
    url = app.health_url
    assert url is not None
    found: dict[str, Reply] = {}

    def watch() -> None:
        try:
            assert begun.wait(30)
            while "blocked by job" not in (bad := ask_now(url, "/readyz")).reasons:
                assert not go_on.wait(0.01)
            found["/readyz"] = bad
            for path in ("/healthz", "/healthz?blocked=3600", "/healthz?blocked=0.001"):
                found[path] = ask_now(url, path)
        finally:
            go_on.set()

    watching = asyncio.to_thread(watch)
    task = asyncio.ensure_future(watching)
    await asyncio.sleep(0)
    stored = await app.enqueue(block.new())
    await task
    assert found["/readyz"].status == 503
    assert f"blocked by job {stored.id} for" in found["/readyz"].reasons.replace("been ", "")
    assert found["/healthz"].status == 200
    assert found["/healthz?blocked=3600"].status == 200
    assert found["/healthz?blocked=0.001"].status == 503
    await until(app, "/readyz", is_ready)


async def test_a_heartbeat_that_has_ended_is_death(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_client(queues=QUEUES, health_port=0)
    await app.start()
    node = app._node
    assert node is not None
    await node.supervisor.watchman.stop()
    reply = await ask(app.health_url, "/healthz")
    assert (reply.status, "the heartbeat's thread has ended" in reply.reasons) == (503, True)


async def test_a_loop_that_was_closed_without_a_stop_is_death(dsn: str, prefix: str) -> None:
    def leave() -> Reply:
        async def run() -> Staffa:
            app = Staffa(dsn, name="left", prefix=prefix, queues=QUEUES, health_port=0)
            await app.start()
            return app

        loop = asyncio.new_event_loop()
        app = loop.run_until_complete(run())
        assert app.health_url is not None
        reply = ask_now(app.health_url, "/healthz")
        loop.run_until_complete(app.stop(grace=0))
        loop.close()
        return reply

    reply = await asyncio.to_thread(leave)
    assert (reply.status, "the event loop has ended" in reply.reasons) == (503, True)
