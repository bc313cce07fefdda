-- Read the ids of the jobs whose last attempt has failed, the last claimed or discarded first.
-- $1 int: limit, $2 int: at most so many jobs that wait for their next attempt are looked at, those
-- that are due first.
-- Locks: none. Index: staffa_jobs_stage, staffa_jobs_finished.
SELECT failed.id
  FROM ((SELECT later.id, later.attempted_at AS failed_at
           FROM (SELECT job.id, job.state, job.attempted_at
                   FROM :"prefix".oban_jobs AS job
                  WHERE job.state IN ('scheduled', 'retryable')
                  ORDER BY job.scheduled_at, job.id
                  LIMIT (SELECT $2::int)) AS later
          WHERE later.state = 'retryable'
            AND later.attempted_at IS NOT NULL
          ORDER BY later.attempted_at DESC, later.id DESC
          LIMIT (SELECT $1::int))
         UNION ALL
        (SELECT job.id,
                coalesce(greatest(job.completed_at, job.cancelled_at, job.discarded_at),
                         job.scheduled_at) AS failed_at
           FROM :"prefix".oban_jobs AS job
          WHERE job.state = 'discarded'
            AND job.state IN ('completed', 'cancelled', 'discarded')
          ORDER BY coalesce(greatest(job.completed_at, job.cancelled_at, job.discarded_at),
                            job.scheduled_at) DESC, job.id DESC
          LIMIT (SELECT $1::int))) AS failed
 ORDER BY failed.failed_at DESC, failed.id DESC
 LIMIT (SELECT $1::int);
