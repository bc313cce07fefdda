-- Make the jobs of a queue available that are due until a time: a test does not wait for it.
-- Those that are parked until a signal comes wait all the same: to run them would park them again.
-- $1 text: queue, $2 timestamptz: until when, or null for ever.
-- Locks: the rows it stages; rows that others hold are skipped.
-- Index: staffa_jobs_stage.
UPDATE :"prefix".oban_jobs AS job
   SET state = 'available'
 WHERE job.id = ANY (ARRAY(
           SELECT due.id
             FROM :"prefix".oban_jobs AS due
            WHERE due.state IN ('scheduled', 'retryable')
              AND due.queue = $1::text
              AND ($2::timestamptz IS NULL OR due.scheduled_at <= timezone('UTC', $2::timestamptz))
              AND (due.scheduled_at <= timezone('UTC', clock_timestamp())
                   OR due.state = 'retryable'
                   OR coalesce(due.meta -> 'staffa_parked', '[]') IN ('[]', 'null'))
            ORDER BY due.scheduled_at, due.id
              FOR UPDATE SKIP LOCKED
       ))
RETURNING job.id;
