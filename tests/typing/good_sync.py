"""Uses of synchronous calls, connections and instances that type checkers accept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_type

from staffa import Cron, Job, JobFilter, Staffa, State, Worker, get_instance, job, worker
from staffa.instance import EnqueuesNow
from staffa.relays import SyncRelay
from staffa.sync import SyncStaffa


@job(queue="mail", instance="billing", cron=Cron("@daily", args={"to": "ada"}, instance="billing"))
async def send(to: str, *, copies: int = 1) -> int:
    return copies


@worker(instance="billing")
class Badge(Worker):
    def process(self, job: Job) -> None: ...


def functions(session: object) -> None:
    assert_type(send.enqueue_sync("ada"), Job)
    assert_type(send.enqueue_sync(to="ada", copies=2), Job)
    assert_type(send.options(conn=session, priority=1).enqueue_sync("ada", copies=2), Job)
    assert_type(send.options(instance="main").enqueue_sync("ada"), Job)
    assert_type(send.relay_sync(to="ada", copies=2), SyncRelay)
    assert_type(send.options(conn=session).relay_sync("ada"), SyncRelay)


def classes(session: object) -> None:
    assert_type(Badge.enqueue_sync({"id": 1}), Job)
    assert_type(Badge.enqueue_sync({"id": 1}, conn=session, priority=1, instance="main"), Job)
    assert_type(Job(worker="a.b", instance="main").instance, str | None)


def clients(app: Staffa, session: object) -> None:
    assert_type(app.sync, SyncStaffa)
    assert_type(get_instance().sync, EnqueuesNow)
    assert_type(get_instance("billing").sync.enqueue(send.new("ada"), conn=session), Job)
    with app.sync as sync:
        assert_type(sync, SyncStaffa)
    app.sync.start(queues={"default": 1})
    app.sync.stop(grace=5)
    stored = app.sync.enqueue(send.new("ada"), conn=session, notify="in_transaction")
    assert_type(stored, Job)
    many = [send.new("ada"), send.new("bob")]
    assert_type(app.sync.enqueue_many(*many), list[Job])
    assert_type(app.sync.enqueue_many(many, many[0], conn=session, on_progress=print), list[Job])
    assert_type(app.sync.enqueue_many(many, stream=True, conn=session), Iterator[int])
    for number in app.sync.enqueue_many(many, stream=True, chunk_size=5):
        assert_type(number, int)


def operations(app: Staffa, stored: Job) -> None:
    wanted = JobFilter(queues=["mail"])
    assert_type(app.sync.get_job(stored), Job | None)
    assert_type(app.sync.fetch_result(stored), Any)
    assert_type(app.sync.list_jobs(wanted), list[Job])
    assert_type(app.sync.stream_jobs(wanted), Iterator[Job])
    assert_type(app.sync.count_jobs(), dict[tuple[str, State], int])
    assert_type(app.sync.cancel_job(stored), bool)
    assert_type(app.sync.cancel_many_jobs(wanted, on_progress=print), int)
    assert_type(app.sync.cancel_many_jobs([1, stored]), list[int])
    assert_type(app.sync.update_job(stored, lambda job: {"priority": job.priority}), Job | None)
    assert_type(app.sync.update_many_jobs(wanted, priority=1), int)
    assert_type(app.sync.update_many_jobs([stored], priority=1), list[Job])
    app.sync.pause_queue("mail", node="web.1")


async def streams(app: Staffa, session: object) -> None:
    async for number in app.enqueue_many([send.new("ada")], stream=True, conn=session):
        assert_type(number, int)
    assert_type(await app.enqueue(send.new("ada"), conn=session), Job)
    assert_type(await send.options(conn=session, instance="main").enqueue("ada"), Job)
