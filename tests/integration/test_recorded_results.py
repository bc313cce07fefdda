"""Recorded results: written with the outcome, read by `fetch_result`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from staffa import Record, Recorded, erlang, job
from staffa.errors import ResultUnavailable
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


@dataclass
class Receipt:
    day: date
    total: int


@job(name="recorded.count", recorded=True)
async def count(words: list[str]) -> dict[str, Any]:
    return {"words": len(words), "pair": (1, None), "raw": b"\xff"}


@job(name="recorded.count_thread")
def count_in_a_thread(number: int) -> Record:
    return Record(number * 2)


@job(name="recorded.receipt", recorded=True)
async def make_receipt() -> Receipt:
    return Receipt(date(2026, 1, 2), 5)


@job(name="recorded.large", recorded=Recorded(limit=1000))
async def make_large() -> str:
    return "x" * 2000


@job(name="recorded.plain")
async def plain() -> int:
    return 5


async def test_results_are_stored_with_the_outcome_and_fetched(
    make_client: MakeClient, events: Recorder, rows: Rows
) -> None:
    async with make_client(queues={"default": 5}) as app:
        made = [
            await app.enqueue(count.new(["a", "b"])),
            await app.enqueue(count_in_a_thread.new(2**70)),
            await app.enqueue(make_receipt.new()),
        ]
        await events.wait("staffa.job.completed", 3)
        found = [await app.fetch_result(stored) for stored in made]
        assert await app.fetch_result(made[1].id or 0) == 2**71
    assert found == [
        {"words": 2, "pair": (1, None), "raw": b"\xff"},
        2**71,
        {"day": "2026-01-02", "total": 5},
    ]
    row = await rows.get(made[1].id)
    assert row["meta"] == {"recorded": True, "return": erlang.dump(2**71)}


async def test_a_result_that_can_not_be_kept_is_dropped_and_the_work_is_not_repeated(
    make_client: MakeClient, events: Recorder, rows: Rows
) -> None:
    async with make_client(queues={"default": 5}) as app:
        stored = await app.enqueue(make_large.new())
        await events.wait("staffa.job.completed")
        row = await rows.get(stored.id)
        with pytest.raises(ResultUnavailable, match=r"dropped, it could not be recorded: .*1000"):
            await app.fetch_result(stored)
    assert (row["state"], row["attempt"], len(row["errors"])) == ("completed", 1, 1)
    assert row["errors"][0]["attempt"] == 1


async def test_what_has_no_result_says_so(make_client: MakeClient, events: Recorder) -> None:
    app = make_client()
    stored = await app.enqueue(count.new([]))
    with pytest.raises(ResultUnavailable, match="is available"):
        await app.fetch_result(stored)
    with pytest.raises(ResultUnavailable, match="there is no job 123456"):
        await app.fetch_result(123456)
    await app.start(queues={"default": 5})
    done = await app.enqueue(plain.new())
    await events.wait("staffa.job.completed", 2)
    with pytest.raises(ResultUnavailable, match="plain recorded=True"):
        await app.fetch_result(done)


async def test_a_result_that_another_program_wrote_is_read(
    make_client: MakeClient, rows: Rows
) -> None:
    text = "g3QAAAACZAACaWRhBWQABG5hbWVtAAAAA2FkYQ=="
    number = await rows.insert(
        worker="MyApp.Worker",
        state="completed",
        meta=f'{{"recorded": true, "return": "{text}"}}',
    )
    assert await make_client().fetch_result(number) == {"id": 5, "name": "ada"}


async def test_many_large_results_are_all_written(
    make_client: MakeClient, events: Recorder
) -> None:
    @job(recorded=True)
    async def megabytes(number: int) -> str:
        return str(number % 10) * 8_000_000

    async with make_client(queues={"default": 20}) as app:
        made = await app.enqueue_many(megabytes.new(number) for number in range(8))
        await events.wait("staffa.job.completed", 8)
        for number, stored in enumerate(made):
            assert await app.fetch_result(stored) == str(number) * 8_000_000
