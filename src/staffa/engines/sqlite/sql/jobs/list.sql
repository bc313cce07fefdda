-- Read jobs, the newest first.
-- $1: limit; the filter's parameters follow.
-- Index: the primary key; the filter names ids, or a stretch of them that span.sql has measured.
SELECT job.id, job.state, job.queue, job.worker, job.args, job.meta, job.tags, job.errors, job.attempt,
       job.max_attempts, job.priority, job.attempted_by, job.inserted_at, job.scheduled_at,
       job.attempted_at, job.completed_at, job.cancelled_at, job.discarded_at
  FROM oban_jobs AS job
 WHERE false /* filter */
 ORDER BY job.id DESC
 LIMIT $1;
