"""What a schema consists of, as texts that can be compared."""

from __future__ import annotations

import asyncpg

_PARTS = """
SELECT format('%s %s %s', class.relkind, class.relname, class.reloptions)
  FROM pg_class AS class
 WHERE class.relnamespace = $1::text::regnamespace
 UNION ALL
SELECT format('%s.%s %s null=%s identity=%s default=%s', class.relname, part.attname,
              format_type(part.atttypid, part.atttypmod), NOT part.attnotnull, part.attidentity,
              pg_get_expr(fallback.adbin, fallback.adrelid))
  FROM pg_attribute AS part
  JOIN pg_class AS class ON class.oid = part.attrelid AND class.relkind = 'r'
  LEFT JOIN pg_attrdef AS fallback ON fallback.adrelid = class.oid AND fallback.adnum = part.attnum
 WHERE class.relnamespace = $1::text::regnamespace AND part.attnum > 0 AND NOT part.attisdropped
 UNION ALL
SELECT format('%s %s', conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace = $1::text::regnamespace
 UNION ALL
SELECT indexdef FROM pg_indexes WHERE quote_ident(schemaname) = $1::text
 UNION ALL
SELECT format('type %s %s', kind.typname,
              ARRAY(SELECT enumlabel FROM pg_enum
                     WHERE enumtypid = kind.oid ORDER BY enumsortorder))
  FROM pg_type AS kind WHERE typnamespace = $1::text::regnamespace
 UNION ALL
SELECT format('comment %s %s', class.relname, obj_description(class.oid, 'pg_class'))
  FROM pg_class AS class
 WHERE class.relnamespace = $1::text::regnamespace
   AND obj_description(class.oid, 'pg_class') IS NOT NULL
 UNION ALL
SELECT format('function %s', proname) FROM pg_proc WHERE pronamespace = $1::text::regnamespace
"""


async def read_catalogue(connection: asyncpg.Connection, schema: str) -> list[str]:
    """Return what is in a schema, without its name."""
    quoted = await connection.fetchval("SELECT quote_ident($1::text)", schema)
    rows = await connection.fetch(_PARTS, quoted)
    return sorted(row[0].replace(f"{quoted}.", "").replace(f"{quoted} ", "") for row in rows)


async def read_schemas(connection: asyncpg.Connection) -> set[str]:
    """Return the names of all schemas."""
    return {row["nspname"] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
