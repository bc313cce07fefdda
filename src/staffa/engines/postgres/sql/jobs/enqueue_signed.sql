-- Insert jobs and return them in the order given.
-- $1 text: a JSON array of objects with the columns below; scheduled_in in seconds.
-- Jobs of a queue with partitions get their key here.
-- Locks: only the new rows. Index: the primary key of staffa_limits, a table of few rows.
INSERT INTO :"prefix".oban_jobs
    (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
SELECT CASE WHEN due.at > clock.now THEN 'scheduled' ELSE 'available' END::text::
           :"prefix".oban_job_state,
       new.queue, new.worker, new.args,
       CASE WHEN limits.queue IS NULL THEN new.meta
            ELSE new.meta || jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
                     limits.fields, new.worker, new.args, new.meta)) END,
       new.tags, new.priority, new.max_attempts,
       clock.now, coalesce(due.at, clock.now)
  FROM (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
 CROSS JOIN ROWS FROM (
           json_to_recordset($1::text::json) AS (
               queue text, worker text, args jsonb, meta jsonb, tags text[],
               priority smallint, max_attempts smallint,
               scheduled_at timestamptz, scheduled_in float8
           )
       ) WITH ORDINALITY AS new
 CROSS JOIN LATERAL (
           SELECT coalesce(timezone('UTC', new.scheduled_at),
                           clock.now + make_interval(secs => new.scheduled_in)) AS at
       ) AS due
  LEFT JOIN :"prefix".staffa_limits AS limits ON limits.queue = new.queue AND limits.fields <> '{}'
 ORDER BY new.ordinality
RETURNING id, state::text AS state,
          inserted_at AT TIME ZONE 'UTC' AS inserted_at,
          scheduled_at AT TIME ZONE 'UTC' AS scheduled_at;
