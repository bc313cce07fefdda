-- Count the jobs that wait, by queue and state, and tell since when the first of them is due.
-- $1 int: at most so many available ones of a queue are counted, and so many of all that wait for a
-- time, those that are due first.
-- Locks: none. Index: staffa_jobs_claim, staffa_jobs_stage; the queues are found by jumping from one
-- to the next, and what is due first among priorities, so that a backlog costs no more than the
-- limit. The order keeps the planner from reading the whole table instead.
WITH RECURSIVE known AS (
    (SELECT job.queue
       FROM :"prefix".oban_jobs AS job
      WHERE job.state = 'available'
      ORDER BY job.queue, job.priority, job.scheduled_at, job.id
      LIMIT 1)
     UNION ALL
    SELECT (SELECT job.queue
              FROM :"prefix".oban_jobs AS job
             WHERE job.state = 'available'
               AND job.queue > known.queue
             ORDER BY job.queue, job.priority, job.scheduled_at, job.id
             LIMIT 1)
      FROM known
     WHERE known.queue IS NOT NULL
)
SELECT known.queue, 'available' AS state, counted.count,
       least(greatest(oldest.due_at, timestamp '1970-01-01'), timestamp '9900-01-01')
           AT TIME ZONE 'UTC' AS due_at
  FROM known
 CROSS JOIN LATERAL (
           SELECT count(*) AS count
             FROM (SELECT
                     FROM :"prefix".oban_jobs AS job
                    WHERE job.state = 'available'
                      AND job.queue = known.queue
                    ORDER BY job.priority, job.scheduled_at, job.id
                    LIMIT (SELECT $1::int)) AS waiting
       ) AS counted
 CROSS JOIN LATERAL (
           SELECT min(first.scheduled_at) AS due_at
             FROM generate_series(0, 9) AS level (priority)
            CROSS JOIN LATERAL (
                      SELECT job.scheduled_at
                        FROM :"prefix".oban_jobs AS job
                       WHERE job.state = 'available'
                         AND job.queue = known.queue
                         AND job.priority = level.priority
                       ORDER BY job.scheduled_at, job.id
                       LIMIT 1
                  ) AS first
       ) AS oldest
 WHERE known.queue IS NOT NULL
 UNION ALL
SELECT later.queue, later.state, count(*) AS count,
       least(greatest(min(later.scheduled_at), timestamp '1970-01-01'), timestamp '9900-01-01')
           AT TIME ZONE 'UTC' AS due_at
  FROM (SELECT job.queue, job.state::text AS state, job.scheduled_at
          FROM :"prefix".oban_jobs AS job
         WHERE job.state IN ('scheduled', 'retryable')
         ORDER BY job.scheduled_at, job.id
         LIMIT (SELECT $1::int)) AS later
 GROUP BY later.queue, later.state;
