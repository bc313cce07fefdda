"""Queues are paused, resumed, scaled, started and stopped, from any client, on one node or all.

Heartbeats and polls are set to an hour where only a notification can be in time, and notifications
are swallowed where only the heartbeat can.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any, Protocol
from uuid import uuid5

import pytest

from staffa import Queue, Staffa, instance, job
from staffa.errors import ConfigError, DatabaseError, InstanceError
from staffa.notifiers.postgres import PostgresNotifier
from staffa.queue import QueueCheck
from staffa.queues import roster
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.rows import Rows

SLOW: dict[str, Any] = {"heartbeat": 900, "dead_after": 3600, "poll": 3600}
ONLY_BEATS: dict[str, Any] = {"heartbeat": 0.05, "dead_after": 3600, "poll": 3600}


@pytest.fixture(params=["notifications alone", "heartbeats alone"])
def speed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings under which changes arrive in one way only."""
    if request.param == "notifications alone":
        return SLOW

    async def lose(notifier: PostgresNotifier, messages: Iterable[object]) -> None: ...

    monkeypatch.setattr(PostgresNotifier, "notify", lose)
    return ONLY_BEATS


def check(app: Staffa, queue: str = "default") -> QueueCheck | None:
    """Return what a queue does in a client's process, or None if it does not run there."""
    try:
        return app.check_queue(queue)
    except InstanceError:
        return None


async def until(app: Staffa, queue: str = "default", **wanted: Any) -> None:
    """Wait until a queue is as wanted."""

    def there() -> bool:
        found = check(app, queue)
        return found is not None and all(getattr(found, key) == wanted[key] for key in wanted)

    try:
        await eventually(there, f"{queue} with {wanted}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it is {check(app, queue)}") from None


class Operate(Protocol):
    """Makes a client of a client's instance, as another process would."""

    def __call__(self, app: Staffa, **options: Any) -> Staffa: ...


@pytest.fixture
def operate(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> Operate:
    """Makes clients of one name, which a single process may not have."""
    monkeypatch.setattr(instance, "register", lambda name, client: None)

    def make(app: Staffa, **options: Any) -> Staffa:
        return make_client(name=app.config.name, **options)

    return make


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


async def test_while_the_database_is_down_nothing_changes_and_the_caller_is_told(
    make_client: MakeClient, proxy: Proxy, operate: Operate
) -> None:
    async with make_client(queues={"default": 3}) as app:
        operator = operate(app, dsn=proxy.dsn)
        await proxy.close()
        for call in (
            operator.pause_queue("default"),
            operator.pause_all_queues(),
            operator.scale_queue("default", limit=5),
            operator.start_queue("new", limit=5),
            operator.stop_queue("default"),
        ):
            with pytest.raises(DatabaseError):
                await call
        await proxy.open()
        await operator.resume_queue("default")
        assert (check(app).limit, check(app).paused) == (3, False)  # type: ignore[union-attr]


async def test_a_change_whose_notification_fails_is_made_all_the_same(
    make_client: MakeClient, events: Recorder, monkeypatch: pytest.MonkeyPatch, operate: Operate
) -> None:
    async def fail(notifier: PostgresNotifier, messages: Iterable[object]) -> None:
        raise DatabaseError("too many connections")

    async with make_client(queues={"default": 3}, **ONLY_BEATS) as app:
        monkeypatch.setattr(PostgresNotifier, "notify", fail)
        await operate(app).pause_queue("default")
        await until(app, paused=True)
    assert any(
        "pause was not notified" in event.data["what"] for event in events.of("staffa.error")
    )


async def test_a_loop_that_was_blocked_meanwhile_ends_with_the_last_word(
    make_client: MakeClient, dsn: str, prefix: str, operate: Operate
) -> None:
    name = "blocked"

    async def change() -> None:
        """Change queues from another thread, and wait until the watchman has heard of it."""
        operator = Staffa(dsn, name=name, prefix=prefix)
        watchman = app._node.supervisor._watchman  # type: ignore[union-attr]
        seen = watchman._known
        try:
            await operator.pause_queue("default")
            await operator.scale_queue("default", limit=8)
            await operator.start_queue("new")
            await operator.resume_queue("default")
            await eventually(lambda: watchman._known != seen, "a beat meanwhile")
            await operator.scale_queue("default", limit=9)
        finally:
            await operator.stop()

    async with make_client(name=name, queues={"default": 3}, **ONLY_BEATS) as app:
        changing = threading.Thread(target=asyncio.run, args=(change(),))
        changing.start()
        changing.join()  # the client's own loop stands still
        await until(app, paused=False, limit=9)
        await until(app, "new", limit=10)


async def test_two_operators_at_once_leave_all_processes_with_the_same_last_word(
    make_client: MakeClient, operate: Operate
) -> None:
    one = make_client(queues={"default": 3}, node="web.1", **ONLY_BEATS)
    async with one:
        other = operate(one, node="web.2", queues={"default": 3}, **ONLY_BEATS)
        async with other:
            operators = [operate(one, node=f"operator.{number}") for number in range(2)]
            await asyncio.gather(
                *(operators[n % 2].scale_queue("default", limit=n + 1) for n in range(30)),
                *(operators[n % 2].start_queue(f"queue {n}", limit=1) for n in range(10)),
            )
            await operators[0].scale_queue("default", limit=77)
            await until(one, limit=77)
            await until(other, limit=77)
            for n in range(10):
                await until(one, f"queue {n}", limit=1)
                await until(other, f"queue {n}", limit=1)


async def test_thousands_of_queues_are_paused_at_once(
    make_client: MakeClient, rows: Rows, events: Recorder, operate: Operate
) -> None:
    names = [f"queue {number}" for number in range(2000)]
    async with make_client(queues=dict.fromkeys(names, 1), **SLOW) as app:
        await operate(app).pause_all_queues()
        await events.wait("staffa.queue.paused", len(names))
        await operate(app).resume_queue("queue 7")
        await events.wait("staffa.queue.resumed")
        assert [one.queue for one in app.check_all_queues() if not one.paused] == ["queue 7"]


async def test_more_queues_than_a_process_runs_are_refused_one_by_one(
    make_client: MakeClient, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "MOST_QUEUES", 3)
    async with make_client(queues={"default": 1}, **SLOW) as app:
        for number in range(4):
            await app.start_queue(f"queue {number}")
        assert len(app.check_all_queues()) == 3
        assert len(events.of("staffa.error")) == 2
        await app.stop_queue("queue 0")
        await eventually(lambda: app._node.supervisor.roster._entries["queue 0"].producer.ended)  # type: ignore[union-attr]
        await app.start_queue("queue 9")
        assert [one.queue for one in app.check_all_queues()] == ["default", "queue 1", "queue 9"]


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
