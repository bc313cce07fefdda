-- Count the jobs that wait for a run, by worker.
-- Index: staffa_jobs_claim, staffa_jobs_stage; each such job is read, so it is asked by hand and not by
-- a service.
SELECT waiting.worker, count(*) AS count
  FROM (SELECT job.worker FROM oban_jobs AS job WHERE job.state = 'available'
         UNION ALL
        SELECT job.worker FROM oban_jobs AS job WHERE job.state IN ('scheduled', 'retryable')) AS waiting
 GROUP BY waiting.worker
 ORDER BY waiting.worker;
