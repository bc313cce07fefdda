-- Count the jobs of a filter by queue and state. The filter's parameters are the only ones.
-- Index: staffa_jobs_claim, staffa_jobs_stage, staffa_jobs_lease where the states ask for them, the
-- primary key where ids do; else none, and it reads the whole table.
SELECT job.queue, job.state, count(*) AS count
  FROM oban_jobs AS job
 WHERE false /* filter */
 GROUP BY job.queue, job.state
 ORDER BY job.queue, job.state;
