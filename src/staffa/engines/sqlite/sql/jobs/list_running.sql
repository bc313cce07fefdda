-- Read the ids of the running jobs, the longest running first.
-- $1: limit.
-- Index: staffa_jobs_lease, as a whole: in the order of ids SQLite would read the whole table.
SELECT job.id
  FROM oban_jobs AS job
 WHERE job.state = 'executing'
 ORDER BY job.attempted_at, +job.id
 LIMIT $1;
