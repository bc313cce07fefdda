-- Look at keys of unique jobs in their order, and tell of which none of the jobs is left.
-- $1: the key to go on after, $2: how many to look at.
-- Index: the primary keys.
SELECT seen.key, NOT EXISTS (
           SELECT 1
             FROM json_each(seen.holders) AS holder
            CROSS JOIN oban_jobs AS job
            WHERE job.id = holder.value
       ) AS stale
  FROM staffa_unique AS seen
 WHERE seen.key > $1
 ORDER BY seen.key
 LIMIT $2;
