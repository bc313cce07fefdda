-- Read jobs by id.
-- $1 bigint[]: ids.
-- Locks: none. Index: the primary key; (SELECT $1) is there for the reason that ack.sql gives.
SELECT id, state::text AS state, queue, worker, args::text AS args, meta::text AS meta, tags,
       to_jsonb(errors)::text AS errors, attempt, max_attempts, priority, attempted_by,
       inserted_at AT TIME ZONE 'UTC' AS inserted_at,
       scheduled_at AT TIME ZONE 'UTC' AS scheduled_at,
       attempted_at AT TIME ZONE 'UTC' AS attempted_at,
       completed_at AT TIME ZONE 'UTC' AS completed_at,
       cancelled_at AT TIME ZONE 'UTC' AS cancelled_at,
       discarded_at AT TIME ZONE 'UTC' AS discarded_at
  FROM :"prefix".oban_jobs
 WHERE id = ANY ((SELECT $1::bigint[])::bigint[])
 ORDER BY id;
