"""What a death leaves of what follows from the ends of jobs: all of it, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from staffa import Job
from staffa.linking import (
    FlowKind,
    Graph,
    NeedsFlow,
    NeedsStep,
    NewFlow,
    NewStep,
    Policies,
    Policy,
)
from tests.chaos.history import Note, read_history
from tests.chaos.kill_checks import Snapshot, check_general
from tests.chaos.kill_world import World

_NOTE = "tests.chaos.kill_jobs.note"
_PROGRAM = "tests.chaos.kill_change_script"
_IGNORE = Policies(Policy.IGNORE, Policy.IGNORE, Policy.IGNORE)


async def end_jobs(world: World) -> None:
    """A process that dies while it writes ends leaves counts that are those of the jobs."""
    await _insert(world)
    await world.killed(world.spawn())
    await world.left(lambda rows: True, "anything")
    await _check_counts(world)
    check_general(await world.history(await _finish(world, completed=4)))


async def change_jobs(world: World) -> None:
    """The same of a program that cancels, retries and deletes jobs."""
    first, *_ = await _insert(world, spare=True)
    await world.run_script(dies=True, program=_PROGRAM)
    await world.left(lambda rows: True, "anything")
    await _check_counts(world)
    await world.run_script(dies=False, program=_PROGRAM)
    await _check_counts(world)
    asked = Note("cancelling", datetime.now(UTC), {"job": first})
    ended = await _finish(world, completed=4, cancelled=1)
    check_general(await read_history(world.rows.connection, world.rows.prefix, notes=[asked]))
    assert all("spare" not in row["tags"] for row in ended.values())


async def repair_links(world: World) -> None:
    """What another client has ended is followed by the next leader, if this one has not."""
    numbers = await _insert(world)
    await world.rows.connection.execute(
        f"UPDATE {world.rows.jobs} SET state = 'completed', attempt = 1 WHERE id = $1", numbers[0]
    )
    await world.rows.connection.execute(
        f"UPDATE {world.table('staffa_flows')} SET checked_at = '2020-01-01'"
    )
    await world.killed(world.spawn(queues="other:1"))
    state = "suspended" if world.phase == "before" else "available"
    await world.left(lambda rows: rows[numbers[1]]["state"] == state, state)
    await _finish(world, completed=4)


async def _insert(world: World, *, spare: bool = False) -> list[int]:
    """Write a batch around a workflow with another one inside: a job, one for that, one for all."""
    engine = (await world.sender._open()).engine  # the way of programs comes with workflows
    callback = NewFlow(
        "b", FlowKind.BATCH, "b", callbacks={"exhausted": Job(worker=_NOTE, tags=["callback"])}
    )
    flows = [
        callback,
        NewFlow("w", FlowKind.WORKFLOW, "b"),
        NewFlow("i", FlowKind.WORKFLOW, "b", "w"),
    ]
    steps = [
        NewStep(_job("i", "first")),
        NewStep(_job("i", "second"), [NeedsStep(0)], _IGNORE),
        NewStep(_job("w", "last"), [NeedsFlow("i")], _IGNORE),
    ]
    if spare:
        later = _job("w", "spare", scheduled_in=3600)
        steps += [NewStep(later), NewStep(_job("w", "spare"), [NeedsStep(3)], _IGNORE)]
        steps.append(NewStep(_job("w", "cancelled"), [NeedsStep(3)]))
    return list((await engine.insert_graph(Graph(flows, steps))).ids)


def _job(flow: str, tag: str, **options: Any) -> Job:
    meta = {"workflow_id": flow, "batch_id": "b"}
    return Job(worker=_NOTE, meta=meta, tags=[tag], **options)


async def _finish(world: World, **counts: int) -> Snapshot:
    """Have a healthy node run what is left; return all jobs."""
    async with world.take_over():
        await world.rows.until_count(**counts)
    ended = await world.snapshot()
    callbacks = [row for row in ended.values() if row["tags"] == ["callback"]]
    assert len(callbacks) == 1
    await _check_counts(world)
    flows = await world.rows.connection.fetch(
        f"SELECT deleted, suspended, inner_open, finished_at IS NULL AS is_open"
        f"  FROM {world.table('staffa_flows')}"
    )
    assert all(not flow["is_open"] and not flow["suspended"] for flow in flows)
    return ended


async def _check_counts(world: World) -> None:
    """Compare the counts of flows with their jobs."""
    rows = await world.snapshot()
    flows = await world.rows.connection.fetch(
        f"SELECT *, finished_at IS NULL AS is_open FROM {world.table('staffa_flows')}"
    )
    for flow in flows:
        members = [
            row
            for row in rows.values()
            if row["meta"].get(f"{flow['kind']}_id") == flow["id"]
            and not (flow["kind"] == "batch" and "callback" in row["meta"])
        ]
        for state in ("suspended", "completed", "cancelled", "discarded"):
            count = sum(row["state"] == state for row in members)
            assert flow[state] == count, (flow["id"], state, dict(flow))
        assert flow["total"] == len(members) + flow["deleted"]
        inner = sum(one["is_open"] for one in flows if one["parent"] == flow["id"])
        assert flow["inner_open"] == inner


FOLLOW_SCENARIOS = {
    "ack_linked_jobs": end_jobs,
    "lock_flows": end_jobs,
    "lock_of_jobs": change_jobs,
    "close_jobs": end_jobs,
    "close_flows": end_jobs,
    "release_steps": end_jobs,
    "cancel_steps": change_jobs,
    "count_flows": end_jobs,
    "fire_callbacks": end_jobs,
    "cancel_jobs": change_jobs,
    "retry_jobs": change_jobs,
    "delete_jobs": change_jobs,
    "forget_steps": change_jobs,
    "repair_links": repair_links,
}
