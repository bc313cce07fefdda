-- Read what became of jobs whose acknowledgement may have been committed without our hearing of it.
-- $1 bigint[]: ids.
-- Locks: none. Index: the primary key; (SELECT $1) is there for the reason that ack.sql gives.
SELECT id, state::text AS state, meta::text AS meta, to_jsonb(errors)::text AS errors,
       attempted_by[2] AS producer,
       CASE WHEN attempted_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN attempted_at AT TIME ZONE 'UTC' END AS attempted_at
  FROM :"prefix".oban_jobs
 WHERE id = ANY ((SELECT $1::bigint[])::bigint[]);
