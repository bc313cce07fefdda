-- Make the jobs of a queue available that are due until a time: a test does not wait for it.
-- $1: queue, $2: until when, or null for ever.
-- Index: staffa_jobs_stage.
UPDATE oban_jobs
   SET state = 'available'
 WHERE state IN ('scheduled', 'retryable')
   AND queue = $1
   AND ($2 IS NULL OR scheduled_at <= $2)
RETURNING id;
