-- Read which jobs have to wait for others though they would run, and their states.
-- $1 bigint[]: the jobs.
-- Locks: the jobs, in the order of their ids. Index: the primary keys; see jobs/ack.sql for state::text.
SELECT job.id, job.queue, job.state::text AS state, job.attempt
  FROM :"prefix".oban_jobs AS job
  JOIN :"prefix".staffa_steps AS step ON step.job_id = job.id
 WHERE job.id = ANY ((SELECT $1::bigint[])::bigint[])
   AND job.state::text IN ('available', 'scheduled', 'retryable')
   AND (step.open > 0 OR step.held)
 ORDER BY job.id
   FOR UPDATE OF job;
