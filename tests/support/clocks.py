"""Clocks that tests set: a worker's, and the clock of a PostgreSQL database.

The server's own clock can't be moved, but its functions can be hidden: sessions of a database whose
`search_path` names the schema ``stepped`` before ``pg_catalog`` call the functions of that name
there. Staffa qualifies its tables and no function, so its statements run as they are, on the time
that a test wants. What PostgreSQL itself keeps time of (`pg_stat_activity`, timeouts) stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg

from staffa._internal.identifiers import quote_identifier

_INSTALL = """
CREATE SCHEMA stepped;
CREATE TABLE stepped.clock (stopped timestamptz, ahead interval NOT NULL DEFAULT '0');
INSERT INTO stepped.clock DEFAULT VALUES;
CREATE FUNCTION stepped.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT coalesce(clock.stopped, pg_catalog.clock_timestamp() + clock.ahead) FROM stepped.clock';
CREATE FUNCTION stepped.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT coalesce(clock.stopped, pg_catalog.statement_timestamp() + clock.ahead)
       FROM stepped.clock';
CREATE FUNCTION stepped.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT coalesce(clock.stopped, pg_catalog.now() + clock.ahead) FROM stepped.clock';
"""


class SteppedClock:
    """Both clocks of a process: the wall clock goes where a test sets it, the other one only on.

    Args:
        moment: What the wall clock shows.
    """

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return self.moment

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return self.seconds


class ServerClock:
    """The clock of a database of a test's own.

    Args:
        dsn: The database, whose sessions from now on have that clock.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection

    async def install(self, zone: str = "UTC") -> None:
        """Hide the server's clock behind one that can be set, for sessions of a time zone."""
        self._connection = await asyncpg.connect(self._dsn)
        await self._connection.execute(_INSTALL)
        name = quote_identifier(urlsplit(self._dsn).path.removeprefix("/"))
        await self._connection.execute(
            f"ALTER DATABASE {name} SET search_path = stepped, pg_catalog, public;"
            f"ALTER DATABASE {name} SET timezone = {zone!r}"
        )

    async def stop_at(self, moment: datetime) -> None:
        """Have it stand still."""
        await self._connection.execute("UPDATE stepped.clock SET stopped = $1", moment)

    async def go(self, ahead: timedelta) -> None:
        """Have it go on, so far ahead of the machine's."""
        await self._connection.execute("UPDATE stepped.clock SET stopped = NULL, ahead = $1", ahead)

    async def now(self) -> datetime:
        """Return what it shows."""
        found: datetime = await self._connection.fetchval("SELECT stepped.clock_timestamp()")
        return found.astimezone(UTC)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
