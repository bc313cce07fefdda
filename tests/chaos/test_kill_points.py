"""A real process kills itself at every point where that could matter; another one takes over.

Each boundary of the catalogue has a scenario: it says what the death must have left, and what must
come of it. What holds for all of them, `tests.chaos.kill_world` and the oracles check.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from staffa import GlobalLimit, Job, Queue
from staffa._internal.kill_points.catalogue import BOUNDARIES
from tests.chaos import kill_jobs as jobs
from tests.chaos.history import Step
from tests.chaos.kill_checks import Snapshot, check_general
from tests.chaos.kill_flows import FLOW_SCENARIOS
from tests.chaos.kill_follows import FOLLOW_SCENARIOS
from tests.chaos.kill_settings import PRUNER, TICK
from tests.chaos.kill_world import World
from tests.support.database import PROJECT
from tests.support.events import Recorder, eventually

Scenario = Callable[[World], Awaitable[None]]
WORKER = "tests.chaos.kill_jobs.{}"


@pytest.fixture(autouse=True)
def history_for_jobs(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell jobs of this and other processes where the history is."""
    monkeypatch.setenv(jobs.DSN, dsn)
    monkeypatch.setenv(jobs.PREFIX, "")  # each world sets its own for those that it starts


@pytest.mark.parametrize("boundary", BOUNDARIES)
async def test_a_process_that_dies_at_a_boundary_loses_and_repeats_nothing(
    boundary: str, dsn: str, events: Recorder, tmp_path: Path
) -> None:
    assert boundary in SCENARIOS, f"what does a death at {boundary} leave? Write its scenario"
    points = [f"{boundary}.{phase}" for phase in BOUNDARIES[boundary]]
    await die_at_all(points, SCENARIOS[boundary], dsn, events, tmp_path)


async def test_processes_that_die_in_the_middle_of_much_work_lose_and_repeat_nothing(
    dsn: str, events: Recorder, tmp_path: Path
) -> None:
    async def work(world: World) -> None:
        await die_at_work(world, *(jobs.note_once.new() for _ in range(60)))
        left = await world.left(some_in("available"), "some are left")
        await world.finish(left)

    points = ["claim_jobs.after:3", "ack_jobs.sent:2", "submit_outcome.after:25"]
    await die_at_all(points, work, dsn, events, tmp_path)


async def die_at_all(
    points: Iterable[str], scenario: Scenario, dsn: str, events: Recorder, folder: Path
) -> None:
    """Play a scenario at several points at once, each in a schema of its own."""

    async def die(point: str) -> None:
        async with World.at(point, dsn, events, folder / point) as world:
            await scenario(world)

    async with asyncio.TaskGroup() as group:
        for point in points:
            group.create_task(die(point), name=point)


async def test_a_leader_that_dies_right_before_a_tick_is_committed_takes_nothing(
    dsn: str, events: Recorder, tmp_path: Path
) -> None:
    second = "commit.before:2"  # the first one registers the entry
    async with World.at(second, dsn, events, tmp_path / "world") as world:
        await enqueue_tick(world)


def all_in(*states: str) -> Callable[[Snapshot], bool]:
    return lambda rows: {row["state"] for row in rows.values()} <= set(states)


def some_in(state: str) -> Callable[[Snapshot], bool]:
    return lambda rows: any(row["state"] == state for row in rows.values())


async def die_at_work(world: World, *given: Job) -> None:
    """Have a process with jobs to do, and let it die."""
    await world.sender.enqueue_many(given)
    await world.killed(world.spawn())


async def enqueue_together(world: World) -> None:
    await enqueue_jobs(world, "tests.chaos.kill_together_script")


async def enqueue_jobs(world: World, program: str = "tests.chaos.kill_script") -> None:
    await world.run_script(dies=True, program=program)
    number = 0 if world.phase == "before" else 3
    left = await world.left(lambda rows: len(rows) == number, f"{number} jobs, all or none")
    await world.run_script(dies=False, program=program)
    stored = await world.snapshot()
    assert left.items() <= stored.items()
    unique = [row for row in stored.values() if row["args"]]
    assert len(unique) == 1, "the job that was there is found"
    assert len(stored) == (7 if world.phase == "before" else 9)
    await world.finish(stored)


