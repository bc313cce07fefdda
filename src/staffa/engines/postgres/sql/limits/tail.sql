-- Look at the latest of the waiting jobs of a partitioned queue, at each priority: which have no key, or
-- one of another configuration. What other clients insert is there.
-- $1 text: queue, $2 int: how many of each priority, $3 text: the digest that keys begin with.
-- Locks: none. Index: staffa_jobs_claim: from one priority to the next, and backwards.
WITH RECURSIVE level AS (
    (SELECT job.priority
       FROM :"prefix".oban_jobs AS job
      WHERE job.state = 'available'
        AND job.queue = $1::text
      ORDER BY job.priority
      LIMIT 1)
     UNION ALL
    SELECT next.priority
      FROM level
     CROSS JOIN LATERAL (
               SELECT job.priority
                 FROM :"prefix".oban_jobs AS job
                WHERE job.state = 'available'
                  AND job.queue = $1::text
                  AND job.priority > level.priority
                ORDER BY job.priority
                LIMIT 1
           ) AS next
)
SELECT latest.id
  FROM level
 CROSS JOIN LATERAL (
           SELECT job.id, coalesce(starts_with(job.meta ->> 'partition_key', $3::text), false) AS keyed
             FROM :"prefix".oban_jobs AS job
            WHERE job.state = 'available'
              AND job.queue = $1::text
              AND job.priority = level.priority
            ORDER BY job.scheduled_at DESC, job.id DESC
            LIMIT $2::int
       ) AS latest
 WHERE NOT latest.keyed
 ORDER BY latest.id;
