-- Merge what running jobs note into their meta, where their leases are still ours, and return the
-- places of those in the arrays.
-- $1 bigint[]: id, $2 int[]: attempt, $3 timestamptz[]: attempted_at, $4 text: producer uuid,
-- $5 text[]: JSON to merge. A lease that is given twice gets one of the two.
-- Locks: the rows, in the order of their ids; those that others hold are left out.
-- Index: the primary key, one probe for each lease; ack.sql says how that is ensured.
WITH noted AS MATERIALIZED (
    SELECT job.id, given.patch, given.place
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::int[]), (SELECT $3::timestamptz[]),
                  (SELECT $5::text[]))
               WITH ORDINALITY AS given (id, attempt, attempted_at, patch, place)
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'executing'
       AND job.attempt = given.attempt
       AND job.attempted_at = timezone('UTC', given.attempted_at)
       AND job.attempted_by[2] = $4::text
     ORDER BY job.id
       FOR UPDATE OF job SKIP LOCKED
)
UPDATE :"prefix".oban_jobs AS job
   SET meta = CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END || noted.patch::jsonb
  FROM noted
 WHERE job.id = noted.id
RETURNING noted.place;
