"""Signals about queues as Elixir Oban and Python's `oban` send them, and ours as they read them.

Polling and heartbeats are set to an hour, so that only the notification can have done what happens.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from staffa import Staffa, job
from staffa.queues.signals import MOST_STARTED
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

DATA = Path(__file__).parents[1] / "unit" / "data" / "elixir_notifications.jsonl"
RECORDED = [
    entry
    for entry in map(json.loads, DATA.read_text().splitlines())
    if entry["channel"] == "signal" and entry["decoded"]["action"] != "pkill"
]
SLOW: dict[str, Any] = {
    "poll": 3600, "heartbeat": 900, "dead_after": 3600, "shutdown_grace": 0,
    "name": "Oban", "node": "node-a", "queues": {"alpha": 2, "mail": 2},
}  # fmt: skip

AFTERWARDS: list[dict[str, Any]] = [
    {"alpha": (2, True)},
    {"alpha": (2, False)},
    {"alpha": (5, False)},
    {"alpha": (5, False)},  # to this node alone
    {"alpha": (7, True)},
    {"alpha": (7, True)},  # to another node
    {"alpha": (7, True), "delta": (4, False)},
    {"alpha": (7, True), "delta": (4, False), "epsilon": (4, True)},
    {"alpha": (7, True), "delta": (4, False), "epsilon": (4, True), "zeta": (4, False)},
    {"alpha": (7, True), "epsilon": (4, True), "zeta": (4, False)},
]


def state(app: Staffa) -> dict[str, tuple[int, bool]]:
    """Return the limit and the pause of each queue but `mail`, which nothing is sent about."""
    checks = {check.queue: (check.limit, check.paused) for check in app.check_all_queues()}
    assert checks.pop("mail") == (2, False)
    return checks


async def send(rows: Rows, **payload: Any) -> None:
    await rows.notify("signal", json.dumps({"ident": "any", **payload}))


async def test_recorded_signals_of_elixir_are_obeyed(make_client: MakeClient, rows: Rows) -> None:
    async with make_client(**SLOW) as app:
        for entry, wanted in zip(RECORDED, AFTERWARDS, strict=True):
            await rows.notify("signal", entry["raw"])
            await eventually(lambda: state(app) == wanted, f"{wanted} after {entry['raw']}")  # noqa: B023
        written = await rows.connection.fetch(f"SELECT DISTINCT queue FROM {rows.queues}")
        assert {row["queue"] for row in written} == {"alpha", "delta", "epsilon", "zeta"}


async def test_a_pause_by_a_peer_outlives_the_process_and_so_does_its_end(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    app = make_client(**SLOW)
    for action, paused in (("pause", True), ("resume", False)):
        elected = len(events.of("staffa.leader.elected"))
        async with app:
            await events.wait("staffa.leader.elected", elected + 1)
            await send(rows, action=action, queue="alpha")
            await eventually(lambda: state(app) == {"alpha": (2, paused)}, action)  # noqa: B023
        async with app:
            assert state(app) == {"alpha": (2, paused)}


async def test_a_pause_of_one_node_by_a_peer_ends_with_the_process(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    app = make_client(**SLOW)
    async with app:
        await events.wait("staffa.leader.elected")
        await send(rows, action="pause", queue="alpha", ident="Oban.node-b")
        await send(rows, action="pause", queue="alpha", ident="Other.node-a")
        await send(rows, action="scale", queue="alpha", limit=3)
        await eventually(lambda: state(app) == {"alpha": (3, False)}, "the last signal")
        await send(rows, action="pause", queue="alpha", ident="Oban.node-a")
        await eventually(lambda: state(app) == {"alpha": (3, True)}, "the pause")
    async with app:
        assert state(app) == {"alpha": (2, False)}


async def test_a_paused_queue_of_a_peer_claims_nothing(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    runs: list[int] = []

    @job(queue="alpha")
    async def note() -> None:
        runs.append(1)

    async with make_client(**SLOW) as app:
        await send(rows, action="pause", queue="*")
        await eventually(lambda: app.check_queue("alpha").paused, "the pause")
        stored = await app.enqueue(note.new())
        assert app.check_queue("mail").paused
        await send(rows, action="resume", queue="mail")
        await eventually(lambda: not app.check_queue("mail").paused, "the end of one pause")
        # A claim that had left before the pause may take it, and then puts it back.
        await rows.until(stored.id, "available")
        assert runs == []
        await send(rows, action="resume", queue="*")
        await rows.until(stored.id, "completed")
        assert runs == [1]


HOSTILE = [
    "{}", "[]", "null", '"pause"', "\x01", '{"action": "pause"}',
    '{"action": "pause", "queue": []}',
    '{"action": {"a": 1}, "queue": "alpha"}', '{"action": "scale", "queue": "alpha", "limit": 0}',
    '{"action": "scale", "queue": "alpha", "limit": 1e400}', '{"action": "stop", "queue": "*"}',
    '{"action": "scale", "queue": "alpha", "limit": 99999999999999999999999}',
    '{"action": "start", "queue": "\\u0000", "limit": 5}', '{"action": "stop", "queue": "no such"}',
    '{"action": "start", "queue": "bad", "limit": 5, "paused": "maybe"}',
    '{"name": "Oban", "signal": {"action": "pause", "queue": [], "ident": {}}}',
    '{"name": "Oban", "signal": "pause"}', '{"name": ["Oban"]}',
    '{"name": "Oban", "signal": ' + '{"a":' * 500 + "1" + "}" * 500 + "}",
    '{"action": "pause", "queue": ' + "[" * 900 + "]" * 900 + "}",
]  # fmt: skip


async def test_hostile_signals_change_nothing_and_stop_nothing(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    trouble: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: trouble.append(context))
    async with make_client(**SLOW) as app:
        for payload in HOSTILE:
            for channel in ("signal", "control"):
                await rows.notify(channel, payload)
        await send(rows, action="scale", queue="alpha", limit=3)
        await eventually(lambda: state(app) == {"alpha": (3, False)}, "the one that makes sense")
        assert await rows.connection.fetchval(f"SELECT count(*) FROM {rows.queues}") == 1
    assert trouble == []


async def test_a_flood_of_starts_starts_only_so_many_queues(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    async with make_client(**SLOW) as app:
        await rows.connection.execute(
            "SELECT pg_notify($1, json_build_object('action', 'start', 'queue', 'x' || n,"
            " 'limit', 5, 'ident', 'any')::text) FROM generate_series(1, 1000) AS n",
            f"{rows.prefix}.oban_signal",
        )
        await send(rows, action="scale", queue="alpha", limit=3)
        await eventually(lambda: state(app)["alpha"] == (3, False), "the end of the flood")
        assert len(state(app)) == MOST_STARTED + 1


async def test_our_changes_are_sent_as_peers_read_them(make_client: MakeClient, rows: Rows) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    def hear(connection: object, pid: int, channel: str, payload: object) -> None:
        heard.append((channel.rpartition("_")[2], json.loads(str(payload))))

    for channel in ("signal", "control"):
        await rows.connection.add_listener(f"{rows.prefix}.oban_{channel}", hear)
    app = make_client(name="Oban")
    await app.pause_queue("alpha")
    await app.resume_queue("alpha", node="node-b")
    await app.pause_all_queues()
    await app.resume_all_queues()
    await app.scale_queue("alpha", limit=5)
    await app.start_queue("delta", limit=4, paused=True)
    await app.start_queue("delta")
    await app.stop_queue("delta")
    await eventually(lambda: len(heard) == 16, "sixteen notifications")
    signals = [payload for channel, payload in heard if channel == "signal"]
    assert signals == [
        {"action": "pause", "queue": "alpha", "ident": "any"},
        {"action": "resume", "queue": "alpha", "ident": "Oban.node-b"},
        {"action": "pause", "queue": "*", "ident": "any"},
        {"action": "resume", "queue": "*", "ident": "any"},
        {"action": "scale", "queue": "alpha", "ident": "any", "limit": 5},
        {"action": "start", "queue": "delta", "ident": "any", "limit": 4, "paused": True},
        {"action": "start", "queue": "delta", "ident": "any", "limit": 10},
        {"action": "stop", "queue": "delta", "ident": "any"},
    ]
    twins = [(channel, payload) for channel, payload in heard if channel == "control"]
    assert [twin for _, twin in twins] == [{"name": "Oban", "signal": one} for one in signals]
    assert [channel for channel, _ in heard] == ["control", "signal"] * 8  # the twin comes first
    await rows.connection.reset()


async def test_our_own_signal_is_not_taken_for_a_peers(make_client: MakeClient, rows: Rows) -> None:
    async with make_client(**SLOW) as app, make_client(**{**SLOW, "name": "Other"}) as other:
        operator = make_client(name="operator")
        await operator.pause_queue("alpha")
        await operator.pause_queue("alpha")
        await send(rows, action="scale", queue="alpha", limit=3)  # comes after them
        for client in (app, other):
            await eventually(lambda: state(client) == {"alpha": (3, False)}, "the last signal")  # noqa: B023


@pytest.mark.parametrize("count", [1, 3])
async def test_a_peers_signal_that_equals_one_of_ours_is_obeyed(
    count: int, make_client: MakeClient, rows: Rows
) -> None:
    async with make_client(**SLOW) as app:
        for _ in range(count):
            await app.pause_queue("alpha")
            await app.resume_queue("alpha")
        await send(rows, action="pause", queue="alpha")
        await eventually(lambda: state(app) == {"alpha": (2, True)}, "the peer's pause")
