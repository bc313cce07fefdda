-- Walk the partitions that wait at the most urgent priority from a given one on, beginning after the one
-- that was served last, once around, until enough are found that may have another job.
-- $1 text: queue, $2 int: the least priority, $3 text, $4 text: between which texts keys lie, $5 int: how
-- many to find, $6 text: the cursors as a JSON object, $7 int: how many jobs of a partition may run, or
-- null, $8 text: on which node, or null for all, $9 text: running jobs without a key, a JSON object of
-- counts by key, $10 timestamptz: the time, $11 int: the weight of a job that has none, $12 int: the most,
-- $13 text[]: names of workers, $14 bigint[]: ids.
-- Jobs of the workers $13 are left but for $14, the first ones of chunks that may be claimed.
-- One step takes a probe of each index, whatever waits in a partition: a loose scan. OFFSET keeps the
-- planner from counting thrice. The priority comes back alone where no partition is left.
-- Running jobs are read in the order of their index: by statistics of a table that was emptied, the
-- planner might read those of all queues.
-- Locks: none. Index: staffa_jobs_ring, staffa_jobs_limited, the primary key of staffa_rates.
WITH RECURSIVE level AS MATERIALIZED (
    SELECT first.priority,
           coalesce($6::text::jsonb ->> first.priority::text, $3::text) COLLATE "C" AS start
      FROM (SELECT job.priority::int AS priority
              FROM :"prefix".oban_jobs AS job
             WHERE job.state = 'available'
               AND job.meta ->> 'partition_key' IS NOT NULL
               AND job.queue = $1::text
               AND job.priority >= $2::int
               AND left(job.meta ->> 'partition_key', 300) COLLATE "C" > $3::text
               AND left(job.meta ->> 'partition_key', 300) COLLATE "C" < $4::text
               AND job.attempt < job.max_attempts
               AND (job.worker <> ALL ($13::text[]) OR job.id = ANY ($14::bigint[]))
             ORDER BY job.priority
             LIMIT 1) AS first
), ring (place, key, wrapped, weight, running, meter, free_at, ready, found) AS (
    SELECT 0, level.start, false, 0, 0, NULL::text, NULL::timestamp, false, 0
      FROM level
     UNION ALL
    SELECT ring.place + 1, next.key, next.wrapped, next.weight, used.running, rate.meter,
           rate.free_at, check_.ready, ring.found + check_.ready::int
      FROM ring
     CROSS JOIN level
     CROSS JOIN LATERAL (
               (SELECT left(job.meta ->> 'partition_key', 300) COLLATE "C" AS key, ring.wrapped,
                       CASE jsonb_typeof(job.meta -> 'staffa_weight') WHEN 'number'
                            THEN least(greatest((job.meta ->> 'staffa_weight')::numeric, 1), $12::int)
                            ELSE $11::int END::int AS weight
                  FROM :"prefix".oban_jobs AS job
                 WHERE job.state = 'available'
                   AND job.meta ->> 'partition_key' IS NOT NULL
                   AND job.queue = $1::text
                   AND job.priority = level.priority
                   AND left(job.meta ->> 'partition_key', 300) COLLATE "C" > ring.key
                   AND left(job.meta ->> 'partition_key', 300) COLLATE "C"
                       <= CASE WHEN ring.wrapped THEN level.start ELSE $4::text COLLATE "C" END
                   AND job.attempt < job.max_attempts
                   AND (job.worker <> ALL ($13::text[]) OR job.id = ANY ($14::bigint[]))
                 ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C", job.scheduled_at, job.id
                 LIMIT 1)
                UNION ALL
               (SELECT left(job.meta ->> 'partition_key', 300) COLLATE "C", true,
                       CASE jsonb_typeof(job.meta -> 'staffa_weight') WHEN 'number'
                            THEN least(greatest((job.meta ->> 'staffa_weight')::numeric, 1), $12::int)
                            ELSE $11::int END::int
                  FROM :"prefix".oban_jobs AS job
                 WHERE NOT ring.wrapped
                   AND job.state = 'available'
                   AND job.meta ->> 'partition_key' IS NOT NULL
                   AND job.queue = $1::text
                   AND job.priority = level.priority
                   AND left(job.meta ->> 'partition_key', 300) COLLATE "C" > $3::text
                   AND left(job.meta ->> 'partition_key', 300) COLLATE "C" <= level.start
                   AND job.attempt < job.max_attempts
                   AND (job.worker <> ALL ($13::text[]) OR job.id = ANY ($14::bigint[]))
                 ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C", job.scheduled_at, job.id
                 LIMIT 1)
                LIMIT 1
           ) AS next
     CROSS JOIN LATERAL (
               SELECT CASE WHEN $7::int IS NULL THEN 0
                           ELSE coalesce(($9::text::jsonb ->> next.key)::int, 0) + (
                               SELECT count(*)
                                 FROM (SELECT DISTINCT held.chunk
                                         FROM (SELECT coalesce(job.meta ->> 'staffa_chunk', job.id::text) AS chunk
                                                 FROM :"prefix".oban_jobs AS job
                                                WHERE job.state = 'executing'
                                                  AND job.meta ->> 'partition_key' IS NOT NULL
                                                  AND job.queue = $1::text
                                                  AND left(job.meta ->> 'partition_key', 300) COLLATE "C"
                                                      BETWEEN next.key AND next.key
                                                  AND ($8::text IS NULL OR job.attempted_by[1] = $8::text)
                                                ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C"
                                              ) AS held
                                        LIMIT $7::int) AS busy
                           )::int END AS running
               OFFSET 0
           ) AS used
      LEFT JOIN LATERAL (
               SELECT known.meter::text AS meter, known.free_at
                 FROM :"prefix".staffa_rates AS known
                WHERE known.queue = $1::text
                  AND known.key = next.key
               OFFSET 0
           ) AS rate ON true
     CROSS JOIN LATERAL (
               SELECT ($7::int IS NULL OR used.running < $7::int)
                      AND (rate.free_at IS NULL
                           OR rate.free_at <= timezone('UTC', $10::timestamptz)) AS ready
           ) AS check_
     WHERE ring.found < $5::int
)
SELECT level.priority, ring.key, ring.weight, ring.running, ring.meter, ring.ready,
       ring.free_at AT TIME ZONE 'UTC' AS due_at
  FROM level
  LEFT JOIN ring ON ring.place > 0
 ORDER BY ring.place;
