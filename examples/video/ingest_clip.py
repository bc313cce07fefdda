"""All of the example in one process: a clip, a database, a worker."""

import asyncio
import os
from pathlib import Path

import clips
from ingest import plan_ingestion
from staffa import Staffa
from staffa.client.backend import make_migrator
from staffa.embedded import EmbeddedPostgres

HERE = Path(__file__).parent


async def main(dsn: str, folder: Path) -> None:
    """Make a clip, take it in, and show what was found out about it."""
    await make_migrator(dsn, "public").up()
    clip = folder / "harbour.mp4"
    await clips.make_clip(clip)
    async with Staffa(queues={"video": 2, "text": 10}) as app:
        handle = await app.enqueue(plan_ingestion(clip))
        await handle.wait(timeout=120)
        results = await handle.results()
        print(await handle.to_mermaid())
        for what, found in results["notice"].items():
            print(f"{what}: {found}")


if __name__ == "__main__":
    with EmbeddedPostgres(HERE) as address:
        os.environ["STAFFA_DSN"] = address
        (HERE / "clips").mkdir(exist_ok=True)
        asyncio.run(main(address, HERE / "clips"))
