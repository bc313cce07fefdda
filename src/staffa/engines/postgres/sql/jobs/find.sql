-- Read the ids of the jobs of a filter in a stretch of the table, the oldest first: however few they
-- are, no statement looks at more rows than it is told to. One row is returned; where nothing is left
-- to look at, it is null.
-- $1 bigint: only ids above this one, $2 bigint: only ids up to this one, $3 int: how many rows to look
-- at; the filter's parameters follow.
-- Locks: none. Index: the primary key; the limit keeps the condition out of the inner query.
SELECT max(job.id) AS last, array_agg(job.id ORDER BY job.id) FILTER (WHERE false /* filter */) AS ids
  FROM (
           SELECT stretch.*
             FROM :"prefix".oban_jobs AS stretch
            WHERE stretch.id > $1::bigint
              AND stretch.id <= $2::bigint
            ORDER BY stretch.id
            LIMIT (SELECT $3::int)
       ) AS job;
