"""Programs for the Python package `oban`, with nothing but their import lines changed.

They use its public API as its documentation does; each is a module with a function ``main``, which
is given a pool of psycopg and the schema of the tables. All but the one of functions run with
`oban` 0.7 as they stand: that version fails where a function with two arguments is enqueued.
"""

from __future__ import annotations

import logging
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staffa import Staffa
from staffa.cron import declared
from staffa.errors import ConfigError

WORKERS = """
import asyncio
from datetime import datetime, timedelta, timezone

from oban import Cancel, Job, Oban, Record, Snooze, current_job, job, worker

seen = []


@job(queue="default")
async def send_email(to: str, subject: str, body: str = "Hello"):
    seen.append((to, subject, body, current_job().attempt))


@job(queue="default")
def count_words(text: str):
    seen.append(len(text.split()))


@worker(queue="default", priority=2, max_attempts=5, tags=["payment", "v2"])
class PaymentWorker:
    async def process(self, job):
        if job.args["amount"] == 0:
            return Cancel("nothing to pay")
        if job.args["amount"] < 0 and job.meta.get("snoozed", 0) < 1:
            return Snooze(seconds=1)
        if job.attempt == 1 and job.args.get("fails"):
            raise RuntimeError("provider is down")
        assert "urgent" in job.tags or "v2" in job.tags
        return Record({"paid": abs(job.args["amount"])})

    def backoff(self, job):
        return 1 * job.attempt

    def timeout(self, job):
        return 30


async def finished(oban, jobs):
    while True:
        rows = [await oban.get_job(job.id) for job in jobs]
        if all(row.state in ("completed", "cancelled", "discarded") for row in rows):
            return rows
        await asyncio.sleep(0.02)


async def main(pool, prefix):
    oban = Oban(pool=pool, prefix=prefix, queues={"default": 10, "mailers": {"limit": 5}})
    assert Oban.get_instance() is oban

    async with oban:
        jobs = [
            await oban.enqueue(send_email.new("ada@example.com", "Welcome")),
            await PaymentWorker.enqueue(
                {"amount": 100}, priority=0, tags=["urgent"], max_attempts=3, meta={"source": "api"}
            ),
            await oban.enqueue(PaymentWorker.new({"amount": 0})),
            await PaymentWorker.enqueue({"amount": -5}),
            await PaymentWorker.enqueue({"amount": 7, "fails": True}),
            await oban.enqueue(count_words.new("one two three")),
        ]
        jobs += await oban.enqueue_many(send_email.new(f"{n}@example.com", "Hi") for n in range(2))
        jobs += await oban.enqueue_many(count_words.new("a"), count_words.new("a b"))

        assert isinstance(jobs[0], Job)
        assert (jobs[1].priority, jobs[1].max_attempts, jobs[1].meta["source"]) == (0, 3, "api")
        assert (jobs[2].priority, jobs[2].max_attempts) == (2, 5)
        rows = await finished(oban, jobs)

        later = await PaymentWorker.enqueue({"amount": 1}, scheduled_in=3600)
        assert later.state == "scheduled"
        tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
        later = await oban.enqueue(PaymentWorker.new({"amount": 1}, scheduled_at=tomorrow))
        assert later.state == "scheduled"

    states = [str(row.state) for row in rows]
    assert states == ["completed", "completed", "cancelled"] + ["completed"] * 7, states
    assert rows[1].meta["recorded"] is True
    assert rows[3].meta["snoozed"] == 1
    assert rows[4].attempt == 2
    assert "provider is down" in rows[4].errors[0]["error"]
    assert ("ada@example.com", "Welcome", "Hello", 1) in seen
    assert 3 in seen
"""

CRON = """
from oban import Oban, job, worker


@job(queue="reports", cron="@weekly")
def generate_weekly_report():
    return {"status": "complete"}


@worker(queue="cleanup", cron={"expr": "0 9 * * MON-FRI", "timezone": "America/New_York"})
class BusinessHoursWorker:
    async def process(self, job):
        ...


async def main(pool, prefix):
    async with Oban(pool=pool, prefix=prefix, queues={"reports": 1}):
        pass
    assert BusinessHoursWorker.new().queue == "cleanup"
"""

QUEUES = """
from oban import Oban, worker


@worker(queue="media")
class MediaWorker:
    async def process(self, job):
        ...


async def main(pool, prefix):
    oban = Oban(pool=pool, prefix=prefix, queues={"media": 5, "default": 2}, node="worker.1")

    async with oban:
        await oban.pause_queue("media")
        assert oban.check_queue("media").paused
        await oban.resume_queue("media")
        assert not oban.check_queue("media").paused
        await oban.pause_queue("media", node="worker.1")
        await oban.resume_queue("media", node="worker.1")
        await oban.pause_all_queues()
        assert all(info.paused for info in oban.check_all_queues())
        await oban.resume_all_queues()

        await oban.scale_queue(queue="media", limit=20)
        info = oban.check_queue("media")
        assert (info.queue, info.limit, info.node) == ("media", 20, "worker.1")
        assert len(info.running) == 0
        assert info.started_at is not None

        await oban.start_queue(queue="priority", limit=10)
        await oban.start_queue(queue="batch", limit=20, paused=True)
        assert oban.check_queue("batch").paused
        await oban.stop_queue("priority")
        assert "priority" not in [info.queue for info in oban.check_all_queues()]
"""

