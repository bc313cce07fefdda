-- Read how many tokens the most urgent job of a queue takes; no row where none waits.
-- $1: queue, $2: the weight of a job that has none, $3: the most.
-- Index: staffa_jobs_claim.
SELECT CASE WHEN json_type(job.meta, '$.staffa_weight') IN ('integer', 'real')
            THEN CAST(min(max(job.meta ->> '$.staffa_weight', 1), $3) AS INTEGER)
            ELSE $2 END AS weight
  FROM oban_jobs AS job
 WHERE job.state = 'available'
   AND job.queue = $1
   AND job.attempt < job.max_attempts
 ORDER BY job.priority, job.scheduled_at, job.id
 LIMIT 1;
