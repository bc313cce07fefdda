"""The Python package `oban`, as it runs, on one table with us."""

from __future__ import annotations

from staffa import job
from tests.conftest import MakeClient
from tests.support.oban_peer import ObanPeer
from tests.support.rows import Rows


async def test_each_side_runs_what_the_other_enqueues(
    peer: ObanPeer, make_client: MakeClient, rows: Rows
) -> None:
    seen: list[int] = []

    @job(queue="ours", name="ours.note")
    async def note(number: int) -> None:
        seen.append(number)

    async with make_client(queues={"ours": 2}):
        (theirs,) = await peer.enqueue(
            {"worker": "ours.note", "queue": "ours", "args": {"number": 7}}
        )
        await rows.until(theirs, "completed")
    assert seen == [7]
