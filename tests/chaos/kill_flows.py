"""What a death leaves of workflows that are written and changed as a whole."""

from __future__ import annotations

from tests.chaos.kill_world import World

_PROGRAM = "tests.chaos.kill_graph_script"
_JOBS = 5


async def insert_graph(world: World) -> None:
    """All of it is there, or nothing."""
    await world.run_script(dies=True, program=_PROGRAM)
    written = world.phase != "before"
    left = await world.left(lambda rows: len(rows) == written * _JOBS, "all or none")
    assert await world.count("staffa_flows") == written * 2
    assert await world.count("staffa_steps") == await world.count("staffa_edges") + written
    assert left.keys() <= await _finish(world)


async def change_flow(world: World) -> None:
    """It has been changed as a whole, or not at all: what is left goes on as ever."""
    await world.run_script(dies=True, program=_PROGRAM)
    left = await world.left(lambda rows: len(rows) == _JOBS, "all are there")
    states = {row["state"] for row in left.values()}
    assert "cancelled" not in states or states == {"cancelled"}
    await _finish(world)


async def _finish(world: World) -> set[int]:
    """Have a healthy process do the same, and a node run all jobs; return these."""
    await world.run_script(dies=False, program=_PROGRAM)
    stored = await world.snapshot()
    assert len(stored) == _JOBS
    async with world.take_over():
        await world.rows.until_count(completed=_JOBS)
    ended = await world.snapshot()
    assert all((row["attempt"], row["errors"]) == (1, []) for row in ended.values())
    flows = await world.rows.connection.fetch(
        f"SELECT id, total, completed, suspended, inner_open, finished_at IS NULL AS is_open"
        f"  FROM {world.table('staffa_flows')} ORDER BY id"
    )
    assert [tuple(flow) for flow in flows] == [
        ("inner", 3, 3, 0, 0, False),
        ("order", 2, 2, 0, 0, False),
    ]
    return set(ended)


FLOW_SCENARIOS = {
    "insert_graph": insert_graph,
    "create_flows": insert_graph,
    "insert_steps": insert_graph,
    "add_steps": insert_graph,
    "add_edges": insert_graph,
    "cancel_flow": change_flow,
    "retry_flow": change_flow,
    "release_step": change_flow,
    "forget_flows": change_flow,
}
