-- Delete jobs that are not running.
-- The filter's parameters are the only ones.
-- Locks: the rows, in the order of their ids; cancel.sql tells of SKIP LOCKED.
-- Index: the primary key; the filter names the ids.
WITH target AS MATERIALIZED (
    SELECT job.id, job.state::text AS previous_state
      FROM :"prefix".oban_jobs AS job
     WHERE false /* filter */
       AND job.state <> 'executing'
     ORDER BY job.id
       FOR UPDATE /* SKIP LOCKED */
)
DELETE FROM :"prefix".oban_jobs AS job
 USING target
 WHERE job.id = target.id
RETURNING job.id, job.queue, job.worker, target.previous_state, job.attempt;
