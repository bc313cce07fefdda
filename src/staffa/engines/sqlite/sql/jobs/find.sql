-- Read the ids of the jobs of a filter in a stretch of the table, the oldest first: however few they
-- are, no statement looks at more rows than it is told to. One row is returned; where nothing is left
-- to look at, its last is null.
-- $1: only ids above this one, $2: only ids up to this one, $3: how many rows to look at; the filter's
-- parameters follow.
-- Index: the primary key; the limit keeps the condition out of the inner query.
SELECT max(job.id) AS last, json_group_array(job.id) FILTER (WHERE false /* filter */) AS ids
  FROM (
           SELECT stretch.*
             FROM oban_jobs AS stretch
            WHERE stretch.id > $1
              AND stretch.id <= $2
            ORDER BY stretch.id
            LIMIT $3
       ) AS job;
