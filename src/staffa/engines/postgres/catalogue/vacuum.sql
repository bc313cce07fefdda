-- Read how much of the jobs table is dead, and how long the oldest snapshot has been held: what it
-- can see, no vacuum removes.
-- $1 text: schema.
SELECT stat.n_live_tup AS live, stat.n_dead_tup AS dead,
       greatest(stat.last_vacuum, stat.last_autovacuum)::text AS vacuumed_at,
       (SELECT extract(epoch FROM clock_timestamp() - min(activity.xact_start))::float8
          FROM pg_catalog.pg_stat_activity AS activity
         WHERE activity.backend_xmin IS NOT NULL
           AND activity.datname = current_database()
           AND activity.pid <> pg_backend_pid()
           AND activity.backend_type = 'client backend') AS oldest_snapshot
  FROM pg_catalog.pg_stat_user_tables AS stat
 WHERE stat.schemaname = $1::text
   AND stat.relname = 'oban_jobs';
