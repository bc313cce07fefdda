"""Events of nodes that really run: whose they are, and when they are told."""

from __future__ import annotations

import asyncio

from staffa import current_job, job, telemetry
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.rows import Rows


async def test_events_of_two_clients_in_one_process_are_told_apart(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(name="one", queue="one")
    async def one() -> None: ...

    @job(name="two", queue="two")
    def two() -> None:
        if current_job().attempt == 1:
            raise ValueError("once")

    first, second = make_client(queues={"one": 5}), make_client(queues={"two": 5})
    scoped = Recorder()
    telemetry.attach(scoped, instance=first.config.name)
    try:
        async with first, second:
            await first.enqueue_many(two.new() for _ in range(10))
            await second.enqueue_many(one.new() for _ in range(10))
            await events.wait("staffa.job.completed", 10)
            await events.wait("staffa.job.retryable", 10)
    finally:
        telemetry.detach(scoped)
    names = {"one": first.config.name, "two": second.config.name}
    for event in events.events:
        assert event.instance in names.values(), event
        if event.name.startswith("staffa.job."):
            assert event.instance == names[event.data["job"].queue]
    assert scoped.events == [one for one in events.events if one.instance == first.config.name]
    for name in names.values():
        told = [event.name for event in events.events if event.instance == name]
        assert told.count("staffa.shutdown.begin") == told.count("staffa.shutdown.end") == 1


async def test_an_outcome_is_told_after_its_commit_alone(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()
    states: list[str] = []

    @job
    async def work() -> None:
        await go_on.wait()

    async with make_client(dsn=proxy.dsn, queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await events.wait("staffa.job.start")
        await proxy.close()
        go_on.set()
        await events.until(
            lambda: any("outcomes wait" in str(event.data.get("what")) for event in events.events),
            "an attempt to write the outcome",
        )
        assert (await rows.get(stored.id))["state"] == "executing"
        assert events.of("staffa.job.completed") == []
        await proxy.open()
        await events.wait("staffa.job.completed")
        states.append((await rows.get(stored.id))["state"])
    assert states == ["completed"]


async def test_calls_of_the_engine_and_rounds_of_services_are_spans(
    make_client: MakeClient, events: Recorder
) -> None:
    @job
    async def work() -> None:
        await current_job().update_meta(page=1)

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await events.wait("staffa.job.completed")
        await app.get_job(stored)
        await eventually(
            lambda: events.of("staffa.service.lifeline.stop"), "a round of the lifeline"
        )
    names = {event.name for event in events.events}
    for verb in (
        "enqueue_jobs", "claim_jobs", "checkpoint_jobs", "ack_jobs", "get_jobs", "stage_jobs",
        "elect_leader",
    ):  # fmt: skip
        assert {f"staffa.engine.{verb}.start", f"staffa.engine.{verb}.stop"} <= names
    for service in ("stager", "leader", "lifeline"):
        assert {f"staffa.service.{service}.start", f"staffa.service.{service}.stop"} <= names
    spans = [event for event in events.events if "span" in event.data]
    begun = {event.data["span"].number for event in spans if event.name.endswith(".start")}
    ended = {event.data["span"].number for event in spans if not event.name.endswith(".start")}
    assert begun == ended
