"""Migrated schemas that the tests of a process use one after the other.

Migrating a schema takes far longer than most tests do, emptying one next to nothing. A schema whose
definition a test has changed, or that somebody still writes to, is dropped instead.
"""

from __future__ import annotations

import uuid
from typing import Any, LiteralString

import asyncpg
import psycopg
from psycopg import sql

from staffa.client.backend import make_migrator
from tests.support.foreign_schemas import make_adopted_schema

_DEFINITION = """
WITH namespace AS (SELECT * FROM pg_namespace WHERE nspname = %(schema)s),
     class AS (SELECT * FROM pg_class WHERE relnamespace = (SELECT oid FROM namespace))
SELECT md5(string_agg(part, ' ' ORDER BY part)) FROM (
SELECT format('%%s %%s %%s %%s %%s', oid, relname, reloptions, relacl, relowner) AS part
  FROM class
 UNION ALL
SELECT format('%%s.%%s %%s', attrelid, attnum, xmin) FROM pg_attribute
 WHERE attrelid IN (SELECT oid FROM class)
 UNION ALL
SELECT format('%%s %%s', indexrelid, xmin) FROM pg_index
 WHERE indrelid IN (SELECT oid FROM class)
 UNION ALL
SELECT format('%%s %%s %%s', tgrelid, tgname, xmin) FROM pg_trigger
 WHERE tgrelid IN (SELECT oid FROM class)
 UNION ALL
SELECT format('%%s %%s', conname, xmin) FROM pg_constraint
 WHERE connamespace = (SELECT oid FROM namespace)
 UNION ALL
SELECT format('%%s %%s', oid, xmin) FROM pg_proc WHERE pronamespace = (SELECT oid FROM namespace)
 UNION ALL
SELECT format('%%s %%s', oid, xmin) FROM pg_type WHERE typnamespace = (SELECT oid FROM namespace)
 UNION ALL
SELECT format('%%s %%s', objoid, description) FROM pg_description
 WHERE objoid IN (SELECT oid FROM class)
 UNION ALL
SELECT format('%%s %%s', nspowner, nspacl) FROM namespace
) AS parts
"""
_TABLES_WITH_ROWS = """
SELECT relname FROM pg_class
 WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s)
   AND relkind = 'r' AND pg_relation_size(oid) > 0
   AND relname <> 'staffa_migrations'
"""
_OTHERS_AT_WORK = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
   AND backend_type = 'client backend' AND state <> 'idle'
"""


def new_name() -> str:
    """Return a schema's name, which needs quoting."""
    return f'Jobs "{uuid.uuid4().hex[:8]}" of a test'


class Schemas:
    """The schemas of one kind in one database.

    Args:
        dsn: The database.
        maker: Whose tables are adopted there, as `foreign_schemas` names them; None: ours are made.
    """

    def __init__(self, dsn: str, maker: str | None = None) -> None:
        self.dsn = dsn
        self.maker = maker
        self._connection = psycopg.connect(dsn, autocommit=True, options="-c lock_timeout=30s")
        self._definitions: dict[str, str | None] = {}
        self._free: list[str] = []

    async def take(self) -> str:
        """Return the name of a migrated, empty schema that nobody else uses."""
        return self._free.pop() if self._free else await self.make()

    async def make(self) -> str:
        """Return the name of a schema as a user would have it who has just migrated."""
        name = new_name()
        if self.maker is None:
            await make_migrator(self.dsn, name).up()
        else:
            connection = await asyncpg.connect(self.dsn)
            await make_adopted_schema(connection, self.dsn, self.maker, name)
            await connection.close()
        self._definitions[name] = self._definition(name)
        return name

    def give_back(self, name: str) -> None:
        """Empty a schema for the next test, or drop it."""
        if self._is_reusable(name):
            self._empty(name)
            self._free.append(name)
        else:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Drop a schema, if it is there."""
        self._definitions.pop(name, None)
        self._connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name))
        )

    def close(self) -> None:
        """Close the connection; what is left goes with the database."""
        self._connection.close()

    def _is_reusable(self, name: str) -> bool:
        [at_work] = self._one(_OTHERS_AT_WORK, name)
        return not at_work and self._definition(name) == self._definitions.get(name)

    def _definition(self, name: str) -> str | None:
        definition: str | None
        [definition] = self._one(_DEFINITION, name)
        return definition

    def _empty(self, name: str) -> None:
        tables = self._connection.execute(_TABLES_WITH_ROWS, {"schema": name}).fetchall()
        if tables:
            named = sql.SQL(", ").join(sql.Identifier(name, table) for (table,) in tables)
            self._connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(named))

    def _one(self, statement: LiteralString, name: str) -> tuple[Any, ...]:
        row = self._connection.execute(statement, {"schema": name}).fetchone()
        assert row is not None
        return row
