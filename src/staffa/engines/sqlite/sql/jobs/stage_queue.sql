-- Make the jobs of a queue available that are due until a time: a test does not wait for it.
-- Those that are parked until a signal comes wait all the same: to run them would park them again.
-- $1: queue, $2: until when, or null for ever.
-- Index: staffa_jobs_stage.
UPDATE oban_jobs
   SET state = 'available'
 WHERE state IN ('scheduled', 'retryable')
   AND queue = $1
   AND ($2 IS NULL OR scheduled_at <= $2)
   AND (scheduled_at <= staffa_now()
        OR state = 'retryable'
        OR coalesce(meta -> '$.staffa_parked', '[]') IN ('[]', 'null'))
RETURNING id;
