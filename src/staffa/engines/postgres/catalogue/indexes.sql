-- Read the indexes of our tables: how large they are, and how large they would be if they were built
-- now. That is estimated for B-trees, from what the last vacuum or analyze has counted: entries times
-- their average width, with pages filled to nine tenths. Equal keys share space, so it can only be too
-- large, and an index looks less bloated than it is. For other kinds, and before any count, it is null.
-- A leftover is what an interrupted REINDEX CONCURRENTLY has left, unless one is under way.
-- $1 text: schema.
SELECT class.relname AS name,
       pg_catalog.pg_relation_size(class.oid) AS bytes,
       CASE WHEN method.amname = 'btree' AND class.reltuples >= 0
            THEN (ceil(class.reltuples * entry.width / (0.9 * (page.bytes - 40))) + 2) * page.bytes
            END::bigint AS expected_bytes,
       NOT index.indisvalid AND class.relname ~ '_cc(new|old)[0-9]*$' AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_stat_progress_create_index AS building
            WHERE building.datname = current_database()
              AND (building.relid IS NULL OR building.relid = index.indrelid)
       ) AS leftover,
       index.indisvalid AS valid
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_am AS method ON method.oid = class.relam
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  JOIN pg_catalog.pg_namespace AS space ON space.oid = owner.relnamespace
 CROSS JOIN (SELECT current_setting('block_size')::int AS bytes) AS page
 CROSS JOIN LATERAL (
           SELECT 12 + 8 * ceil(sum(coalesce(stats.avg_width,
                                             CASE WHEN part.attlen > 0 THEN part.attlen END,
                                             32)) / 8.0) AS width
             FROM pg_catalog.pg_attribute AS part
             LEFT JOIN pg_catalog.pg_attribute AS source
               ON source.attrelid = index.indrelid
              AND source.attnum = index.indkey[part.attnum - 1]
              AND source.attnum > 0
             LEFT JOIN pg_catalog.pg_stats AS stats
               ON stats.schemaname = space.nspname
              AND stats.tablename = CASE WHEN source.attnum IS NULL THEN class.relname
                                         ELSE owner.relname END
              AND stats.attname = coalesce(source.attname, part.attname)
            WHERE part.attrelid = class.oid
              AND part.attnum > 0
       ) AS entry
 WHERE space.nspname = $1::text
   AND (owner.relname = 'oban_jobs' OR owner.relname LIKE 'staffa\_%')
 ORDER BY class.relname;
