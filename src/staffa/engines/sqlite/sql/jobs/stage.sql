-- Make due jobs available, and return their queues.
-- $1: limit.
-- Index: staffa_jobs_stage, the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
UPDATE oban_jobs
   SET state = 'available'
 WHERE id IN (
           SELECT due.id
             FROM oban_jobs AS due
            WHERE due.state IN ('scheduled', 'retryable')
              AND due.scheduled_at <= (SELECT clock.now FROM clock)
            ORDER BY due.scheduled_at, due.id
            LIMIT $1
       )
RETURNING queue;
