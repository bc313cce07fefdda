"""All of the example in one process: a stream of events, a database, a worker, a warehouse."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from loading import TABLES, load
from staffa import Job, Staffa, telemetry
from staffa.client.backend import make_migrator
from staffa.embedded import EmbeddedPostgres

HERE = Path(__file__).parent
EVENTS = 25_000
PAGES = ["/", "/prices", "/docs", "/blog"]


async def arrive(count: int) -> AsyncIterator[Job]:
    """Yield a job for each event, as they come."""
    chance = random.Random(1)  # noqa: S311  # nothing secret
    for number in range(count):
        page, millis = chance.choice(PAGES), chance.randrange(20, 900)
        yield load.new(id=number, page=page, millis=millis)


async def main(dsn: str, count: int = EVENTS) -> None:
    """Have events loaded, and show what the warehouse has."""
    await make_migrator(dsn, "public").up()
    os.environ["WAREHOUSE_DSN"] = dsn  # here it is the same database
    warehouse = await asyncpg.connect(dsn)
    await warehouse.execute(TABLES)
    ended: asyncio.Queue[telemetry.Event] = asyncio.Queue()
    telemetry.attach(ended.put_nowait, events=["staffa.job.completed"])
    async with Staffa(queues={"warehouse": 2}) as app:
        written = 0
        async for _ in app.enqueue_many(arrive(count)):
            written += 1
        print(f"{written} events are enqueued")
        for _ in range(written):
            await ended.get()
    telemetry.detach(ended.put_nowait)
    for load_row in await warehouse.fetch("SELECT events FROM loads ORDER BY at"):
        print(f"loaded {load_row['events']} events at once")
    for row in await warehouse.fetch(
        "SELECT page, count(*) AS views, round(avg(millis)) AS millis"
        " FROM page_views GROUP BY page ORDER BY page"
    ):
        print(f"{row['page']:8} {row['views']:6} views, {row['millis']} ms")
    await warehouse.close()


if __name__ == "__main__":
    with EmbeddedPostgres(HERE) as address:
        os.environ["STAFFA_DSN"] = address
        asyncio.run(main(address))
