-- Merge what running jobs note into their meta, where their leases are still ours, and return the
-- places of those in the arrays.
-- $1 bigint[]: id, $2 timestamptz[]: attempted_at, $3 text: producer uuid, $4 text[]: JSON to merge.
-- Locks: the rows, in the order of their ids.
-- Index: the primary key, one probe for each lease; ack.sql says how that is ensured.
WITH noted AS MATERIALIZED (
    SELECT job.id, given.patch, given.place
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::timestamptz[]), (SELECT $4::text[]))
               WITH ORDINALITY AS given (id, attempted_at, patch, place)
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'executing'
       AND job.attempted_at = timezone('UTC', given.attempted_at)
       AND job.attempted_by[2] = $3::text
     ORDER BY job.id
       FOR UPDATE OF job
)
UPDATE :"prefix".oban_jobs AS job
   SET meta = coalesce(job.meta, '{}') || noted.patch::jsonb
  FROM noted
 WHERE job.id = noted.id
RETURNING noted.place;
