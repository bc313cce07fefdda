"""Rows that other programs wrote: one bad row harms no other job and stops no queue."""

from __future__ import annotations

from typing import Any

import pytest

from staffa import Job, job
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows

DEEP = "[" * 10_000 + "]" * 10_000


@pytest.fixture
def greet() -> str:
    """The name of a worker that needs one argument."""

    @job(name="greet")
    async def greet(name: object) -> None: ...

    return greet.worker_name


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"args": '{"nome": "ada"}'}, "needs name"),
        ({"args": "{}"}, "needs name"),
        ({"args": f'{{"name": {DEEP}}}'}, "decoded"),
        ({"args": f'{{"name": [{DEEP}, 12345678901234567890123]}}'}, "nested too deep"),
        ({"args": f'{{"name": 1{"0" * 5000}}}'}, "decoded"),
        ({"args": '{"name": 1e5000}'}, "decoded"),
        ({"args": "[1, 2]"}, "decoded"),
        ({"args": '"text"'}, "decoded"),
        ({"args": "null"}, "decoded"),
        ({"args": '{"name": 1}', "meta": f'{{"deep": {DEEP}}}'}, "decoded"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_row_that_can_not_be_decoded_is_discarded_with_the_reason(
    columns: dict[str, Any],
    reason: str,
    greet: str,
    make_client: MakeClient,
    rows: Rows,
    events: Recorder,
) -> None:
    bad = await rows.insert(worker=greet, **columns)
    good = await rows.insert(worker=greet, args='{"name": "ada"}')
    async with make_client(queues={"default": 5}):
        await rows.until(good, "completed")
        row = await rows.until(bad, "discarded")
    assert row["attempt"] == 1
    assert reason in row["errors"][0]["error"]
    assert len(row["errors"][0]["error"]) < 1000


@pytest.mark.parametrize(
    "columns",
    [
        {"args": '{"name": 123456789012345678901234567890}'},
        {"args": '{"name": 1e400}'},
        {"args": '{"name": "x", "later": 1}'},
        {"args": '{"name": "x"}', "meta": '{"staffa_timeout": "soon"}'},
        {"args": '{"name": "x"}', "meta": "[1]"},
        {"args": '{"name": "x"}', "inserted_at": "infinity"},
        {"args": '{"name": "x"}', "scheduled_at": "-infinity"},
        {"args": '{"name": "x"}', "scheduled_at": "0044-03-15 00:00:00 BC"},
        {"args": '{"name": "x"}', "inserted_at": "20000-01-01 00:00:00"},
        {"args": '{"name": "x"}', "tags": "{a,NULL}"},
        {"args": '{"name": "x"}', "priority": 30_000},
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_strange_row_runs_all_the_same(
    columns: dict[str, Any], greet: str, make_client: MakeClient, rows: Rows
) -> None:
    await rows.insert(worker=greet, **columns)
    await rows.insert(worker=greet, args='{"name": "ada"}')
    async with make_client(queues={"default": 5}) as app:
        await rows.until_count(completed=2)
        assert len(await app.list_jobs()) == 2


async def test_a_job_of_an_unknown_worker_is_put_back_and_the_queue_goes_on(
    greet: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    async with make_client(queues={"default": 1}) as app:
        unknown = await app.enqueue(Job(worker="no.such.Worker", priority=0))
        await app.enqueue(Job(worker=greet, args={"name": "ada"}, priority=1))
        await events.wait("staffa.job.completed")
        row = await rows.until(unknown.id, "scheduled")
    assert row["attempt"] == 0
    assert row["errors"] == []
    assert row["meta"]["unknown_worker"]["count"] == 1
    waits = (row["scheduled_at"] - row["attempted_at"]).total_seconds()
    assert 30 <= waits < 60


async def test_attempts_of_an_unknown_worker_fail_after_a_time(
    make_client: MakeClient, rows: Rows
) -> None:
    async with make_client(queues={"default": 1}, unknown_after=0.001) as app:
        stored = await app.enqueue(Job(worker="no.such.Worker", max_attempts=1))
        await rows.until(stored.id, "scheduled")
        await app.retry_job(stored)
        row = await rows.until(stored.id, "discarded")
    assert "no.such.Worker" in row["errors"][0]["error"]


async def test_an_available_job_without_attempts_left_is_discarded(
    greet: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    exhausted = await rows.insert(worker=greet, attempt=3, max_attempts=3)
    async with make_client(queues={"default": 1}) as app:
        await events.wait("staffa.leader.elected")
        assert app._node is not None
        app._node._lifeline.wake()
        row = await rows.until(exhausted, "discarded")
    assert "no attempts are left" in row["errors"][0]["error"]
