-- Read what the busiest partitions of a queue use: how many of their jobs run, what they have spent.
-- $1: queue, $2: the digest that keys begin with, $3: how many partitions.
-- Index: staffa_jobs_limited; the primary key of staffa_rates.
SELECT used.key, count(DISTINCT used.run) AS running, max(used.meter) AS meter
  FROM (SELECT job.meta ->> '$.partition_key' AS key,
               coalesce(job.meta ->> '$.staffa_chunk', job.id) AS run, NULL AS meter
          FROM oban_jobs AS job
         WHERE job.state = 'executing'
           AND job.meta ->> '$.partition_key' IS NOT NULL
           AND job.queue = $1
         UNION ALL
        SELECT rate.key, NULL, rate.meter
          FROM staffa_rates AS rate
         WHERE rate.queue = $1) AS used
 WHERE substr(used.key, 1, length($2)) = $2
 GROUP BY used.key
 ORDER BY count(DISTINCT used.run) DESC, used.key
 LIMIT $3;
