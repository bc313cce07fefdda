-- Read the time, and what a partition, or the queue as a whole, has spent of a rate limit.
-- $1: queue, $2: fields, a JSON array, empty for the whole, $3: worker, $4: args, $5: meta, both JSON
-- objects.
-- Index: the primary key of staffa_rates.
SELECT staffa_now() AS read_at, asked.key, rate.meter
  FROM (SELECT CASE WHEN $2 = '[]' THEN ''
                    ELSE staffa_partition_key($2, $3, $4, $5) END AS key) AS asked
  LEFT JOIN staffa_rates AS rate ON rate.queue = $1 AND rate.key = asked.key;
