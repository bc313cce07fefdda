-- Count the running jobs by queue and producer.
-- Locks: none. Index: staffa_jobs_lease, as a whole: it holds running jobs alone.
SELECT job.queue, job.attempted_by[1] AS node, job.attempted_by[2] AS producer, count(*) AS count
  FROM :"prefix".oban_jobs AS job
 WHERE job.state = 'executing'
 GROUP BY job.queue, job.attempted_by[1], job.attempted_by[2]
 ORDER BY job.queue, job.attempted_by[1], job.attempted_by[2];
