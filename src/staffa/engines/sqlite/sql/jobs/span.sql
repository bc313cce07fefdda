-- Measure a stretch of the table: read the least of so many ids below an id; null if there are none.
-- $1: only ids below this one, $2: how many.
-- Index: the primary key, backwards.
SELECT min(seen.id) AS first
  FROM (
           SELECT stretch.id
             FROM oban_jobs AS stretch
            WHERE stretch.id < $1
            ORDER BY stretch.id DESC
            LIMIT $2
       ) AS seen;
