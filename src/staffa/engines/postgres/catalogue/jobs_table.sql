-- Describe what is called oban_jobs in a schema, whoever made it, and what is beside it.
-- $1 text: schema.
SELECT CASE class.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'relation' END AS kind,
       obj_description(class.oid, 'pg_class') AS comment,
       pg_get_userbyid(class.relowner)::text AS owner,
       CASE WHEN class.reltuples >= 0 THEN class.reltuples::bigint END AS rows,
       CASE WHEN class.relkind = 'r' THEN pg_table_size(class.oid) ELSE 0 END AS table_bytes,
       CASE WHEN class.relkind = 'r' THEN pg_indexes_size(class.oid) ELSE 0 END AS index_bytes,
       pg_has_role(class.relowner, 'USAGE') AS may_index,
       has_schema_privilege(space.oid, 'USAGE, CREATE') AS may_create,
       to_regclass(format('%I.oban_peers', $1::text)) IS NOT NULL AS peers,
       to_regclass(format('%I.oban_leaders', $1::text)) IS NOT NULL AS leaders,
       to_regclass(format('%I.oban_producers', $1::text)) IS NOT NULL AS producers,
       ARRAY(SELECT label.enumlabel::text
               FROM pg_catalog.pg_enum AS label
               JOIN pg_catalog.pg_type AS type ON type.oid = label.enumtypid
              WHERE type.typnamespace = space.oid
                AND type.typname = 'oban_job_state'
              ORDER BY label.enumsortorder) AS states,
       coalesce((SELECT extract(epoch FROM clock_timestamp() - min(activity.xact_start))::float8
                   FROM pg_catalog.pg_stat_activity AS activity
                  WHERE activity.datname = current_database()
                    AND activity.pid <> pg_backend_pid()
                    AND activity.backend_type = 'client backend'), 0) AS oldest_transaction
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
 WHERE space.nspname = $1::text
   AND class.relname = 'oban_jobs';
