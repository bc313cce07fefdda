"""A server of the test's own that crashes, recovers, and is replaced by its standby."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from staffa import job
from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from staffa.notifiers import postgres as notifier
from tests.chaos import marks
from tests.chaos.history import Step
from tests.chaos.witness import Witness, watching
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows
from tests.support.schemas import new_name
from tests.support.server import Server

CALM = {"heartbeat": 0.2, "dead_after": 6.0}
PATIENT = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that tests may do to what they like, if they leave it running."""
    made = Server()
    asyncio.run(made.open())
    yield made
    asyncio.run(made.close())


@pytest.fixture(scope="module")
def dsn(server: Server) -> str:
    """The database of these tests."""
    return server.dsn


@pytest.fixture
async def prefix(dsn: str) -> str:
    """A migrated schema, which goes with the server."""
    name = new_name()
    await make_migrator(dsn, name).up()
    return name


async def test_a_server_that_stops_at_once_in_the_middle_of_everything_loses_nothing(
    server: Server, make_client: MakeClient, witness: Witness, events: Recorder
) -> None:
    async with (
        make_client(queues={"default": 5}, **CALM) as one,
        make_client(queues={"default": 5}, **CALM),
    ):
        for _ in range(3):
            done = len(events.of("staffa.job.completed"))
            await witness.enqueue(one, 40)
            await events.until(lambda: len(events.of("staffa.job.completed")) > done + 5)  # noqa: B023
            under_way = [asyncio.create_task(witness.enqueue(one, 10)) for _ in range(4)]
            await asyncio.sleep(0)
            async with server.stopped():
                await asyncio.gather(*under_way)
                errors = len(events.of("staffa.error"))
                await events.wait("staffa.error", errors + 10)
        history = await witness.settled(PATIENT)
        assert witness.committed >= 3 * 40
        assert history.steps(Step.RESCUE) == 0  # nobody died


async def test_a_server_that_stops_at_once_in_the_middle_of_a_rescue_loses_nothing(
    server: Server, make_client: MakeClient, prefix: str, rows: Rows, events: Recorder
) -> None:
    @job(name="rescued")
    async def note() -> None: ...

    dead = "0e6ea9f5-2d8b-4b3e-9f0a-3c2f3f9d7c10"
    schema = quote_identifier(prefix)
    await rows.connection.execute(
        f"CREATE FUNCTION {schema}.stall() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END';"
        f"CREATE TRIGGER stall BEFORE UPDATE ON {rows.jobs} FOR EACH ROW"
        " WHEN (OLD.state = 'executing' AND NEW.state = 'available')"
        f" EXECUTE FUNCTION {schema}.stall();"
        f"INSERT INTO {rows.producers} (uuid, name, node) VALUES ('{dead}', 'Oban', 'node-a');"
        "SELECT pg_advisory_lock(4711)"
    )
    number = await rows.insert(
        worker="rescued", state="executing", attempt=1, max_attempts=1,
        attempted_by=f'{{node-a,"{dead}"}}', attempted_at="2020-01-01 00:00:00",
    )  # fmt: skip

    async def rescuing() -> bool:
        text = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
        return bool(await rows.connection.fetchval(text))

    async with make_client(queues={"default": 1}):
        await eventually(rescuing, "the rescue")
        async with server.stopped():
            pass
        connection = await asyncpg.connect(server.dsn)
        row = await Rows(connection, prefix).until(number, "completed", PATIENT)
        await connection.close()
    assert (row["attempt"], row["meta"]) == (1, {"rescued": 1})
    assert len(events.of("staffa.job.start")) == 1


async def test_a_demoted_primary_is_left_and_the_promoted_standby_is_found(
    server: Server,
    prefix: str,
    make_client: MakeClient,
    events: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old primary stays, reads and notifies: all that it refuses is to be written to."""
    monkeypatch.setattr(notifier, "PROBE_SECONDS", 0.3)

    if not server.replicates:
        pytest.skip("the PostgreSQL at hand has no pg_basebackup")
    async with Server(server) as standby:
        both = (
            f"postgresql://postgres@127.0.0.1:{server.port},127.0.0.1:{standby.port}/postgres"
            "?sslmode=disable&target_session_attrs=read-write"
        )
        async with watching(both, prefix) as witness:
            listening = {"poll": 3600.0, **CALM}
            async with make_client(dsn=both, queues={"default": 5}, **listening) as app:
                await witness.enqueue(app, 30)
                await events.wait("staffa.job.completed", 30)
                await server.execute(
                    "ALTER SYSTEM SET default_transaction_read_only = on",
                    "SELECT pg_reload_conf()",
                )
                marks.close()  # or the jobs themselves would go on writing there
                await _follow(server, standby)
                await standby.promote()
                await events.until(lambda: "25006" in _sqlstates(events), "a refusal")
                await events.wait("staffa.notifier.reconnected")
                sender = make_client(dsn=both, **CALM)
                await witness.enqueue(sender, 30)
                await witness.settled(PATIENT)
                assert await _sessions(server) == 0
    await server.execute(
        "SET default_transaction_read_only = off",
        "ALTER SYSTEM RESET default_transaction_read_only",
        "SELECT pg_reload_conf()",
    )


def _sqlstates(events: Recorder) -> list[str | None]:
    return [getattr(event.data["error"], "sqlstate", None) for event in events.of("staffa.error")]


async def _follow(primary: Server, standby: Server) -> None:
    """Wait until the standby has all that the primary has committed."""
    source, target = await asyncpg.connect(primary.dsn), await asyncpg.connect(standby.dsn)
    written = await source.fetchval("SELECT pg_current_wal_lsn()::text")

    async def caught_up() -> bool:
        text = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"
        return bool(await target.fetchval(text, written))

    await eventually(caught_up, "the standby")
    await source.close()
    await target.close()


async def _sessions(server: Server) -> int:
    connection = await asyncpg.connect(server.dsn)
    text = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'staffa'"
    found = int(await connection.fetchval(text))
    await connection.close()
    return found
