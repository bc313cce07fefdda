-- Count the running jobs by node, before there is an index of ours.
-- Locks: none. Index: none of ours; both peers have one that begins with the state.
SELECT coalesce(job.attempted_by[1], 'unknown') AS node, count(*) AS count
  FROM :"prefix".oban_jobs AS job
 WHERE job.state = 'executing'
 GROUP BY 1
 ORDER BY 1;