async def stage_jobs(world: World) -> None:
    number = await world.rows.insert(
        worker=WORKER.format("note"), state="scheduled", scheduled_at="2020-01-01"
    )
    await world.killed(world.spawn(queues="other:1"))
    state = "scheduled" if world.phase == "before" else "available"
    left = await world.left(lambda rows: rows[number]["state"] == state, state)
    await world.finish(left)


async def claim_jobs(world: World) -> None:
    await die_at_work(world, jobs.note.new(), jobs.note_once.new(), jobs.note_unique.new("one"))
    state = "available" if world.phase == "before" else "executing"
    left = await world.left(all_in(state), f"all are {state}")
    again = await world.sender.enqueue(jobs.note_unique.new("one"))
    assert again.conflict
    await world.finish(left)
    assert not (await world.sender.enqueue(jobs.note_unique.new("one"))).conflict


async def claim_chunks(world: World) -> None:
    await world.sender.enqueue_many([jobs.note_together.new() for _ in range(3)])
    await world.killed(world.spawn(queues="chunks:5"))
    state = "available" if world.phase == "before" else "executing"
    left = await world.left(all_in(state), f"all are {state}")
    await world.finish(left, queues={"chunks": 5})


async def claim_limited_jobs(world: World) -> None:
    await world.sender.enqueue_many(
        [jobs.note.new(), jobs.note.new(), jobs.note.new(), jobs.note_once.new()]
    )
    settings = "[queues.default]\nlimit = 10\n"
    settings += "global_limit = { allowed = 2, partition = 'worker' }\n"
    settings += "rate_limit = { allowed = 4, period = 3600 }\n"
    (world.folder / "staffa.toml").write_text(settings)
    here = {"PYTHONPATH": str(PROJECT)}
    await world.killed(world.spawn(folder=world.folder, environment=here))
    claimed = 0 if world.phase == "before" else 3
    left = await world.left(
        lambda rows: sum(row["state"] == "executing" for row in rows.values()) == claimed,
        f"{claimed} are executing",
    )
    assert await world.sender.rate("default").available() == 4 - claimed
    await world.sender.rate("default").reset()
    limit = GlobalLimit(2, partition="worker")
    await world.finish(left, queues={"default": Queue(global_limit=limit)})


async def perform_job(world: World) -> None:
    await die_at_work(world, jobs.note.new(), jobs.note_once.new())
    left = await world.left(all_in("executing"), "all are executing")
    ended = [mark for mark in (await world.history(left)).marks if mark.kind == "completing"]
    assert bool(ended) == (world.phase == "after")
    await world.finish(left)


async def submit_outcome(world: World) -> None:
    await die_at_work(world, jobs.note_once.new())
    left = await world.left(all_in("executing"), "it is executing")
    (run,) = (await world.history(left)).marks_of.values()
    assert [mark.kind for mark in run] == ["begun", "completing"]
    await world.finish(left)
    assert len((await world.history(left)).marks_of) == 2


async def ack_jobs(world: World) -> None:
    await die_at_work(world, jobs.note_once.new(), jobs.note_unique.new("one"))
    state = "executing" if world.phase == "before" else "completed"
    left = await world.left(some_in(state), f"some are {state}")
    await world.finish(left)


async def checkpoint_jobs(world: World) -> None:
    await die_at_work(world, jobs.turn_page.new())
    page = None if world.phase == "before" else 1
    left = await world.left(
        lambda rows: [row["meta"].get("page") for row in rows.values()] == [page], f"page {page}"
    )
    assert all_in("executing")(left)
    (row,) = (await world.finish(left)).values()
    assert row["meta"]["page"] == (page or 0) + 1


async def find_signals(world: World) -> None:
    await die_at_work(world, jobs.wait.new())
    left = await world.left(all_in("executing"), "it is executing")
    assert await world.sender.signal(list(left), "go on") == list(left)
    await world.finish(left)


async def complete_in_transaction(world: World, *, committed: bool) -> None:
    connection, effects = world.rows.connection, world.table("effects")
    await connection.execute(f"CREATE TABLE {effects} (job bigint)")
    await die_at_work(world, jobs.bill.new())
    left = await world.left(all_in("completed" if committed else "executing"), "all or none")
    await world.finish(left)
    assert [row["job"] for row in await connection.fetch(f"SELECT * FROM {effects}")] == [*left]


async def complete_job(world: World) -> None:
    await complete_in_transaction(world, committed=False)


async def hand_over(world: World) -> None:
    await complete_in_transaction(world, committed=True)


