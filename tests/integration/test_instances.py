"""Several clients of one process: on schemas of one database, and on two databases."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from staffa import Cron, Job, Staffa, State, Worker, get_instance, instance, job, worker
from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from staffa.errors import ConfigError, InstanceError, InvalidJob
from tests.conftest import MakeClient
from tests.support.database import create_database, drop_database
from tests.support.events import Recorder, eventually

Pair = tuple[Staffa, Staffa]


@pytest.fixture(params=["two schemas of one database", "two databases"])
async def pair(
    request: pytest.FixtureRequest, make_client: MakeClient, dsn: str, server_dsn: str
) -> AsyncIterator[Pair]:
    """Two clients, named a and b, with the same queues on different places."""
    apart = request.param == "two databases"
    prefix = f'Other "{uuid.uuid4().hex[:8]}" jobs'
    other = await create_database(server_dsn) if apart else dsn
    await make_migrator(other, prefix).up()
    queues = {"default": 5, "mail": 2}
    first = make_client(name="a", queues=queues)
    second = make_client(name="b", queues=queues, dsn=other, prefix=prefix)
    yield first, second
    await second.stop(grace=0)
    if apart:
        await drop_database(server_dsn, other)
    else:
        connection = await asyncpg.connect(dsn)
        await connection.execute(f"DROP SCHEMA {quote_identifier(prefix)} CASCADE")
        await connection.close()


async def jobs_of(app: Staffa) -> list[Any]:
    """Return the args of a client's jobs."""
    return [stored.args async for stored in app.stream_jobs()]


async def test_clients_that_run_at_once_have_jobs_events_and_leaders_of_their_own(
    pair: Pair, events: Recorder
) -> None:
    ran: list[tuple[str, str]] = []

    @job
    async def note(name: str) -> None:
        ran.append((name, (await app_of(name).list_jobs())[0].args["name"]))

    def app_of(name: str) -> Staffa:
        return Staffa.get_instance(name)

    first, second = pair
    await asyncio.gather(first.start(), second.start())
    await events.wait("staffa.leader.elected", 2)
    await note.options(instance="a").enqueue("a")
    await note.options(instance="b").enqueue("b")
    ended = await events.wait("staffa.job.completed", 2)
    assert sorted(ran) == [("a", "a"), ("b", "b")]
    for event in ended:
        assert event.data["job"].args == {"name": event.instance}
    assert {event.instance for event in events.of("staffa.leader.elected")} == {"a", "b"}
    await second.stop()
    assert first.started
    await note.options(instance="a").enqueue("a")
    await events.wait("staffa.job.completed", 3)


async def test_what_is_done_to_the_queues_of_one_does_not_reach_the_other(pair: Pair) -> None:
    first, second = pair
    await asyncio.gather(first.start(), second.start())
    await first.pause_queue("default")
    await first.scale_queue("mail", limit=9)
    await asyncio.to_thread(second.sync.stop_queue, "mail")
    for app in pair:  # what was sent before is heard before this one's answer
        await app.scale_queue("default", limit=3)
    await eventually(lambda: second.check_queue("default").limit == 3)
    seen = [
        {check.queue: (check.limit, check.paused) for check in app.check_all_queues()}
        for app in pair
    ]
    assert seen == [{"default": (3, True), "mail": (9, False)}, {"default": (3, False)}]


async def test_the_option_instance_chooses_the_client(pair: Pair) -> None:
    @job(instance="b")
    async def bound(number: int) -> None: ...

    @worker(instance="a")
    class Bound(Worker):
        async def process(self, job: Job) -> None: ...

    first, second = pair
    await bound.enqueue(1)
    await bound.options(instance="a").enqueue(2)
    await asyncio.to_thread(bound.enqueue_sync, 3)
    await asyncio.to_thread(bound.options(instance="a").enqueue_sync, 4)
    await Bound.enqueue({"number": 5})
    await Bound.enqueue({"number": 6}, instance="b")
    await asyncio.to_thread(Bound.enqueue_sync, {"number": 7}, instance="b")
    await first.enqueue(bound.new(8))  # a client that is given a job takes it
    found = [sorted(args["number"] for args in await jobs_of(app)) for app in pair]
    assert found == [[2, 4, 5, 8], [1, 3, 6, 7]]
    assert get_instance("b") is second
    assert Staffa.get_instance("a") is first


