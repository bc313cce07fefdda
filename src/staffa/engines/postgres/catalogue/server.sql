-- Read the state of the server as far as everybody may: its clock, its connections, and whether other
-- implementations keep a table of their leader beside ours.
-- $1 text: schema.
SELECT clock_timestamp() AS now, current_setting('server_version') AS version,
       pg_is_in_recovery() AS read_only,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0) AS max_connections,
       (SELECT sum(stat.numbackends)::int FROM pg_catalog.pg_stat_database AS stat)
           AS used_connections,
       to_regclass(format('%I.oban_peers', $1::text)) IS NOT NULL AS has_elixir,
       to_regclass(format('%I.oban_leaders', $1::text)) IS NOT NULL AS has_python;
