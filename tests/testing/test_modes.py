"""Modes: what clients do with jobs in tests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from staffa import Config, Discard, Job, Staffa, State, Worker, job, worker
from staffa.errors import ConfigError, UnknownOption
from staffa.testing import all_enqueued, mode, refute_enqueued
from tests.conftest import MakeClient
from tests.support.events import Recorder


async def test_a_manual_client_stores_jobs_and_runs_none(
    make_client: MakeClient, events: Recorder
) -> None:
    app = make_client(testing="manual", queues={"default": 2})

    @job
    async def run() -> None: ...

    async with app:
        assert not app.started
        await run.enqueue()
        assert len(await all_enqueued()) == 1
    assert not events.of("staffa.job.start")


async def test_an_inline_client_runs_a_job_where_it_is_enqueued() -> None:
    app = Staffa("postgresql://nobody@127.0.0.1:1/nowhere", name="inline", testing="inline")
    seen: list[Any] = []

    @worker()
    class Note(Worker):
        async def process(self, job: Job) -> None:
            seen.append(job.args)

    ended = await app.enqueue(Note.new({"pair": (1, 2)}, scheduled_in=3600))

    assert seen == [{"pair": [1, 2]}]
    assert (ended.state, ended.attempt) == (State.COMPLETED, 1)
    assert ended.id is not None
    assert ended.completed_at is not None


async def test_inline_runs_what_jobs_enqueue_and_what_comes_in_streams() -> None:
    app = Staffa("postgresql://nobody@127.0.0.1:1/nowhere", name="inline", testing="inline")
    ran: list[int] = []

    @job
    async def count_down(number: int) -> None:
        ran.append(number)
        if number:
            await count_down.enqueue(number - 1)

    await count_down.enqueue(2)
    assert ran == [2, 1, 0]
    await app.enqueue_many(count_down.new(0), count_down.new(0))
    assert [number async for number in app.enqueue_many([count_down.new(0)], stream=True)]
    assert ran == [2, 1, 0, 0, 0, 0]


async def test_inline_raises_what_makes_an_attempt_fail() -> None:
    app = Staffa("postgresql://nobody@127.0.0.1:1/nowhere", name="inline", testing="inline")
    ran: list[str] = []

    @job(cancel_on=ValueError)
    def fail(how: str) -> Any:
        ran.append(how)
        if how == "discard":
            return Discard("no")
        raise {"lookup": LookupError, "value": ValueError}[how](how)

    with pytest.raises(LookupError):
        await app.enqueue_many(fail.new("lookup"), fail.new("value"))
    assert ran == ["lookup"]
    assert (await fail.enqueue("value")).state is State.CANCELLED
    assert (await fail.enqueue("discard")).state is State.DISCARDED


async def test_a_block_goes_before_the_setting(make_client: MakeClient) -> None:
    make_client(testing="manual")
    ran: list[int] = []

    @job
    async def run(number: int) -> None:
        ran.append(number)

    with mode("inline"):
        await run.enqueue(1)
        with mode("manual"):
            await run.enqueue(2)
        await run.enqueue(3)
    await run.enqueue(4)

    assert ran == [1, 3]
    assert sorted(found.args["number"] for found in await all_enqueued()) == [2, 4]


async def test_a_block_holds_for_other_tasks_and_threads(make_client: MakeClient) -> None:
    app = make_client()
    ran: list[int] = []

    @job
    async def run() -> None:
        ran.append(1)

    def in_a_thread() -> None:
        asyncio.run(app.enqueue(run.new()))

    with mode("inline"):
        await asyncio.to_thread(in_a_thread)

    assert ran == [1]
    await refute_enqueued()


def test_a_mode_that_does_not_exist_is_refused() -> None:
    told = "unknown testing mode 'inlne': did you mean 'inline'"
    with pytest.raises(UnknownOption, match=told), mode("inlne"):  # type: ignore[arg-type]  # that is the point
        pass
    with pytest.raises(UnknownOption, match="testing mode"):
        Config(testing="off")  # type: ignore[arg-type]  # likewise


def test_the_mode_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAFFA_TESTING", "inline")

    assert Config.load().testing == "inline"


async def test_a_temporary_file_serves_tests_of_programs_that_are_set_up_for_a_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STAFFA_PREFIX", "jobs")
    monkeypatch.setenv("STAFFA_LISTEN_DSN", "postgresql://localhost/app")
    monkeypatch.setenv("STAFFA_POOLER", "on")
    app = Staffa("sqlite://", testing="manual")

    await app.enqueue(Job(worker="a.b"))

    assert len(await all_enqueued()) == 1
    await app.stop()
    in_earnest = Staffa("sqlite://", name="earnest")
    with pytest.raises(ConfigError, match="prefix can't be used with SQLite"):
        await in_earnest.enqueue(Job(worker="a.b"))
