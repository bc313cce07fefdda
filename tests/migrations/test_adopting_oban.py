"""The tables that the Python package `oban` itself has made are adopted, while it works on them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from staffa import Job, Staffa, job
from staffa.adoption import Origin
from staffa.client.backend import Adoption, make_adoption
from tests.conftest import QUICK
from tests.migrations.catalogue import read_catalogue
from tests.migrations.dump import dump_schema
from tests.support.events import Recorder, eventually
from tests.support.foreign_schemas import PYTHON, make_foreign_schema
from tests.support.oban_peer import ObanPeer, oban_peer

NOTE = "peer_program.Note"


@pytest.fixture
async def place(connection: asyncpg.Connection) -> AsyncIterator[str]:
    """A schema whose name needs no quotes, with a table for the peer's jobs to note their runs."""
    name = f"adopting_{uuid.uuid4().hex[:8]}"
    await connection.execute(f"CREATE SCHEMA {name}")
    await connection.execute(
        f"CREATE TABLE {name}.runs (job_id bigint, side text, at timestamptz DEFAULT now())"
    )
    yield name
    await connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
async def peer(dsn: str, place: str, tmp_path: Path) -> AsyncIterator[ObanPeer]:
    """A program of the package, which has made its tables; it does not work yet."""
    async with oban_peer(dsn, place, tmp_path / "peer.log", queues={"theirs": 5}) as made:
        await made.install()
        yield made


@pytest.fixture
def adoption(dsn: str, place: str) -> Adoption:
    """What adopts them."""
    return make_adoption(dsn, place)


async def adopt(adoption: Adoption) -> None:
    await adoption.migrator.adopt(adoption.tables.examine)
    await adoption.migrator.up()


@pytest.mark.usefixtures("peer")
async def test_its_tables_are_those_of_the_other_tests_and_are_left_as_they_were(
    adoption: Adoption, connection: asyncpg.Connection, dsn: str, place: str, empty_prefix: str
) -> None:
    await make_foreign_schema(connection, PYTHON, empty_prefix)
    before = await read_catalogue(connection, place)
    only_there = ("runs", "oban_count_estimate")
    assert [part for part in before if not any(name in part for name in only_there)] == (
        await read_catalogue(connection, empty_prefix)
    )
    dumped = await asyncio.to_thread(dump_schema, dsn, place)
    await adopt(adoption)
    await adoption.migrator.down(0)
    assert await read_catalogue(connection, place) == before
    assert await asyncio.to_thread(dump_schema, dsn, place) == dumped


async def test_it_works_on_while_its_tables_are_adopted_and_left(
    adoption: Adoption,
    connection: asyncpg.Connection,
    dsn: str,
    place: str,
    peer: ObanPeer,
    events: Recorder,
) -> None:
    ran: list[int] = []

    @job(name="ours.note", queue="ours")
    async def note(number: int) -> None:
        ran.append(number)

    async def count(state: str) -> int:
        found: int = await connection.fetchval(
            f"SELECT count(*) FROM {place}.oban_jobs WHERE state::text = $1", state
        )
        return found

    before = await read_catalogue(connection, place)
    await peer.enqueue_same(400, worker=NOTE, queue="theirs")
    await peer.start()
    await asyncio.gather(adopt(adoption), peer.enqueue_same(400, worker=NOTE, queue="theirs"))

    async def is_led() -> bool:
        _, _, neighbours = await adoption.tables.describe()
        return [one.node for one in neighbours.leading] == ["peer"]

    await eventually(is_led, "the peer to lead")
    origin, _, neighbours = await adoption.tables.describe()
    assert origin is Origin.PYTHON
    assert [(one.node, one.queue) for one in neighbours.producing] == [("peer", "theirs")]

    client = Staffa(dsn, prefix=place, name="ours", queues={"ours": 5}, **QUICK)
    async with client:
        await asyncio.gather(
            peer.enqueue_same(50, worker="ours.note", queue="ours"),
            client.enqueue_many(Job(worker=NOTE, queue="theirs") for _ in range(50)),
        )
        await events.wait("staffa.job.completed", 50)
        await eventually(lambda: len(ran) == 50, "ours to run theirs")

    async def all_done() -> bool:
        return await count("completed") == 900

    await eventually(all_done, "all jobs to end")
    await asyncio.gather(
        adoption.migrator.down(0), peer.enqueue_same(100, worker=NOTE, queue="theirs")
    )

    async def rest_done() -> bool:
        return await count("completed") == 1000

    await eventually(rest_done, "the rest to end")
    await peer.stop()
    assert await read_catalogue(connection, place) == before
    runs = await connection.fetchrow(
        f"SELECT count(*) AS runs, count(DISTINCT job_id) AS jobs FROM {place}.runs"
    )
    assert runs is not None
    assert (runs["runs"], runs["jobs"]) == (950, 950)
    assert sorted(ran) == list(range(50))
