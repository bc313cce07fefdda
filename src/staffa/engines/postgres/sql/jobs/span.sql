-- Measure a stretch of the table: read the least of so many ids below an id; null if there are none.
-- $1 bigint: only ids below this one, $2 int: how many.
-- Locks: none. Index: the primary key, backwards.
SELECT min(seen.id) AS first
  FROM (
           SELECT stretch.id
             FROM :"prefix".oban_jobs AS stretch
            WHERE stretch.id < $1::bigint
            ORDER BY stretch.id DESC
            LIMIT (SELECT $2::int)
       ) AS seen;
