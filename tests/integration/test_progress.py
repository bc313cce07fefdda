"""Progress and checkpoints of jobs that really run, as others see them in the rows."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from staffa import Batch, Job, Snooze, Workflow, current_job, job
from staffa.errors import InvalidArgs, InvalidJob, JobCancelled
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.rows import Rows

SLOW_BEAT = {"heartbeat": 900, "dead_after": 3600, "poll": 3600}
ACK = "-- Write the outcomes of jobs"
CHECKPOINT = "-- Merge what running jobs note"


def tell(value: float) -> None:
    """Tell progress from deep in the call stack."""
    current_job().progress(value, "deep")


async def test_progress_is_seen_while_the_job_runs_and_the_last_one_afterwards(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job
    async def work() -> None:
        await current_job().progress(0.25, "reading", files=4)
        await go_on.wait()
        for percent in range(26, 100):
            await current_job().progress(percent / 100)

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())

        async def told() -> bool:
            return "progress" in (await rows.get(stored.id))["meta"]

        await eventually(told, "the progress")
        row = await rows.get(stored.id)
        assert row["state"] == "executing"
        assert row["meta"] == {"progress": {"value": 0.25, "note": "reading", "files": 4}}
        go_on.set()
        row = await rows.until(stored.id, "completed")
    assert row["meta"] == {"progress": {"value": 0.99}}


@pytest.mark.parametrize("kind", ["loop", "thread", "thread of a loop", "loop of a thread"])
async def test_progress_can_be_told_from_anywhere_in_the_call_stack(
    kind: str, make_client: MakeClient, rows: Rows
) -> None:
    @job(name="loop")
    async def on_the_loop() -> None:
        tell(0.5)

    @job(name="thread")
    def in_a_thread() -> None:
        tell(0.5)

    @job(name="thread of a loop")
    async def through_a_thread() -> None:
        await asyncio.to_thread(tell, 0.5)

    @job(name="loop of a thread")
    def through_a_loop() -> None:
        async def tell_later() -> None:
            await current_job().progress(0.5, "deep")

        asyncio.run(tell_later())

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(Job(worker=kind))
        row = await rows.until(stored.id, "completed")
    assert row["meta"] == {"progress": {"value": 0.5, "note": "deep"}}


@pytest.mark.parametrize(
    ("result", "state"), [(ValueError("no"), "retryable"), (Snooze(3600), "scheduled")]
)
async def test_the_last_progress_goes_with_every_outcome(
    result: object, state: str, make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def work() -> object:
        for percent in range(100):
            tell(percent / 100)
        if isinstance(result, BaseException):
            raise result
        return result

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        row = await rows.until(stored.id, state)
    assert row["meta"]["progress"] == {"value": 0.99, "note": "deep"}
    assert row["meta"].get("snoozed") == (1 if state == "scheduled" else None)


async def test_jobs_that_tell_progress_all_the_time_make_few_statements(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    begun: list[int] = []
    released = asyncio.Event()

    @job
    async def work() -> None:
        begun.append(1)
        while not released.is_set():
            tell(0.5)
            await asyncio.sleep(0.005)
        tell(1.0)

    async with make_client(dsn=proxy.dsn, queues={"default": 200}) as app:
        await app.enqueue_many(work.new() for _ in range(200))
        await eventually(lambda: len(begun) == 200, "all jobs")

        async def all_told() -> bool:
            text = f"SELECT count(*) FROM {rows.jobs} WHERE meta ? 'progress'"
            return int(await rows.connection.fetchval(text)) == 200

        await eventually(all_told, "the progress of all")
        made = proxy.ran(CHECKPOINT)
        released.set()
        await rows.until_count(completed=200)
    assert made < 50
    text = f"SELECT count(*) FROM {rows.jobs} WHERE meta -> 'progress' ->> 'value' = '1.0'"
    assert await rows.connection.fetchval(text) == 200


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_checkpoint_is_stored_before_its_call_returns_and_found_by_the_next_attempt(
    in_thread: bool, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    stored_at: list[dict[str, Any]] = []
    go_on, reached = threading.Event(), threading.Event()
    resumed: list[Any] = []

    def second() -> bool:
        if current_job().attempt == 2:
            resumed.append(current_job().meta["page"])
        return current_job().attempt == 2

    @job(name="thread", backoff=0)
    def thread() -> None:
        if not second():
            current_job().update_meta({"page": 17}, file="a.csv")
            reached.set()
            go_on.wait(30)
            raise ValueError("a crash after the checkpoint")

    @job(name="loop", backoff=0)
    async def loop() -> None:
        if not second():
            await current_job().update_meta({"page": 17}, file="a.csv")
            reached.set()
            await asyncio.to_thread(go_on.wait, 30)
            raise ValueError("a crash after the checkpoint")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue((thread if in_thread else loop).options(meta={"mine": 1}).new())
        await eventually(reached.is_set, "the return of the call")
        row = await rows.get(stored.id)
        stored_at.append(row["meta"])
        assert row["state"] == "executing"
        go_on.set()
        await rows.until(stored.id, "completed")
    assert stored_at == [{"mine": 1, "page": 17, "file": "a.csv"}]
    assert resumed == [17]


async def test_a_checkpoint_that_would_change_the_flows_of_a_job_is_refused(
    make_client: MakeClient, rows: Rows
) -> None:
    raised: list[str] = []

    @job(name="tests.links")
    async def links(keys: list[str]) -> None:
        for key in keys:
            try:
                await current_job().update_meta({key: "other"})
            except InvalidArgs as error:
                raised.append(str(error))
        await current_job().update_meta(mine=1)

    own = ["callback", "name", "cascade", "graft"]
    flow = Workflow().add("step", links.new(["batch_id", *own]))
    async with make_client(queues={"default": 5}) as app:
        plain = await app.enqueue(links.new(["batch_id", "workflow_id", "chain_id"]))
        batch = await app.enqueue(Batch([links.new(["callback"])], on_completed=links.new([])))
        workflow = await app.enqueue(flow)
        assert (await batch.wait(timeout=30)).counts["completed"] == 1
        assert (await workflow.wait(timeout=30)).counts["completed"] == 1
        unlinked = await app.enqueue(links.new(own))
        await rows.until(plain.id, "completed")
        await rows.until(unlinked.id, "completed")
    assert len(raised) == 3 + 1 + 5
    assert "meta's 'batch_id' tells what the job is in its workflow, batch or chain" in raised[0]


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_checkpoint_after_the_lease_ended_raises_that_the_job_was_cancelled(
    in_thread: bool, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    go_on = threading.Event()
    raised: list[BaseException] = []

    @job(name="thread")
    def thread() -> None:
        go_on.wait(30)
        current_job().progress(0.5)
        try:
            current_job().update_meta(page=1)
        except JobCancelled as error:
            raised.append(error)
            raise

    @job(name="loop")
    async def loop() -> None:
        await asyncio.to_thread(go_on.wait, 30)
        await current_job().progress(0.5)
        try:
            await current_job().update_meta(page=1)
        except JobCancelled as error:
            raised.append(error)
            raise

    async with make_client(queues={"default": 1}, **SLOW_BEAT) as app:
        stored = await app.enqueue((thread if in_thread else loop).new())
        await events.wait("staffa.job.start")
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'cancelled', cancelled_at = now()"
        )
        go_on.set()
        await events.wait("staffa.job.lease_lost")
    assert [str(error) for error in raised] == [
        f"job {stored.id} is not ours any more: it should stop"
    ]
    row = await rows.get(stored.id)
    assert (row["state"], row["meta"], row["errors"]) == ("cancelled", {}, [])


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_checkpoint_waits_through_an_outage_and_is_stored_then(
    in_thread: bool, make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    go_on = threading.Event()
    passed: list[int] = []

    @job(name="thread")
    def thread() -> None:
        go_on.wait(30)
        current_job().progress(0.5)
        current_job().update_meta(page=1)
        passed.append(1)

    @job(name="loop")
    async def loop() -> None:
        await asyncio.to_thread(go_on.wait, 30)
        current_job().progress(0.5)
        await current_job().update_meta(page=1)
        passed.append(1)

    async with make_client(dsn=proxy.dsn, queues={"default": 1}) as app:
        stored = await app.enqueue((thread if in_thread else loop).new())
        await events.wait("staffa.job.start")
        await proxy.close()
        go_on.set()
        await events.until(
            lambda: any("jobs note" in str(event.data.get("what")) for event in events.events),
            "an attempt to write",
        )
        assert passed == []
        assert (await rows.get(stored.id))["meta"] == {}
        await proxy.open()
        row = await rows.until(stored.id, "completed")
    assert passed == [1]
    assert row["meta"] == {"page": 1, "progress": {"value": 0.5}}


async def test_a_checkpoint_whose_reply_was_lost_is_stored(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    @job
    async def work() -> None:
        await current_job().update_meta(page=1)

    async with make_client(dsn=proxy.dsn, queues={"default": 1}) as app:
        proxy.lose_reply(CHECKPOINT)
        stored = await app.enqueue(work.new())
        await proxy.caught()
        row = await rows.until(stored.id, "completed")
    assert row["meta"] == {"page": 1}


@pytest.mark.parametrize("snoozes", [False, True])
async def test_an_outcome_with_progress_whose_reply_was_lost_is_known_to_be_written(
    snoozes: bool, make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    @job
    async def work() -> Snooze | None:
        for value in (0.1, 1e-7, 0.3):
            current_job().progress(value, size=1e23, pair=(1, 2))
        return Snooze(3600) if snoozes else None

    state = "scheduled" if snoozes else "completed"
    async with make_client(dsn=proxy.dsn, queues={"default": 1}) as app:
        proxy.lose_reply(ACK)
        stored = await app.enqueue(work.new())
        await proxy.caught()
        await events.wait(f"staffa.job.{state}")
    assert events.of("staffa.job.lease_lost") == []
    row = await rows.get(stored.id)
    assert (row["state"], row["meta"]["progress"]["value"]) == (state, 0.3)


async def test_data_that_the_database_refuses_fails_its_own_job_alone(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    schema = rows.jobs.rpartition(".")[0]
    await rows.connection.execute(
        f"CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE 'too large' USING ERRCODE = 'program_limit_exceeded'; END$$;"
        f"CREATE TRIGGER refuse BEFORE UPDATE ON {rows.jobs} FOR EACH ROW"
        f" WHEN (NEW.meta ? 'huge') EXECUTE FUNCTION {schema}.refuse()"
    )
    raised: list[BaseException] = []

    @job
    async def bad() -> None:
        try:
            await current_job().update_meta(huge=True)
        except InvalidJob as error:
            raised.append(error)

    @job
    async def good(number: int) -> None:
        current_job().progress(0.5)
        await current_job().update_meta(number=number)

    async with make_client(queues={"default": 100}) as app:
        made = [good.new(number) for number in range(60)]
        await app.enqueue_many([*made[:30], bad.new(), *made[30:]])
        await rows.until_count(completed=61)
    assert [str(error).partition(":")[0] for error in raised] == ["meta can't be stored"]
    text = f"SELECT count(*) FROM {rows.jobs} WHERE meta ? 'number'"
    assert await rows.connection.fetchval(text) == 60


async def test_what_is_no_json_is_refused_where_it_is_written(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    raised: list[str] = []

    async def tell() -> None:
        await current_job().progress(0.5, at=object())

    async def write() -> None:
        await current_job().update_meta(at="a\x00b")

    async def write_odd_keys() -> None:
        await current_job().update_meta({3: 4})  # type: ignore[dict-item]

    @job
    async def work() -> None:
        for call in (tell, write, write_odd_keys):
            try:
                await call()
            except InvalidArgs as error:
                raised.append(str(error))

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        row = await rows.until(stored.id, "completed")
    assert len(raised) == 3
    assert row["meta"] == {}


async def test_what_outlives_its_job_tells_nothing_more(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()
    left: list[asyncio.Task[None]] = []
    raised: list[type[BaseException]] = []

    @job
    async def work() -> None:
        left.append(asyncio.get_running_loop().create_task(linger()))

    async def linger() -> None:
        await go_on.wait()
        current_job().progress(1.0)
        try:
            await current_job().update_meta(page=1)
        except JobCancelled as error:
            raised.append(type(error))

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await rows.until(stored.id, "completed")
        go_on.set()
        await asyncio.wait(left)
    assert raised == [JobCancelled]
    assert (await rows.get(stored.id))["meta"] == {}


async def test_a_process_that_stops_leaves_no_checkpoint_waiting(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    raised: list[type[BaseException]] = []
    go_on = threading.Event()

    @job
    def work() -> None:
        go_on.wait(30)
        try:
            current_job().update_meta(page=1)
        except JobCancelled as error:
            raised.append(type(error))
            raise

    app = make_client(dsn=proxy.dsn, queues={"default": 1}, shutdown_grace=0)
    await app.start()
    await app.enqueue(work.new())
    await events.wait("staffa.job.start")
    await proxy.close()
    go_on.set()
    await events.until(
        lambda: any("jobs note" in str(event.data.get("what")) for event in events.events),
        "an attempt to write",
    )
    async with asyncio.timeout(60):
        await app.stop()
    await eventually(lambda: raised, "the end of the thread")
    assert raised == [JobCancelled]
