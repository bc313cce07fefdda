"""Queues are paused, resumed, scaled, started and stopped, from any client, on one node or all.

Heartbeats and polls are set to an hour where only a notification can be in time, and notifications
are swallowed where only the heartbeat can.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid5

import pytest

from staffa import Queue, job
from staffa.errors import ConfigError, InstanceError
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.queue_control import SLOW, Operate, check, until
from tests.support.rows import Rows


async def test_a_queue_is_paused_and_resumed_by_a_client_that_runs_nothing(
    speed: dict[str, Any], make_client: MakeClient, rows: Rows, events: Recorder, operate: Operate
) -> None:
    go_on = asyncio.Event()

    @job
    async def wait() -> None:
        await go_on.wait()

    async with make_client(queues={"default": 2}, name="worker", **speed) as app:
        operator = operate(app)
        running = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        await operator.pause_queue("default")
        await until(app, paused=True)
        assert check(app).running == (running.id,)  # type: ignore[union-attr]
        go_on.set()
        await rows.until(running.id, "completed")
        waiting = await app.enqueue(wait.new())
        await operator.enqueue(wait.new())
        app._node.wake_all()  # type: ignore[union-attr]
        await until(app, running=())
        assert (await rows.get(waiting.id))["state"] == "available"
        await operator.resume_queue("default")
        await rows.until_count(completed=3)
        assert check(app).paused is False  # type: ignore[union-attr]
    assert [event.data["queue"] for event in events.of("staffa.queue.paused")] == ["default"]
    resumed = events.of("staffa.queue.resumed")[0]
    assert (resumed.instance, resumed.data["producer"].node) == ("worker", app.config.node)


async def test_a_queue_is_scaled_up_and_down_and_running_jobs_go_on(
    speed: dict[str, Any], make_client: MakeClient, events: Recorder, operate: Operate
) -> None:
    go_on = asyncio.Semaphore(0)

    @job
    async def wait() -> None:
        await go_on.acquire()

    async with make_client(queues={"default": 1}, **speed) as app:
        operator = operate(app)
        await app.enqueue_many(wait.new() for _ in range(10))
        await events.wait("staffa.job.start", 1)
        await operator.scale_queue("default", limit=4)
        await events.wait("staffa.job.start", 4)
        assert len(app.check_queue("default").running) == 4
        await operator.scale_queue("default", limit=2)
        await until(app, limit=2)
        assert len(app.check_queue("default").running) == 4
        for left in (3, 2):
            go_on.release()
            await eventually(lambda: len(app.check_queue("default").running) == left)  # noqa: B023
        assert len(events.of("staffa.job.start")) == 4
        go_on.release()
        await events.wait("staffa.job.start", 5)
        for _ in range(9):
            go_on.release()
        await events.wait("staffa.job.completed", 10)
    assert [event.data["limit"] for event in events.of("staffa.queue.scaled")] == [4, 2]


async def test_a_queue_is_started_and_stopped_and_running_jobs_go_on(
    speed: dict[str, Any], make_client: MakeClient, rows: Rows, events: Recorder, operate: Operate
) -> None:
    go_on = asyncio.Event()

    @job(queue="reports")
    async def wait() -> None:
        await go_on.wait()

    async with make_client(queues={"default": 1}, **speed) as app:
        operator = operate(app)
        await app.enqueue_many(wait.new() for _ in range(3))
        assert check(app, "reports") is None
        await operator.start_queue("reports", limit=2)
        await events.wait("staffa.job.start", 2)
        assert app.check_queue("reports").limit == 2
        await operator.stop_queue("reports")
        await eventually(lambda: check(app, "reports") is None, "the end of the queue")
        go_on.set()
        await rows.until_count(completed=2, available=1)
        await operator.start_queue("reports")
        await rows.until_count(completed=3)
        assert app.check_queue("reports").limit == 2  # what was set last
    names = [event.name for event in events.events if event.name.startswith("staffa.queue.")]
    assert names == [
        "staffa.queue.started", "staffa.queue.started", "staffa.queue.stopped",
        "staffa.queue.started",
    ]  # fmt: skip


async def test_a_queue_that_is_stopped_and_started_keeps_to_its_limit(
    make_client: MakeClient, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job
    async def wait() -> None:
        await go_on.wait()

    async with make_client(queues={"default": 2}) as app:
        await app.enqueue_many(wait.new() for _ in range(6))
        await events.wait("staffa.job.start", 2)
        for _ in range(5):
            await app.stop_queue("default")
            await app.start_queue("default")
        app._node.wake_all()  # type: ignore[union-attr]
        other = await app.enqueue(wait.options(queue="other").new())
        await app.start_queue("other", limit=1)
        await eventually(lambda: app.check_queue("other").running == (other.id,))
        assert len(app.check_queue("default").running) == 2
        go_on.set()
        await events.wait("staffa.job.completed", 7)


async def test_all_queues_are_paused_and_all_but_one_stay_so(
    speed: dict[str, Any], make_client: MakeClient, operate: Operate
) -> None:
    async with make_client(queues={"a": 1, "b": 1, "c": 1}, **speed) as app:
        operator = operate(app)
        await operator.pause_all_queues()
        await operator.resume_queue("b")
        for queue, paused in (("a", True), ("b", False), ("c", True)):
            await until(app, queue, paused=paused)
        await operator.start_queue("d", limit=1)
        await until(app, "d", paused=True)
        await operator.resume_all_queues()
        for queue in "abcd":
            await until(app, queue, paused=False)


async def test_a_running_job_is_cancelled(
    speed: dict[str, Any], make_client: MakeClient, events: Recorder, operate: Operate
) -> None:
    @job
    async def wait() -> None:
        await asyncio.Event().wait()

    async with make_client(queues={"default": 1}, **speed) as app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        await operate(app).cancel_job(stored)
        await until(app, running=())


async def test_one_node_is_changed_and_the_other_is_not(
    speed: dict[str, Any], make_client: MakeClient, operate: Operate
) -> None:
    one = make_client(queues={"default": 3}, name="x", node="web.1", **speed)
    async with one:
        other = operate(one, node="web.2", queues={"default": 3}, **speed)
        async with other:
            operator = operate(one, node="elsewhere")
            await operator.pause_queue("default", node="web.1")
            await operator.scale_queue("default", limit=1, node="web.1")
            await operator.start_queue("extra", limit=2, node="web.2")
            await until(one, paused=True, limit=1)
            await until(other, "extra", limit=2)
            await operator.scale_queue("default", limit=7)  # later than that of the node
            await until(one, paused=True, limit=7)
            await until(other, paused=False, limit=7)
            assert check(one, "extra") is None


async def test_two_instances_in_one_schema_leave_each_other_alone(
    make_client: MakeClient, rows: Rows, operate: Operate
) -> None:
    async with (
        make_client(queues={"default": 3}, **SLOW) as one,
        make_client(queues={"default": 3}, **SLOW) as other,
    ):
        beats = await rows.beats()
        await operate(one).pause_queue("default")
        await until(one, paused=True)
        await operate(other).scale_queue("default", limit=4)
        await until(other, limit=4)
        assert (check(other).paused, check(one).limit) == (False, 3)  # type: ignore[union-attr]
        assert await rows.beats() >= beats + 2


async def test_the_pause_of_a_whole_queue_outlives_processes_and_comes_before_claims(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    options: dict[str, Any] = {"queues": {"default": 3, "other": 3}, **SLOW}
    app = make_client(name="first", **options)
    await app.pause_queue("default")  # nobody runs it yet
    await app.scale_queue("default", limit=1)
    await app.stop_queue("other")
    await app.pause_queue("other", node=app.config.node)
    for _ in range(3):
        async with app:
            assert app.check_queue("default").paused is True
            assert app.check_queue("default").limit == 3
            assert app.check_queue("other").paused is False
            stored = await app.enqueue(note.new())
            await app.enqueue(note.options(queue="other").new())
            done = len(events.of("staffa.job.completed"))
            await events.wait("staffa.job.completed", done + 1)
            assert (await rows.get(stored.id))["state"] == "available"
            await app.scale_queue("default", limit=9)
            await app.pause_queue("other", node=app.config.node)
            assert app.check_queue("other").paused is True
    async with app:
        await app.resume_queue("default")
        await events.wait("staffa.job.completed", 6)


async def test_a_queue_that_is_configured_as_paused_starts_so_until_it_is_resumed(
    make_client: MakeClient, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    app = make_client(queues={"default": Queue(limit=1, paused=True)}, **SLOW)
    for count in (1, 2):
        async with app:
            await app.enqueue(note.new())
            assert app.check_queue("default").paused is True
            await app.resume_queue("default")
            await events.wait("staffa.job.completed", count)


async def test_the_change_shows_at_once_where_it_was_made(make_client: MakeClient) -> None:
    async with make_client(queues={"default": 3}, **SLOW) as app:
        before = app.check_queue("default")
        await app.scale_queue("default", limit=5)
        after = app.check_queue("default")
        assert (before.limit, after.limit) == (3, 5)
        assert before.started_at == before.updated_at == after.started_at < after.updated_at
        await app.start_queue("new", node=app.config.node)
        assert app._node is not None
        uuids = [check.uuid for check in app.check_all_queues()]
        assert uuids == [uuid5(app._node.producer.uuid, name) for name in ("default", "new")]
        await app.stop_queue("new")
        with pytest.raises(InstanceError, match="running are default"):
            app.check_queue("new")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda app: app.pause_queue(""), "127 characters"),
        (lambda app: app.pause_queue("*"), "pause_all_queues"),
        (lambda app: app.resume_queue("a" * 128), "127 characters"),
        (lambda app: app.stop_queue(None), "127 characters"),
        (lambda app: app.scale_queue("default", limit=0), "whole number from 1"),
        (lambda app: app.scale_queue("default", limit=10**9), "whole number from 1"),
        (lambda app: app.scale_queue("default", limit=True), "whole number from 1"),
        (lambda app: app.start_queue("default", limit="5"), "whole number from 1"),
        (lambda app: app.start_queue("default", paused=1), "True or False"),
        (lambda app: app.pause_queue("default", node=""), "none for all nodes"),
        (lambda app: app.pause_all_queues(node=5), "none for all nodes"),
    ],
)
async def test_bad_input_is_refused_with_the_remedy(
    call: Any, words: str, make_client: MakeClient
) -> None:
    with pytest.raises(ConfigError, match=words):
        await call(make_client())
