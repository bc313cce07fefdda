-- Read jobs, the newest first, a page at a time.
-- $1 text[]: states or null, $2 text[]: queues or null, $3 text[]: workers or null,
-- $4 bigint: only ids below this one or null, $5 int: limit.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: none. Index: the primary key, backwards.
SELECT id, state::text AS state, queue, worker, args::text AS args, meta::text AS meta, tags,
       to_jsonb(errors)::text AS errors, attempt, max_attempts, priority, attempted_by,
       least(greatest(inserted_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS inserted_at,
       least(greatest(scheduled_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS scheduled_at,
       CASE WHEN attempted_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN attempted_at AT TIME ZONE 'UTC' END AS attempted_at,
       CASE WHEN completed_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN completed_at AT TIME ZONE 'UTC' END AS completed_at,
       CASE WHEN cancelled_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN cancelled_at AT TIME ZONE 'UTC' END AS cancelled_at,
       CASE WHEN discarded_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN discarded_at AT TIME ZONE 'UTC' END AS discarded_at
  FROM :"prefix".oban_jobs
 WHERE ($1::text[] IS NULL OR state::text = ANY ($1::text[]))
   AND ($2::text[] IS NULL OR queue = ANY ($2::text[]))
   AND ($3::text[] IS NULL OR worker = ANY ($3::text[]))
   AND ($4::bigint IS NULL OR id < $4::bigint)
 ORDER BY id DESC
 LIMIT $5::int;
