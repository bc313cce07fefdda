-- Let steps go on that wait for nothing any more, or cancel them. Those that have been changed meanwhile are
-- left alone. One with a deadline is returned with the seconds by which it is due later than it was.
-- $1 bigint[]: the jobs, $2 text[]: why each is cancelled, or null where it goes on.
-- Locks: the rows, in the order of their ids. Index: the primary key; see ack.sql for state::text.
WITH step AS MATERIALIZED (
    SELECT job.id, given.error, clock.now,
           extract(epoch FROM clock.now - job.scheduled_at)::float8 AS late
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[])) AS given (id, error)
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'suspended'
     ORDER BY job.id
       FOR UPDATE OF job
)
UPDATE :"prefix".oban_jobs AS job
   SET state = CASE WHEN step.error IS NOT NULL THEN 'cancelled'
                    WHEN job.scheduled_at > step.now THEN 'scheduled'
                    ELSE 'available' END::text:::"prefix".oban_job_state,
       scheduled_at = CASE WHEN step.error IS NULL THEN greatest(job.scheduled_at, step.now)
                           ELSE job.scheduled_at END,
       cancelled_at = CASE WHEN step.error IS NULL THEN job.cancelled_at ELSE step.now END,
       errors = CASE WHEN step.error IS NULL THEN job.errors
                     ELSE job.errors || jsonb_build_object(
                         'attempt', job.attempt,
                         'at', to_char(step.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'error', step.error) END
  FROM step
 WHERE job.id = step.id
RETURNING job.id, job.queue, job.state::text AS state, job.attempt,
          job.meta ->> 'workflow_id' AS workflow, job.meta ->> 'batch_id' AS batch,
          job.meta ->> 'chain_id' AS chain, job.meta ? 'callback' AS callback,
          CASE WHEN step.error IS NULL AND step.late > 0
               THEN (job.meta -> 'staffa_deadline')::text END AS deadline,
          step.late;
