-- Look at keys of unique jobs in their order, and forget those none of whose jobs is left. Returns
-- where it has stopped, nothing at the end, and how many keys it has looked at and forgotten.
-- $1 text: the key to go on after in hexadecimal, $2 int: how many to look at.
-- A key that is being taken is skipped. One that was taken since this statement began has other
-- holders than it saw, whose jobs it can't see: it is left alone.
-- Locks: the rows it forgets; what others hold is skipped. Index: the primary keys; (SELECT $2) is
-- there for the reason that jobs/claim.sql gives.
WITH page AS MATERIALIZED (
    SELECT seen.key, seen.holders
      FROM :"prefix".staffa_unique AS seen
     WHERE seen.key > decode($1::text, 'hex')
     ORDER BY seen.key
     LIMIT (SELECT $2::int)
), stale AS MATERIALIZED (
    SELECT taken.key
      FROM page
      JOIN :"prefix".staffa_unique AS taken ON taken.key = page.key AND taken.holders = page.holders
     WHERE NOT EXISTS (
               SELECT
                 FROM unnest(page.holders) AS holder (id)
                CROSS JOIN LATERAL (
                          SELECT FROM :"prefix".oban_jobs AS job WHERE job.id = holder.id LIMIT 1
                      ) AS living
           )
     ORDER BY taken.key
       FOR UPDATE OF taken SKIP LOCKED
), forgotten AS (
    DELETE FROM :"prefix".staffa_unique AS taken
     USING stale
     WHERE taken.key = stale.key
    RETURNING taken.key
)
SELECT encode((SELECT page.key FROM page ORDER BY page.key DESC LIMIT 1), 'hex') AS stopped_at,
       (SELECT count(*) FROM page) AS seen,
       (SELECT count(*) FROM forgotten) AS forgotten;
