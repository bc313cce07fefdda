-- Read a job and hold its row for the rest of the transaction, which the server ends if the client
-- leaves it idle for too long.
-- $1 bigint: id, $2 text: how long the transaction may be idle, with its unit.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: the row. Index: the primary key.
WITH bounded AS MATERIALIZED (
    SELECT set_config('idle_in_transaction_session_timeout', $2::text, true)
)
SELECT job.id, job.state::text AS state, job.queue, job.worker, job.args::text AS args,
       job.meta::text AS meta, job.tags, to_jsonb(job.errors)::text AS errors, job.attempt,
       job.max_attempts, job.priority, job.attempted_by,
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
            THEN job.discarded_at AT TIME ZONE 'UTC' END AS discarded_at
  FROM bounded
 CROSS JOIN :"prefix".oban_jobs AS job
 WHERE job.id = $1::bigint
   FOR UPDATE OF job;
