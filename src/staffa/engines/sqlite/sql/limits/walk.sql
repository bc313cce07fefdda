-- Walk the partitions that wait at the most urgent priority from a given one on, beginning after the one
-- that was served last, once around, until enough are found that may have another job.
-- $1: queue, $2: the least priority, $3, $4: between which texts keys lie, $5: how many to find, $6: the
-- cursors, a JSON object, $7: how many jobs of a partition may run, or null, $8: on which node, or null
-- for all, $9: running jobs without a key, a JSON object of counts by key, $10: the time, $11: the weight
-- of a job that has none, $12: the most, $13: names of workers, $14: ids, both JSON arrays.
-- Jobs of the workers $13 are left but for $14, the first ones of chunks that may be claimed.
-- Each partition takes two steps: one finds it, with a probe of the index, the next sees whether it may
-- have another job. The priority comes back alone where no partition is left.
-- Index: staffa_jobs_ring, staffa_jobs_limited, the primary key of staffa_rates.
WITH RECURSIVE level AS MATERIALIZED (
    SELECT first.priority,
           coalesce((SELECT cursor.value FROM json_each($6) AS cursor
                      WHERE cursor.key = CAST(first.priority AS TEXT)), $3) AS start
      FROM (SELECT job.priority
              FROM oban_jobs AS job
             WHERE job.state = 'available'
               AND job.meta ->> '$.partition_key' IS NOT NULL
               AND job.queue = $1
               AND (job.worker NOT IN (SELECT given.value FROM json_each($13) AS given)
                    OR job.id IN (SELECT given.value FROM json_each($14) AS given))
               AND job.priority >= $2
               AND job.meta ->> '$.partition_key' > $3
               AND job.meta ->> '$.partition_key' < $4
               AND job.attempt < job.max_attempts
             ORDER BY job.priority
             LIMIT 1) AS first
), ring (priority, start, place, key, wrapped, looked, ready, found) AS (
    SELECT level.priority, level.start, 0, level.start, 0, 1, 0, 0
      FROM level
     UNION ALL
    SELECT ring.priority, ring.start, ring.place + ring.looked,
           CASE WHEN ring.looked THEN coalesce(
               (SELECT min(job.meta ->> '$.partition_key')
                  FROM oban_jobs AS job
                 WHERE job.state = 'available'
                   AND job.meta ->> '$.partition_key' IS NOT NULL
                   AND job.attempt < job.max_attempts
                   AND job.queue = $1
                   AND (job.worker NOT IN (SELECT given.value FROM json_each($13) AS given)
                        OR job.id IN (SELECT given.value FROM json_each($14) AS given))
                   AND job.priority = ring.priority
                   AND job.meta ->> '$.partition_key' > ring.key
                   AND job.meta ->> '$.partition_key'
                       <= CASE WHEN ring.wrapped THEN ring.start ELSE $4 END),
               CASE WHEN NOT ring.wrapped THEN
               (SELECT min(job.meta ->> '$.partition_key')
                  FROM oban_jobs AS job
                 WHERE job.state = 'available'
                   AND job.meta ->> '$.partition_key' IS NOT NULL
                   AND job.attempt < job.max_attempts
                   AND job.queue = $1
                   AND (job.worker NOT IN (SELECT given.value FROM json_each($13) AS given)
                        OR job.id IN (SELECT given.value FROM json_each($14) AS given))
                   AND job.priority = ring.priority
                   AND job.meta ->> '$.partition_key' > $3
                   AND job.meta ->> '$.partition_key' <= ring.start) END)
                ELSE ring.key END,
           CASE WHEN ring.looked AND NOT ring.wrapped THEN
               NOT EXISTS (
                   SELECT 1
                     FROM oban_jobs AS job
                    WHERE job.state = 'available'
                      AND job.meta ->> '$.partition_key' IS NOT NULL
                      AND job.attempt < job.max_attempts
                      AND job.queue = $1
                      AND (job.worker NOT IN (SELECT given.value FROM json_each($13) AS given)
                           OR job.id IN (SELECT given.value FROM json_each($14) AS given))
                      AND job.priority = ring.priority
                      AND job.meta ->> '$.partition_key' > ring.key
                      AND job.meta ->> '$.partition_key' <= $4)
                ELSE ring.wrapped END,
           NOT ring.looked,
           0,
           ring.found + CASE WHEN ring.looked THEN 0 ELSE
               ($7 IS NULL OR $7 > coalesce((SELECT stray.value FROM json_each($9) AS stray
                                              WHERE stray.key = ring.key), 0) + (
                   SELECT count(DISTINCT coalesce(job.meta ->> '$.staffa_chunk', job.id))
                     FROM oban_jobs AS job
                    WHERE job.state = 'executing'
                      AND job.meta ->> '$.partition_key' IS NOT NULL
                      AND job.queue = $1
                      AND job.meta ->> '$.partition_key' = ring.key
                      AND ($8 IS NULL OR job.attempted_by ->> '$[0]' = $8)))
               AND NOT EXISTS (SELECT 1
                                 FROM staffa_rates AS rate
                                WHERE rate.queue = $1
                                  AND rate.key = ring.key
                                  AND rate.free_at > $10) END
      FROM ring
     WHERE ring.key IS NOT NULL
       AND ring.found < $5
), passed AS MATERIALIZED (
    SELECT ring.place, ring.key,
           coalesce((SELECT stray.value FROM json_each($9) AS stray
                      WHERE stray.key = ring.key), 0) + (
               SELECT count(DISTINCT coalesce(job.meta ->> '$.staffa_chunk', job.id))
                 FROM oban_jobs AS job
                WHERE $7 IS NOT NULL
                  AND job.state = 'executing'
                  AND job.meta ->> '$.partition_key' IS NOT NULL
                  AND job.queue = $1
                  AND job.meta ->> '$.partition_key' = ring.key
                  AND ($8 IS NULL OR job.attempted_by ->> '$[0]' = $8)) AS running,
           (SELECT CASE WHEN json_type(job.meta, '$.staffa_weight') IN ('integer', 'real')
                        THEN CAST(min(max(job.meta ->> '$.staffa_weight', 1), $12) AS INTEGER)
                        ELSE $11 END
              FROM oban_jobs AS job
             WHERE job.state = 'available'
               AND job.meta ->> '$.partition_key' IS NOT NULL
               AND job.queue = $1
               AND (job.worker NOT IN (SELECT given.value FROM json_each($13) AS given)
                    OR job.id IN (SELECT given.value FROM json_each($14) AS given))
               AND job.priority = ring.priority
               AND job.meta ->> '$.partition_key' = ring.key
               AND job.attempt < job.max_attempts
             ORDER BY job.scheduled_at, job.id
             LIMIT 1) AS weight
      FROM ring
     WHERE ring.looked
       AND ring.place > 0
       AND ring.key IS NOT NULL
)
SELECT level.priority, passed.key, passed.weight, passed.running, rate.meter,
       ($7 IS NULL OR passed.running < $7) AND coalesce(rate.free_at <= $10, true) AS ready,
       rate.free_at AS due_at
  FROM level
  LEFT JOIN passed ON passed.weight IS NOT NULL
  LEFT JOIN staffa_rates AS rate ON rate.queue = $1 AND rate.key = passed.key
 ORDER BY passed.place;
