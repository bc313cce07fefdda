"""The shop's own tables lie in the database that has the jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from staffa import Config


@asynccontextmanager
async def connected() -> AsyncIterator[asyncpg.Connection]:
    """Open a connection for a while; a busy shop would keep a pool."""
    dsn = Config.load().dsn
    if dsn is None:
        raise SystemExit("STAFFA_DSN is not set here: export what database.py prints, in quotes")
    try:
        connection = await asyncpg.connect(dsn)
    except OSError as error:
        raise ConnectionError(f"no database answers at STAFFA_DSN: {error}") from None
    try:
        yield connection
    finally:
        await connection.close()


async def create_tables(connection: asyncpg.Connection) -> None:
    """Create what is missing."""
    await connection.execute(Path(__file__).with_name("tables.sql").read_text())
