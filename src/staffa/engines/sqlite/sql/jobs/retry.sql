-- Make jobs available at once, with room for at least one more attempt. All have the same time, so
-- that they run in the order of their ids. Those that had risen while they waited have their own priority
-- again.
-- The filter's parameters are the only ones.
-- Index: the primary key; the filter names the ids.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
UPDATE oban_jobs AS job
   SET state = 'available',
       scheduled_at = (SELECT clock.now FROM clock),
       priority = staffa_own_priority(job.meta, job.priority),
       max_attempts = max(job.max_attempts, job.attempt + 1),
       completed_at = NULL,
       cancelled_at = NULL,
       discarded_at = NULL
 WHERE false /* filter */
   AND job.state NOT IN ('available', 'executing', 'suspended')
RETURNING id, queue, worker, attempt;
