-- Walk the finished jobs of a state from the one that ended last, a page at a time; prune.sql deletes only what
-- has not changed since, which the version shows: a digest of the row.
-- $1: state, $2: only jobs that ended so many seconds ago or more, $3 and $4: the time and the id where
-- the last page ended, $5: limit.
-- Index: staffa_jobs_finished, in its order, backwards; its expression and its states are repeated word for word.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
SELECT job.id, job.queue, job.worker,
       staffa_digest(job.state, job.queue, job.worker, job.args, job.meta, job.tags, job.errors,
                     job.attempt, job.max_attempts, job.priority, job.attempted_by, job.inserted_at,
                     job.scheduled_at, job.attempted_at, job.completed_at, job.cancelled_at,
                     job.discarded_at) AS version,
       coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at) AS ended_at,
       staffa_seconds(
           coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                               coalesce(job.discarded_at, '')), ''), job.scheduled_at),
           (SELECT clock.now FROM clock)) AS age
  FROM oban_jobs AS job
 WHERE job.state IN ('completed', 'cancelled', 'discarded')
   AND job.state = $1
   AND coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at)
           <= staffa_add((SELECT clock.now FROM clock), -$2)
   AND coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at) <= $3
   AND (coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                            coalesce(job.discarded_at, '')), ''), job.scheduled_at) < $3
        OR job.id < $4)
 ORDER BY coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                              coalesce(job.discarded_at, '')), ''), job.scheduled_at) DESC,
          job.id DESC
 LIMIT $5;
