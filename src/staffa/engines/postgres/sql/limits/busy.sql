-- Read what the busiest partitions of a queue use: how many of their jobs run, what they have spent.
-- $1 text: queue, $2 text: the digest that keys begin with, $3 int: how many partitions.
-- Locks: none. Index: staffa_jobs_limited; the primary key of staffa_rates.
SELECT key, coalesce(busy.running, 0)::int AS running, rate.meter::text AS meter
  FROM (SELECT left(job.meta ->> 'partition_key', 300) COLLATE "C" AS key,
               count(*) FILTER (WHERE job.meta ->> 'staffa_chunk' IS NULL)
               + count(DISTINCT job.meta ->> 'staffa_chunk') AS running
          FROM :"prefix".oban_jobs AS job
         WHERE job.state = 'executing'
           AND job.meta ->> 'partition_key' IS NOT NULL
           AND job.queue = $1::text
         GROUP BY 1) AS busy
  FULL JOIN (SELECT known.key COLLATE "C" AS key, known.meter
               FROM :"prefix".staffa_rates AS known
              WHERE known.queue = $1::text) AS rate USING (key)
 WHERE starts_with(key, $2::text)
 ORDER BY 2 DESC, key
 LIMIT $3::int;
