-- Lease the most urgent jobs of a limited queue that has no partitions, as far as its tokens last.
-- $1: queue, $2: how many jobs, $3: tokens, or null, $4: the time, $5: node, $6: producer uuid, $7: the
-- weight of a job that has none, $8: the most, $9: names of workers, $10: ids, both JSON arrays.
-- Jobs of the workers $9 are left but for $10, the first ones of chunks that may be claimed.
-- Index: staffa_jobs_claim inside, the primary key outside.
WITH near AS MATERIALIZED (
    SELECT job.id, job.priority, job.scheduled_at,
           CASE WHEN json_type(job.meta, '$.staffa_weight') IN ('integer', 'real')
                THEN CAST(min(max(job.meta ->> '$.staffa_weight', 1), $8) AS INTEGER)
                ELSE $7 END AS weight
      FROM oban_jobs AS job
     WHERE job.state = 'available'
       AND job.queue = $1
       AND job.attempt < job.max_attempts
       AND (job.worker NOT IN (SELECT given.value FROM json_each($9) AS given)
            OR job.id IN (SELECT given.value FROM json_each($10) AS given))
     ORDER BY job.priority, job.scheduled_at, job.id
     LIMIT $2
), weighed AS MATERIALIZED (
    SELECT near.id,
           sum(near.weight) OVER (
               ORDER BY near.priority, near.scheduled_at, near.id) AS spent
      FROM near
)
UPDATE oban_jobs
   SET state = 'executing',
       attempt = attempt + 1,
       attempted_at = $4,
       attempted_by = json_array($5, $6),
       meta = staffa_merge(iif(meta ->> '$.staffa_chunk' IS NULL, meta, json_remove(meta, '$.staffa_chunk')),
                           '{"partition_key": ""}')
 WHERE id IN (
           SELECT weighed.id
             FROM weighed
            WHERE $3 IS NULL OR weighed.spent <= $3
       )
RETURNING id, worker, args, meta, tags, priority, attempt, max_attempts,
          CASE WHEN attempt > 1 THEN errors END AS errors, inserted_at, scheduled_at, attempted_at,
          '' AS key,
          CASE WHEN json_type(meta, '$.staffa_weight') IN ('integer', 'real')
               THEN CAST(min(max(meta ->> '$.staffa_weight', 1), $8) AS INTEGER)
               ELSE $7 END AS weight;
