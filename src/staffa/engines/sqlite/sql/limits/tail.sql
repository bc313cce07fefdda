-- Look at the latest of the waiting jobs of a partitioned queue, at each priority: which have no key, or
-- one of another configuration. What other clients insert is there.
-- $1: queue, $2: how many of each priority, $3: the digest that keys begin with.
-- Index: staffa_jobs_claim: from one priority to the next, and backwards; the primary key.
WITH RECURSIVE level (priority) AS (
    SELECT min(job.priority)
      FROM oban_jobs AS job
     WHERE job.state = 'available'
       AND job.queue = $1
     UNION ALL
    SELECT (SELECT min(job.priority)
              FROM oban_jobs AS job
             WHERE job.state = 'available'
               AND job.queue = $1
               AND job.priority > level.priority)
      FROM level
     WHERE level.priority IS NOT NULL
)
SELECT job.id
  FROM level
 CROSS JOIN json_each((
           SELECT json_group_array(latest.id)
             FROM (SELECT waiting.id
                     FROM oban_jobs AS waiting
                    WHERE waiting.state = 'available'
                      AND waiting.queue = $1
                      AND waiting.priority = level.priority
                    ORDER BY waiting.scheduled_at DESC, waiting.id DESC
                    LIMIT $2) AS latest
       )) AS found
 CROSS JOIN oban_jobs AS job
 WHERE job.id = found.value
   AND substr(coalesce(job.meta ->> '$.partition_key', ''), 1, length($3)) <> $3
 ORDER BY job.id;
