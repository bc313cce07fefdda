-- Cancel steps since something that they depend on has not completed. Those that have been changed meanwhile
-- are left alone.
-- $1 bigint[]: the jobs, $2 text[]: why each is cancelled.
-- Locks: the rows, in the order of their ids. Index: the primary key; see ack.sql for state::text.
WITH step AS MATERIALIZED (
    SELECT job.id, given.error, clock.now
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[])) AS given (id, error)
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'suspended'
     ORDER BY job.id
       FOR UPDATE OF job
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'cancelled'::text:::"prefix".oban_job_state,
       cancelled_at = step.now,
       errors = job.errors || jsonb_build_object(
           'attempt', job.attempt,
           'at', to_char(step.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'error', step.error)
  FROM step
 WHERE job.id = step.id
RETURNING job.id, job.attempt,
          job.meta ->> 'workflow_id' AS workflow, job.meta ->> 'batch_id' AS batch,
          job.meta ->> 'chain_id' AS chain, job.meta ? 'callback' AS callback;
