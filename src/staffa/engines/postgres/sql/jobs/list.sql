-- Read jobs, the newest first, a page at a time.
-- $1 text[]: states or null, $2 text[]: queues or null, $3 text[]: workers or null,
-- $4 bigint: only ids below this one or null, $5 int: limit.
-- Locks: none. Index: the primary key, backwards.
SELECT id, state::text AS state, queue, worker, args::text AS args, meta::text AS meta, tags,
       to_jsonb(errors)::text AS errors, attempt, max_attempts, priority, attempted_by,
       inserted_at AT TIME ZONE 'UTC' AS inserted_at,
       scheduled_at AT TIME ZONE 'UTC' AS scheduled_at,
       attempted_at AT TIME ZONE 'UTC' AS attempted_at,
       completed_at AT TIME ZONE 'UTC' AS completed_at,
       cancelled_at AT TIME ZONE 'UTC' AS cancelled_at,
       discarded_at AT TIME ZONE 'UTC' AS discarded_at
  FROM :"prefix".oban_jobs
 WHERE ($1::text[] IS NULL OR state::text = ANY ($1::text[]))
   AND ($2::text[] IS NULL OR queue = ANY ($2::text[]))
   AND ($3::text[] IS NULL OR worker = ANY ($3::text[]))
   AND ($4::bigint IS NULL OR id < $4::bigint)
 ORDER BY id DESC
 LIMIT $5::int;
