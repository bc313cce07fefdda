-- Read the time, how many jobs of a limited queue run, a chunk being one, and what was spent of it as a whole.
-- $1 text: queue, $2 bool: whether running jobs are counted, $3 text: of which node, or null for all.
-- Running jobs are read in the order of their index: by statistics of a table that was emptied, the
-- planner might read those of all queues.
-- Locks: none. Index: staffa_jobs_limited; the primary key of staffa_rates.
SELECT clock_timestamp() AS read_at,
       CASE WHEN $2::bool THEN (
           SELECT count(*) FILTER (WHERE busy.chunk IS NULL) + count(DISTINCT busy.chunk)
             FROM (SELECT job.meta ->> 'staffa_chunk' AS chunk
                     FROM :"prefix".oban_jobs AS job
                    WHERE job.state = 'executing'
                      AND job.meta ->> 'partition_key' IS NOT NULL
                      AND job.queue = $1::text
                      AND ($3::text IS NULL OR job.attempted_by[1] = $3::text)
                    ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C") AS busy
       ) ELSE 0 END AS running,
       (SELECT rate.meter::text
          FROM :"prefix".staffa_rates AS rate
         WHERE rate.queue = $1::text
           AND rate.key = '') AS meter;
