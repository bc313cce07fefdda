-- Read which jobs have to wait for others though they would run, and their states.
-- $1: a JSON array of the jobs.
-- Index: the primary keys.
SELECT job.id, job.queue, job.state, job.attempt
  FROM json_each($1) AS given
 CROSS JOIN oban_jobs AS job
 CROSS JOIN staffa_steps AS step
 WHERE job.id = given.value
   AND step.job_id = job.id
   AND +job.state IN ('available', 'scheduled', 'retryable')
   AND (step.open > 0 OR step.held)
 ORDER BY job.id;
