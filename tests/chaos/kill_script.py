"""A program that enqueues: some jobs all or none, one of them unique, and a stream of chunks."""

from __future__ import annotations

import asyncio

from staffa import Job, Staffa
from tests.chaos.kill_jobs import note, note_unique


async def main(*first: Job) -> None:
    async with Staffa() as app:
        await app.enqueue_many([note_unique.new("one"), note.new(), note.new(), *first])
        stream = (note.new() for _ in range(4))
        async for _ in app.enqueue_many(stream, stream=True, chunk_size=2):
            pass


if __name__ == "__main__":
    asyncio.run(main())
