-- Read the time, how many jobs of a limited queue run, a chunk being one, and what was spent of it as a whole.
-- $1: queue, $2: whether running jobs are counted, $3: of which node, or null for all.
-- Index: staffa_jobs_limited; the primary key of staffa_rates.
SELECT staffa_now() AS read_at,
       CASE WHEN $2 THEN (
           SELECT count(DISTINCT coalesce(job.meta ->> '$.staffa_chunk', job.id))
             FROM oban_jobs AS job
            WHERE job.state = 'executing'
              AND job.meta ->> '$.partition_key' IS NOT NULL
              AND job.queue = $1
              AND ($3 IS NULL OR job.attempted_by ->> '$[0]' = $3)
       ) ELSE 0 END AS running,
       (SELECT rate.meter
          FROM staffa_rates AS rate
         WHERE rate.queue = $1
           AND rate.key = '') AS meter;
