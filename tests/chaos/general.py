"""The general scenario: every way to enqueue, every executor, every way to end."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import psycopg

from staffa import Job
from staffa._internal.identifiers import quote_identifier
from tests.chaos.acts import cancel_one, choose, store
from tests.chaos.faults import Fault
from tests.chaos.history import History, Step
from tests.chaos.jobs import work_async, work_process, work_thread, work_unique
from tests.chaos.oracles import CronTicks, Oracle
from tests.chaos.plans import draw
from tests.chaos.scenario import Scene

_KEYS = 12
_RACERS = 3
_LARGEST_BULK = 30
_LONGEST_PAUSE = 2.0


class GeneralScenario:
    """See the module."""

    name = "general"
    module = "tests.chaos.jobs"
    queues: Mapping[str, int] = {"async": 8, "thread": 4, "process": 2}
    settings: Mapping[str, Any] = {}
    faults: Sequence[type[Fault]] = ()

    def __init__(self) -> None:
        self._settling_at = datetime.now(UTC)

    async def prepare(self, connection: asyncpg.Connection, prefix: str) -> None:
        """Make the table of effects: rows that are written in one transaction with a job."""
        schema = quote_identifier(prefix)
        await connection.execute(
            f"CREATE TABLE {schema}.chaos_effects (kind text NOT NULL, token text NOT NULL)"
        )

    async def enqueue(self, scene: Scene, number: int) -> None:
        """Enqueue in one of the ways that there are."""
        ways = (self._one, self._many, self._unique, self._later, self._beside, self._by_sql)
        way = scene.random.choices(ways, [30, 10, 20, 15, 15, 10])[0]
        await way(scene, f"{scene.name}-{number}")

    async def operate(self, scene: Scene) -> None:
        """Cancel, retry or pause something."""
        act = scene.random.choices((cancel_one, self._retry, self._pause), [5, 4, 1])[0]
        await act(scene)

    async def settle(self, scene: Scene) -> None:
        """Resume all queues."""
        self._settling_at = datetime.now(UTC)
        for queue in self.queues:
            await scene.client.resume_queue(queue)

    async def settled(self, connection: asyncpg.Connection, prefix: str) -> bool:
        """Tell whether the last tick of cron before the end of the faults was taken."""
        entries = f"{quote_identifier(prefix)}.staffa_crons"
        return not await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {entries} WHERE name = 'minutely' AND last_tick"
            " < timezone('UTC', date_trunc('minute', $1::timestamptz))"
            " AND registered_at < timezone('UTC', date_trunc('minute', $1::timestamptz)))",
            self._settling_at,
        )

    async def oracles(
        self, connection: asyncpg.Connection, prefix: str, history: History
    ) -> Mapping[str, Oracle]:
        """Return those of cron and of completions in transactions of the jobs' own."""
        schema = quote_identifier(prefix)
        registered = await connection.fetchval(
            f"SELECT registered_at FROM {schema}.staffa_crons WHERE name = 'minutely'"
        )
        effects = await connection.fetch(
            f"SELECT token FROM {schema}.chaos_effects WHERE kind = 'completed'"
        )
        ended = history.changes[-1].at
        ticks = _minutes(registered.replace(tzinfo=UTC), ended) if registered else []
        late = [tick for tick in ticks if tick > self._settling_at]
        return {
            "cron": CronTicks("minutely", _names(ticks), excused=_names(late)),
            "completed once": CompletedOnce(Counter(row["token"] for row in effects)),
        }

    async def _one(self, scene: Scene, token: str) -> None:
        await store(scene, [_draw_job(scene, token)])

    async def _many(self, scene: Scene, token: str) -> None:
        count = scene.random.randint(2, _LARGEST_BULK)
        await store(scene, [_draw_job(scene, f"{token}.{part}") for part in range(count)])

    async def _later(self, scene: Scene, token: str) -> None:
        delay = scene.random.uniform(0, 3)
        await store(scene, [_draw_job(scene, token, scheduled_in=delay)])

    async def _unique(self, scene: Scene, token: str) -> None:
        """Have several connections race for a key."""
        key = f"key-{scene.random.randrange(_KEYS)}"
        plans = [draw(scene.random) for _ in range(_RACERS)]
        racing = [
            store(scene, [work_unique.new(f"{token}.{number}", key, plan)])
            for number, plan in enumerate(plans)
        ]
        for result in await asyncio.gather(*racing, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _beside(self, scene: Scene, token: str) -> None:
        """Enqueue in a transaction that is committed, rolled back, or cut off."""
        job = _draw_job(scene, token, beside=True)
        schema = quote_identifier(scene.prefix)
        rolled_back = scene.random.random() < 0.2
        async with await psycopg.AsyncConnection.connect(scene.dsn) as connection:
            await connection.execute(
                f"INSERT INTO {schema}.chaos_effects VALUES ('enqueued', %s)", [token]
            )
            stored = await scene.client.enqueue(job, conn=connection)
            if rolled_back:
                await connection.rollback()
                return
        scene.notebook.write("committed", ids=[stored.id], tokens=[token])

    async def _by_sql(self, scene: Scene, token: str) -> None:
        job = _draw_job(scene, token)
        schema = quote_identifier(scene.prefix)
        async with await psycopg.AsyncConnection.connect(scene.dsn) as connection:
            cursor = await connection.execute(
                f"SELECT {schema}.staffa_enqueue(%s, %s::jsonb, queue => %s,"
                " max_attempts => 4, notify => %s)",
                [job.worker, json.dumps(job.args), job.queue, scene.random.random() < 0.5],
            )
            found = await cursor.fetchone()
        assert found is not None
        scene.notebook.write("committed", ids=[found[0]], tokens=[token])

    async def _retry(self, scene: Scene) -> None:
        """Retry a job; not a unique one, nor one whose effect must come but once."""
        chosen = await choose(
            scene,
            "'completed', 'cancelled', 'discarded', 'retryable', 'scheduled'",
            "NOT args ? 'key' AND args -> 'plan' ->> 'outcome' <> 'complete in'",
        )
        if chosen is not None:
            scene.notebook.write("retrying", job=chosen)
            await scene.client.retry_job(chosen)

    async def _pause(self, scene: Scene) -> None:
        queue = scene.random.choice(list(self.queues))
        await scene.client.pause_queue(queue)
        try:
            await asyncio.sleep(scene.random.uniform(0, _LONGEST_PAUSE))
        finally:
            await scene.client.resume_queue(queue)


class CompletedOnce:
    """What a job wrote in the transaction that completed it is there once if it has completed.

    Args:
        effects: How often each token was written, by whatever was done beside.
    """

    def __init__(self, effects: Counter[str]) -> None:
        self._effects = effects

    def __call__(self, history: History) -> list[str]:
        """Judge."""
        wrong = []
        for job, changes in history.of_job.items():
            args = changes[0].args
            if args.get("plan", {}).get("outcome") != "complete in":
                continue
            completed = sum(change.step is Step.COMPLETE for change in changes)
            written = self._effects[f"{args['token']}"]
            if written != completed:
                wrong.append(f"job {job} completed {completed} times and wrote {written} effects")
        return wrong


def _draw_job(scene: Scene, token: str, *, beside: bool = False, **options: Any) -> Job:
    work = scene.random.choices((work_async, work_thread, work_process), [6, 3, 1])[0]
    plan = draw(scene.random, in_process=work is work_process)
    call = work.options(**options)
    return call.new(token, plan, beside=True) if beside else call.new(token, plan)


def _minutes(after: datetime, until: datetime) -> list[datetime]:
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    count = int((until - first) / timedelta(minutes=1)) + 1 if until >= first else 0
    return [first + timedelta(minutes=number) for number in range(count)]


def _names(ticks: Iterable[datetime]) -> frozenset[str]:
    return frozenset(tick.isoformat().replace("+00:00", "Z") for tick in ticks)
