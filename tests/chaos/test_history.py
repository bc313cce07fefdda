"""The history is what the database has committed and what jobs told."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from staffa import Job, current_job, job
from tests.chaos import marks
from tests.chaos.history import Step, install, read_history
from tests.chaos.marks import mark, mark_async
from tests.chaos.oracles import judge
from tests.conftest import MakeClient
from tests.support.rows import Rows


@pytest.fixture(autouse=True)
def _where(dsn: str, prefix: str) -> Iterator[None]:
    with marks.exported(dsn, prefix):
        yield


async def test_a_run_is_told_by_its_changes_marks_and_heartbeats(
    make_client: MakeClient, connection: asyncpg.Connection, prefix: str
) -> None:
    @job
    async def tell(token: str) -> None:
        await mark_async(current_job(), "begun", checkpoint=0)
        await mark_async(current_job(), "completing")

    @job(max_attempts=1)
    def fail(token: str) -> None:
        mark(current_job(), "begun")
        mark(current_job(), "failing")
        raise ValueError(token)

    await install(connection, prefix)
    rows = Rows(connection, prefix)
    async with make_client(queues={"default": 2}) as app:
        first, second = await app.enqueue_many([tell.new("a"), fail.new("b")])
        await rows.until(first.id, "completed")
        await rows.until(second.id, "discarded")
    history = await read_history(connection, prefix)
    assert first.id is not None
    assert [change.step for change in history.of_job[first.id]] == [
        Step.INSERT,
        Step.CLAIM,
        Step.COMPLETE,
    ]
    (tenure,) = (each for each in history.tenures if each.lease.job == first.id)
    assert [found.kind for found in history.marks_of[tenure.lease]] == ["begun", "completing"]
    assert tenure.end is not None
    assert history.last_state(second.id or 0) == "discarded"
    assert history.of_job[first.id][0].args == {"token": "a"}
    beats = [beat for beat in history.beats if beat.producer == tenure.lease.producer]
    assert [beat.beats is None for beat in beats] == [False] * (len(beats) - 1) + [True]
    assert {name: wrong for name, wrong in judge(history).items() if wrong} == {}


async def test_what_is_rolled_back_is_not_in_the_history(
    make_client: MakeClient, connection: asyncpg.Connection, prefix: str
) -> None:
    await install(connection, prefix)
    app = make_client()
    transaction = connection.transaction()
    await transaction.start()
    await app.enqueue(Job(worker="any"), conn=connection)
    await transaction.rollback()
    assert (await read_history(connection, prefix)).changes == []
