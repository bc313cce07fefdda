-- Count by worker the jobs whose last attempt has ended lately: those that have completed, and those
-- whose attempt has failed, retryable and discarded ones.
-- $1: seconds; they become fewer where more have completed or were discarded in them than $2, at most so
-- many of either; so many that wait for their next attempt are looked at, those that are due first. All
-- are counted from the same time on: the shares of workers would be wrong else.
-- Index: staffa_jobs_finished, whose states and expression are repeated word for word, a state at a
-- time; staffa_jobs_stage. A retryable job counts by the time of its claim: that of its failure is in its
-- errors, which may be large.
WITH known (state) AS (
    VALUES ('completed'), ('discarded')
), span AS MATERIALIZED (
    SELECT max(staffa_add(staffa_now(), -$1), coalesce(max(last.ended_at), '')) AS since
      FROM (SELECT (SELECT coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at)
                      FROM oban_jobs AS job
                     WHERE job.state IN ('completed', 'cancelled', 'discarded')
                       AND job.state = known.state
                     ORDER BY coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at) DESC, job.id DESC
                     LIMIT 1 OFFSET $2) AS ended_at
              FROM known) AS last
)
SELECT counted.worker, sum(counted.completed) AS completed, sum(counted.failed) AS failed
  FROM (SELECT job.worker, known.state = 'completed' AS completed,
               known.state = 'discarded' AS failed
          FROM span
         CROSS JOIN known
         CROSS JOIN oban_jobs AS job
         WHERE job.state IN ('completed', 'cancelled', 'discarded')
           AND job.state = known.state
           AND coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at) > span.since
         UNION ALL
        SELECT later.worker, 0, 1
          FROM (SELECT job.worker, job.state, job.attempted_at
                  FROM oban_jobs AS job
                 WHERE job.state IN ('scheduled', 'retryable')
                 ORDER BY job.scheduled_at, job.id
                 LIMIT $2) AS later
         WHERE later.state = 'retryable'
           AND later.attempted_at > (SELECT span.since FROM span)) AS counted
 GROUP BY counted.worker
 ORDER BY counted.worker;
