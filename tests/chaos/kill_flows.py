"""What a death leaves of workflows that are written and changed as a whole."""

from __future__ import annotations

from staffa import Workflow
from tests.chaos import kill_jobs
from tests.chaos.kill_world import World
from tests.support.events import TIMEOUT_SECONDS

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


async def graft_jobs(world: World) -> None:
    """What a function returned is there once, though it runs again."""
    graft = Workflow("news").add_graft("mails", kill_jobs.graft)
    handle = await world.sender.enqueue(graft.add("last", kill_jobs.note.new(), deps="mails"))
    await world.killed(world.spawn())
    number = 5 if world.phase == "after" else 2
    await world.left(lambda rows: len(rows) == number, f"{number} jobs, all or none")
    async with world.take_over():
        status = await handle.wait(timeout=TIMEOUT_SECONDS)
    assert (status.state, status.total) == ("completed", 5)
    marks = (await world.history(await world.snapshot())).marks
    assert [mark.kind for mark in marks].count("completing") == 6, "the function ran again"


FLOW_SCENARIOS = {
    "graft_jobs": graft_jobs,
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
