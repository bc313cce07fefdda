-- Read the time, how many jobs of a limited queue run, a chunk being one, and what was spent of it as a whole.
-- $1 text: queue, $2 bool: whether running jobs are counted, $3 text: of which node, or null for all.
-- Locks: none. Index: staffa_jobs_limited; the primary key of staffa_rates.
SELECT clock_timestamp() AS read_at,
       CASE WHEN $2::bool THEN (
           SELECT count(*) FILTER (WHERE job.meta ->> 'staffa_chunk' IS NULL)
                  + count(DISTINCT job.meta ->> 'staffa_chunk')
             FROM :"prefix".oban_jobs AS job
            WHERE job.state = 'executing'
              AND job.meta ->> 'partition_key' IS NOT NULL
              AND job.queue = $1::text
              AND ($3::text IS NULL OR job.attempted_by[1] = $3::text)
       ) ELSE 0 END AS running,
       (SELECT rate.meter::text
          FROM :"prefix".staffa_rates AS rate
         WHERE rate.queue = $1::text
           AND rate.key = '') AS meter;