async def test_among_several_one_must_be_chosen(pair: Pair) -> None:
    @job
    async def free() -> None: ...

    @job(instance="c")
    async def lost() -> None: ...

    with pytest.raises(InstanceError, match=r"no client is named 'Oban': there are 'a', 'b'"):
        await free.enqueue()
    with pytest.raises(InstanceError, match=r"no client is named 'c': there are 'a', 'b'"):
        await lost.enqueue()
    assert [await app.count_jobs() for app in pair] == [{}, {}]


async def test_a_job_that_is_bound_to_another_instance_runs_where_its_row_is(
    pair: Pair, events: Recorder
) -> None:
    @job(instance="b")
    async def bound() -> None: ...

    first, _ = pair
    await first.start()
    await first.enqueue(bound.new())
    (ended,) = await events.wait("staffa.job.completed")
    assert ended.instance == "a"


async def test_entries_of_cron_belong_to_the_instance_of_their_worker(pair: Pair) -> None:
    @job(instance="a", cron=Cron("@yearly", name="same"))
    async def of_a() -> None: ...

    @job(cron=[Cron("@yearly", name="same", instance="b"), Cron("@monthly", name="all")])
    async def of_b() -> None: ...

    first, second = pair
    await asyncio.gather(first.start(), second.start())

    async def entries(app: Staffa) -> list[tuple[str, bool]]:
        return [(entry.name, entry.worker == of_a.worker_name) for entry in await app.list_crons()]

    async def both() -> bool:
        return len(await entries(first)) == len(await entries(second)) == 2

    await eventually(both)
    assert await entries(first) == [("all", False), ("same", True)]
    assert await entries(second) == [("all", False), ("same", False)]
    made = await second.run_cron("same")
    assert made.id is not None
    assert len(await jobs_of(first)) == 0


async def test_an_entry_of_one_instance_in_the_settings_of_another_is_refused(
    make_client: MakeClient,
) -> None:
    app = make_client(
        name="a", queues={"default": 1}, cron=[Cron("@daily", worker="x.y", instance="b")]
    )
    with pytest.raises(ConfigError, match="has instance='b': leave it out"):
        await app.start()


def test_two_entries_of_one_name_are_refused_where_one_client_would_have_both() -> None:
    @job(cron=Cron("@daily", name="nightly", instance="a"))
    async def first() -> None: ...

    with pytest.raises(ConfigError, match="two cron entries are named 'nightly'"):

        @job(cron=Cron("@daily", name="nightly"))
        async def second() -> None: ...

    with pytest.raises(ConfigError, match="two cron entries are named 'nightly'"):

        @job(cron=Cron("@daily", name="nightly"), instance="a")
        async def third() -> None: ...


@pytest.mark.parametrize("name", [5, "", "x" * 200, None])
def test_a_name_that_no_client_can_have_is_refused_where_it_is_written(name: Any) -> None:
    if name is None:
        assert Job(worker="a.b", instance=None).instance is None
        return
    with pytest.raises(InvalidJob, match=r"instance .* is no name"):
        job(instance=name)(jobs_of)
    with pytest.raises(InvalidJob, match=r"instance .* is no name"):
        Job(worker="a.b", instance=name)


def test_without_any_client_the_error_names_the_one_that_is_missing() -> None:
    @job(instance="billing")
    def bound() -> None: ...

    with pytest.raises(InstanceError, match=r"app = Staffa\(dsn, name='billing'\)"):
        bound.enqueue_sync()


async def test_stored_jobs_know_no_instance(make_client: MakeClient) -> None:
    app = make_client()
    stored = await app.enqueue(Job(worker="a.b", instance="elsewhere"))
    found = await app.get_job(stored)
    assert found is not None
    assert (found.instance, found.state) == (None, State.AVAILABLE)
    assert instance.get(app.config.name) is app
