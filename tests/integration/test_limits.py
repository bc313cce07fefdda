"""Limits of queues on real nodes and processes, also while these are killed and come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from staffa import GlobalLimit, Job, Queue, RateLimit, current_job, job
from staffa._internal.identifiers import quote_identifier
from staffa.engines.statements.limits import LimitStatements
from staffa.errors import InvalidJob
from staffa.telemetry.catalogue import QueueLimited
from tests.chaos.history import install
from tests.conftest import MakeClient
from tests.support.app import hold, release, steps
from tests.support.database import PROJECT
from tests.support.events import Recorder, eventually
from tests.support.processes import Spawn, WorkerProcess
from tests.support.rows import Rows

SELDOM: dict[str, Any] = {"poll": 30.0, "heartbeat": 5.0, "dead_after": 20.0}
"""Settings under which nothing that a test waits for is found by polling."""

running: list[int] = []
most: list[int] = []
tenants_running: list[str] = []
by_tenant: Counter[str] = Counter()


@job
async def count_running() -> None:
    """Note how many run at once in this process."""
    running.append(current_job().id or 0)
    most.append(len(running))
    await asyncio.sleep(0.002)
    running.remove(current_job().id or 0)


@job(name="count_running_in")
async def count_running_in(tenant: str) -> None:
    """Note how many run at once, of each tenant and all."""
    now = Counter(name for name in tenants_running)
    tenants_running.append(tenant)
    by_tenant[tenant] = max(by_tenant[tenant], now[tenant] + 1)
    most.append(len(tenants_running))
    await asyncio.sleep(0.002)
    tenants_running.remove(tenant)


@pytest.fixture(autouse=True)
def forget_runs() -> None:
    """Begin each test with nothing that runs."""
    for noted in (running, most, tenants_running, by_tenant):
        noted.clear()


async def started_at(rows: Rows) -> list[datetime]:
    """Return when jobs started, as the database has it."""
    found = await rows.connection.fetch(
        f"SELECT attempted_at FROM {rows.jobs} WHERE attempted_at IS NOT NULL ORDER BY 1"
    )
    return [row["attempted_at"] for row in found]


async def test_no_more_run_on_all_nodes_than_are_allowed_and_a_free_slot_is_used_at_once(
    make_client: MakeClient, rows: Rows
) -> None:
    queues = {"default": Queue(limit=10, global_limit=GlobalLimit(3))}
    first, second = (make_client(queues=queues, node=f"node.{n}", **SELDOM) for n in (1, 2))
    await first.enqueue_many([count_running.new() for _ in range(60)])
    async with first, second:
        await rows.until_count(completed=60)
    assert max(most) == 3


async def test_a_queue_that_is_started_where_it_is_not_configured_obeys_its_limits(
    make_client: MakeClient, rows: Rows
) -> None:
    limited = {"default": Queue(limit=10, global_limit=GlobalLimit(2))}
    async with make_client(queues=limited):
        pass
    async with make_client(queues={"other": 1}) as app:
        await app.start_queue("default", limit=10)
        await app.enqueue_many([count_running.new() for _ in range(30)])
        await rows.until_count(completed=30)
    assert max(most) == 2


async def test_a_client_that_only_sends_gives_jobs_their_keys(
    make_client: MakeClient, rows: Rows
) -> None:
    limit = GlobalLimit(1, partition="args.tenant")
    async with make_client(queues={"other": Queue(global_limit=limit)}):
        pass
    sender = make_client()
    stored = await sender.enqueue(Job(worker="w", queue="other", args={"tenant": "a"}))
    plain = await sender.enqueue(Job(worker="w", queue="default", args={"tenant": "a"}))
    assert stored.id is not None
    assert plain.id is not None
    assert (await rows.get(stored.id))["meta"]["partition_key"].endswith(':["a"]')
    assert (await rows.get(plain.id))["meta"] == {}


async def test_tokens_are_used_as_they_come_back(make_client: MakeClient, rows: Rows) -> None:
    limit = RateLimit(5, period=0.5)
    first, second = (
        make_client(queues={"default": Queue(rate_limit=limit)}, node=f"node.{n}", **SELDOM)
        for n in (1, 2)
    )
    await first.enqueue_many([count_running.new() for _ in range(20)])
    async with first, second:
        await rows.until_count(completed=20)
    starts = await started_at(rows)
    for place, start in enumerate(starts[5:]):
        assert start - starts[place] > timedelta(seconds=0.5)
    assert starts[-1] - starts[0] < timedelta(seconds=10)


async def test_a_limit_that_holds_jobs_back_is_told_once(
    make_client: MakeClient, events: Recorder, rows: Rows, tmp_path: Path
) -> None:
    app = make_client(queues={"default": Queue(global_limit=GlobalLimit(1))})
    async with app:
        await app.enqueue_many([hold.new(str(tmp_path)) for _ in range(3)])
        (event,) = await events.wait("staffa.queue.limited")
        assert isinstance(event, QueueLimited)
        assert (event.queue, event.delay) == ("default", None)
        release(tmp_path)
        await rows.until_count(completed=3)
    assert len(events.of("staffa.queue.limited")) == 1


async def test_a_slot_comes_back_when_its_job_is_cancelled_or_its_node_has_gone(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    write_settings(tmp_path, "global_limit = { allowed = 1 }")
    node = limited(spawn, tmp_path)
    app = make_client()
    jobs = await app.enqueue_many([hold.new(str(tmp_path)) for _ in range(3)])
    await eventually(lambda: len(steps(tmp_path, "begun")) == 1, "the first job")
    await app.cancel_job(jobs[0])
    await eventually(lambda: len(steps(tmp_path, "begun")) == 2, "the second job")
    node.kill()
    release(tmp_path)
    limited(spawn, tmp_path)
    await rows.until_count(cancelled=1, completed=2)


async def test_jobs_of_foreign_clients_obey_the_limits(make_client: MakeClient, rows: Rows) -> None:
    limit = GlobalLimit(1, partition="args.tenant")
    app = make_client(queues={"default": Queue(global_limit=limit)}, poll=0.05)
    for number in range(12):
        await rows.insert(worker="count_running_in", args=f'{{"tenant": "{number % 3}"}}')
    async with app:
        await rows.until_count(completed=12)
    assert max(most) <= 3
    assert max(by_tenant.values()) == 1


async def test_a_process_that_stands_still_in_a_claim_holds_the_queue_for_seconds_alone(
    dsn: str, prefix: str, make_client: MakeClient, rows: Rows
) -> None:
    app = make_client(queues={"default": Queue(global_limit=GlobalLimit(1))})
    async with app:
        lock = LimitStatements(prefix).lock("default")
        stopped = await asyncpg.connect(dsn)
        await stopped.execute("BEGIN")
        assert await stopped.fetch(lock.sql, *lock.params)
        await app.enqueue(count_running.new())
        await rows.until_count(completed=1)
        await eventually(stopped.is_closed, "the end of the session")


async def test_a_weight_is_an_option_of_jobs(make_client: MakeClient, rows: Rows) -> None:
    app = make_client(queues={"default": Queue(rate_limit=RateLimit(5, period=3600))})
    await app.enqueue_many([count_running.options(weight=2).new() for _ in range(3)])
    async with app:
        await rows.until_count(completed=2, available=1)
        assert await app.rate("default").available() == 1
    with pytest.raises(InvalidJob, match="weight 0 can't be used"):
        Job(worker="w", weight=0)


async def test_a_check_tells_of_the_limits(make_client: MakeClient) -> None:
    queue = Queue(global_limit=GlobalLimit(3), rate_limit=RateLimit(9, period=1))
    async with make_client(queues={"default": queue}) as app:
        check = app.check_queue("default")
        assert (check.global_limit, check.rate_limit) == (queue.global_limit, queue.rate_limit)


async def test_an_allowance_holds_at_every_instant_while_processes_are_killed_and_come_back(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    await install(rows.connection, rows.prefix)
    write_settings(tmp_path, 'global_limit = { allowed = 2, partition = "args.tenant" }')
    app = make_client()
    keys = [str(number % 5) for number in range(400)]
    await app.enqueue_many(
        [Job(worker="tests.tenant", args={"tenant": key, "folder": str(tmp_path)}) for key in keys]
    )
    processes = [limited(spawn, tmp_path) for _ in range(3)]
    for turn, victim in enumerate((0, 1, 2, 0), start=1):
        await at_least(tmp_path, 60 * turn)
        processes[victim].kill()
        processes[victim] = limited(spawn, tmp_path)
    await rows.until_count(completed=400)
    most_of_each = await greatest_at_once(rows)
    assert set(most_of_each) == set("01234")
    assert max(most_of_each.values()) == 2


async def at_least(folder: Path, count: int) -> None:
    """Wait until so many jobs have run."""
    await eventually(lambda: len(steps(folder, "noted")) >= count, f"{count} jobs")


def write_settings(folder: Path, limits: str) -> None:
    """Write the settings of a queue with limits."""
    (folder / "staffa.toml").write_text(f"[queues.default]\nlimit = 10\n{limits}\n")


def limited(spawn: Spawn, folder: Path) -> WorkerProcess:
    """Start a worker process on the settings in a folder."""
    return spawn(
        folder=folder, module="tests.support.tenants", environment={"PYTHONPATH": str(PROJECT)}
    )


async def greatest_at_once(rows: Rows) -> Counter[str]:
    """Return how many jobs of each tenant ran at once at most, by what the database has noted."""
    prefix = quote_identifier(rows.prefix)
    changes = await rows.connection.fetch(
        f"""SELECT args ->> 'tenant' AS tenant,
                   (after ->> 'state' = 'executing')::int
                   - coalesce((before ->> 'state' = 'executing')::int, 0) AS step
              FROM {prefix}.history_changes
             WHERE after IS NOT NULL
             ORDER BY at, seq"""
    )
    now, greatest = Counter[str](), Counter[str]()
    for change in changes:
        now[change["tenant"]] += change["step"]
        greatest[change["tenant"]] = max(greatest[change["tenant"]], now[change["tenant"]])
    return greatest
