"""Rows and notifications as Elixir Oban and Python's `oban` write them.

The rows and payloads were recorded from Elixir Oban 2.23 and 2.24-dev. Polling and heartbeats
are set to an hour, so that only the notification can have done what happens.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from typing import Any

import pytest

from staffa import Staffa, State, current_job, job
from staffa.queues import kills
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

SLOW: dict[str, Any] = {
    "poll": 3600, "heartbeat": 900, "dead_after": 3600, "shutdown_grace": 0,
    "queues": {"alpha": 2, "mail": 2},
}  # fmt: skip

ROW = (
    '{"id":%d,"state":"available","queue":"alpha","worker":"Ref.OkWorker","args":%s,"errors":[],'
    '"attempt":0,"max_attempts":20,"inserted_at":"2026-11-22T15:28:31.910798",'
    '"scheduled_at":"2026-11-22T15:28:31.910798","attempted_at":null,"completed_at":null,'
    '"attempted_by":null,"discarded_at":null,"priority":0,"tags":[],"meta":{},"cancelled_at":null}'
)
ARGS = (
    '{"dt": "2030-01-02T03:04:05.678901Z", "big": 12345678901234567890, "int": 1, "neg": -0.25, '
    '"str": "žluťoučký 😀 \\"q\\" \\\\ \\n", "bool": true, "list": [1, "a", null, {"x": 1}], '
    '"null": null, "float": 1.5, "nested": {"a": {"b": []}}}'
)


def packed(payload: dict[str, Any]) -> str:
    return base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()


SPELLINGS = {
    "plain": '{"queue":"alpha"}',
    "spaced": '{"queue": "alpha", "later": [1, {"a": null}]}',
    "Z": "Z:" + packed({"queue": "alpha", "filler": "x" * 600}),
    "gzip": packed({"queue": "alpha", "filler": "x" * 600}),
}


async def insert(rows: Rows, number: int, args: str = "{}") -> int:
    await rows.connection.execute(
        f"INSERT INTO {rows.jobs} OVERRIDING USER VALUE"
        f" SELECT * FROM json_populate_record(NULL::{rows.jobs}, $1::json)",
        ROW % (number, args),
    )
    return int(await rows.connection.fetchval(f"SELECT max(id) FROM {rows.jobs}"))


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    """The args of the jobs that ran."""
    found: list[dict[str, Any]] = []

    @job(name="Ref.OkWorker")
    async def ok(**args: Any) -> None:
        found.append(args)

    return found


@pytest.mark.parametrize("payload", SPELLINGS.values(), ids=SPELLINGS)
async def test_a_job_that_elixir_inserts_runs_upon_its_notification(
    payload: str, seen: list[dict[str, Any]], make_client: MakeClient, rows: Rows
) -> None:
    async with make_client(**SLOW):
        number = await insert(rows, 1, ARGS)
        await rows.notify("insert", payload)
        row = await rows.until(number, "completed")
    assert seen == [json.loads(ARGS)]
    assert row["attempt"] == 1
    assert len(row["attempted_by"]) == 2


async def test_a_row_with_a_past_time_that_elixir_calls_scheduled_is_staged(
    seen: list[dict[str, Any]], make_client: MakeClient, rows: Rows
) -> None:
    number = await rows.insert(
        worker="Ref.OkWorker", queue="alpha", state="scheduled", scheduled_at="2020-01-01T00:00:00"
    )
    async with make_client(queues={"alpha": 1}):
        await rows.until(number, "completed")


HOSTILE = [
    "", "{", "null", "[]", '"text"', "Z:", "Z:!!!", "H4sIAAAA", "🤡", "{}", '{"queue": null}',
    '{"queue": {"a": 1}}', '{"queue": ["alpha"]}', '{"queue": "alpha", "ident": []}',
    '{"queue": "alpha", "ident": {"a": 1}}', '{"action": "pkill"}', '{"action": ["pkill"]}',
    '{"action": "pkill", "job_id": "x"}', '{"action": "explode", "queue": "*"}',
    '{"down": ["Oban"]}', "[" * 3000, packed({"filler": "x" * 2_000_000}),
]  # fmt: skip


async def test_payloads_that_make_no_sense_are_dropped_and_listening_goes_on(
    seen: list[dict[str, Any]], make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    trouble: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: trouble.append(context))
    async with make_client(**SLOW):
        for channel in ("insert", "signal", "leader"):
            for payload in HOSTILE:
                await rows.notify(channel, payload)
        number = await insert(rows, 1)
        await rows.notify("insert", SPELLINGS["plain"])
        await rows.until(number, "completed")
    assert trouble == []
    assert events.of("staffa.notifier.lost") == []


async def test_a_job_that_elixir_cancels_is_stopped_by_its_signal(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(name="Ref.SleepWorker", queue="alpha")
    async def sleep() -> None:
        await asyncio.Event().wait()

    async with make_client(**SLOW) as app:
        stored, other = await app.enqueue_many([sleep.new(), sleep.new()])
        await events.wait("staffa.job.start", 2)
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'cancelled', cancelled_at = now() WHERE id = $1",
            stored.id,
        )
        await rows.notify("signal", f'{{"action":"pkill","job_id":{stored.id}}}')
        await eventually(lambda: len(app.check_queue("alpha").running) == 1, "the end of one job")
        assert (await rows.get(other.id))["state"] == "executing"
    assert (await rows.get(stored.id))["state"] == "cancelled"


async def test_a_job_that_a_peer_wants_killed_is_cancelled_in_its_row_and_stopped(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job(queue="alpha")
    async def wait() -> None:
        await go_on.wait()

    async with make_client(**SLOW) as app:
        stored, other = await app.enqueue_many([wait.new(), wait.new()])
        await events.wait("staffa.job.start", 2)
        for number in (stored.id, (other.id or 0) + 1000, 2**70):
            await rows.notify("signal", f'{{"action":"pkill","job_id":{number}}}')
        await events.wait("staffa.job.cancelled")
        row = await rows.get(stored.id)
        assert (row["state"], row["attempt"]) == ("cancelled", 1)
        assert row["cancelled_at"] is not None
        assert [error["error"] for error in row["errors"]] == [kills.ERROR]
        assert (await rows.get(other.id))["state"] == "executing"
        go_on.set()
        await rows.until(other.id, "completed")
    assert [event.data["job"].id for event in events.of("staffa.job.cancelled")] == [stored.id]


async def test_a_late_pkill_of_ours_does_not_end_the_next_run(
    make_client: MakeClient, rows: Rows, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()

    @job(queue="alpha")
    async def wait() -> None:
        await go_on.wait()

    async with make_client(**SLOW) as app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        late: list[tuple[str, str]] = []

        def hear(connection: object, pid: int, channel: str, payload: object) -> None:
            late.append((channel.rpartition("_")[2], str(payload)))

        await rows.connection.add_listener(f"{rows.prefix}.oban_control", hear)
        await rows.connection.add_listener(f"{rows.prefix}.oban_signal", hear)
        await app.cancel_job(stored)
        await events.wait("staffa.job.cancelled")
        await eventually(lambda: len(late) == 2, "the signal and its twin")
        await app.retry_job(stored)
        await events.wait("staffa.job.start", 2)
        heard: list[object] = []
        monkeypatch.setattr(kills.Kills, "hear", lambda self, number: heard.append(number))
        for channel, payload in tuple(late):
            await rows.notify(channel, payload)
        await rows.notify("signal", late[-1][1])  # as a peer sends it: without a twin
        await eventually(lambda: heard == [stored.id], "the signal of a peer")
        go_on.set()
        await rows.until(stored.id, "completed")
    await rows.connection.reset()


async def test_our_notifications_are_those_that_the_peers_read(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    def hear(connection: object, pid: int, channel: str, payload: object) -> None:
        heard.append((channel.rpartition("_")[2], json.loads(str(payload))))

    for channel in ("insert", "signal", "leader"):
        await rows.connection.add_listener(f"{rows.prefix}.oban_{channel}", hear)

    @job(queue="alpha")
    async def wait() -> None:
        assert current_job().queue == "alpha"
        await asyncio.Event().wait()

    app: Staffa = make_client(**SLOW)
    async with app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        await events.wait("staffa.leader.elected")
        await app.cancel_job(stored)
    await eventually(lambda: len(heard) == 3, "three notifications")
    assert heard == [
        ("insert", {"queue": "alpha"}),
        ("signal", {"action": "pkill", "job_id": stored.id}),
        ("leader", {"down": app.config.name}),
    ]
    found = await app.get_job(stored)
    assert found is not None
    assert found.state is State.CANCELLED
    await rows.connection.reset()
