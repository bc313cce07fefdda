-- Make jobs available at once, with room for at least one more attempt. All have the same time, so
-- that they run in the order of their ids. Those that had risen while they waited have their own priority
-- again; oldest_waiting.sql says how rows tell it.
-- The filter's parameters are the only ones.
-- Locks: the rows, in the order of their ids; cancel.sql tells of SKIP LOCKED.
-- Index: the primary key; the filter names the ids.
WITH target AS MATERIALIZED (
    SELECT job.id, job.state::text AS previous_state
      FROM :"prefix".oban_jobs AS job
     WHERE false /* filter */
       AND job.state NOT IN ('available', 'executing', 'suspended')
     ORDER BY job.id
       FOR UPDATE /* SKIP LOCKED */
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'available',
       scheduled_at = (SELECT timezone('UTC', clock_timestamp())),
       priority = CASE WHEN job.meta #>> '{staffa_aged,from}' ~ '^[0-9]{1,4}$'
                        AND job.meta #>> '{staffa_aged,to}' = job.priority::text
                       THEN greatest((job.meta #>> '{staffa_aged,from}')::int, job.priority)
                       ELSE job.priority END,
       max_attempts = greatest(job.max_attempts, job.attempt + 1),
       completed_at = NULL,
       cancelled_at = NULL,
       discarded_at = NULL
  FROM target
 WHERE job.id = target.id
RETURNING job.id, job.queue, job.worker, target.previous_state, job.attempt;
