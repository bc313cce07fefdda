"""Fixtures of all tests; what has no need of a database does not ask for one."""

from __future__ import annotations

import asyncio
import gc
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest

from staffa import Staffa, instance, registry, telemetry
from staffa.cron import declared
from tests.support.database import create_database, drop_database, running_server
from tests.support.events import Recorder
from tests.support.schemas import Schemas, new_name

MakeClient = Callable[..., Staffa]

QUICK: dict[str, Any] = {"poll": 0.05, "heartbeat": 0.1, "dead_after": 0.5, "leader_lease": 1.5}
"""Settings under which what takes seconds in production takes fractions of one."""


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking all collected tests again and again.

    And have Ctrl-C reach the programs of tests: a shell in the background of a script ignores it,
    and with it all that it starts.
    """
    gc.collect()
    gc.freeze()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """A server on which databases may be made."""
    with running_server() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def dsn(server_dsn: str) -> Iterator[str]:
    """The database of this process of the test run."""
    made = asyncio.run(create_database(server_dsn))
    yield made
    asyncio.run(drop_database(server_dsn, made))


@pytest.fixture(scope="session")
def schemas(dsn: str) -> Iterator[Schemas]:
    """The schemas of this process of the test run."""
    made = Schemas(dsn)
    yield made
    made.close()


@pytest.fixture
def empty_prefix(schemas: Schemas) -> Iterator[str]:
    """The name of a schema that does not exist yet, and is dropped at the end."""
    name = new_name()
    yield name
    schemas.drop(name)


@pytest.fixture
async def prefix(schemas: Schemas) -> AsyncIterator[str]:
    """A migrated, empty schema, which no other test uses now."""
    name = await schemas.take()
    yield name
    schemas.give_back(name)


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    made = await asyncpg.connect(dsn)
    yield made
    await made.close()


@pytest.fixture
async def events() -> AsyncIterator[Recorder]:
    """What happens during the test."""
    recorder = Recorder()
    telemetry.attach(recorder)
    yield recorder
    telemetry.detach(recorder)


@pytest.fixture
async def make_client(dsn: str, prefix: str) -> AsyncIterator[MakeClient]:
    """Makes clients on the test's schema, each stopped at the end."""
    made: list[Staffa] = []

    def make(**options: Any) -> Staffa:
        options = {"name": f"test-{uuid.uuid4().hex[:8]}", "prefix": prefix, **QUICK, **options}
        made.append(Staffa(options.pop("dsn", dsn), **options))
        return made[-1]

    yield make
    for client in made:
        await client.stop(grace=0)


@pytest.fixture(autouse=True)
def forget_workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test register workers of its own, also under names that others use.

    Entries of cron that other modules declare would run in every client, and their workers of
    chunks would change how every client claims: they are forgotten.
    """
    own = f"{request.module.__name__}."
    chunked = [
        worker for worker in registry._chunked if worker.source.startswith((own, "tests.support."))
    ]
    entries = {name: entry for name, entry in declared._declared.items() if name.startswith(own)}
    monkeypatch.setattr(registry, "_definitions", dict(registry._definitions))
    monkeypatch.setattr(registry, "_chunked", tuple(chunked))
    monkeypatch.setattr(declared, "_declared", entries)
    monkeypatch.setattr(instance, "_clients", type(instance._clients)())
