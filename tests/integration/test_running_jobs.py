"""Jobs of every outcome, run by a real client on a real database."""

from __future__ import annotations

from staffa import Cancel, Discard, Job, Snooze, Staffa, State, current_job, job, worker
from tests.conftest import MakeClient
from tests.support.events import Recorder


async def test_an_async_function_runs_and_its_row_ends_completed(
    make_client: MakeClient, events: Recorder
) -> None:
    seen: list[tuple[str, int | None]] = []

    @job(queue="mail")
    async def send(to: str) -> None:
        seen.append((to, current_job().id))

    async with make_client(queues={"mail": 5}) as app:
        stored = await app.enqueue(send.new("ada@example.com"))
        await events.wait("staffa.job.completed")
        row = await app.get_job(stored)
    assert row is not None
    assert seen == [("ada@example.com", stored.id)]
    assert row.state is State.COMPLETED
    assert row.completed_at is not None
