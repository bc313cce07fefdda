"""All of the example in one process: a database, a worker, and somebody who approves."""

import asyncio
import os
from pathlib import Path

from campaign import SENT, plan_campaign
from staffa import Staffa, telemetry
from staffa.client.backend import make_migrator
from staffa.embedded import EmbeddedPostgres

HERE = Path(__file__).parent


async def main(dsn: str) -> None:
    """Run two campaigns: one is approved, the other is not."""
    await make_migrator(dsn, "public").up()
    parked: asyncio.Queue[telemetry.Event] = asyncio.Queue()
    telemetry.attach(parked.put_nowait, events=["staffa.job.scheduled"])
    async with Staffa(queues={"campaign": 4, "mail": 4}) as app:
        for subject, approved in (("Spring", True), ("Autumn", False)):
            handle = await app.enqueue(plan_campaign(subject, ["customers", "press"]))
            await parked.get()
            print(f"{subject}: waits for approval, {len(SENT)} mails sent so far")
            await handle.signal("approval", {"approved": approved, "by": "Margaret"})
            await handle.wait(timeout=60)
            status = await handle.status()
            results = await handle.results()
            print(f"{subject}: {status.state}; {results.get('report', 'nothing was sent')}")
    telemetry.detach(parked.put_nowait)


if __name__ == "__main__":
    with EmbeddedPostgres(HERE) as address:
        os.environ["STAFFA_DSN"] = address
        asyncio.run(main(address))
