-- Find the priorities that the available jobs of each queue have, those of 0 aside, with how long the
-- first job of each has been due.
-- $1 text and $2 int: the queue and the priority after which to begin, $3 int: limit.
-- Locks: none.
-- Index: staffa_jobs_claim, jumping from one priority to the next: a backlog costs no more than one
-- job of each. The whole order is there so that the planner reads and sorts nothing instead.
WITH RECURSIVE level AS (
    (SELECT job.queue, job.priority, job.scheduled_at
       FROM :"prefix".oban_jobs AS job
      WHERE job.state = 'available'
        AND (job.queue, job.priority) > ($1::text, $2::int)
      ORDER BY job.queue, job.priority, job.scheduled_at, job.id
      LIMIT 1)
     UNION ALL
    SELECT next.queue, next.priority, next.scheduled_at
      FROM level
     CROSS JOIN LATERAL (
               SELECT job.queue, job.priority, job.scheduled_at
                 FROM :"prefix".oban_jobs AS job
                WHERE job.state = 'available'
                  AND (job.queue, job.priority) > (level.queue, level.priority)
                ORDER BY job.queue, job.priority, job.scheduled_at, job.id
                LIMIT 1
           ) AS next
)
SELECT found.queue, found.priority,
       extract(epoch FROM timezone('UTC', now())
           - least(greatest(found.scheduled_at, timestamp '0001-01-02'), timestamp '9999-12-30'))::float8
           AS waited
  FROM (SELECT level.queue, level.priority, level.scheduled_at
          FROM level
         WHERE level.priority > 0
         LIMIT (SELECT $3::int)) AS found;
