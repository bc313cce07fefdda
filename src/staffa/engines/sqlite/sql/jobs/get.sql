-- Read jobs by id, in the order of their ids.
-- $1: ids, a JSON array.
-- Index: the primary key.
SELECT job.id, job.state, job.queue, job.worker, job.args, job.meta, job.tags, job.errors, job.attempt,
       job.max_attempts, job.priority, job.attempted_by, job.inserted_at, job.scheduled_at,
       job.attempted_at, job.completed_at, job.cancelled_at, job.discarded_at
  FROM oban_jobs AS job
 WHERE job.id IN (SELECT given.value FROM json_each($1) AS given)
 ORDER BY job.id;