JOBS = """
from oban import Oban, worker


@worker(queue="default")
class SomeWorker:
    async def process(self, job):
        ...


async def states(oban, jobs):
    return [str((await oban.get_job(job.id)).state) for job in jobs]


async def main(pool, prefix):
    oban = Oban(pool=pool, prefix=prefix)

    async with oban:
        await manage(oban)


async def manage(oban):
    jobs = await oban.enqueue_many([SomeWorker.new({"n": n}) for n in range(6)])

    await oban.cancel_job(jobs[0].id)
    await oban.cancel_job(jobs[1])
    await oban.cancel_many_jobs([jobs[2].id, jobs[3].id])
    assert await states(oban, jobs[:4]) == ["cancelled"] * 4

    await oban.retry_job(jobs[0])
    await oban.retry_many_jobs([jobs[1], jobs[2]])
    assert await states(oban, jobs[:3]) == ["available"] * 3

    await oban.delete_job(jobs[3])
    await oban.delete_many_jobs([jobs[4].id, jobs[5]])
    assert await oban.get_job(jobs[5].id) is None

    updated = await oban.update_job(jobs[0], {"priority": 3, "tags": ["urgent"]})
    assert (updated.priority, list(updated.tags)) == (3, ["urgent"])
    updated = await oban.update_job(jobs[0].id, {"queue": "critical", "meta": {"batch_id": 456}})
    assert (updated.queue, updated.meta) == ("critical", {"batch_id": 456})
    updated = await oban.update_job(jobs[0].id, lambda job: {"meta": {**job.meta, "seen": True}})
    assert updated.meta == {"batch_id": 456, "seen": True}
    updated = await oban.update_job(jobs[0].id, {"scheduled_in": 300})
    assert updated.scheduled_at is not None

    ids = [jobs[1].id, jobs[2].id]
    updated = await oban.update_many_jobs(ids, {"priority": 1})
    assert [job.priority for job in updated] == [1, 1]
    updated = await oban.update_many_jobs(ids, lambda job: {"meta": {**job.meta, "n": job.id}})
    assert [job.meta["n"] for job in updated] == ids
"""

TESTING = """
from datetime import timedelta

from oban import Cancel, Oban, job, worker
from oban.testing import (
    all_enqueued,
    assert_enqueued,
    drain_queue,
    mode,
    process_job,
    refute_enqueued,
    reset_oban,
)

ran = []


@worker(queue="mailers")
class EmailWorker:
    async def process(self, job):
        ran.append(job.args)
        if job.args.get("to") == "nobody":
            return Cancel("nobody is there")
        if job.args.get("to") == "crash":
            raise RuntimeError("boom")
        return {"sent": True, "to": job.args["to"]}


@job()
def send_notification(user_id: int, message: str):
    return f"Sent {message!r} to user {user_id}"


async def main(pool, prefix):
    oban = Oban(pool=pool, prefix=prefix)

    async with oban:
        await look(oban)


async def look(oban):
    result = await process_job(EmailWorker.new({"to": "ada@example.com"}))
    assert result == {"sent": True, "to": "ada@example.com"}
    assert await process_job(send_notification.new(123, "Hi")) == "Sent 'Hi' to user 123"
    try:
        await process_job(EmailWorker.new({"to": "crash"}))
    except RuntimeError as error:
        assert str(error) == "boom"
    else:
        raise AssertionError("it should have raised")

    with mode("inline"):
        await EmailWorker.enqueue({"to": "inline", "pair": (1, 2)})
    assert ran[-1] == {"to": "inline", "pair": [1, 2]}
    await refute_enqueued(worker=EmailWorker)

    await EmailWorker.enqueue({"to": "ada@example.com", "id": 1}, priority=5)
    await EmailWorker.enqueue({"to": "bob@example.com", "id": 2}, scheduled_in=3600)
    await assert_enqueued(worker=EmailWorker, args={"to": "ada@example.com"})
    await assert_enqueued(worker=EmailWorker, queue="mailers", priority=5)
    await assert_enqueued(worker=EmailWorker, scheduled_in=timedelta(hours=1))
    await assert_enqueued(worker=EmailWorker, timeout=0.2)
    await refute_enqueued(worker=EmailWorker, args={"to": "eve@example.com"}, timeout=0.05)
    await refute_enqueued(queue="other")
    found = await all_enqueued(worker=EmailWorker, oban=oban)
    assert [job.args["id"] for job in found] == [2, 1]
    try:
        await assert_enqueued(worker=EmailWorker, args={"to": "eve@example.com"})
    except AssertionError as error:
        assert "ada@example.com" in str(error)
    else:
        raise RuntimeError("it should have failed")

    await EmailWorker.enqueue({"to": "nobody"})
    counts = await drain_queue(queue="mailers")
    assert (counts["completed"], counts["cancelled"], counts["discarded"]) == (2, 1, 0)

    await EmailWorker.enqueue({"to": "crash"}, max_attempts=2)
    try:
        await drain_queue(queue="mailers")
    except RuntimeError as error:
        assert str(error) == "boom"
    else:
        raise AssertionError("it should have raised")

    await EmailWorker.enqueue({"to": "crash"}, max_attempts=2, queue="risky")
    counts = await drain_queue(queue="risky", with_safety=True)
    assert (counts["retryable"], counts["discarded"]) == (1, 1)

    await EmailWorker.enqueue({"to": "later"}, scheduled_in=60, queue="later")
    assert (await drain_queue(queue="later", with_scheduled=False))["completed"] == 0

    await reset_oban()
    assert await all_enqueued() == []


def synchronously():
    assert process_job(send_notification.new(1, "Yo")) == "Sent 'Yo' to user 1"
"""

