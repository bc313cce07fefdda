"""Uses of `@worker` and of the client that type checkers accept: checked, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from staffa import (
    Chunk,
    Config,
    Job,
    MaxDepth,
    Oban,
    Queue,
    Record,
    Recorded,
    Staffa,
    State,
    Worker,
    get_instance,
    job,
    worker,
)
from staffa.instance import Enqueues
from staffa.relays import Relay


@worker(queue="badges", max_attempts=5)
class GenerateBadge(Worker):
    def __init__(self) -> None:
        self.colour = "red"

    async def process(self, job: Job) -> None:
        assert_type(job.args, dict[str, Any])
        await Staffa.get_instance().enqueue(Job(worker="w", queue="q", args={"a": 1}))

    def backoff(self, job: Job) -> int:
        return job.attempt

    def timeout(self, job: Job) -> timedelta:
        return timedelta(minutes=job.attempt)


@worker(name="MyApp.Plain", backoff=lambda job, error: 5.0)
class WithoutTheBase:
    def process(self, job: Job) -> str:
        return job.queue


@dataclass
class Order:
    id: int


@worker(args=Order, chunk=Chunk(size=5, by="args.id"))
class PrintOrders(Worker[Order]):
    async def process(self, jobs: list[Job[Order]]) -> None:
        assert_type(jobs[0].args, Order)
        assert_type(await PrintOrders.enqueue(Order(1)), Job)


@worker(args=Order, unknown="error", encrypted=True, recorded=Recorded(limit=1000))
class PrintOrder(Worker[Order]):
    async def process(self, job: Job[Order]) -> Record:
        assert_type(job.args, Order)
        return Record(job.args.id)


@job
async def send(to: str) -> None: ...


async def workers(connection: object) -> None:
    assert_type(GenerateBadge().colour, str)
    assert_type(GenerateBadge.new({"id": 1}), Job)
    assert_type(GenerateBadge.new(priority=1, tags=("a",)), Job)
    assert_type(await GenerateBadge.enqueue({"id": 1}, conn=connection, scheduled_in=5), Job)
    assert_type(PrintOrder.new(Order(1), priority=1), Job)
    assert_type(await PrintOrder.enqueue({"id": 1}), Job)
    assert_type(await GenerateBadge.relay({"id": 1}, conn=connection, priority=1), Relay)
    assert_type(WithoutTheBase().process(Job(worker="w")), str)


async def produce() -> AsyncIterator[Job]:
    yield send.new("ada")


async def client(connection: object) -> None:
    app = Staffa(
        "postgresql://localhost/app",
        queues={"default": 10, "mail": Queue(limit=5), "other": {"limit": 1}},
        prefix="jobs",
        shutdown_grace=timedelta(seconds=30),
        imports=["myapp"],
        encryption_keys={"2026": b"", "2025": ""},
        max_depth={"default": 5, "mail": MaxDepth(5, on_full="delay"), "other": {"limit": 1}},
    )
    assert_type(app.config, Config)
    async with app as entered:
        assert_type(entered, Staffa)
        stored = await app.enqueue(send.new("ada"), conn=connection)
        assert_type(stored, Job)
        many = [send.new("ada"), send.new("bob")]
        assert_type(await app.enqueue_many(*many), list[Job])
        assert_type(await app.enqueue_many(send.new(to) for to in ("ada", "bob")), list[Job])
        spaced = app.enqueue_many(many, auto_space=5, on_conflict="skip", on_progress=print)
        assert_type(await spaced, list[Job])
        async for number in app.enqueue_many(many, stream=True, chunk_size=5, conn=connection):
            assert_type(number, int)
        async for number in app.enqueue_many(produce()):
            assert_type(number, int)
        async for number in get_instance().enqueue_many(produce(), chunk_size=5):
            assert_type(number, int)
        assert_type(await get_instance().enqueue_many(*many), list[Job])
        assert_type(await app.get_job(stored), Job | None)
        assert_type(await app.fetch_result(stored), Any)
        assert_type(await app.retry_job(stored), bool)
        assert_type(await app.update_job(5, priority=1, tags=["a"]), Job | None)
    assert_type(get_instance(), Enqueues)
    assert_type(Oban.get_instance("other"), Staffa)


def columns(stored: Job) -> None:
    assert_type(stored.id, int | None)
    assert_type(stored.state, State)
    assert_type(stored.tags, tuple[str, ...])
    assert_type(stored.errors, list[dict[str, Any]])
