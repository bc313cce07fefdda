-- Lease the next jobs of partitions, so many of each, as far as their tokens last.
-- $1: a JSON array of key, how many jobs, and tokens or null; $2: queue, $3: priority, $4: tokens of all
-- together, or null, $5: the time, $6: node, $7: producer uuid, $8: fields, $9: the weight of a job that
-- has none, $10: the most, $11: the largest number of jobs of one key, $12: names of workers,
-- $13: ids, both JSON arrays.
-- Jobs of the workers $12 are left but for $13, the first ones of chunks that may be claimed.
-- A job whose key is not the one of its columns, for somebody has changed these, is put where it belongs
-- instead: it comes back without its worker.
-- Index: staffa_jobs_ring inside, the primary key outside.
WITH asked AS MATERIALIZED (
    SELECT given.key AS place, given.value ->> '$[0]' AS key, given.value ->> '$[1]' AS quota,
           given.value ->> '$[2]' AS tokens
      FROM json_each($1) AS given
), near AS MATERIALIZED (
    SELECT asked.place, asked.tokens, job.id, job.scheduled_at,
           asked.key = staffa_partition_key($8, job.worker, job.args, job.meta) AS right_key,
           CASE WHEN json_type(job.meta, '$.staffa_weight') IN ('integer', 'real')
                THEN CAST(min(max(job.meta ->> '$.staffa_weight', 1), $10) AS INTEGER)
                ELSE $9 END AS weight
      FROM asked
     CROSS JOIN json_each((
               SELECT json_group_array(next.id)
                 FROM (SELECT waiting.id
                         FROM oban_jobs AS waiting
                        WHERE waiting.state = 'available'
                          AND waiting.meta ->> '$.partition_key' IS NOT NULL
                          AND waiting.queue = $2
                          AND waiting.priority = $3
                          AND waiting.meta ->> '$.partition_key' = asked.key
                          AND waiting.attempt < waiting.max_attempts
                          AND (waiting.worker NOT IN (SELECT given.value FROM json_each($12) AS given)
                               OR waiting.id IN (SELECT given.value FROM json_each($13) AS given))
                        ORDER BY waiting.scheduled_at, waiting.id
                        LIMIT $11) AS next
           )) AS found
     CROSS JOIN oban_jobs AS job
     WHERE found.key < asked.quota
       AND job.id = found.value
), turned AS MATERIALIZED (
    SELECT near.*,
           row_number() OVER (PARTITION BY near.place
                              ORDER BY near.scheduled_at, near.id) AS turn
      FROM near
     WHERE near.right_key
), weighed AS MATERIALIZED (
    SELECT turned.id, turned.tokens,
           sum(turned.weight) OVER (PARTITION BY turned.place ORDER BY turned.turn) AS spent,
           sum(turned.weight) OVER (ORDER BY turned.turn, turned.place) AS total
      FROM turned
)
UPDATE oban_jobs
   SET state = iif(meta ->> '$.partition_key' = staffa_partition_key($8, worker, args, meta),
                   'executing', state),
       attempt = attempt + (meta ->> '$.partition_key' = staffa_partition_key($8, worker, args, meta)),
       attempted_at = iif(meta ->> '$.partition_key' = staffa_partition_key($8, worker, args, meta),
                          $5, attempted_at),
       attempted_by = iif(meta ->> '$.partition_key' = staffa_partition_key($8, worker, args, meta),
                          json_array($6, $7), attempted_by),
       meta = iif(meta ->> '$.partition_key' = staffa_partition_key($8, worker, args, meta),
                  iif(meta ->> '$.staffa_chunk' IS NULL, meta, json_remove(meta, '$.staffa_chunk')),
                  staffa_partitioned($8, worker, args, meta))
 WHERE id IN (
           SELECT weighed.id
             FROM weighed
            WHERE (weighed.tokens IS NULL OR weighed.spent <= weighed.tokens)
              AND ($4 IS NULL OR weighed.total <= $4)
            UNION ALL
           SELECT near.id
             FROM near
            WHERE NOT near.right_key
       )
RETURNING id, iif(state = 'executing', worker, NULL) AS worker, args, meta, tags, priority, attempt,
          max_attempts, CASE WHEN attempt > 1 THEN errors END AS errors, inserted_at, scheduled_at,
          attempted_at, meta ->> '$.partition_key' AS key,
          CASE WHEN json_type(meta, '$.staffa_weight') IN ('integer', 'real')
               THEN CAST(min(max(meta ->> '$.staffa_weight', 1), $10) AS INTEGER)
               ELSE $9 END AS weight;
