"""Jobs of a key run one after the other, on whichever nodes, whoever enqueues them at once.

What runs writes when it begins and ends to a table of the test's: that history is compared.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import psycopg
import pytest

from staffa import (
    Cancel,
    Chain,
    GlobalLimit,
    Job,
    JobFilter,
    Queue,
    Snooze,
    Staffa,
    current_job,
    job,
)
from staffa._internal.identifiers import quote_identifier
from staffa.types import State
from tests.conftest import MakeClient
from tests.support.events import eventually, pause_everywhere, resume_everywhere
from tests.support.rows import Rows

BY_KEY = Chain(by="args.key", on_discarded="ignore")


class History:
    """What has run, as the database has seen it."""

    def __init__(self, connection: asyncpg.Pool, prefix: str) -> None:
        self._pool = connection
        self._table = f"{quote_identifier(prefix)}.history"

    async def create(self) -> None:
        await self._pool.execute(
            f"CREATE TABLE {self._table} (seq bigserial, job bigint, key int, event text)"
        )

    async def drop(self) -> None:
        await self._pool.execute(f"DROP TABLE {self._table}")

    async def note(self, number: int | None, key: int, event: str) -> None:
        await self._pool.execute(
            f"INSERT INTO {self._table} (job, key, event) VALUES ($1, $2, $3)", number, key, event
        )

    async def by_key(self) -> dict[int, list[tuple[int, str]]]:
        rows = await self._pool.fetch(f"SELECT * FROM {self._table} ORDER BY seq")
        found: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for row in rows:
            found[row["key"]].append((row["job"], row["event"]))
        return found


@pytest.fixture
async def history(dsn: str, prefix: str) -> AsyncIterator[History]:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        made = History(pool, prefix)
        await made.create()
        yield made
        await made.drop()


def check_order(history: list[tuple[int, str]]) -> None:
    """Assert that runs don't overlap, and that no job begins before an earlier one has ended."""
    begun: list[int] = []
    running: int | None = None
    for number, event in history:
        if event == "begin":
            assert running is None, f"job {number} began while {running} ran: {history}"
            running = number
            if not begun or begun[-1] != number:
                begun.append(number)
        else:
            assert running == number
            running = None
    assert running is None
    assert begun == sorted(set(begun)), "a job ran out of turn, or again after the next one"


async def test_many_who_enqueue_at_once_and_two_nodes_keep_the_order(
    nodes: list[Staffa], history: History
) -> None:
    @job(name="tests.chained", chain=BY_KEY, backoff=0, max_attempts=3)
    async def chained(key: int, ends: list[str]) -> Any:
        running = current_job()
        await history.note(running.id, key, "begin")
        await asyncio.sleep(0)
        await history.note(running.id, key, "end")
        done = running.meta.get("runs", 0)
        await running.update_meta(runs=done + 1)
        match ends[done] if done < len(ends) else "":
            case "fail":
                raise ValueError("not yet")
            case "snooze":
                return Snooze(0)
            case "cancel":
                return Cancel("not needed")

    choice = random.Random(7)
    ways = [[], [], [], ["fail"], ["snooze", "fail"], ["cancel"], ["fail", "fail", "fail"]]

    def new() -> Job:
        return chained.new(choice.randrange(4), choice.choice(ways))

    async def enqueue(app: Staffa) -> None:
        for size in (1, 5, 1, 12, 3):
            if size == 1:
                await app.enqueue(new())
            else:
                await app.enqueue_many(new() for _ in range(size))

    async with asyncio.timeout(120):
        await asyncio.gather(*(enqueue(app) for app in [*nodes, *nodes]))
        await eventually_ended(nodes[0])
    found = await history.by_key()
    assert sum(len({number for number, _ in runs}) for runs in found.values()) == 4 * 22
    for runs in found.values():
        check_order(runs)


async def eventually_ended(app: Staffa) -> None:
    """Wait until no job is left that has not ended."""
    live = JobFilter(states=["available", "suspended", "scheduled", "executing", "retryable"])
    while await app.count_jobs(live):  # noqa: ASYNC110  # the database changes
        await asyncio.sleep(0.02)


