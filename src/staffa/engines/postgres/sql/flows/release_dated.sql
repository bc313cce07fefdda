-- Let steps with a deadline go on that wait for nothing any more. Those that have been changed meanwhile are
-- left alone. Each is returned with the seconds by which it is due later than it was.
-- $1 bigint[]: the jobs.
-- Locks: the rows, in the order of their ids. Index: the primary key; see ack.sql for state::text.
WITH step AS MATERIALIZED (
    SELECT job.id, clock.now, extract(epoch FROM clock.now - job.scheduled_at)::float8 AS late
      FROM unnest((SELECT $1::bigint[])) AS given (id)
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'suspended'
       AND job.meta ? 'staffa_deadline'
     ORDER BY job.id
       FOR UPDATE OF job
)
UPDATE :"prefix".oban_jobs AS job
   SET state = CASE WHEN job.scheduled_at > step.now THEN 'scheduled'
                    ELSE 'available' END::text:::"prefix".oban_job_state,
       scheduled_at = greatest(job.scheduled_at, step.now)
  FROM step
 WHERE job.id = step.id
RETURNING job.id, job.queue, job.state::text AS state,
          job.meta ->> 'workflow_id' AS workflow, job.meta ->> 'batch_id' AS batch,
          job.meta ->> 'chain_id' AS chain, job.meta ? 'callback' AS callback,
          CASE WHEN step.late > 0 THEN (job.meta -> 'staffa_deadline')::text END AS deadline,
          step.late;
