"""All of the example in one process: a database, a mail server, a worker, and three customers."""

import asyncio
import os
from pathlib import Path

from bookshop.__main__ import main as bookshop
from bookshop.database import connected
from bookshop.orders import place_order
from mail_server import Mailbox, serving
from staffa import Staffa, telemetry
from staffa.client.backend import make_migrator
from staffa.embedded import EmbeddedPostgres


async def main(dsn: str) -> None:
    """Place orders, wait until their mails have ended, and show the attempts."""
    await make_migrator(dsn, "public").up()
    await bookshop(["tables"])
    ended: asyncio.Queue[telemetry.Event] = asyncio.Queue()
    telemetry.attach(ended.put_nowait, events=["staffa.job.completed", "staffa.job.discarded"])
    async with serving(Mailbox()) as port, Staffa(queues={"mail": 5}):
        os.environ["MAIL_SERVER"] = f"127.0.0.1:{port}"
        async with connected() as connection:
            for name in ["ada", "later", "nobody"]:
                address = f"{name}@{os.getpid()}.example.com"  # new customers in each run
                await place_order(connection, address, "a novel")
        for _ in range(6):
            await ended.get()
    telemetry.detach(ended.put_nowait)
    await bookshop(["attempts"])


if __name__ == "__main__":
    with EmbeddedPostgres(Path(__file__).parent) as address:
        os.environ["STAFFA_DSN"] = address
        asyncio.run(main(address))
