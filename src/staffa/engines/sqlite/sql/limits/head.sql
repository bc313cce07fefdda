-- Read how many tokens the most urgent job of a queue takes; no row where none waits.
-- $1: queue, $2: the weight of a job that has none, $3: the most, $4: names of workers,
-- $5: ids, both JSON arrays.
-- Jobs of the workers $4 are left but for $5, the first ones of chunks that may be claimed.
-- Index: staffa_jobs_claim.
SELECT CASE WHEN json_type(job.meta, '$.staffa_weight') IN ('integer', 'real')
            THEN CAST(min(max(job.meta ->> '$.staffa_weight', 1), $3) AS INTEGER)
            ELSE $2 END AS weight
  FROM oban_jobs AS job
 WHERE job.state = 'available'
   AND job.queue = $1
   AND job.attempt < job.max_attempts
   AND (job.worker NOT IN (SELECT given.value FROM json_each($4) AS given)
        OR job.id IN (SELECT given.value FROM json_each($5) AS given))
 ORDER BY job.priority, job.scheduled_at, job.id
 LIMIT 1;
