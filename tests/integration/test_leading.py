"""One node of an instance leads; another takes over when it stops or dies."""

from __future__ import annotations

import signal

from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.processes import Spawn, WorkerProcess
from tests.support.rows import Rows


async def leader(rows: Rows) -> str | None:
    """Return the node that leads, if its lease has not run out."""
    found = await rows.connection.fetchval(
        f"SELECT node FROM {rows.leaders} WHERE expires_at > timezone('UTC', clock_timestamp())"
    )
    return None if found is None else str(found)


async def two_nodes(rows: Rows, spawn: Spawn, lease: float) -> dict[str, WorkerProcess]:
    nodes = {name: spawn(node=name, leader_lease=lease) for name in ("a", "b")}
    for process in nodes.values():
        await process.running()
    await until_led_by(rows, set(nodes))
    return nodes


async def until_led_by(rows: Rows, names: set[str]) -> None:
    async def led() -> bool:
        return await leader(rows) in names

    await eventually(led, f"one of {names} to lead")


async def test_the_other_node_takes_over_at_once_when_the_leader_stops(
    spawn: Spawn, rows: Rows
) -> None:
    nodes = await two_nodes(rows, spawn, lease=3600)
    assert await rows.connection.fetchval(f"SELECT count(*) FROM {rows.leaders}") == 1
    first = await leader(rows)
    assert first is not None
    nodes.pop(first).send(signal.SIGTERM)
    await until_led_by(rows, set(nodes))


async def test_the_other_node_takes_over_when_the_lease_of_a_dead_leader_has_run_out(
    spawn: Spawn, rows: Rows
) -> None:
    nodes = await two_nodes(rows, spawn, lease=1.5)
    first = await leader(rows)
    assert first is not None
    nodes.pop(first).kill()
    await until_led_by(rows, set(nodes))


async def test_a_leader_keeps_its_lease_while_it_lives(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    async with make_client(queues={"default": 1}, leader_lease=1.5):
        await events.wait("staffa.leader.elected")
        elected = await rows.connection.fetchval(f"SELECT elected_at FROM {rows.leaders}")

        async def renewed() -> bool:
            later = "SELECT expires_at > elected_at + interval '4 seconds'"
            return bool(await rows.connection.fetchval(f"{later} FROM {rows.leaders}"))

        await eventually(renewed, "some renewals")
        assert await rows.connection.fetchval(f"SELECT elected_at FROM {rows.leaders}") == elected
    assert events.of("staffa.leader.lost") == []
    assert await rows.connection.fetchval(f"SELECT count(*) FROM {rows.leaders}") == 0


async def test_instances_of_different_names_have_leaders_of_their_own(
    make_client: MakeClient, events: Recorder
) -> None:
    async with make_client(queues={"default": 1}), make_client(queues={"default": 1}):
        await events.wait("staffa.leader.elected", 2)
