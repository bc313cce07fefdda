-- Tell which queues have work.
-- $1: queues, a JSON array.
-- Index: staffa_jobs_claim.
SELECT asked.value AS queue
  FROM json_each($1) AS asked
 WHERE EXISTS (
           SELECT 1
             FROM oban_jobs AS job
            WHERE job.state = 'available'
              AND job.queue = asked.value
       );
