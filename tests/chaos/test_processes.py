"""Processes that are taken for dead and are not, and statements that outlive their processes.

A process stands still at a point of its work for so long that others rescue its jobs; then it goes
on, and writes what it had in hand. Its jobs are held meanwhile by those who have them now, so only
its lease can tell that they are not its own any more.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from staffa import Job
from staffa.queues import watchman
from tests.chaos import kill_jobs as jobs
from tests.chaos.history import Step
from tests.chaos.kill_checks import check, check_general
from tests.chaos.kill_settings import TICK
from tests.chaos.kill_world import World
from tests.support.events import Recorder, eventually

PATIENT = 60
"""Who goes on again judges nobody: on a busy machine the others stand still for a moment, too."""


@pytest.fixture
def folder(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a world has its files."""
    monkeypatch.setenv(jobs.DSN, dsn)
    monkeypatch.setenv(jobs.PREFIX, "")
    return tmp_path / "world"


@asynccontextmanager
async def taken_over(world: World) -> AsyncIterator[None]:
    """Have a healthy node that runs the only job, and holds it."""
    async with world.take_over() as app:
        assert app._node is not None
        ours = str(app._node.producer.uuid)

        async def runs() -> bool:
            held = [row["attempted_by"] for row in (await world.snapshot()).values()]
            return [by[1] for by in held if by] == [ours] and await marked(world, "begun", ours)

        await eventually(runs, "the job to run elsewhere")
        yield


async def marked(world: World, kind: str, producer: str) -> bool:
    history = await world.history({})
    return any(mark.kind == kind and mark.lease.producer == producer for mark in history.marks)


LATE: dict[str, Callable[[str], Job]] = {
    "claim_jobs.after": jobs.note_or_hold.new,  # it runs what it has no lease of any more
    "perform_job.after": jobs.note_or_hold.new,
    "ack_jobs.before": jobs.note_or_hold.new,
    "checkpoint_jobs.before": jobs.turn_page_or_hold.new,
    "complete_job.before": jobs.bill_or_hold.new,
}


@pytest.mark.parametrize("point", LATE)
async def test_what_a_process_writes_too_late_is_refused_and_told_as_a_lost_lease(
    point: str, dsn: str, events: Recorder, folder: Path
) -> None:
    async with World.at(f"{point}:1:SIGSTOP", dsn, events, folder) as world:
        await world.rows.connection.execute(f"CREATE TABLE {world.table('effects')} (job bigint)")
        stored = await world.sender.enqueue(LATE[point](str(folder)))
        zombie = world.spawn(dead_after=PATIENT)
        await world.stopped(zombie)
        left = await world.snapshot()
        async with taken_over(world):
            held = await world.snapshot()
            zombie.send(signal.SIGCONT)
            await zombie.logged("lease_lost")
            assert await world.snapshot() == held
            zombie.send(signal.SIGTERM)
            assert await zombie.ended() == 0
            assert await world.snapshot() == held
            world.release()
            row = await world.rows.until(stored.id, "completed")
        check(await world.history(left), left, await world.snapshot())
        assert row["meta"].get("page", row["attempted_by"][1]) == row["attempted_by"][1]
        assert await world.count("effects") == (point == "complete_job.before")


async def test_a_process_that_puts_back_too_late_takes_nothing_from_others(
    dsn: str, events: Recorder, folder: Path
) -> None:
    async with World.at("release_jobs.before:1:SIGSTOP", dsn, events, folder) as world:
        await world.sender.enqueue(jobs.hold_on.new(str(folder)))
        zombie = world.spawn(dead_after=PATIENT)

        async def begun() -> bool:
            return await world.count("history_marks") == 1

        await eventually(begun, "the job")
        zombie.send(signal.SIGTERM)
        await world.stopped(zombie)
        left = await world.snapshot()
        async with taken_over(world):
            held = await world.snapshot()
            zombie.send(signal.SIGCONT)
            assert await zombie.ended() == 0
            assert await world.snapshot() == held
            world.release()
            await world.rows.until_count(completed=1)
        check(await world.history(left), left, await world.snapshot())


