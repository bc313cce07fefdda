-- Tell which partitions of a queue wait, at whatever priority, up to a number of them.
-- $1 text: queue, $2 text, $3 text: between which texts keys lie, $4 int: how many, $5 text[]: names of
-- workers, $6 bigint[]: ids.
-- Jobs of the workers $5 are left but for $6, the first ones of chunks that may be claimed.
-- Locks: none. Index: staffa_jobs_ring: a step for each partition and priority.
WITH RECURSIVE step AS (
    SELECT NULL::int AS priority, NULL::text COLLATE "C" AS key, 0 AS place
     UNION ALL
    SELECT next.priority, next.key, step.place + 1
      FROM step
     CROSS JOIN LATERAL (
               SELECT job.priority::int AS priority, left(job.meta ->> 'partition_key', 300) COLLATE "C" AS key
                 FROM :"prefix".oban_jobs AS job
                WHERE job.state = 'available'
                  AND job.meta ->> 'partition_key' IS NOT NULL
                  AND job.queue = $1::text
                  AND left(job.meta ->> 'partition_key', 300) COLLATE "C" > $2::text
                  AND left(job.meta ->> 'partition_key', 300) COLLATE "C" < $3::text
                  AND job.attempt < job.max_attempts
                  AND (job.worker <> ALL ($5::text[]) OR job.id = ANY ($6::bigint[]))
                  AND (step.place = 0
                       OR (job.priority, left(job.meta ->> 'partition_key', 300) COLLATE "C")
                          > (step.priority, step.key))
                ORDER BY job.priority, left(job.meta ->> 'partition_key', 300) COLLATE "C"
                LIMIT 1
           ) AS next
     WHERE step.place < 20
)
SELECT DISTINCT step.key
  FROM step
 WHERE step.place > 0
 LIMIT $4::int;
