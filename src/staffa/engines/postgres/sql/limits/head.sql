-- Read how many tokens the most urgent job of a queue takes; no row where none waits.
-- $1 text: queue, $2 int: the weight of a job that has none, $3 int: the most,
-- $4 text[]: names of workers, $5 bigint[]: ids.
-- Jobs of the workers $4 are left but for $5, the first ones of chunks that may be claimed.
-- Locks: none. Index: staffa_jobs_claim.
SELECT CASE jsonb_typeof(job.meta -> 'staffa_weight') WHEN 'number'
            THEN least(greatest((job.meta ->> 'staffa_weight')::numeric, 1), $3::int)
            ELSE $2::int END::int AS weight
  FROM :"prefix".oban_jobs AS job
 WHERE job.state = 'available'
   AND job.queue = $1::text
   AND job.attempt < job.max_attempts
   AND (job.worker <> ALL ($4::text[]) OR job.id = ANY ($5::bigint[]))
 ORDER BY job.priority, job.scheduled_at, job.id
 LIMIT 1;
