-- Count the jobs of each queue by state.
-- Locks: none. Index: none; it reads the whole table.
SELECT queue, state::text AS state, count(*) AS count
  FROM :"prefix".oban_jobs
 GROUP BY queue, state
 ORDER BY queue, state;
