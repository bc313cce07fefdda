-- Read the ids of the running jobs, the longest running first.
-- $1 int: limit.
-- Locks: none. Index: staffa_jobs_lease, as a whole: in the order of ids the planner would read the
-- whole table.
SELECT job.id
  FROM :"prefix".oban_jobs AS job
 WHERE job.state = 'executing'
 ORDER BY job.attempted_at, job.id
 LIMIT (SELECT $1::int);
