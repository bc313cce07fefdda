"""Peers judge running jobs by age, and so do we theirs: what is rescued too early stays right."""

from __future__ import annotations

import asyncio
from pathlib import Path

from staffa import Job, job
from staffa.survey import PYTHON
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.oban_peer import ObanPeer, oban_peer
from tests.support.rows import Rows

IMPATIENT = {"interval": 0.1, "rescue_after": 0.5}


async def test_a_run_that_a_peer_takes_for_dead_can_not_write_its_outcome_any_more(
    dsn: str, make_client: MakeClient, rows: Rows, events: Recorder, tmp_path: Path
) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    runs: list[asyncio.Event] = [first, second]

    @job(queue="ours")
    async def wait() -> None:
        await runs.pop(0).wait()

    # The first run must be one that the peer alone takes away: our leases are checked rarely.
    app = make_client(queues={"ours": 2}, heartbeat=900, dead_after=3600)
    async with app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        options = {"queues": {"theirs": 1}, "lifeline": IMPATIENT}
        async with oban_peer(dsn, rows.prefix, tmp_path / "peer.log", **options) as peer:
            await peer.install()
            await peer.start()
            await events.wait("staffa.job.start", 2)
            health = await (await app._open()).engine.survey.check_server()
            assert health.leading_peers == (PYTHON,)
        first.set()
        await events.wait("staffa.job.lease_lost")
        assert (await rows.get(stored.id))["state"] == "executing"
        second.set()
        row = await rows.until(stored.id, "completed")
    assert (row["attempt"], row["meta"]["rescued"]) == (2, 1)


async def test_an_old_run_of_a_peer_is_rescued_and_can_not_write_its_outcome_any_more(
    peer: ObanPeer, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    sender = make_client(name="sender")
    stored = await sender.enqueue(Job(worker="peer_program.Watch", queue="theirs"))
    before = await rows.until(stored.id, "executing")

    async def is_old() -> bool:
        return bool(
            await rows.connection.fetchval(
                f"SELECT attempted_at < timezone('UTC', clock_timestamp()) - interval '0.5 s'"
                f" FROM {rows.jobs} WHERE id = $1",
                stored.id,
            )
        )

    await eventually(is_old, "it to be old")
    async with make_client(queues={"ours": 1}, foreign_dead_after=0.5):
        (rescued,) = await events.wait("staffa.job.rescued")
        assert rescued.data["job"].id == stored.id

        async def runs_again() -> bool:
            row = await rows.get(stored.id)
            return bool(
                row["state"] == "executing" and row["attempted_at"] > before["attempted_at"]
            )

        await eventually(runs_again, "the second run")
    await peer.call("cancel_job", stored.id)
    row = await rows.until(stored.id, "cancelled")
    assert [error["error"] for error in row["errors"]] == ["seen"]
    assert row["attempt"] == 2
