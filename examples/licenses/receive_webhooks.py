"""All of the example in one process: a database, a worker, an endpoint, and who calls it."""

import asyncio
import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import asyncpg

from shop import TABLES
from staffa import Staffa
from staffa.client.backend import make_migrator
from staffa.embedded import EmbeddedPostgres
from webhooks import serving

HERE = Path(__file__).parent
EVENTS = [
    {"id": "evt-1", "purchase": "p-1", "customer": "ada@example.com", "seats": 3},
    {"id": "evt-2", "purchase": "p-2", "customer": "grace@example.com", "seats": 10},
]


def call(port: int, event: dict[str, Any]) -> str:
    """Call the endpoint as a payment service does, and return its reply."""
    request = urllib.request.Request(  # it is our own
        f"http://127.0.0.1:{port}/", json.dumps(event).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
        return f"{reply.status} {reply.reason}"


async def main(dsn: str) -> None:
    """Have each webhook come three times, two of them at once, and show what came of them."""
    await make_migrator(dsn, "public").up()
    database = await asyncpg.connect(dsn)
    await database.execute(TABLES)
    async with Staffa(queues={"licenses": 10}) as app, serving(app) as port:
        for event in EVENTS:
            replies = await asyncio.gather(
                *(asyncio.to_thread(call, port, event) for _ in range(2))
            )
            print(f"{event['id']}: {' and '.join(sorted(replies))}")
            await app.workflow(f"license-{event['id']}").wait(timeout=60)
            again = await asyncio.to_thread(call, port, event)
            print(f"{event['id']}: {again}, when all was done")
    for row in await database.fetch("SELECT * FROM licenses ORDER BY purchase"):
        print(f"{row['purchase']}: {row['customer']}, {row['seats']} seats, {row['mails']} mail")
    await database.close()


if __name__ == "__main__":
    with EmbeddedPostgres(HERE) as address:
        os.environ["STAFFA_DSN"] = address
        asyncio.run(main(address))
