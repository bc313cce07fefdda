"""Uses of synchronous calls, connections and instances that type checkers refuse: all marked."""

from __future__ import annotations

from collections.abc import AsyncIterator

from staffa import Job, JobFilter, Staffa, Worker, get_instance, job, worker


@job
async def send(to: str, *, copies: int = 1) -> int:
    return copies


@worker(queue="badges")
class Badge(Worker):
    def process(self, job: Job) -> None: ...


async def produce() -> AsyncIterator[Job]:
    yield send.new("ada")


def functions(session: object) -> None:
    send.enqueue_sync()  # wrong: `to` is missing
    send.enqueue_sync(5)  # wrong: the wrong type
    send.enqueue_sync("ada", copy=2)  # wrong: misspelt
    send.enqueue_sync("ada", conn=session)  # wrong: goes through options
    send.options(conn=session).enqueue_sync(5)  # wrong: the wrong type
    send.options(conn=session).enqueue_sync("ada", "bob")  # wrong: one too many
    send.options(session)  # wrong: by keyword only
    send.options(instance=5)  # wrong: the wrong type
    send.options(instanc="main")  # wrong, unseen by ty: misspelt


@job(instance=5)  # wrong: the wrong type
def wrong_instance() -> None: ...


def classes(session: object) -> None:
    Badge.enqueue_sync(5)  # wrong: args are a mapping
    Badge.enqueue_sync({"id": 1}, session)  # wrong: by keyword only
    Badge.enqueue_sync({"id": 1}, con=session)  # wrong, unseen by ty: misspelt
    Badge.enqueue_sync({"id": 1}, instance=5)  # wrong: the wrong type
    Job(worker="a.b", instance=5)  # wrong: the wrong type
    Job(worker="a.b", conn=session)  # wrong: of the call that enqueues it


async def awaited(app: Staffa) -> None:
    await send.enqueue_sync("ada")  # wrong: a job is not awaited
    await app.sync.get_job(1)  # wrong: nothing to await
    async for _ in app.sync.enqueue_many([], stream=True):  # wrong: a plain iterator
        pass
    for _ in app.enqueue_many([], stream=True):  # wrong: an asynchronous one
        pass
    async with app.sync:  # wrong: a plain context
        pass


def clients(app: Staffa, session: object) -> None:
    with app:  # wrong: an asynchronous context
        pass
    app.sync.enqueue(send)  # wrong: no job
    app.sync.enqueue(send.new("ada"), session)  # wrong: by keyword only
    app.sync.enqueue(send.new("ada"), con=session)  # wrong: misspelt
    app.sync.enqueue(send.new("ada"), notify="later")  # wrong: no such moment
    app.sync.enqueue_many(produce())  # wrong: nothing awaits it here
    app.sync.enqueue_many([1])  # wrong: no job
    app.sync.enqueue_many([], stream=True)[0]  # wrong: a stream is no list
    app.sync.enqueue_many([], chunk_size="5")  # wrong: the wrong type
    app.sync.cancel_many_jobs([1], everything=True)  # wrong: ids
    app.sync.cancel_many_jobs({"queue": "x"})  # wrong: no filter
    app.sync.list_jobs("mail")  # wrong: no filter
    app.sync.update_many_jobs(JobFilter(), priority="x")  # wrong: the wrong type
    app.sync.scale_queue("mail")  # wrong: the limit is missing
    app.sync.relay(1)  # wrong: no job
    app.sync.relay(send.new("ada")).result(wait=5)  # wrong: unknown
    get_instance(5)  # wrong: the wrong type
    get_instance().sync.enqueue({"id": 1})  # wrong: no job
