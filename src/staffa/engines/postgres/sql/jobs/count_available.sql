-- Count the available jobs of queues, each up to its limit.
-- $1 text[]: queues, $2 int[]: their limits.
-- Locks: none. Index: staffa_jobs_claim; counting stops at the limit, so a backlog of millions costs
-- no more than that. The order keeps the planner from reading the whole table instead.
SELECT asked.queue, counted.count
  FROM unnest($1::text[], $2::int[]) AS asked (queue, most)
 CROSS JOIN LATERAL (
           SELECT count(*) AS count
             FROM (SELECT
                     FROM :"prefix".oban_jobs AS job
                    WHERE job.state = 'available'
                      AND job.queue = asked.queue
                    ORDER BY job.priority, job.scheduled_at, job.id
                    LIMIT asked.most) AS waiting
       ) AS counted;
