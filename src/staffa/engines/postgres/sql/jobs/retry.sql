-- Make jobs available at once, with room for at least one more attempt.
-- $1 bigint[]: ids.
-- Locks: the rows, in the order of their ids.
-- Index: the primary key; (SELECT $1) is there for the reason that ack.sql gives.
WITH target AS MATERIALIZED (
    SELECT id, state::text AS previous_state
      FROM :"prefix".oban_jobs
     WHERE id = ANY ((SELECT $1::bigint[])::bigint[])
       AND state NOT IN ('available', 'executing', 'suspended')
     ORDER BY id
       FOR UPDATE
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'available',
       scheduled_at = timezone('UTC', clock_timestamp()),
       max_attempts = greatest(job.max_attempts, job.attempt + 1),
       completed_at = NULL,
       cancelled_at = NULL,
       discarded_at = NULL
  FROM target
 WHERE job.id = target.id
RETURNING job.id, job.queue, target.previous_state;
