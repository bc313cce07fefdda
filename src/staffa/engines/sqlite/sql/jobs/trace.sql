-- Read what became of jobs whose acknowledgement may have been committed without our hearing of it.
-- $1: ids, a JSON array.
-- Index: the primary key.
SELECT job.id, job.state, job.meta, job.errors, json_extract(job.attempted_by, '$[1]') AS producer,
       job.attempted_at
  FROM oban_jobs AS job
 WHERE job.id IN (SELECT given.value FROM json_each($1) AS given);
