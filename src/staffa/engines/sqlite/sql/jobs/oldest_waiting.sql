-- Walk the available jobs of a queue and priority from the one that has been due for longest, a page at
-- a time; raise.sql raises only what has not changed.
-- $1: queue, $2: priority, $3: only jobs that have been due for so many seconds or more, $4 and $5: the
-- time and the id where the last page ended, $6: limit.
-- Index: staffa_jobs_claim, in its order.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
SELECT job.id, job.worker, job.scheduled_at AS due_since,
       staffa_own_priority(job.meta, job.priority) AS own_priority,
       staffa_seconds(job.scheduled_at, (SELECT clock.now FROM clock)) AS waited
  FROM oban_jobs AS job
 WHERE job.state = 'available'
   AND job.queue = $1
   AND job.priority = $2
   AND job.scheduled_at <= staffa_add((SELECT clock.now FROM clock), -$3)
   AND (job.scheduled_at, job.id) > ($4, $5)
 ORDER BY job.scheduled_at, job.id
 LIMIT $6;
