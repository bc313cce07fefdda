"""A program of the Python package `oban`: what the tests' peer is.

It runs in an environment that has `oban` and not Staffa. A test writes a JSON list on each line of
its input, the name of a method with its arguments by place and by name, and reads a line for it:
``["ok", value]`` or ``["error", text]``. The program ends at the end of its input.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from oban import Cancel, Job, Oban, Record, Snooze, job, schema, worker
from oban._recorded import decode_recorded
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

WATCH_SECONDS = 0.01

logger = logging.getLogger(__name__)


class Place:
    """Where this program is."""

    pool: AsyncConnectionPool
    prefix: str


@worker(queue="theirs", max_attempts=3)
class Note:
    """Note that it ran, in a table of the test."""

    async def process(self, job: Job) -> None:
        async with Place.pool.connection() as connection:
            await connection.execute(
                f"INSERT INTO {Place.prefix}.runs (job_id, side) VALUES (%s, 'theirs')", (job.id,)
            )


@worker(queue="theirs")
class Watch:
    """Run until it is cancelled, as jobs of `oban` have to look for that themselves."""

    async def process(self, job: Job) -> Cancel:
        while not job.cancelled():  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(WATCH_SECONDS)
        return Cancel("seen")


@worker(queue="theirs")
class Keep:
    """Record a value."""

    async def process(self, job: Job) -> Record:
        return Record(job.args["value"])


@worker(queue="theirs")
class Doze:
    """Come again later, once."""

    async def process(self, job: Job) -> Snooze | None:
        return None if job.meta.get("snoozed") else Snooze(job.args["seconds"])


@worker(queue="theirs", max_attempts=2)
class Fail:
    """Fail."""

    async def process(self, job: Job) -> None:
        raise ValueError("boom")

    def backoff(self, job: Job) -> int:
        return 0


@job(queue="theirs")
def add(first: int, second: int) -> int:
    """Do nothing with two numbers."""
    return first + second


class Program:
    """What a test can ask for: each public method, by its name."""

    def __init__(self, dsn: str, prefix: str, options: dict[str, Any]) -> None:
        self._dsn = dsn
        self._options = {"name": "Oban", "node": "peer", **options, "prefix": prefix}
        self._oban: Oban | None = None

    async def open(self) -> None:
        """Connect; its installation looks for what is there in the schema of the path alone."""
        path = f"-c search_path={self._options['prefix']}"
        conninfo = make_conninfo(self._dsn, options=path)
        Place.pool = AsyncConnectionPool(conninfo, min_size=1, max_size=8, open=False)
        Place.prefix = self._options["prefix"]
        await Place.pool.open()

    async def close(self) -> None:
        """Stop."""
        if self._oban is not None:
            await self._oban.stop()
        await Place.pool.close()

    async def install(self) -> None:
        """Make its tables."""
        await schema.install(Place.pool, Place.prefix)

    async def uninstall(self) -> None:
        """Drop its tables."""
        await schema.uninstall(Place.pool, Place.prefix)

    async def start(self) -> None:
        """Run its queues."""
        self._oban = Oban(pool=Place.pool, **self._options)
        await self._oban.start()

    async def stop(self) -> None:
        """Stop its queues."""
        await self._running.stop()

    async def enqueue(self, jobs: list[dict[str, Any]]) -> list[int | None]:
        """Enqueue jobs, each given as `Job` takes it."""
        made = [Job(**one) for one in jobs]
        stored = await self._client.enqueue_many(made)
        return [one.id for one in stored]

    async def enqueue_same(self, count: int, **one: Any) -> list[int | None]:
        """Enqueue equal jobs, numbered in their args."""
        jobs = [Job(**one, args={"number": number}) for number in range(count)]
        stored = await self._client.enqueue_many(jobs)
        return [one.id for one in stored]

    async def get_job(self, job_id: int) -> dict[str, Any] | None:
        """Return a job as it reads it, with what it recorded."""
        found = await self._client.get_job(job_id)
        if found is None:
            return None
        told = {name: getattr(found, name) for name in Job.__slots__ if name != "_cancellation"}
        if found.meta.get("recorded"):
            told["value"] = decode_recorded(found.meta["return"])
        return told

    async def check_all_queues(self) -> list[dict[str, Any]]:
        """Return what its queues are doing."""
        return [asdict(info) for info in self._running.check_all_queues()]

    async def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call any method of the client."""
        return await getattr(self._client, method)(*arguments, **options)

    @property
    def _client(self) -> Oban:
        return self._oban or Oban(pool=Place.pool, **{**self._options, "queues": {}})

    @property
    def _running(self) -> Oban:
        if self._oban is None:
            raise RuntimeError("it has not been started")
        return self._oban


def _tell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def main() -> None:
    """Do what the lines of the input ask for."""
    dsn, prefix, options = sys.argv[1:]
    program = Program(dsn, prefix, json.loads(options))
    await program.open()
    lines = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        name, positional, named = json.loads(line)
        asked: Callable[..., Awaitable[Any]] = getattr(program, name)
        try:
            answer = ["ok", await asked(*positional, **named)]
        except Exception as error:
            logger.exception("%s failed", name)
            answer = ["error", f"{type(error).__name__}: {error}"]
        sys.stdout.write(json.dumps(answer, default=_tell) + "\n")
        sys.stdout.flush()
    await program.close()


def run() -> None:
    """Run the program; in the module's own name, as that is part of its workers' names."""
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main())
