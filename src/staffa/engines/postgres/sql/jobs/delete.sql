-- Delete jobs that are not running.
-- $1 bigint[]: ids.
-- Locks: the rows, in the order of their ids.
-- Index: the primary key; (SELECT $1) is there for the reason that ack.sql gives.
WITH target AS MATERIALIZED (
    SELECT id, state::text AS previous_state
      FROM :"prefix".oban_jobs
     WHERE id = ANY ((SELECT $1::bigint[])::bigint[])
       AND state <> 'executing'
     ORDER BY id
       FOR UPDATE
)
DELETE FROM :"prefix".oban_jobs AS job
 USING target
 WHERE job.id = target.id
RETURNING job.id, job.queue, target.previous_state;
