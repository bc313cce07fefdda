"""Fixtures of tests on real processes and real outages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from staffa import Staffa, instance
from staffa.client.backend import make_backend
from staffa.config import Config
from staffa.engine import Engine
from staffa.notifiers.postgres import PostgresNotifier
from tests.chaos.witness import Witness, watching
from tests.conftest import MakeClient
from tests.support.app import PROMPT
from tests.support.crons import Crons
from tests.support.places import KINDS, Clients, make_place
from tests.support.processes import Spawn, WorkerProcess
from tests.support.proxy import Proxy
from tests.support.queue_control import ONLY_BEATS, SLOW, Operate
from tests.support.rows import Heard, Rows


@pytest.fixture
def spawn(dsn: str, prefix: str, tmp_path: Path) -> Iterator[Spawn]:
    """Starts worker processes on the test's schema, each ended with the test."""
    made: list[WorkerProcess] = []

    def start(**options: Any) -> WorkerProcess:
        log = tmp_path / f"process-{len(made)}.log"
        made.append(WorkerProcess(dsn, prefix, log, **{**PROMPT, **options}))
        return made[-1]

    yield start
    for process in made:
        process.kill()


@pytest.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    """Stands between clients and the server."""
    async with Proxy(dsn) as running:
        yield running


@pytest.fixture
async def witness(dsn: str, prefix: str) -> AsyncIterator[Witness]:
    """Watches the test's schema."""
    async with watching(dsn, prefix) as watched:
        yield watched


@pytest.fixture
async def heard(connection: asyncpg.Connection, prefix: str) -> Heard:
    """The queues that were notified of."""
    found: Heard = []

    def hear(_: object, __: int, ___: str, payload: object) -> None:
        found.append(json.loads(str(payload))["queue"])

    await connection.add_listener(f"{prefix}.oban_insert", hear)
    return found


@pytest.fixture
async def rows(connection: asyncpg.Connection, prefix: str) -> Rows:
    """The tables, beside Staffa."""
    made = Rows(connection, prefix)
    await made.leave_out_others()
    return made


@pytest.fixture
def crons(rows: Rows) -> Crons:
    """The rows of cron's entries, beside Staffa."""
    return Crons(rows)


@pytest.fixture
async def engines(dsn: str, prefix: str) -> AsyncIterator[list[Engine]]:
    """Engines as several processes have them."""
    made = [
        make_backend(Config(dsn=dsn, prefix=prefix), dsn, lambda: None).engine for _ in range(2)
    ]
    yield made
    for engine in made:
        await engine.close()


@pytest.fixture
def operate(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> Operate:
    """Makes clients of one name, which a single process may not have."""
    monkeypatch.setattr(instance, "register", lambda name, client: None)

    def make(app: Staffa, **options: Any) -> Staffa:
        return make_client(name=app.config.name, **options)

    return make


@pytest.fixture(params=["notifications alone", "heartbeats alone"])
def speed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings under which changes arrive in one way only."""
    if request.param == "notifications alone":
        return SLOW

    async def lose(notifier: PostgresNotifier, messages: Iterable[object]) -> None: ...

    monkeypatch.setattr(PostgresNotifier, "notify", lose)
    return ONLY_BEATS


@pytest.fixture
async def nodes(make_client: MakeClient) -> AsyncIterator[list[Staffa]]:
    """Two nodes on one schema."""
    async with AsyncExitStack() as stack:
        made = [
            make_client(name=f"node-{number}", node=f"node-{number}", queues={"default": 8})
            for number in range(2)
        ]
        for app in made:
            await stack.enter_async_context(app)
        yield made


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """A migrated database of either kind, as a client takes it."""
    return make_place(request.param, request, tmp_path)


@pytest.fixture
async def make(place: dict[str, Any]) -> AsyncIterator[MakeClient]:
    """Makes clients on it, each stopped at the end."""
    clients = Clients(place)
    yield clients
    await clients.stop()
