-- Tell which of a producer's leases have ended without its doing: cancelled, rescued or deleted. By
-- their places in the arrays, as an old and a new lease of one job may stand there together.
-- $1 bigint[]: ids, $2 timestamptz[]: attempted_at, $3 text: producer uuid.
-- Locks: none. Index: the primary key, one probe for each lease; ack.sql says how that is ensured.
SELECT lease.place
  FROM unnest((SELECT $1::bigint[]), (SELECT $2::timestamptz[]))
           WITH ORDINALITY AS lease (id, attempted_at, place)
  LEFT JOIN :"prefix".oban_jobs AS job
    ON job.id = lease.id
   AND job.state::text = 'executing'
   AND job.attempted_at = timezone('UTC', lease.attempted_at)
   AND job.attempted_by[2] = $3::text
 WHERE job.id IS NULL;
