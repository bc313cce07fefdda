-- Make the jobs of a queue available that are due until a time: a test does not wait for it.
-- $1: queue, $2: until when, or null for ever.
-- Those of a queue with partitions get their key.
-- Index: staffa_jobs_stage.
UPDATE oban_jobs
   SET state = 'available',
       meta = coalesce((
           SELECT staffa_partitioned(limits.fields, oban_jobs.worker, oban_jobs.args, oban_jobs.meta)
             FROM staffa_limits AS limits
            WHERE limits.queue = oban_jobs.queue
              AND limits.fields <> '[]'), oban_jobs.meta)
 WHERE state IN ('scheduled', 'retryable')
   AND queue = $1
   AND ($2 IS NULL OR scheduled_at <= $2)
RETURNING id;
