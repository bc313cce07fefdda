"""The Python package `oban`, as it runs, on one table with us.

Our polling and heartbeats are set to an hour: what we do here, notifications brought about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa import Job, Record, Snooze, Staffa, State, current_job, job
from staffa.queues import kills
from tests.conftest import MakeClient
from tests.peers.controls import obeyed
from tests.support.events import Recorder, eventually
from tests.support.oban_peer import ObanPeer
from tests.support.rows import Rows

SLOW: dict[str, Any] = {
    "poll": 3600, "heartbeat": 900, "dead_after": 3600, "shutdown_grace": 0,
    "name": "Oban", "node": "node-a", "queues": {"ours": 5},
}  # fmt: skip
VALUE = {"text": "žluťoučký 😀", "list": [1, 2.5, None, True], "deep": {"a": {"b": []}}}


@pytest.fixture
async def app(make_client: MakeClient, peer: ObanPeer) -> AsyncIterator[Staffa]:
    """Our node, beside theirs."""
    async with make_client(**SLOW) as made:
        yield made


async def test_each_side_runs_and_reads_what_the_other_enqueues(
    peer: ObanPeer, app: Staffa, rows: Rows
) -> None:
    seen: list[dict[str, Any]] = []

    @job(queue="ours", name="ours.note")
    async def note(**args: Any) -> None:
        seen.append(args)

    @job(queue="ours", name="ours.keep")
    async def keep() -> Record:
        return Record(VALUE)

    @job(queue="ours", name="ours.fail", max_attempts=1)
    async def fail() -> None:
        raise ValueError("boom")

    @job(queue="ours", name="ours.doze")
    async def doze() -> Snooze:
        return Snooze(3600)

    noted, kept, failed, dozed = await peer.enqueue(
        *(
            {"worker": f"ours.{name}", "queue": "ours", "args": args, "max_attempts": 1}
            for name, args in (("note", VALUE), ("keep", {}), ("fail", {}), ("doze", {}))
        )
    )
    await rows.until(noted, "completed")
    await rows.until(failed, "discarded")
    assert seen == [VALUE]
    await rows.until(kept, "completed")
    assert (await peer.get_job(kept))["value"] == VALUE
    read = await peer.get_job(failed)
    assert (read["state"], read["attempt"]) == ("discarded", 1)
    assert "ValueError: boom" in read["errors"][0]["error"]
    await rows.until(dozed, "scheduled")
    read = await peer.get_job(dozed)
    assert (read["attempt"], read["meta"]) == (0, {"snoozed": 1})


async def test_what_becomes_of_their_jobs_is_read_as_they_have_left_it(
    peer: ObanPeer, app: Staffa, rows: Rows
) -> None:
    added, kept, failed, dozed = await app.enqueue_many(
        [
            Job(worker=f"peer_program.{name}", queue="theirs", args=args, max_attempts=1)
            for name, args in (
                ("add", {"first": 1, "second": 2}),
                ("Keep", {"value": VALUE}),
                ("Fail", {}),
                ("Doze", {"seconds": 3600}),
            )
        ]
    )
    await rows.until(added.id, "completed")
    await rows.until(kept.id, "completed")
    assert await app.fetch_result(kept) == VALUE
    await rows.until(failed.id, "discarded")
    found = await app.get_job(failed)
    assert found is not None
    assert (found.state, found.attempt, found.discarded_at is None) == (State.DISCARDED, 1, False)
    assert "ValueError: boom" in found.errors[0]["error"]
    await rows.until(dozed.id, "scheduled")
    found = await app.get_job(dozed)
    assert found is not None
    assert (found.attempt, found.meta) == (0, {"snoozed": 1})


async def test_each_side_obeys_what_the_other_does_to_queues(peer: ObanPeer, app: Staffa) -> None:
    async def theirs(queue: str = "theirs") -> tuple[int, bool] | None:
        check = await peer.check_queue(queue)
        return (check["limit"], check["paused"]) if check else None

    def ours(queue: str = "ours") -> tuple[int, bool] | None:
        for check in app.check_all_queues():
            if check.queue == queue:
                return (check.limit, check.paused)
        return None

    async def they_have(state: tuple[int, bool] | None, queue: str = "theirs") -> bool:
        return await theirs(queue) == state

    async def our_pause_is_heard() -> bool:
        await app.pause_queue("theirs")  # again and again: they may not be listening yet
        return await they_have((5, True))

    await obeyed(our_pause_is_heard, "our pause")
    await app.resume_all_queues()
    await obeyed(lambda: they_have((5, False)), "its end")
    await app.scale_queue("theirs", limit=7)
    await obeyed(lambda: they_have((7, False)), "our scale")
    await app.start_queue("fresh", limit=3, paused=True)
    await obeyed(lambda: they_have((3, True), "fresh"), "our start")
    await app.stop_queue("fresh")
    await obeyed(lambda: they_have(None, "fresh"), "our stop")
    assert ours() == (5, False)

    await peer.call("pause_queue", "ours")
    await obeyed(lambda: ours() == (5, True), "their pause")
    await peer.call("resume_all_queues")
    await obeyed(lambda: ours() == (5, False), "its end")
    await peer.call("scale_queue", queue="ours", limit=7)
    await obeyed(lambda: ours() == (7, False), "their scale")
    await peer.call("start_queue", queue="more", limit=3, paused=True)
    await obeyed(lambda: ours("more") == (3, True), "their start")
    await peer.call("stop_queue", "more")
    await obeyed(lambda: ours("more") is None, "their stop")
    await peer.call("pause_queue", "ours", node="another")
    await peer.call("pause_queue", "ours", node="node-a")
    await obeyed(lambda: ours() == (7, True), "their pause of our node")
    assert await theirs() == (7, False)


async def test_each_side_cancels_what_the_other_runs(
    peer: ObanPeer, app: Staffa, rows: Rows, events: Recorder
) -> None:
    @job(queue="ours", name="ours.hang")
    async def hang() -> None:
        await asyncio.Event().wait()

    async def running() -> list[int]:
        found: list[int] = (await peer.check_queue("theirs"))["running"]
        return found

    async def idle() -> bool:
        return not await running()

    async def busy() -> bool:  # a signal that comes between its claim and its start is lost on it
        return theirs.id in await running()

    (ours,) = await peer.enqueue({"worker": "ours.hang", "queue": "ours"})
    theirs = await app.enqueue(Job(worker="peer_program.Watch", queue="theirs"))
    await events.wait("staffa.job.start")
    await eventually(busy, "their run")
    await peer.call("cancel_job", ours)
    await obeyed(lambda: app.check_queue("ours").running == (), "the end of ours")
    await app.cancel_job(theirs)
    await obeyed(idle, "the end of theirs")
    assert await rows.errors(ours) == [kills.ERROR]
    for number in (ours, theirs.id):
        row = await rows.get(number)
        assert (row["state"], row["attempt"]) == ("cancelled", 1)
    assert (await peer.get_job(ours))["state"] == "cancelled"


async def test_both_sides_change_jobs_that_the_other_has_enqueued(
    peer: ObanPeer, app: Staffa, rows: Rows
) -> None:
    (number,) = await peer.enqueue({"worker": "ours.later", "queue": "none", "scheduled_in": 3600})
    assert await app.update_job(number, {"priority": 2, "tags": ["seen"]})
    read = await peer.get_job(number)
    assert (read["state"], read["priority"], read["tags"]) == ("scheduled", 2, ["seen"])
    await peer.call("cancel_job", number)
    assert (await rows.get(number))["state"] == "cancelled"
    assert await app.retry_job(number)
    assert (await peer.get_job(number))["state"] == "available"
    await peer.call("update_job", number, {"max_attempts": 3, "meta": {"by": "them"}})
    found = await app.get_job(number)
    assert found is not None
    assert (found.max_attempts, found.meta["by"]) == (3, "them")
    assert await app.cancel_job(number)
    await peer.call("retry_job", number)
    assert (await rows.get(number))["state"] == "available"
    assert await app.delete_job(number)
    assert await peer.ask("get_job", number) is None


async def test_both_work_on_one_queue_at_once_and_each_job_runs_once(
    peer: ObanPeer, make_client: MakeClient, rows: Rows
) -> None:
    count = 60

    @job(queue="shared", name="peer_program.Note")
    async def note(number: int = 0) -> None:
        # the test's own connection serves one at a time
        async with lock:
            await rows.connection.execute(
                f"INSERT INTO {rows.prefix}.runs (job_id, side) VALUES ($1, 'ours')",
                current_job().id,
            )

    lock = asyncio.Lock()
    await peer.call("start_queue", queue="shared", limit=2)
    async with make_client(queues={"shared": 2}) as app:
        theirs = await peer.enqueue_same(count, worker="peer_program.Note", queue="shared")
        ours = [one.id or 0 for one in await app.enqueue_many(note.new(n) for n in range(count))]

        async def ended() -> bool:
            async with lock:
                return await rows.count() == {"completed": 2 * count}

        await eventually(ended, "the end of all jobs")
    found = await rows.connection.fetch(f"SELECT job_id FROM {rows.prefix}.runs ORDER BY job_id")
    assert [row["job_id"] for row in found] == sorted([*theirs, *ours])
