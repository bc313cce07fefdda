-- Count the jobs that wait, by queue and state, and tell since when the first of them is due.
-- $1: at most so many available ones of a queue are counted, and so many of all that wait for a time,
-- those that are due first.
-- Index: staffa_jobs_claim, staffa_jobs_stage; the queues are found by jumping from one to the next,
-- and what is due first among priorities, so that a backlog costs no more than the limit.
WITH RECURSIVE known (queue) AS (
    SELECT (SELECT min(job.queue) FROM oban_jobs AS job WHERE job.state = 'available')
     UNION ALL
    SELECT (SELECT min(job.queue)
              FROM oban_jobs AS job
             WHERE job.state = 'available'
               AND job.queue > known.queue)
      FROM known
     WHERE known.queue IS NOT NULL
), level (priority) AS (
    SELECT 0
     UNION ALL
    SELECT level.priority + 1 FROM level WHERE level.priority < 9
)
SELECT known.queue, 'available' AS state,
       (SELECT count(*)
          FROM (SELECT 1
                  FROM oban_jobs AS job
                 WHERE job.state = 'available'
                   AND job.queue = known.queue
                 LIMIT $1)) AS count,
       (SELECT min((SELECT min(job.scheduled_at)
                      FROM oban_jobs AS job
                     WHERE job.state = 'available'
                       AND job.queue = known.queue
                       AND job.priority = level.priority))
          FROM level) AS due_at
  FROM known
 WHERE known.queue IS NOT NULL
 UNION ALL
SELECT later.queue, later.state, count(*) AS count, min(later.scheduled_at) AS due_at
  FROM (SELECT job.queue, job.state, job.scheduled_at
          FROM oban_jobs AS job
         WHERE job.state IN ('scheduled', 'retryable')
         ORDER BY job.scheduled_at, job.id
         LIMIT $1) AS later
 GROUP BY later.queue, later.state;
