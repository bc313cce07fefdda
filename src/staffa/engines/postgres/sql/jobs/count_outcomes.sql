-- Count by worker the jobs whose last attempt has ended lately: those that have completed, and those
-- whose attempt has failed, retryable and discarded ones.
-- $1 float8: seconds; they become fewer where more have completed or were discarded in them than $2
-- int, at most so many of either; so many that wait for their next attempt are looked at, those that are
-- due first. All are counted from the same time on: the shares of workers would be wrong else.
-- Locks: none. Index: staffa_jobs_finished, staffa_jobs_stage. A retryable job counts by the time of its
-- claim: that of its failure is in its errors, which may be large.
WITH span AS MATERIALIZED (
    SELECT greatest(timezone('UTC', now()) - make_interval(secs => $1::float8),
                    max(last.ended_at)) AS since
      FROM unnest(ARRAY['completed', 'discarded']::text[]::
                  :"prefix".oban_job_state[]) AS known (state)
     CROSS JOIN LATERAL (
               SELECT coalesce(greatest(job.completed_at, job.cancelled_at, job.discarded_at),
                               job.scheduled_at) AS ended_at
                 FROM :"prefix".oban_jobs AS job
                WHERE job.state IN ('completed', 'cancelled', 'discarded')
                  AND job.state = known.state
                ORDER BY coalesce(greatest(job.completed_at, job.cancelled_at, job.discarded_at),
                                  job.scheduled_at) DESC, job.id DESC
               OFFSET (SELECT $2::int)
                LIMIT 1) AS last
)
SELECT counted.worker, sum(counted.completed)::bigint AS completed,
       sum(counted.failed)::bigint AS failed
  FROM (SELECT ended.worker,
               CASE WHEN known.state = 'completed' THEN ended.count ELSE 0 END AS completed,
               CASE WHEN known.state = 'completed' THEN 0 ELSE ended.count END AS failed
          FROM unnest(ARRAY['completed', 'discarded']::text[]::
                      :"prefix".oban_job_state[]) AS known (state)
         CROSS JOIN LATERAL (
                   SELECT job.worker, count(*) AS count
                     FROM :"prefix".oban_jobs AS job
                    WHERE job.state IN ('completed', 'cancelled', 'discarded')
                      AND job.state = known.state
                      AND coalesce(greatest(job.completed_at, job.cancelled_at, job.discarded_at),
                                   job.scheduled_at) > (SELECT span.since FROM span)
                    GROUP BY job.worker) AS ended
         UNION ALL
        SELECT later.worker, 0, count(*)
          FROM (SELECT job.worker, job.state, job.attempted_at
                  FROM :"prefix".oban_jobs AS job
                 WHERE job.state IN ('scheduled', 'retryable')
                 ORDER BY job.scheduled_at, job.id
                 LIMIT (SELECT $2::int)) AS later
         WHERE later.state = 'retryable'
           AND later.attempted_at > (SELECT span.since FROM span)
         GROUP BY later.worker) AS counted
 GROUP BY counted.worker
 ORDER BY counted.worker;
