"""`python -m bookshop` does one of `tables`, `order ADDRESS ITEM` and `attempts`."""

import asyncio
import sys

from bookshop.database import connected, create_tables
from bookshop.orders import place_order
from staffa import Staffa


async def main(words: list[str]) -> None:
    """Do what the words of the command line say."""
    async with connected() as connection:
        match words:
            case ["tables"]:
                await create_tables(connection)
            case ["order", customer, item]:
                async with Staffa():
                    print("order", await place_order(connection, customer, item))
            case ["attempts"]:
                for row in await connection.fetch("SELECT * FROM mail_attempts ORDER BY id"):
                    outcome = f"{row['outcome']}: {row['reply']}" if row["outcome"] else "no answer"
                    print(f"{row['recipient']:25} {row['template']:8} {row['attempt']:2} {outcome}")
            case _:
                raise SystemExit(__doc__)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
