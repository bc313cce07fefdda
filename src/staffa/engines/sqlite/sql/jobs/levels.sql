-- Find the priorities that the available jobs of each queue have, those of 0 aside, with how long the
-- first job of each has been due.
-- $1 and $2: the queue and the priority after which to begin, $3: limit.
-- Index: staffa_jobs_claim, jumping from one priority to the next: a backlog costs no more than one job
-- of each; the primary key.
WITH RECURSIVE clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), first (id) AS (
    SELECT (SELECT job.id
              FROM oban_jobs AS job
             WHERE job.state = 'available'
               AND (job.queue, job.priority) > ($1, $2)
             ORDER BY job.queue, job.priority, job.scheduled_at, job.id
             LIMIT 1)
     UNION ALL
    SELECT (SELECT job.id
              FROM oban_jobs AS job
             WHERE job.state = 'available'
               AND (job.queue, job.priority) > (known.queue, known.priority)
             ORDER BY job.queue, job.priority, job.scheduled_at, job.id
             LIMIT 1)
      FROM first
     CROSS JOIN oban_jobs AS known ON known.id = first.id
)
SELECT job.queue, job.priority,
       staffa_seconds(job.scheduled_at, (SELECT clock.now FROM clock)) AS waited
  FROM first
 CROSS JOIN oban_jobs AS job ON job.id = first.id
 WHERE job.priority > 0
 LIMIT $3;