async def beat(world: World) -> None:
    await die_at_work(world, jobs.note_once.new())
    await world.counts("staffa_producers", 0 if world.phase == "before" else 1)
    left = await world.left(all_in("available"), "nothing is claimed before the first heartbeat")
    await world.finish(left)


async def elect_leader(world: World) -> None:
    await die_at_work(world, jobs.note.new())
    await world.counts("staffa_leaders", 0 if world.phase == "before" else 1)
    left = await world.snapshot()
    async with world.take_over(queues={"other": 1}) as app:
        assert app._node is not None
        await eventually(lambda: app._node is not None and app._node._leader.leading, "a leader")
    await world.finish(left)


async def die_while_stopping(world: World, *given: Job) -> None:
    """Have a process stop with jobs that go on, and let it die."""
    stored = await world.sender.enqueue_many(given)
    process = world.spawn()

    async def begun() -> bool:
        return await world.count("history_marks") == len(stored)

    await eventually(begun, "all jobs to run")
    process.send(signal.SIGTERM)
    await world.killed(process)


async def stop_while_jobs_run(world: World) -> None:
    folder = str(world.folder)
    await die_while_stopping(world, jobs.hold.new(folder))
    left = await world.left(all_in("executing"), "it is executing")
    world.release()
    await world.finish(left)


async def resign_leader(world: World) -> None:
    await stop_while_jobs_run(world)


async def release_jobs(world: World) -> None:
    folder = str(world.folder)
    await die_while_stopping(world, jobs.hold.new(folder), jobs.hold_on.new(folder))
    states = {"available", "executing"} if world.phase == "before" else {"available"}
    left = await world.left(
        lambda rows: {row["state"] for row in rows.values()} == states, f"they are {states}"
    )
    assert {row["attempt"] for row in left.values() if row["state"] == "available"} == {0}
    world.release()
    await world.finish(left)


async def remove_producer(world: World) -> None:
    await die_while_stopping(world, jobs.hold.new(str(world.folder)))
    await world.counts("staffa_producers", 1 if world.phase == "before" else 0)
    left = await world.left(all_in("available"), "it was put back")
    world.release()
    await world.finish(left)


async def rescue_jobs(world: World) -> None:
    folder = str(world.folder)
    await world.sender.enqueue_many([jobs.hold.new(folder), jobs.note_unique.new("one")])
    hopeless = await world.rows.insert(
        worker=WORKER.format("hold"), args=f'{{"folder": "{folder}"}}', meta='{"rescued": 3}'
    )
    first = world.spawn(dies=False)
    await eventually(some_executing(world, 2), "the jobs to run")
    first.kill()
    await world.left(all_in("executing"), "all run")
    await world.killed(world.spawn(queues="other:1"))
    happened = world.phase != "before"
    left = await world.left(
        lambda rows: (rows[hopeless]["state"] == "discarded") == happened, "rescued, or not at all"
    )
    world.release()
    async with world.take_over():
        await world.rows.until_count(completed=2, discarded=1)
    ended = await world.snapshot()
    history = await world.history(left)
    check_general(history)
    for number, changes in history.of_job.items():
        steps = [change.step for change in changes]
        row = ended[number]
        if number == hopeless:
            assert steps == [Step.INSERT, Step.CLAIM, Step.DISCARD]
            assert "its process died 4 times" in row["errors"][0]["error"]
            assert (len(row["errors"]), row["meta"]["rescued"]) == (1, 4)
        else:
            assert steps.count(Step.RESCUE) == row["meta"].get("rescued", 0) <= 1
            assert (row["attempt"], row["errors"]) == (1, [])


def some_executing(world: World, number: int) -> Callable[[], Awaitable[bool]]:
    async def running() -> bool:
        return (await world.rows.count())["executing"] >= number

    return running


async def rescue_foreign_jobs(world: World) -> None:
    number = await world.rows.insert(
        worker=WORKER.format("note"),
        state="executing",
        attempt=1,
        attempted_at="2020-01-01",
        attempted_by='{node,"0e6ea9f5-2d8b-4b3e-9f0a-3c2f3f9d7c10"}',
    )
    await world.killed(world.spawn(queues="other:1"))
    state = "executing" if world.phase == "before" else "available"
    await world.left(lambda rows: rows[number]["state"] == state, state)
    async with world.take_over():
        row = await world.rows.until(number, "completed")
    assert row["attempt"] == 2, "of what another implementation does with attempts we know nothing"


