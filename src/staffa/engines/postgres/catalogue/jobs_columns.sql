-- Describe the columns of what is called oban_jobs in a schema. A type of the same schema is named
-- without it, so that the one of the states reads the same everywhere.
-- $1 text: schema.
SELECT part.attname::text AS name,
       CASE WHEN type.typnamespace = space.oid THEN type.typname::text
            ELSE regexp_replace(format_type(part.atttypid, part.atttypmod),
                                '^timestamp\(\d\)', 'timestamp') END AS type,
       NOT part.attnotnull AS nullable,
       part.atthasdef OR part.attidentity <> '' AS fills,
       CASE part.attidentity WHEN 'a' THEN 'identity, always' WHEN 'd' THEN 'identity, by default'
            ELSE coalesce(pg_get_expr(fallback.adbin, fallback.adrelid), 'nothing') END AS source
  FROM pg_catalog.pg_attribute AS part
  JOIN pg_catalog.pg_class AS class ON class.oid = part.attrelid
  JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
  JOIN pg_catalog.pg_type AS type ON type.oid = part.atttypid
  LEFT JOIN pg_catalog.pg_attrdef AS fallback
    ON fallback.adrelid = part.attrelid AND fallback.adnum = part.attnum
 WHERE space.nspname = $1::text
   AND class.relname = 'oban_jobs'
   AND part.attnum > 0
   AND NOT part.attisdropped
 ORDER BY part.attnum;
