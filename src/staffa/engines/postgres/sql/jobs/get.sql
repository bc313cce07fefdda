-- Read jobs by id.
-- $1 bigint[]: ids.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: none. Index: the primary key; (SELECT $1) is there for the reason that ack.sql gives.
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
 WHERE id = ANY ((SELECT $1::bigint[])::bigint[])
 ORDER BY id;
