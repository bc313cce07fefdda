"""All of the example in one process: a database, a worker, and a book."""

import asyncio
import os
from pathlib import Path

from book import plan_book
from staffa import Staffa
from staffa.client.backend import make_migrator
from staffa.embedded import EmbeddedPostgres

HERE = Path(__file__).parent
CHAPTERS = ["The Letter", "The Map", "The Storm", "The Return"]
QUEUES = {"writing": 4, "drawing": 4, "printing": 1}


async def main(dsn: str, folder: Path) -> None:
    """Have a book made, and show where it is."""
    await make_migrator(dsn, "public").up()
    workflow = plan_book(CHAPTERS, "patience", folder)
    print(workflow.to_mermaid())
    async with Staffa(queues=QUEUES) as app:
        handle = await app.enqueue(workflow)
        await handle.wait(timeout=60)
        results = await handle.results()
        print(f"“{results['title']}” is printed: {results['book']}")


if __name__ == "__main__":
    with EmbeddedPostgres(HERE) as address:
        os.environ["STAFFA_DSN"] = address
        asyncio.run(main(address, HERE / "printed"))