async def test_a_leader_that_resigns_too_late_takes_no_leadership_from_others(
    dsn: str, events: Recorder, folder: Path
) -> None:
    async with World.at("resign_leader.before:1:SIGSTOP", dsn, events, folder) as world:
        zombie = world.spawn(dead_after=PATIENT)
        await zombie.running()

        async def led() -> bool:
            return await world.count("staffa_leaders") == 1

        await eventually(led, "a leader")
        zombie.send(signal.SIGTERM)
        await world.stopped(zombie)
        async with world.take_over() as app:
            node = app._node
            assert node is not None
            await eventually(lambda: node._leader.leading, "another leader")
            query = f"SELECT producer, elected_at FROM {world.rows.leaders}"
            elected = await world.rows.connection.fetchrow(query)
            assert elected is not None
            assert elected["producer"] == node.producer.uuid
            zombie.send(signal.SIGCONT)
            assert await zombie.ended() == 0
            assert await world.rows.connection.fetchrow(query) == elected


async def test_a_leader_that_takes_a_tick_too_late_makes_no_second_job(
    dsn: str, events: Recorder, folder: Path
) -> None:
    async with World.at("enqueue_tick.before:1:SIGSTOP", dsn, events, folder) as world:
        async with world.take_over(queues={"other": 1}, cron=[TICK]):
            await eventually(world.is_registered, "the entry")
        last = await world.put_back_ticks(1)
        zombie = world.spawn(
            queues="other:1", module="tests.chaos.kill_cron_app", dead_after=PATIENT
        )
        await world.stopped(zombie)
        async with world.take_over(queues={"other": 1}, cron=[TICK]):
            await eventually(lambda: world.has_fired(last), "the tick")
            zombie.send(signal.SIGCONT)
            await zombie.running()
            zombie.send(signal.SIGTERM)
            assert await zombie.ended() == 0
        await world.check_ticks(last)


@pytest.mark.parametrize("boundary", ["claim_jobs", "ack_jobs"])
async def test_a_statement_that_commits_after_its_process_was_given_up_loses_nothing(
    boundary: str,
    dsn: str,
    events: Recorder,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchman, "_RECHECK_SECONDS", 0.5)  # the dead are looked at again
    state = "executing" if boundary == "claim_jobs" else "completed"
    async with World.at(f"{boundary}.sent", dsn, events, folder) as world:
        connection, schema = world.rows.connection, world.table("")
        await world.sender.enqueue(jobs.note_once.new())
        await connection.execute(
            f"CREATE FUNCTION {schema}stall() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock_shared(4712); RETURN NEW; END';"
            f"CREATE TRIGGER stall BEFORE UPDATE ON {world.rows.jobs} FOR EACH ROW"
            f" WHEN (NEW.state = '{state}') EXECUTE FUNCTION {schema}stall();"
            "SELECT pg_advisory_lock(4712)"
        )
        await world.killed(world.spawn())
        async with world.take_over():
            await events.wait("staffa.engine.rescue_jobs.stop")
            ((_, before),) = (await world.snapshot()).items()
            assert before["state"] == ("available" if boundary == "claim_jobs" else "executing")
            await connection.execute("SELECT pg_advisory_unlock(4712)")
            await world.rows.until_count(completed=1)
        history = await world.history(await world.snapshot())
        check_general(history)
        ((_, after),) = (await world.snapshot()).items()
        steps = [change.step for change in history.changes]
        claimed = [Step.CLAIM, Step.RESCUE, Step.CLAIM] if state == "executing" else [Step.CLAIM]
        assert steps == [Step.INSERT, *claimed, Step.COMPLETE]
        assert (after["attempt"], after["errors"]) == (1, [])
