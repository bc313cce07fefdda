-- Tell which partitions of a queue wait, at whatever priority, up to a number of them.
-- $1: queue, $2, $3: between which texts keys lie, $4: how many, $5: names of workers,
-- $6: ids, both JSON arrays.
-- Jobs of the workers $5 are left but for $6, the first ones of chunks that may be claimed.
-- Index: staffa_jobs_ring: a step for each partition.
WITH RECURSIVE step (priority, key, place) AS (
    SELECT -9223372036854775807, $2, 0
     UNION ALL
    SELECT CASE WHEN EXISTS (
                    SELECT 1
                      FROM oban_jobs AS job
                     WHERE job.state = 'available'
                       AND job.meta ->> '$.partition_key' IS NOT NULL
                       AND job.attempt < job.max_attempts
                       AND job.queue = $1
                       AND (job.worker NOT IN (SELECT given.value FROM json_each($5) AS given)
                            OR job.id IN (SELECT given.value FROM json_each($6) AS given))
                       AND job.priority = step.priority
                       AND job.meta ->> '$.partition_key' > step.key
                       AND job.meta ->> '$.partition_key' < $3)
                THEN step.priority
                ELSE (SELECT min(job.priority)
                        FROM oban_jobs AS job
                       WHERE job.state = 'available'
                         AND job.meta ->> '$.partition_key' IS NOT NULL
                         AND job.attempt < job.max_attempts
                         AND job.queue = $1
                         AND (job.worker NOT IN (SELECT given.value FROM json_each($5) AS given)
                              OR job.id IN (SELECT given.value FROM json_each($6) AS given))
                         AND job.priority > step.priority) END,
           coalesce((SELECT min(job.meta ->> '$.partition_key')
                       FROM oban_jobs AS job
                      WHERE job.state = 'available'
                        AND job.meta ->> '$.partition_key' IS NOT NULL
                        AND job.attempt < job.max_attempts
                        AND job.queue = $1
                        AND (job.worker NOT IN (SELECT given.value FROM json_each($5) AS given)
                             OR job.id IN (SELECT given.value FROM json_each($6) AS given))
                        AND job.priority = step.priority
                        AND job.meta ->> '$.partition_key' > step.key
                        AND job.meta ->> '$.partition_key' < $3), $2),
           step.place + 1
      FROM step
     WHERE step.priority IS NOT NULL
       AND step.place < 40
)
SELECT DISTINCT step.key
  FROM step
 WHERE step.key > $2
 LIMIT $4;
