"""All of the example in one process: a database, a worker, and the Elixir program's part."""

import asyncio
import os
from pathlib import Path

import asyncpg

import printing  # noqa: F401  # the worker's job
from conference import Attendee, ask, take_answers
from staffa import Staffa
from staffa.client.backend import make_migrator
from staffa.embedded import EmbeddedPostgres

HERE = Path(__file__).parent
ATTENDEES = [
    Attendee(1, "Ada Lovelace", "Analytical Engines"),
    Attendee(2, "Grace Hopper", "Ships & Compilers"),
    Attendee(3, "Žofie Nováková", "Prague"),
]


async def main(dsn: str, folder: Path) -> None:
    """Ask for badges, wait for the answers, and write the PDFs into a folder."""
    await make_migrator(dsn, "public").up()
    connection = await asyncpg.connect(dsn)
    await connection.execute((HERE / "tables.sql").read_text())
    async with Staffa(queues={"badges": 2}):
        for attendee in ATTENDEES:
            number = await ask(connection, attendee)
            print(f"Elixir asks for the badge of {attendee.name}: job {number}")
        for answer in await take_answers(connection, len(ATTENDEES)):
            print(f"Elixir hears that badge {answer['attendee']} has {answer['bytes']} bytes")
    for row in await connection.fetch("SELECT attendee, pdf FROM badges ORDER BY attendee"):
        path = folder / f"badge-{row['attendee']}.pdf"
        path.write_bytes(row["pdf"])
        print(path)
    await connection.close()


if __name__ == "__main__":
    with EmbeddedPostgres(HERE) as address:
        os.environ["STAFFA_DSN"] = address
        (HERE / "printed").mkdir(exist_ok=True)
        asyncio.run(main(address, HERE / "printed"))
