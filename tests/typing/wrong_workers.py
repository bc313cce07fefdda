"""Uses of `@worker` and of the client that type checkers refuse: each is marked."""

from __future__ import annotations

from staffa import Job, Queue, Snooze, Staffa, Worker, worker


@worker(queue="badges")
class GenerateBadge(Worker):
    async def process(self, job: Job) -> None: ...


@worker(max_attempt=5)  # wrong, unseen by ty: misspelt
class Misspelt:
    def process(self, job: Job) -> None: ...


@worker(chunk=True)  # wrong: no Chunk
class WrongChunk:
    def process(self, job: Job) -> None: ...


@worker(timeout="5 s")  # wrong: the wrong type
class WrongValue:
    def process(self, job: Job) -> None: ...


class Order:
    id: int


@worker(args=Order)
class PrintOrder(Worker[Order]):
    async def process(self, job: Job[Order]) -> None:
        job.args["id"]  # wrong: args are an order


@worker(args=5)  # wrong: no class
class WrongModel:
    def process(self, job: Job) -> None: ...


async def workers() -> None:
    PrintOrder.new(5)  # wrong: an order or a mapping
    GenerateBadge.new(5)  # wrong: args are a mapping
    GenerateBadge.new({"id": 1}, queu="x")  # wrong, unseen by ty: misspelt
    GenerateBadge.new({"id": 1}, backoff=5)  # wrong, unseen by ty: of the worker
    await GenerateBadge.enqueue({1: "id"})  # wrong: keys are strings
    await GenerateBadge.enqueue({"id": 1}, priority="x")  # wrong: the wrong type
    await GenerateBadge.relay({1: "id"})  # wrong: keys are strings


async def client(app: Staffa) -> None:
    Staffa("postgresql://localhost/app", queue={"default": 1})  # wrong, unseen by ty: misspelt
    Staffa("postgresql://localhost/app", queues=["default"])  # wrong: a list
    Staffa(5)  # wrong: no DSN
    await app.enqueue(GenerateBadge)  # wrong: no job
    await app.enqueue({"id": 1})  # wrong: no job
    await app.enqueue_many([1])  # wrong: no job
    await app.enqueue_many([], strem=True)  # wrong, unseen by ty: misspelt
    await app.enqueue_many([], stream=True)  # wrong: a stream is not awaited
    await app.enqueue_many([], on_conflict="drop")  # wrong: no such policy
    await app.update_job(1, state="available")  # wrong, unseen by ty: can't be changed


def values() -> None:
    Job("myapp.send")  # wrong: keywords only
    Job(worker="w", args=[1])  # wrong: args are a mapping
    Job(worker="w", prio=1)  # wrong: misspelt
    Queue(limmit=5)  # wrong: misspelt
    Queue(5)  # wrong: keywords only
    Snooze("60")  # wrong: the wrong type
