"""Queues are changed while the database is away or a loop stands still, and by many at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

import pytest

from staffa import Staffa
from staffa.errors import DatabaseError
from staffa.notifiers.postgres import PostgresNotifier
from staffa.queues import roster
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.queue_control import ONLY_BEATS, SLOW, Operate, check, until
from tests.support.rows import Rows


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
