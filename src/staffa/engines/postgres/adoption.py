"""Looks at the tables of another implementation, before and while they are adopted."""

from __future__ import annotations

from staffa._internal.sql import load_sql
from staffa.adoption import Column, FoundTable, Neighbours, Origin, Worker, judge
from staffa.drivers.asyncpg import ConnectionSettings, open_session
from staffa.maintenance import IndexSize
from staffa.steps import Session

_PACKAGE = "staffa.engines.postgres"


class ForeignTables:
    """The tables of another implementation in one schema.

    Args:
        settings: Where their owner connects.
        prefix: The schema.
    """

    def __init__(self, settings: ConnectionSettings, prefix: str) -> None:
        self._settings = settings
        self._prefix = prefix
        self._place = f"schema {prefix!r}"

    async def describe(self) -> tuple[Origin, FoundTable, Neighbours]:
        """Return whose table it is, what it is like, and who works on it.

        Raises:
            MigrationError: If it can't be adopted.
            DatabaseError: If the database refuses.
        """
        async with open_session(self._settings) as session:
            table = await self._read_table(session)
            origin = judge(table, self._place)
            assert table is not None  # noqa: S101  # judged
            return origin, table, await self._read_neighbours(session, table)

    async def examine(self, session: Session) -> str:
        """Return whose table it is, for who is about to record that.

        Raises:
            MigrationError: If it can't be adopted.
        """
        return judge(await self._read_table(session), self._place).value

    async def _read_table(self, session: Session) -> FoundTable | None:
        rows = await session.fetch(self._text("catalogue/jobs_table.sql"), self._prefix)
        if not rows:
            return None
        columns = await session.fetch(self._text("catalogue/jobs_columns.sql"), self._prefix)
        indexes = await session.fetch(self._text("catalogue/indexes.sql"), self._prefix)
        described = {**rows[0], "states": tuple(rows[0]["states"])}
        return FoundTable(
            place=self._place,
            schema=self._prefix,
            ids=next((row["source"] for row in columns if row["name"] == "id"), "nothing"),
            columns=tuple(
                Column(**{key: row[key] for key in ("name", "type", "nullable", "fills")})
                for row in columns
            ),
            indexes=tuple(IndexSize(**row) for row in indexes),
            **described,
        )

    async def _read_neighbours(self, session: Session, table: FoundTable) -> Neighbours:
        leading = [
            Worker(**row)
            for there, name in ((table.peers, "elixir"), (table.leaders, "python"))
            if there
            for row in await session.fetch(self._text(f"peers/{name}_leaders.sql"))
        ]
        producing = (
            await session.fetch(self._text("peers/python_producers.sql")) if table.producers else []
        )
        running = await session.fetch(self._text("peers/running.sql"))
        return Neighbours(
            leading=tuple(leading),
            producing=tuple(Worker(**row) for row in producing),
            running={row["node"]: row["count"] for row in running},
        )

    def _text(self, path: str) -> str:
        return load_sql(_PACKAGE, path, self._prefix)