async def test_a_rolled_back_transaction_leaves_no_gap_and_no_knot(
    nodes: list[Staffa], dsn: str, rows: Rows
) -> None:
    @job(name="tests.plain", chain=Chain(by="args.key"))
    async def plain(key: int) -> None: ...

    app = nodes[0]
    await pause_everywhere(*nodes)
    first = await app.enqueue(plain.new(1))
    connection = await asyncpg.connect(dsn)
    transaction = connection.transaction()
    await transaction.start()
    inside = await app.enqueue(plain.new(1), conn=connection)
    assert inside.state is State.SUSPENDED
    waiting = asyncio.ensure_future(app.enqueue(plain.new(1)))
    await eventually(lambda: not waiting.done(), "a task")
    await transaction.rollback()
    await connection.close()
    last = await waiting
    assert last.state is State.SUSPENDED
    assert await app.get_job(inside) is None
    await resume_everywhere(*nodes)
    async with asyncio.timeout(30):
        await eventually_ended(app)
    ended = [await app.get_job(one) for one in (first, last)]
    assert [one.state for one in ended if one is not None] == ["completed", "completed"]


async def test_a_job_whose_process_dies_holds_the_next_one_until_it_has_run_again(
    make_client: MakeClient, history: History
) -> None:
    gate = asyncio.Event()

    @job(name="tests.dying", chain=Chain(by="args.key"))
    async def dying(key: int) -> None:
        number = current_job().id
        await history.note(number, key, "begin")
        if not gate.is_set():
            await asyncio.Event().wait()
        await history.note(number, key, "end")

    dead = make_client(queues={"default": 5}, node="dead")
    await dead.start()
    first, second = await dead.enqueue_many(dying.new(1), dying.new(1))
    while not (await history.by_key())[1]:  # noqa: ASYNC110  # likewise
        await asyncio.sleep(0.01)
    alive = make_client(queues={"default": 5}, node="alive")
    await dead.stop(grace=0)  # which puts back what ran
    gate.set()
    async with alive, asyncio.timeout(60):
        await eventually_ended(alive)
    runs = (await history.by_key())[1]
    assert [number for number, _ in runs] == [first.id, first.id, first.id, second.id, second.id]


async def test_encrypted_args_are_chained_by_a_digest_that_shows_nothing(
    make_client: MakeClient,
) -> None:
    @job(name="tests.secret", chain=Chain(by="args.ssn"), encrypted=True)
    async def secret(ssn: str) -> None: ...

    app = make_client(encryption_keys={"2026": bytes(32)}, queues={"default": 2})
    first, second, other = await app.enqueue_many(secret.new("078"), secret.new("078"),
                                                  secret.new("079"))  # fmt: skip
    assert [one.state for one in (first, second, other)] == ["available", "suspended", "available"]
    assert first.chain_id == second.chain_id != other.chain_id
    assert first.chain_id is not None
    assert first.chain_id.startswith("args.ssn=encrypted:")
    async with app, asyncio.timeout(30):
        await eventually_ended(app)
    assert [(await app.get_job(one)).state for one in (first, second, other)] == ["completed"] * 3  # type: ignore[union-attr]  # they are there


async def test_a_synchronous_transaction_adds_to_a_chain_under_limits(
    make_client: MakeClient, dsn: str
) -> None:
    @job(name="tests.limited", chain=Chain(by="args.key"))
    async def limited(key: int) -> None: ...

    limits = Queue(limit=5, global_limit=GlobalLimit(1, partition="args.key"))
    app = make_client(queues={"default": limits})
    await app.start()
    await pause_everywhere(app)

    def write() -> list[Job]:
        with psycopg.connect(dsn) as connection:
            found = [app.sync.enqueue(limited.new(1), conn=connection) for _ in range(2)]
            return [*found, *app.sync.enqueue_many([limited.new(1)], conn=connection)]

    jobs = await asyncio.to_thread(write)
    assert [one.state for one in jobs] == ["available", "suspended", "suspended"]
    await resume_everywhere(app)
    async with asyncio.timeout(30):
        await eventually_ended(app)
    found = [await app.get_job(one) for one in jobs]
    times = [one.completed_at for one in found if one is not None]
    assert None not in times
    assert times == sorted(times)  # type: ignore[type-var]  # none is None
