-- Count the available jobs of a queue, up to a limit.
-- $1: queue, $2: limit.
-- Index: staffa_jobs_claim; counting stops at the limit.
SELECT count(*) AS count
  FROM (
           SELECT 1
             FROM oban_jobs AS job
            WHERE job.state = 'available'
              AND job.queue = $1
            LIMIT $2
       ) AS waiting;