async def discard_exhausted_jobs(world: World) -> None:
    number = await world.rows.insert(worker="peer.Worker", attempt=3, max_attempts=3)
    await world.killed(world.spawn(queues="other:1"))
    state = "available" if world.phase == "before" else "discarded"
    await world.left(lambda rows: rows[number]["state"] == state, state)
    async with world.take_over():
        row = await world.rows.until(number, "discarded")
    assert len(row["errors"]) == 1


async def prune_jobs(world: World) -> None:
    old = [
        await world.rows.insert(worker="a.b", state="completed", completed_at="2020-01-01")
        for _ in range(3)
    ]
    kept = await world.sender.enqueue_many([jobs.note.new(), jobs.note.new()])
    await world.killed(world.spawn(queues="other:1"))
    there = world.phase == "before"
    left = await world.left(lambda rows: all((one in rows) == there for one in old), "all or none")
    async with world.take_over(pruner=PRUNER):
        await world.rows.until_count(completed=len(kept))
    ended = await world.snapshot()
    assert [*ended] == [job.id for job in kept]
    assert left.keys() - ended.keys() == (set(old) if there else set())


async def prune_unique_keys(world: World) -> None:
    unique = jobs.note_unique.new
    gone = await world.sender.enqueue(unique("one"))
    stays = await world.sender.enqueue(unique("two"))
    await world.rows.connection.execute(f"DELETE FROM {world.rows.jobs} WHERE id = {gone.id}")
    await world.killed(world.spawn(queues="other:1"))
    await world.counts("staffa_unique", 2 if world.phase == "before" else 1)
    assert (await world.sender.enqueue(unique("two"))).id == stays.id
    again = await world.sender.enqueue(unique("one"))
    assert not again.conflict
    assert (await world.sender.enqueue(unique("one"))).id == again.id
    async with world.take_over():
        await world.rows.until_count(completed=2)


async def enqueue_tick(world: World) -> None:
    async with world.take_over(queues={"other": 1}, cron=[TICK]):
        await eventually(world.is_registered, "the entry")
    last = await world.put_back_ticks(1)
    await world.killed(world.spawn(queues="other:1", module="tests.chaos.kill_cron_app"))
    number = 0 if world.phase == "before" else 1
    await world.left(lambda rows: len(rows) == number, f"{number} jobs")
    async with world.take_over(queues={"other": 1}, cron=[TICK]):
        await eventually(lambda: world.has_fired(last), "the tick")
    await world.check_ticks(last)


async def register_crons(world: World) -> None:
    await world.killed(world.spawn(queues="other:1", module="tests.chaos.kill_cron_app"))
    await world.counts("staffa_crons", 0 if world.phase == "before" else 1)
    async with world.take_over(queues={"other": 1}, cron=[TICK]) as app:

        async def active() -> bool:
            return [(entry.name, entry.active) for entry in await app.list_crons()] == [
                ("tick", True)
            ]

        await eventually(active, "the entry")


SCENARIOS: dict[str, Scenario] = {
    "enqueue_jobs": enqueue_jobs,
    "commit": enqueue_together,
    "enqueue_tick": enqueue_tick,
    "register_crons": register_crons,
    "stage_jobs": stage_jobs,
    "claim_jobs": claim_jobs,
    "claim_chunks": claim_chunks,
    "claim_limited_jobs": claim_limited_jobs,
    "checkpoint_jobs": checkpoint_jobs,
    "find_signals": find_signals,
    "ack_jobs": ack_jobs,
    "release_jobs": release_jobs,
    "rescue_jobs": rescue_jobs,
    "rescue_foreign_jobs": rescue_foreign_jobs,
    "discard_exhausted_jobs": discard_exhausted_jobs,
    "prune_jobs": prune_jobs,
    "prune_unique_keys": prune_unique_keys,
    "elect_leader": elect_leader,
    "resign_leader": resign_leader,
    "beat": beat,
    "remove_producer": remove_producer,
    "perform_job": perform_job,
    "submit_outcome": submit_outcome,
    "complete_job": complete_job,
    "hand_over": hand_over,
    "stop_claiming": stop_while_jobs_run,
    "stop_jobs": stop_while_jobs_run,
    **FLOW_SCENARIOS,
    **FOLLOW_SCENARIOS,
}
