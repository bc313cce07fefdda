-- Count the jobs that wait for a run, by worker.
-- Locks: none. Index: staffa_jobs_claim, staffa_jobs_stage; each such job is read, so it is asked by
-- hand and not by a service.
SELECT job.worker, count(*) AS count
  FROM :"prefix".oban_jobs AS job
 WHERE job.state = 'available'
    OR job.state IN ('scheduled', 'retryable')
 GROUP BY job.worker
 ORDER BY job.worker;
