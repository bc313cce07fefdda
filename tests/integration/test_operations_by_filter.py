"""Operations on all jobs of a filter: in portions, beside whatever else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from staffa import Job, JobFilter, Staffa, State, job
from staffa.errors import ConfigError, InvalidJob, OperationInterrupted, UnknownOption
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.rows import Rows

CANCEL = "-- Cancel unfinished jobs"


@pytest.fixture
async def app(make_client: MakeClient) -> AsyncIterator[Staffa]:
    """A client that only sends."""
    async with make_client() as client:
        yield client


async def insert(rows: Rows, count: int, state: str = "available", **columns: Any) -> None:
    """Insert many jobs at once."""
    names = "".join(f", {name}" for name in columns)
    marks = "".join(f", ${place}" for place in range(2, len(columns) + 2))
    await rows.connection.execute(
        f"INSERT INTO {rows.jobs} (worker, state, attempt{names}) SELECT 'tests.Worker', '{state}',"
        f" 1{marks} FROM generate_series(1, $1::int)",
        count,
        *columns.values(),
    )


OPERATIONS = ["cancel_many_jobs", "retry_many_jobs", "delete_many_jobs", "update_many_jobs"]


async def run(app: Staffa, name: str, wanted: Any, **options: Any) -> Any:
    columns = {"priority": 5} if name == "update_many_jobs" else {}
    return await getattr(app, name)(wanted, **options, **columns)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_jobs_of_a_filter_are_changed_and_counted_and_no_others(
    app: Staffa, rows: Rows, name: str
) -> None:
    await insert(rows, 2500, "scheduled", queue="mail")
    await insert(rows, 10, "scheduled", queue="other")
    seen: list[int] = []
    assert await run(app, name, JobFilter(queues=["mail"]), on_progress=seen.append) == 2500
    assert seen == sorted(set(seen))
    assert len(seen) >= 3
    assert seen[-1] == 2500
    states = {"cancel": "cancelled", "retry": "available", "update": "scheduled"}
    expected = {states[key]: 2500 for key in states if name.startswith(key)}
    left = await app.count_jobs(JobFilter(queues=["mail"]))
    assert {state.value: count for (_, state), count in left.items()} == expected
    assert await app.count_jobs(JobFilter(queues=["other"])) == {("other", State.SCHEDULED): 10}
    assert await app.list_jobs(JobFilter(queues=["other"], priorities=[5])) == []


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_filter_that_restricts_nothing_needs_a_word_more(
    app: Staffa, rows: Rows, name: str
) -> None:
    await insert(rows, 3, "scheduled")
    for empty in (JobFilter(), JobFilter(limit=2), JobFilter(args={})):
        with pytest.raises(ConfigError, match="everything=True"):
            await run(app, name, empty)
    assert await rows.count() == {"scheduled": 3}
    assert await run(app, name, JobFilter(queues=[])) == 0
    assert await run(app, name, JobFilter(ids=[])) == 0
    assert await run(app, name, JobFilter(limit=2), everything=True) == 2
    assert await run(app, name, JobFilter(), everything=True) == (3 if "update" in name else 1)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_limit_takes_the_oldest(app: Staffa, rows: Rows, name: str) -> None:
    await insert(rows, 1500, "scheduled")
    assert await run(app, name, JobFilter(states=["scheduled"], limit=1200)) == 1200
    newest = await app.list_jobs(JobFilter(states=["scheduled"], priorities=[0], limit=1500))
    assert len(newest) == 300
    assert newest[-1].id == 1201


@pytest.mark.parametrize("name", OPERATIONS)
async def test_options_of_filters_are_refused_with_ids(app: Staffa, name: str) -> None:
    with pytest.raises(ConfigError, match="JobFilter"):
        await run(app, name, [1], everything=True)
    with pytest.raises(ConfigError, match="JobFilter"):
        await run(app, name, [1], on_progress=print)
    with pytest.raises(InvalidJob, match="JobFilter"):
        await run(app, name, 5)


async def test_only_the_states_that_an_operation_accepts_are_changed(
    app: Staffa, rows: Rows
) -> None:
    for state in State:
        await insert(rows, 2, state.value)
    assert await app.retry_many_jobs(JobFilter(states=["suspended", "executing"])) == 0
    assert await app.cancel_many_jobs(JobFilter(workers=["tests.Worker"])) == 10
    assert await app.retry_many_jobs(JobFilter(workers=["tests.Worker"])) == 16
    await rows.connection.execute(f"UPDATE {rows.jobs} SET state = 'executing' WHERE id < 4")
    assert await app.delete_many_jobs(JobFilter(), everything=True) == 13
    assert await rows.count() == {"executing": 3}


async def test_jobs_written_meanwhile_are_left_alone(app: Staffa, rows: Rows) -> None:
    await insert(rows, 1500)

    async def write_more() -> None:
        await app.enqueue_many(Job(worker="tests.Worker") for _ in range(100))

    tasks: list[asyncio.Task[None]] = []

    def on_progress(done: int) -> None:
        tasks.append(asyncio.create_task(write_more()))

    wanted = JobFilter(workers=["tests.Worker"])
    assert await app.cancel_many_jobs(wanted, on_progress=on_progress) == 1500
    await asyncio.gather(*tasks)
    assert await rows.count() == {"cancelled": 1500, "available": 100 * len(tasks)}


async def test_what_a_progress_callback_raises_ends_the_operation(app: Staffa, rows: Rows) -> None:
    await insert(rows, 1500)

    def enough(done: int) -> None:
        raise RuntimeError(done)

    with pytest.raises(RuntimeError):
        await app.cancel_many_jobs(JobFilter(queues=["default"]), on_progress=enough)
    found = await rows.count()
    assert found["cancelled"] == 1000


async def test_cancelling_a_filter_stops_its_jobs_on_every_node(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    ended: list[int] = []

    @job
    async def wait(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    slow = {"heartbeat": 900, "dead_after": 3600, "poll": 3600}  # only notifications can be in time
    sender = make_client()
    async with (
        make_client(queues={"default": 40}, node="one", **slow) as one,
        make_client(queues={"default": 40}, node="two", **slow) as two,
    ):
        await sender.enqueue_many(wait.options(meta={"group": 7}).new(n) for n in range(79))
        await sender.enqueue(wait.new(79))
        await events.wait("staffa.job.start", 80)
        assert len(one.check_queue("default").running) == 40
        assert len(two.check_queue("default").running) == 40
        assert await sender.cancel_many_jobs(JobFilter(meta={"group": 7})) == 79
        await eventually(lambda: sorted(ended) == list(range(79)), "the end of the group")
        nodes = {"one", "two"}
        cancelled = await sender.list_jobs(JobFilter(states=["cancelled"]))
        assert {entry.attempted_by[0] for entry in cancelled if entry.attempted_by} == nodes
        assert (await rows.count())["executing"] == 1


async def test_cancels_and_outcomes_at_the_same_time_agree_on_every_job(
    make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def quick() -> None:
        await asyncio.sleep(0)

    sender = make_client()
    async with make_client(queues={"default": 50}):
        for _ in range(5):
            await sender.enqueue_many(quick.new() for _ in range(400))
        cancelled = await sender.cancel_many_jobs(JobFilter(queues=["default"]))
        await rows.until_count(
            **{
                state: count
                for state, count in {"cancelled": cancelled, "completed": 2000 - cancelled}.items()
                if count
            }
        )


async def test_a_held_row_is_waited_for_and_keeps_no_other_waiting(
    app: Staffa, rows: Rows, dsn: str
) -> None:
    await insert(rows, 300)
    holder = await asyncpg.connect(dsn)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute(f"SELECT FROM {rows.jobs} WHERE id IN (3, 5) FOR UPDATE")
    task = asyncio.create_task(app.cancel_many_jobs(JobFilter(queues=["default"])))
    await rows.until_count(cancelled=298, available=2)  # committed, while two are waited for
    assert not task.done()
    await holder.execute(f"UPDATE {rows.jobs} SET state = 'completed' WHERE id = 5")
    await transaction.commit()
    await holder.close()
    assert await task == 299
    await rows.until_count(cancelled=299, completed=1)


async def test_a_lost_connection_tells_how_many_were_done_and_the_call_can_be_repeated(
    make_client: MakeClient, rows: Rows, proxy: Proxy
) -> None:
    await insert(rows, 2500)
    app = make_client(dsn=proxy.dsn)

    def lose_the_next(done: int) -> None:
        proxy.lose_reply(CANCEL)

    wanted = JobFilter(states=["available"])
    with pytest.raises(OperationInterrupted, match=r"after 1000 jobs .* repeat") as interrupted:
        await app.cancel_many_jobs(wanted, on_progress=lose_the_next)
    assert interrupted.value.done == 1000
    await rows.until_count(cancelled=2000, available=500)  # the lost one had been committed
    assert await app.cancel_many_jobs(wanted) == 500


async def test_a_conflict_is_tried_again(app: Staffa, rows: Rows) -> None:
    await insert(rows, 10)
    schema = rows.jobs.rpartition(".")[0]
    await rows.connection.execute(
        f"CREATE SEQUENCE {schema}.tries;"
        f"CREATE FUNCTION {schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF"
        f" nextval('{schema}.tries') < 3 THEN RAISE SQLSTATE '40001'; END IF; RETURN NEW; END$$;"
        f"CREATE TRIGGER fail BEFORE UPDATE ON {rows.jobs} FOR EACH STATEMENT"
        f" EXECUTE FUNCTION {schema}.fail()"
    )
    assert await app.cancel_many_jobs(JobFilter(queues=["default"])) == 10


async def test_fifty_thousand_jobs_are_retried_the_oldest_first(app: Staffa, rows: Rows) -> None:
    await insert(rows, 50_000, "discarded")
    assert await app.retry_many_jobs(JobFilter(states=["discarded"])) == 50_000
    assert await rows.count() == {"available": 50_000}
    out_of_order = await rows.connection.fetchval(
        "SELECT count(*) FROM (SELECT scheduled_at < lag(scheduled_at) OVER (ORDER BY id)"
        f" AS earlier FROM {rows.jobs}) AS pair WHERE earlier"
    )
    assert out_of_order == 0


async def test_retried_jobs_of_a_filter_run(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    async def succeed() -> None: ...

    slow = {"heartbeat": 900, "dead_after": 3600, "poll": 3600}  # only the wake-up can be in time
    sender = make_client()
    async with make_client(queues={"default": 10}, **slow):
        await sender.enqueue_many(succeed.options(scheduled_in=3600).new() for _ in range(20))
        assert await sender.retry_many_jobs(JobFilter(states=["scheduled"])) == 20
        await rows.until_count(completed=20)


async def test_columns_of_all_jobs_of_a_filter_are_changed(app: Staffa, rows: Rows) -> None:
    await insert(rows, 5, "retryable", max_attempts=9, queue="slow")
    wanted = JobFilter(queues=["slow"])
    assert await app.update_many_jobs(wanted, {"queue": "quick", "max_attempts": 1}) == 5
    (first, *_) = found = await app.list_jobs(JobFilter(queues=["quick"]))
    assert len(found) == 5
    assert (first.max_attempts, first.attempt) == (1, 1)
    with pytest.raises(ConfigError, match="nothing to change"):
        await app.update_many_jobs(JobFilter(queues=["quick"]))
    with pytest.raises(ConfigError, match="twice"):
        await app.update_many_jobs(wanted, {"priority": 1}, priority=2)
    with pytest.raises(UnknownOption, match="did you mean 'priority'"):
        await app.update_many_jobs(wanted, {"priorty": 1})  # type: ignore[call-overload]


async def test_a_limit_of_attempts_is_never_set_below_those_that_were_used(
    app: Staffa, rows: Rows
) -> None:
    number = await rows.insert(worker="w", state="retryable", attempt=4)
    updated = await app.update_job(number, max_attempts=2)
    assert updated is not None
    assert updated.max_attempts == 4


async def test_all_jobs_of_a_filter_are_streamed_the_newest_first(app: Staffa, rows: Rows) -> None:
    await insert(rows, 250, queue="mail")
    await insert(rows, 250, queue="other")
    numbers = [entry.id async for entry in app.stream_jobs(JobFilter(queues=["mail"]))]
    assert numbers == list(range(250, 0, -1))
    assert len([entry async for entry in app.stream_jobs()]) == 500
    wanted = JobFilter(queues=["mail"], limit=150)
    assert [entry.id async for entry in app.stream_jobs(wanted)] == numbers[:150]
    chosen = [entry.id async for entry in app.stream_jobs(JobFilter(ids=[1, 3, 9999]))]
    assert chosen == [3, 1]
    with pytest.raises(ConfigError, match="no filter"):
        await app.list_jobs({"queues": ["mail"]})  # type: ignore[arg-type]


async def test_a_stream_goes_on_where_it_was_whatever_is_written_or_deleted_meanwhile(
    app: Staffa, rows: Rows
) -> None:
    await insert(rows, 300)
    seen: list[int] = []
    async for entry in app.stream_jobs(JobFilter(queues=["default"])):
        seen.append(entry.id or 0)
        if len(seen) == 150:
            await insert(rows, 50)
            await app.delete_many_jobs([*seen, 1, 2])
    assert seen == list(range(300, 2, -1))