LOGGER = """
import logging

import oban.telemetry.logger
from oban import Oban, job
from oban import telemetry
from oban.testing import drain_queue


@job()
async def quiet():
    ...


async def main(pool, prefix):
    logger = logging.getLogger("my.own")
    telemetry.logger.attach(level=logging.INFO, logger=logger)
    try:
        async with Oban(pool=pool, prefix=prefix) as app:
            await app.enqueue(quiet.new())
            await drain_queue()
    finally:
        telemetry.logger.detach()
"""

FUNCTIONS = """
from oban import Oban, job


@job(queue="default")
async def send_email(to: str, subject: str, body: str):
    return body


async def main(pool, prefix):
    async with Oban(pool=pool, prefix=prefix):
        job = await send_email.enqueue("user@example.com", "Hello", "World")
        assert job.args == {"to": "user@example.com", "subject": "Hello", "body": "World"}
"""

PROGRAMS = {
    "workers": WORKERS,
    "cron": CRON,
    "queues": QUEUES,
    "jobs": JOBS,
    "testing": TESTING,
    "logger": LOGGER,
    "functions": FUNCTIONS,
}


class AsyncConnectionPool:
    """What is read of a pool of psycopg: where it connects."""

    def __init__(self, conninfo: str, kwargs: dict[str, Any] | None = None) -> None:
        self.conninfo = conninfo
        self.kwargs = kwargs


def ported(program: str) -> str:
    """Return a program with its import lines changed, and nothing else."""
    return re.sub(r"^(from|import) oban\b", r"\1 staffa", program, flags=re.MULTILINE)


@pytest.fixture
def main(request: pytest.FixtureRequest) -> Iterator[Any]:
    name = f"ported_{request.param}"
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(ported(PROGRAMS[request.param]), name, "exec"), vars(module))
    yield module
    del sys.modules[name]


@pytest.mark.parametrize("main", sorted(PROGRAMS), indirect=True)
async def test_a_program_runs_with_its_import_lines_changed(
    main: Any, dsn: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "my.own")

    await main.main(AsyncConnectionPool(dsn, {"autocommit": True}), prefix)

    if main.__name__ == "ported_logger":
        assert any("staffa.job.completed" in record.message for record in caplog.records)
    if main.__name__ == "ported_cron":
        assert len(declared.declared()) == 2


@pytest.mark.parametrize("main", ["testing"], indirect=True)
def test_a_job_is_processed_without_an_event_loop(main: Any) -> None:
    main.synchronously()


def test_a_pools_connection_string_may_have_either_form() -> None:
    pool = AsyncConnectionPool("host=/tmp port=5433 dbname='my app'", {"user": "ada"})

    app = Staffa(pool=pool)

    assert app.config.dsn == "postgresql://?host=%2Ftmp&port=5433&user=ada&dbname=my+app"
    assert "ada" not in repr(app.config)


def test_what_is_no_pool_of_psycopg_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"builtins\.object, which does not tell where"):
        Staffa(pool=object())
    with pytest.raises(ConfigError, match="give one of them"):
        Staffa("postgresql://localhost/app", pool=AsyncConnectionPool("host=localhost"))


def test_the_documentation_lists_at_most_ten_differences() -> None:
    page = Path(__file__).parents[2] / "docs" / "coming-from" / "oban.md"

    numbers = re.findall(r"^(\d+)\. \*\*", page.read_text("utf-8"), re.MULTILINE)

    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert 1 <= len(numbers) <= 10
