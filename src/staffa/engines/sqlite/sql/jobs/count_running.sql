-- Count the running jobs by queue and producer.
-- Index: staffa_jobs_lease, as a whole: it holds running jobs alone.
SELECT job.queue, json_extract(job.attempted_by, '$[0]') AS node,
       json_extract(job.attempted_by, '$[1]') AS producer, count(*) AS count
  FROM oban_jobs AS job
 WHERE job.state = 'executing'
 GROUP BY job.queue, json_extract(job.attempted_by, '$[0]'), json_extract(job.attempted_by, '$[1]')
 ORDER BY job.queue, json_extract(job.attempted_by, '$[0]'), json_extract(job.attempted_by, '$[1]');
