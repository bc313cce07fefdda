-- Count the attempts that have ended lately, by queue and the state that they led to. The last second
-- is left out: what ended in it may not be committed yet.
-- $1: seconds, $2: at most so many jobs that wait for their next attempt are looked at, those that are
-- due first.
-- Index: staffa_jobs_finished, whose states and expression are repeated word for word, a state at a
-- time; staffa_jobs_stage. When an attempt failed is told by its error alone; only those of the last
-- hour are opened, as they may be large.
WITH span AS MATERIALIZED (
    SELECT staffa_add(staffa_now(), -1) AS until, staffa_add(staffa_now(), -1 - $1) AS since,
           staffa_add(staffa_now(), -3600) AS hour
), ended (state) AS (
    VALUES ('completed'), ('cancelled'), ('discarded')
)
SELECT job.queue, job.state, count(*) AS count
  FROM span
 CROSS JOIN ended
 CROSS JOIN oban_jobs AS job
 WHERE job.state IN ('completed', 'cancelled', 'discarded')
   AND job.state = ended.state
   AND coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at) > span.since
   AND coalesce(nullif(max(coalesce(job.completed_at, ''), coalesce(job.cancelled_at, ''),
                           coalesce(job.discarded_at, '')), ''), job.scheduled_at) <= span.until
 GROUP BY job.queue, job.state
 UNION ALL
SELECT failed.queue, 'retryable' AS state, count(*) AS count
  FROM span
 CROSS JOIN (SELECT later.queue,
                    CASE WHEN later.state = 'retryable'
                          AND later.attempted_at > (SELECT span.hour FROM span)
                         THEN replace(substr(json_extract(later.errors, '$[#-1].at'), 1, 26), 'T', ' ')
                         END AS at
               FROM (SELECT job.queue, job.state, job.attempted_at, job.errors
                       FROM oban_jobs AS job
                      WHERE job.state IN ('scheduled', 'retryable')
                      ORDER BY job.scheduled_at, job.id
                      LIMIT $2) AS later) AS failed
 WHERE failed.at > span.since
   AND failed.at <= span.until
 GROUP BY failed.queue;
