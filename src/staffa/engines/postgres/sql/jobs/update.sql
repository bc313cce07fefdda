-- Change columns of jobs and return the jobs. A new time makes an unstarted job scheduled, or
-- available where that time has passed.
-- $1 bigint[]: ids, $2 text: a JSON object of the columns to change.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: the rows, in the order of their ids.
-- Index: the primary key; (SELECT $1) is there for the reason that ack.sql gives.
WITH target AS MATERIALIZED (
    SELECT job.id, $2::text::jsonb AS changes,
           timezone('UTC', ($2::text::jsonb ->> 'scheduled_at')::timestamptz) AS due
      FROM :"prefix".oban_jobs AS job
     WHERE job.id = ANY ((SELECT $1::bigint[])::bigint[])
     ORDER BY job.id
       FOR UPDATE
)
UPDATE :"prefix".oban_jobs AS job
   SET queue = coalesce(target.changes ->> 'queue', job.queue),
       worker = coalesce(target.changes ->> 'worker', job.worker),
       args = coalesce(target.changes -> 'args', job.args),
       meta = coalesce(target.changes -> 'meta', job.meta),
       tags = CASE WHEN target.changes ? 'tags'
                   THEN ARRAY(SELECT jsonb_array_elements_text(target.changes -> 'tags'))
                   ELSE job.tags END,
       priority = coalesce((target.changes ->> 'priority')::int, job.priority),
       max_attempts = coalesce((target.changes ->> 'max_attempts')::int, job.max_attempts),
       scheduled_at = coalesce(target.due, job.scheduled_at),
       state = CASE WHEN target.due IS NULL OR job.state NOT IN ('available', 'scheduled', 'retryable')
                    THEN job.state
                    WHEN target.due > timezone('UTC', clock_timestamp()) THEN 'scheduled'
                    ELSE 'available' END
  FROM target
 WHERE job.id = target.id
RETURNING job.id, job.state::text AS state, job.queue, job.worker, job.args::text AS args, job.meta::text AS meta, job.tags,
       to_jsonb(job.errors)::text AS errors, job.attempt, job.max_attempts, job.priority, job.attempted_by,
       least(greatest(job.inserted_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS inserted_at,
       least(greatest(job.scheduled_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS scheduled_at,
       CASE WHEN job.attempted_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.attempted_at AT TIME ZONE 'UTC' END AS attempted_at,
       CASE WHEN job.completed_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.completed_at AT TIME ZONE 'UTC' END AS completed_at,
       CASE WHEN job.cancelled_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.cancelled_at AT TIME ZONE 'UTC' END AS cancelled_at,
       CASE WHEN job.discarded_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.discarded_at AT TIME ZONE 'UTC' END AS discarded_at;
