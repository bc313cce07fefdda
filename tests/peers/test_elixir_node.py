"""A node of Elixir Oban on one table with us, played by a stand-in.

Everything but notifications is set to an hour on both sides: what happens here, they brought about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from staffa import Job, Record, Staffa, State, erlang, job
from tests.conftest import MakeClient
from tests.peers.controls import obeyed
from tests.support.elixir_node import OK, ElixirNode, Outcome
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

SLOW: dict[str, Any] = {
    "poll": 3600, "heartbeat": 900, "dead_after": 3600, "shutdown_grace": 0,
    "name": "Oban", "node": "node-a", "queues": {"ours": 2},
}  # fmt: skip


@pytest.fixture
async def app(make_client: MakeClient) -> AsyncIterator[Staffa]:
    """Our node."""
    async with make_client(**SLOW) as made:
        yield made


class Badges:
    """What the workers of the Elixir node do."""

    def __init__(self) -> None:
        self.seen: list[Mapping[str, Any]] = []
        self.workers = {
            "Shop.Badge": self.note,
            "Shop.Hang": self.hang,
            "Shop.Fail": self.fail,
            "Shop.Doze": self.doze,
            "Shop.Record": self.record,
        }

    async def note(self, job: Mapping[str, Any]) -> Outcome:
        self.seen.append(job["args"])
        return OK

    async def hang(self, job: Mapping[str, Any]) -> Outcome:
        await asyncio.Event().wait()
        return OK

    async def fail(self, job: Mapping[str, Any]) -> Outcome:
        return ("error", "boom")

    async def doze(self, job: Mapping[str, Any]) -> Outcome:
        return OK if job["meta"].get("snoozed") else ("snooze", 3600)

    async def record(self, job: Mapping[str, Any]) -> Outcome:
        return ("record", TERM)


TERM = bytes.fromhex("837400000001") + b"\x6d\x00\x00\x00\x04from\x6d\x00\x00\x00\x06elixir"
"""The map `%{"from" => "elixir"}`."""


@pytest.fixture
def badges() -> Badges:
    return Badges()


@pytest.fixture
async def elixir(dsn: str, prefix: str, badges: Badges) -> AsyncIterator[ElixirNode]:
    """Their node."""
    async with ElixirNode(dsn, prefix, {"theirs": 2}, badges.workers) as made:
        yield made


async def test_each_side_runs_what_the_other_enqueues(
    elixir: ElixirNode, badges: Badges, app: Staffa, rows: Rows
) -> None:
    seen: list[int] = []

    @job(queue="ours", name="ours.note")
    async def note(number: int) -> None:
        seen.append(number)

    for_us = await elixir.insert("ours.note", {"number": 7}, queue="ours")
    for_them = await app.enqueue(Job(worker="Shop.Badge", queue="theirs", args={"name": "ada"}))
    first = await rows.until(for_us, "completed")
    second = await rows.until(for_them.id, "completed")
    assert (seen, badges.seen) == ([7], [{"name": "ada"}])
    same = ("meta", "errors", "attempt", "max_attempts", "tags", "cancelled_at", "discarded_at")
    assert [first[name] for name in same] == [second[name] for name in same]


async def test_what_becomes_of_their_jobs_is_read_as_they_have_left_it(
    elixir: ElixirNode, app: Staffa, rows: Rows
) -> None:
    (failing, dozing, recording) = [
        await app.enqueue(Job(worker=f"Shop.{name}", queue="theirs", max_attempts=1))
        for name in ("Fail", "Doze", "Record")
    ]
    await rows.until(failing.id, "discarded")
    await rows.until(dozing.id, "scheduled")
    await rows.until(recording.id, "completed")
    failed = await app.get_job(failing)
    assert failed is not None
    assert (failed.state, failed.attempt) == (State.DISCARDED, 1)
    assert failed.errors[0]["error"] == "** (Oban.PerformError) boom"
    dozed = await app.get_job(dozing)
    assert dozed is not None
    assert (dozed.attempt, dozed.meta) == (0, {"snoozed": 1})
    assert await app.fetch_result(recording) == {"from": "elixir"}


async def test_what_we_record_is_an_erlang_term(
    elixir: ElixirNode, app: Staffa, rows: Rows
) -> None:
    @job(queue="ours", name="ours.record")
    async def record() -> Record:
        return Record({"from": "us"})

    row = await rows.until(await elixir.insert("ours.record", queue="ours"), "completed")
    assert row["meta"]["recorded"] is True
    assert erlang.load(row["meta"]["return"]) == {"from": "us"}


async def test_they_obey_what_we_do_to_queues(elixir: ElixirNode, app: Staffa) -> None:
    await app.pause_queue("theirs")
    await obeyed(lambda: elixir.paused == {"theirs"}, "the pause")
    await app.resume_all_queues()
    await obeyed(lambda: elixir.paused == set(), "its end")
    await app.scale_queue("theirs", limit=5)
    await obeyed(lambda: elixir.limits == {"theirs": 5}, "the scale")
    await app.pause_queue("theirs", node="another")
    await app.stop_queue("theirs")
    await obeyed(lambda: elixir.limits == {}, "the stop")
    assert elixir.paused == set()


async def test_we_obey_what_they_do_to_queues(elixir: ElixirNode, app: Staffa) -> None:
    await elixir.signal("pause", "ours")
    await obeyed(lambda: app.check_queue("ours").paused, "the pause")
    await elixir.signal("resume")
    await obeyed(lambda: not app.check_queue("ours").paused, "its end")
    await elixir.signal("scale", "ours", limit=5)
    await obeyed(lambda: app.check_queue("ours").limit == 5, "the scale")
    await elixir.signal("start", "more", limit=3)
    await obeyed(lambda: len(app.check_all_queues()) == 2, "the start")
    await elixir.signal("stop", "more")
    await obeyed(lambda: len(app.check_all_queues()) == 1, "the stop")


async def test_each_side_cancels_what_the_other_runs(
    elixir: ElixirNode, app: Staffa, rows: Rows, events: Recorder
) -> None:
    @job(queue="ours", name="ours.hang")
    async def hang() -> None:
        await asyncio.Event().wait()

    ours = await elixir.insert("ours.hang", queue="ours")
    theirs = await app.enqueue(Job(worker="Shop.Hang", queue="theirs"))
    await events.wait("staffa.job.start")
    await eventually(lambda: list(elixir.running) == [theirs.id], "the start of theirs")
    await elixir.cancel_job(ours)
    await obeyed(lambda: app.check_queue("ours").running == (), "the end of ours")
    await app.cancel_job(theirs)
    await obeyed(lambda: elixir.running == {}, "the end of theirs")
    for number in (ours, theirs.id):
        row = await rows.get(number)
        assert (row["state"], row["attempt"]) == ("cancelled", 1)
