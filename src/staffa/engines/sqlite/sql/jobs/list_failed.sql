-- Read the ids of the jobs whose last attempt has failed, the last claimed or discarded first.
-- $1: limit, $2: at most so many jobs that wait for their next attempt are looked at, those that are
-- due first.
-- Index: staffa_jobs_stage, staffa_jobs_finished, whose expression is repeated word for word.
SELECT failed.id
  FROM (SELECT retryable.id, retryable.failed_at
          FROM (SELECT later.id, later.attempted_at AS failed_at
                  FROM (SELECT job.id, job.state, job.attempted_at
                          FROM oban_jobs AS job
                         WHERE job.state IN ('scheduled', 'retryable')
                         ORDER BY job.scheduled_at, job.id
                         LIMIT $2) AS later
                 WHERE later.state = 'retryable'
                   AND later.attempted_at IS NOT NULL
                 ORDER BY later.attempted_at DESC, later.id DESC
                 LIMIT $1) AS retryable
         UNION ALL
        SELECT discarded.id, discarded.failed_at
          FROM (SELECT job.id,
                       coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at) AS failed_at
                  FROM oban_jobs AS job
                 WHERE job.state IN ('completed', 'cancelled', 'discarded')
                   AND job.state = 'discarded'
                 ORDER BY coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at) DESC, job.id DESC
                 LIMIT $1) AS discarded) AS failed
 ORDER BY failed.failed_at DESC, failed.id DESC
 LIMIT $1;
