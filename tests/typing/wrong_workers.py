"""Uses of `@worker` and of the client that type checkers refuse: each is marked."""

from __future__ import annotations

from staffa import Job, Queue, Snooze, Staffa, Worker, worker


@worker(queue="badges")
class GenerateBadge(Worker):
    async def process(self, job: Job) -> None: ...


@worker(max_attempt=5)  # type: ignore[call-arg]  # misspelt
class Misspelt:
    def process(self, job: Job) -> None: ...


@worker(chunk=True)  # type: ignore[call-arg]  # of a later version
class Later:
    def process(self, job: Job) -> None: ...


@worker(timeout="5 s")  # type: ignore[arg-type]  # the wrong type
class WrongValue:
    def process(self, job: Job) -> None: ...


class Order:
    id: int


@worker(args=Order)
class PrintOrder(Worker[Order]):
    async def process(self, job: Job[Order]) -> None:
        job.args["id"]  # type: ignore[index]  # args are an order


@worker(args=5)  # type: ignore[arg-type]  # no class
class WrongModel:
    def process(self, job: Job) -> None: ...


async def workers() -> None:
    PrintOrder.new(5)  # type: ignore[arg-type]  # an order or a mapping
    GenerateBadge.new(5)  # type: ignore[arg-type]  # args are a mapping
    GenerateBadge.new({"id": 1}, queu="x")  # type: ignore[call-arg]  # misspelt
    GenerateBadge.new({"id": 1}, backoff=5)  # type: ignore[call-arg]  # of the worker
    await GenerateBadge.enqueue({1: "id"})  # type: ignore[dict-item]  # keys are strings
    await GenerateBadge.enqueue({"id": 1}, priority="x")  # type: ignore[arg-type]  # the wrong type


async def client(app: Staffa) -> None:
    Staffa("postgresql://localhost/app", queue={"default": 1})  # type: ignore[call-arg]  # misspelt
    Staffa("postgresql://localhost/app", queues=["default"])  # type: ignore[arg-type]  # a list
    Staffa(5)  # type: ignore[arg-type]  # no DSN
    await app.enqueue(GenerateBadge)  # type: ignore[arg-type]  # no job
    await app.enqueue({"id": 1})  # type: ignore[arg-type]  # no job
    await app.enqueue_many([1])  # type: ignore[list-item]  # no job
    await app.enqueue_many([], strem=True)  # type: ignore[call-overload]  # misspelt
    await app.enqueue_many([], stream=True)  # type: ignore[misc]  # a stream is not awaited
    await app.enqueue_many([], on_conflict="drop")  # type: ignore[call-overload]  # no such policy
    await app.update_job(1, state="available")  # type: ignore[call-arg]  # can't be changed


def values() -> None:
    Job("myapp.send")  # type: ignore[call-arg]  # keywords only
    Job(worker="w", args=[1])  # type: ignore[arg-type]  # args are a mapping
    Job(worker="w", prio=1)  # type: ignore[call-arg]  # misspelt
    Queue(limmit=5)  # type: ignore[call-arg]  # misspelt
    Queue(5)  # type: ignore[call-arg]  # keywords only
    Snooze("60")  # type: ignore[arg-type]  # the wrong type
