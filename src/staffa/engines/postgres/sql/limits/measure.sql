-- Read the time, and what a partition, or the queue as a whole, has spent of a rate limit.
-- $1 text: queue, $2 text[]: fields, empty for the whole, $3 text: worker, $4 text: args, $5 text: meta,
-- both JSON objects.
-- Locks: none. Index: the primary key of staffa_rates.
SELECT clock_timestamp() AS read_at, asked.key, rate.meter::text AS meter
  FROM (SELECT CASE WHEN cardinality($2::text[]) = 0 THEN ''
                    ELSE :"prefix".staffa_partition_key(
                             $2::text[], $3::text, $4::text::jsonb, $5::text::jsonb)
                    END AS key) AS asked
  LEFT JOIN :"prefix".staffa_rates AS rate ON rate.queue = $1::text AND rate.key = asked.key;
